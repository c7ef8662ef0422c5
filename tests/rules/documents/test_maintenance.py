"""Weekly windows at their edges: midnight, both changes of the clocks, first and last dates, zones that are none."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents.maintenance import WeeklyWindow, days_text, read_days, window_from
from tests.examples import examples

CPH = "Europe/Copenhagen"
SUNDAY = (6,)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opened(window: WeeklyWindow, around: str) -> tuple[str, str] | None:
    found = window.coming(utc(around))
    return None if found is None else (f"{found[0]:%m-%d %H:%M}", f"{found[1]:%m-%d %H:%M}")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("02:00", "04:00", ("03-29 01:00", "03-29 02:00")),  # 02:00 to 03:00 is skipped: an hour is left
        ("02:30", "04:00", ("03-29 01:00", "03-29 02:00")),
        ("01:00", "02:30", ("03-29 00:00", "03-29 01:00")),
        ("02:10", "02:50", ("04-05 00:10", "04-05 00:50")),  # there is no such time that day
        ("23:00", "02:30", ("03-29 21:00", "03-30 00:30")),
    ],
)
def test_in_spring_a_skipped_time_is_the_moment_of_the_change(start: str, end: str, expected: object) -> None:
    window = WeeklyWindow(SUNDAY, start, end, CPH)
    assert opened(window, "2026-03-28 12:00") == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("02:00", "03:00", ("10-25 00:00", "10-25 02:00")),  # the hour comes twice, and is quiet twice
        ("02:30", "02:45", ("10-25 00:30", "10-25 01:45")),
        ("01:00", "04:00", ("10-24 23:00", "10-25 03:00")),
        ("22:00", "02:00", ("10-25 21:00", "10-26 01:00")),
    ],
)
def test_in_autumn_a_repeated_hour_is_inside_as_a_whole(start: str, end: str, expected: object) -> None:
    window = WeeklyWindow(SUNDAY, start, end, CPH)
    assert opened(window, "2026-10-24 12:00") == expected


@settings(max_examples=examples(60))
@given(
    minute=st.integers(0, 365 * 24 * 60),
    days=st.sets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 23),
    length=st.integers(1, 23),
    zone=st.sampled_from([CPH, "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_away_from_changes_it_is_open_when_the_clock_on_the_wall_says_so(
    minute: int, days: set[int], start: int, length: int, zone: str
) -> None:
    now = utc("2026-01-01 00:00") + timedelta(minutes=minute)
    window = WeeklyWindow(tuple(sorted(days)), f"{start:02}:00", f"{(start + length) % 24:02}:00", zone)
    local = now.astimezone(ZoneInfo(zone))
    near = [(local + timedelta(days=n)).utcoffset() for n in (-2, 0, 2)]
    if len(set(near)) > 1:
        return
    hours = local.hour + local.minute / 60
    today = local.weekday() in days and start <= hours < start + length
    yesterday = (local.weekday() - 1) % 7 in days and hours + 24 < start + length
    assert (window.open_at(now) is not None) == (today or yesterday)


def test_first_and_last_dates_count_by_the_day_on_which_a_window_opens() -> None:
    window = WeeklyWindow((5, 6), "22:00", "04:00", "UTC", first=date(2026, 3, 7), last=date(2026, 3, 8))
    assert window.open_at(utc("2026-03-01 23:00")) is None
    assert window.open_at(utc("2026-03-08 03:00")) is not None
    assert window.open_at(utc("2026-03-09 03:00")) is not None
    assert window.open_at(utc("2026-03-14 23:00")) is None
    assert not window.is_over(utc("2026-03-09 03:59"))
    assert window.is_over(utc("2026-03-12 00:00"))
    assert opened(window, "2026-02-01 00:00") == ("03-07 22:00", "03-08 04:00")


def test_each_location_has_its_own_zone_and_one_without_takes_the_default() -> None:
    window = WeeklyWindow((0,), "02:00", "24:00", default_zone="Asia/Tokyo")
    now = utc("2026-03-01 17:30")  # Monday, 02:30 in Tokyo
    assert window.open_at(now, "Europe/Copenhagen") is None
    assert window.open_at(now, "Asia/Tokyo") is not None
    assert window.open_at(now, "no such zone") == window.open_at(now, None) is not None


def test_the_stored_form_says_the_same() -> None:
    window = WeeklyWindow((0, 4), "02:00", "04:30", CPH, first=date(2026, 3, 1))
    assert window_from(window.document()) == window


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("sat", (5,)),
        ("Mon-Fri", (0, 1, 2, 3, 4)),
        ("fri-mon", (0, 4, 5, 6)),
        ("saturday,sun", (5, 6)),
        ("daily", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_days_are_read_as_people_write_them(text: str, days: tuple[int, ...]) -> None:
    assert read_days(text) == days


def test_days_are_told_as_people_write_them() -> None:
    assert [days_text(days) for days in ((5,), (0, 1, 2, 3, 4), (0, 5))] == ["Sat", "Mon to Fri", "Mon, Sat"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"days": ()}, "needs days"),
        ({"start": "2:00"}, "is no time of day"),
        ({"end": "24:01"}, "is no time of day"),
        ({"end": "\u0660\u0662:00"}, "is no time of day"),
        ({"end": "02:00"}, "has no length"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"first": date(2026, 2, 1), "last": date(2026, 1, 1)}, "before the first"),
    ],
)
def test_a_window_that_could_not_be_meant_is_refused(values: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        WeeklyWindow(**{"days": (0,), "start": "02:00", "end": "04:00", **values})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="names no days"):
        read_days("caturday,sun")
