"""Slots of cron schedules: both daylight-saving changes, catching up, and the claim that makes one count once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.digests.slots import claim_slot, is_ready, slots_to_refresh
from rules.documents.schedules import Slot, slots_due
from rules.documents.windows import day_bounds, window_of
from storage.engine import Database
from tests.notify.records import insert_poll

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CHANGES = {
    "Europe/Copenhagen": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
}


def spoken(schedule: str, zone: str, start: datetime, end: datetime, every: timedelta = 10 * MINUTE) -> list[Slot]:
    """What a service that ticks regularly finds due between two moments."""
    slots: list[Slot] = []
    while start < end:
        slots += slots_due(schedule, zone, start, min(start + every, end))
        start += every
    return slots


def on(day: date, schedule: str, zone: str) -> list[str]:
    """The local names of a day's slots."""
    start, end = day_bounds(day, zone)
    return [slot.local for slot in spoken(schedule, zone, start - timedelta(seconds=1), end - timedelta(seconds=1))]


@pytest.mark.parametrize(("zone", "offset"), [("Europe/Copenhagen", "+02:00"), ("America/New_York", "-04:00")])
def test_a_time_inside_the_skipped_hour_speaks_once_at_its_end(zone: str, offset: str) -> None:
    spring, _ = CHANGES[zone]
    assert on(spring, "30 2 * * *", zone) == [f"{spring}T03:00:00{offset}"]
    assert on(spring, "0,30 2 * * *", zone) == [f"{spring}T03:00:00{offset}"]


def test_a_time_inside_the_repeated_hour_speaks_once_at_the_first() -> None:
    assert on(date(2026, 10, 25), "30 2 * * *", "Europe/Copenhagen") == ["2026-10-25T02:30:00+02:00"]
    assert on(date(2026, 11, 1), "30 1 * * *", "America/New_York") == ["2026-11-01T01:30:00-04:00"]


@pytest.mark.parametrize("zone", CHANGES)
def test_an_hourly_schedule_has_23_slots_in_spring_and_25_differently_named_ones_in_autumn(zone: str) -> None:
    spring, autumn = (on(day, "0 * * * *", zone) for day in CHANGES[zone])
    assert (len(spring), len(autumn), len(set(autumn))) == (23, 25, 25)


@pytest.mark.parametrize("zone", CHANGES)
def test_eight_in_the_morning_stays_eight_and_its_window_is_the_whole_local_day(zone: str) -> None:
    for changed, hours in zip(CHANGES[zone], (23, 25), strict=True):
        after, _ = day_bounds(changed + DAY, zone)
        (slot,) = spoken("0 8 * * *", zone, after, after + 12 * HOUR)
        assert slot.local.startswith(f"{changed + DAY}T08:00:00")
        assert slot.window_to - slot.window_from == hours * HOUR
        assert slot.window_to == after
        (same_day,) = on(changed, "0 8 * * *", zone)
        assert same_day.startswith(f"{changed}T08:00:00")


def test_a_day_whose_midnight_is_skipped_begins_at_the_change() -> None:
    start, end = day_bounds(date(2026, 4, 24), "Africa/Cairo")
    assert (start, end - start) == (datetime(2026, 4, 23, 22, tzinfo=UTC), 23 * HOUR)


@given(
    st.sampled_from(["30 2 * * *", "0 8 * * *", "0 * * * *", "*/30 2 * * *", "15 1,2,3 * * *", "0 9 * * 1"]),
    st.sampled_from([(zone, day) for zone, days in CHANGES.items() for day in days]),
    st.lists(st.integers(1, 30), max_size=120),
)
def test_any_sequence_of_ticks_finds_each_slot_once(schedule: str, place: tuple[str, date], steps: list[int]) -> None:
    zone, day = place
    start = now = day_bounds(day, zone)[0] - timedelta(hours=2)
    found: list[Slot] = []
    for step in steps:
        found += slots_due(schedule, zone, now, now + step * MINUTE)
        now += step * MINUTE
    expected = spoken(schedule, zone, start, now, MINUTE)
    assert [slot.local for slot in found] == [slot.local for slot in expected]
    assert [slot.at for slot in found] == sorted({slot.at for slot in found})


