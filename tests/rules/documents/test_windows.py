"""What each window covers: whole local days at both changes of the clock, and the stretch since the last one."""

from datetime import UTC, date, datetime, timedelta

from rules.documents.schedules import slot_at
from rules.documents.windows import LONGEST_SINCE, WINDOWS, Period, one_day, period_of, stretch, window_of

ZONE = "Europe/Copenhagen"
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 30, 6, tzinfo=UTC)  # 08:00 on the day after the spring change


def test_each_window_is_whole_local_days_before_today() -> None:
    covered = {name: window_of(name, ZONE, MONDAY) for name in WINDOWS[:-1]}
    assert {name: (one.first, one.last) for name, one in covered.items()} == {
        "yesterday": (date(2026, 3, 29), date(2026, 3, 29)),
        "last week": (date(2026, 3, 23), date(2026, 3, 29)),
        "last month": (date(2026, 2, 1), date(2026, 2, 28)),
        "last 7 days": (date(2026, 3, 23), date(2026, 3, 29)),
        "last 30 days": (date(2026, 2, 28), date(2026, 3, 29)),
    }
    begin, end = covered["last week"].bounds(ZONE)
    assert end - begin == 7 * 24 * HOUR - HOUR
    assert end == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_a_period_is_compared_with_whole_weeks_or_the_month_before() -> None:
    for name, first in (
        ("yesterday", date(2026, 3, 22)),
        ("last week", date(2026, 3, 16)),
        ("last month", date(2026, 1, 1)),
        ("last 30 days", date(2026, 1, 24)),
    ):
        assert window_of(name, ZONE, MONDAY).before().first == first
    assert window_of("last month", ZONE, MONDAY).before().last == date(2026, 1, 31)
    assert one_day(date(2026, 3, 1)).before() == one_day(date(2026, 2, 22))


def test_since_the_last_one_begins_where_that_ended_and_is_never_longer_than_a_month() -> None:
    friday = MONDAY - timedelta(days=3)
    name = "since the last one"
    assert slot_at("0 8 * * 1-5", ZONE, MONDAY, name, friday).period.stretch == (friday, MONDAY)
    # the first one tells about the time since the schedule's moment before: 08:00 in winter time
    assert slot_at("0 8 * * 1-5", ZONE, MONDAY, name).period.stretch == (friday + HOUR, MONDAY)
    assert slot_at("0 8 * * 1-5", ZONE, MONDAY, name, MONDAY - timedelta(days=90)).period.stretch == (
        MONDAY - LONGEST_SINCE,
        MONDAY,
    )


def test_what_has_not_come_is_cut_off() -> None:
    day = one_day(date(2026, 3, 30))
    assert day.cut(MONDAY).bounds(ZONE)[1] == MONDAY
    assert day.cut(MONDAY).bounds("America/Halifax") == (day.bounds("America/Halifax")[0], MONDAY)
    begin, end = one_day(date(2026, 4, 2)).cut(MONDAY).bounds(ZONE)
    assert begin == end


def test_facts_hold_a_period_whole() -> None:
    for period in (
        one_day(date(2026, 3, 30)),
        Period(date(2026, 3, 1), date(2026, 3, 31)),
        stretch(MONDAY, MONDAY + 9 * HOUR, ZONE),
    ):
        assert period_of(period.facts()) == period