def test_of_missed_slots_only_the_newest_is_caught_up_and_says_so() -> None:
    now = datetime(2026, 3, 2, 12, 50, tzinfo=UTC)
    (missed,) = slots_due("0 * * * *", "UTC", now - 5 * HOUR, now)
    assert (missed.local, missed.late) == ("2026-03-02T12:00:00+00:00", True)
    missed, waiting = slots_due("0 * * * *", "UTC", now - 5 * HOUR, now + 15 * MINUTE)
    assert [(missed.at.hour, missed.late), (waiting.at.hour, waiting.late)] == [(12, True), (13, False)]


def test_a_slot_missed_by_more_than_a_day_is_forgotten() -> None:
    monday = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert slots_due("0 8 * * 1", "UTC", monday - 30 * DAY, monday + DAY) == []
    assert len(slots_due("0 8 * * 1", "UTC", monday - 30 * DAY, monday + DAY - 2 * HOUR)) == 1


def test_the_start_is_excluded_and_the_end_included() -> None:
    eight = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert len(slots_due("0 8 * * *", "UTC", eight - MINUTE, eight)) == 1
    assert slots_due("0 8 * * *", "UTC", eight, eight + MINUTE) == []


def test_a_bad_schedule_and_an_unknown_window_are_named() -> None:
    now = datetime(2026, 3, 2, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match=r'schedule "61 8 \* \* \*": Bad minute'):
        slots_due("61 8 * * *", "UTC", now - DAY, now)
    with pytest.raises(ValueError, match='unknown window "tomorrow"; known: yesterday, last week'):
        window_of("tomorrow", "UTC", now)


def eight_in_copenhagen() -> Slot:
    at = datetime(2026, 3, 2, 7, tzinfo=UTC)
    (slot,) = slots_due("0 8 * * *", "Europe/Copenhagen", at - MINUTE, at)
    return slot


def test_a_slot_waits_for_a_poll_that_began_after_its_window_settled(database: Database) -> None:
    slot = eight_in_copenhagen()
    with database.write() as connection:
        assert not is_ready(connection, slot, slot.at)
        insert_poll(connection, slot.window_to + MINUTE)
        assert not is_ready(connection, slot, slot.at)
        insert_poll(connection, slot.window_to + 2 * MINUTE, "chargers")
        assert not is_ready(connection, slot, slot.at)
        insert_poll(connection, slot.window_to + 2 * MINUTE)
        assert is_ready(connection, slot, slot.at)


def test_a_slot_waits_at_most_half_an_hour(database: Database) -> None:
    slot = eight_in_copenhagen()
    with database.write() as connection:
        assert not is_ready(connection, slot, slot.at + 30 * MINUTE - timedelta(seconds=1))
        assert is_ready(connection, slot, slot.at + 30 * MINUTE)


def test_a_slot_is_claimed_once_for_each_rule_and_zone(database: Database) -> None:
    slot = eight_in_copenhagen()
    with database.write() as connection:
        claims = [claim_slot(connection, rule, slot, {}, slot.at) for rule in ("a", "a", "b")]
    with database.write() as connection:
        claims.append(claim_slot(connection, "a", slot, {}, slot.at))
    assert claims == [True, False, True, False]


def test_slots_are_looked_at_again_for_48_hours(database: Database) -> None:
    slot = eight_in_copenhagen()
    with database.write() as connection:
        claim_slot(connection, "a", slot, {"late": False}, slot.at)
        assert [row.slot for row in slots_to_refresh(connection, slot.at + 48 * HOUR - MINUTE)] == [slot.local]
        assert slots_to_refresh(connection, slot.at + 48 * HOUR) == []
