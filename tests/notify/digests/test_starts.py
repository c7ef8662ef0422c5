"""From when on the slots of a digest count, and what neither an edit nor a pause may say twice, late or never."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import settings

from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from notify.routing import Routing
from rules.documents.document import rule_from_document
from rules.documents.schedules import next_moment
from rules.registry.authoring import change_rule, create_rule, find_rule, switch_rule
from rules.registry.store import load_rules, sync_rules
from storage import tables
from storage.engine import Database
from storage.schema import DIGEST_START, LOCATION, OUTBOX, SESSION
from tests.notify.records import insert, insert_connector, insert_location, insert_poll, insert_session

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MORNING = datetime(2026, 3, 3, 7, tzinfo=UTC)  # 08:00 in Copenhagen
DAILY = {"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}
ZONES = ("Europe/Copenhagen", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


def put(database: Database, document: dict[str, Any], now: datetime) -> None:
    """Load a file that says this."""
    with database.write() as connection:
        sync_rules(connection, [rule_from_document(document, "site.yaml")], now)


def look(database: Database, now: datetime, *, channels: tuple[str, ...] = ("C1",)) -> list[DigestEnqueued]:
    with database.write() as connection:
        insert_poll(connection, now)
        rules = load_rules(connection).digests
        return enqueue_due_digests(connection, rules, Routing(now, {"daily": channels}, default_zone="UTC"))


@pytest.fixture
def site(database: Database) -> Database:
    with database.write() as connection:
        insert_location(connection, first_seen_at=MORNING - 30 * DAY)
    put(database, DAILY, MORNING - 10 * DAY)
    assert len(look(database, MORNING + MINUTE)) == 1  # UTC has no location: it is silent
    return database


def test_another_schedule_or_zone_of_a_rule_counts_from_when_it_is_loaded(site: Database) -> None:
    afternoon = MORNING + 8 * HOUR
    put(site, {**DAILY, "schedule": "0 10 * * *"}, afternoon)
    assert look(site, afternoon) == []
    put(site, {**DAILY, "timezone": "America/New_York"}, afternoon + MINUTE)
    assert look(site, afternoon + MINUTE) == []
    put(site, DAILY, afternoon + 2 * MINUTE)
    assert look(site, afternoon + 2 * MINUTE) == []
    assert [one.facts["late"] for one in look(site, MORNING + DAY)] == [False]


def test_the_same_schedule_in_words_and_any_other_edit_lose_no_slot(site: Database) -> None:
    put(site, {**DAILY, "schedule": "every day at 8:00", "description": "New words"}, MORNING + DAY + MINUTE)
    assert [one.slot for one in look(site, MORNING + DAY + 2 * MINUTE)] == ["2026-03-04T08:00:00+01:00"]


def test_a_zone_that_comes_later_counts_from_its_first_sight(site: Database) -> None:
    afternoon = MORNING + 9 * HOUR  # 11:00 in New York
    with site.write() as connection:
        insert_location(connection, "ny", timezone="America/New_York", first_seen_at=afternoon)
        insert_location(connection, "l2", first_seen_at=MORNING - DAY)
    assert look(site, afternoon) == []
    # a location that is put right into a zone of its own, and back: neither zone is said late
    with site.write() as connection:
        connection.execute(sa.update(LOCATION).where(LOCATION.c.id == "l2").values(timezone="Asia/Kathmandu"))
    assert look(site, afternoon + MINUTE) == []
    with site.write() as connection:
        connection.execute(sa.update(LOCATION).where(LOCATION.c.id == "l2").values(timezone="Europe/Copenhagen"))
    assert look(site, afternoon + 2 * MINUTE) == []
    with site.read() as connection:
        zones = connection.execute(sa.select(DIGEST_START.c.zone).order_by(DIGEST_START.c.zone)).scalars().all()
    assert zones == ["", "America/New_York", "Europe/Copenhagen", "UTC"]


def test_a_slot_that_was_missed_while_the_service_was_down_is_caught_up_though_a_zone_came(site: Database) -> None:
    back = MORNING + DAY + 5 * HOUR
    with site.write() as connection:
        insert_location(connection, "ny", timezone="America/New_York", first_seen_at=back)
    assert [(one.slot, one.facts["late"]) for one in look(site, back)] == [("2026-03-04T08:00:00+01:00", True)]


def test_a_database_of_an_older_version_catches_up_what_it_missed(site: Database) -> None:
    with site.write() as connection:
        connection.execute(sa.delete(DIGEST_START))
    assert [one.slot for one in look(site, MORNING + DAY + HOUR)] == ["2026-03-04T08:00:00+01:00"]


def test_what_was_said_is_corrected_where_and_for_what_it_was_said_whatever_the_rule_says_now(site: Database) -> None:
    with site.write() as connection:
        insert_location(connection, "ny", timezone="America/New_York")
        insert_session(connection, "elsewhere", MORNING - 20 * HOUR, location_id="ny")
        insert_session(connection, "late", MORNING - 20 * HOUR)
    put(site, {**DAILY, "timezone": "UTC", "window": "last week", "notify": ["#other"]}, MORNING + HOUR)
    with site.write() as connection:
        moved = Routing(MORNING + 2 * HOUR, {"daily": ("C2",)}, default_zone="UTC")
        changed = refresh_digests(connection, ["daily"], moved)
    assert [(one.facts["sessions"], one.facts["day"]) for one in changed] == [(1, "2026-03-02")]
    with site.read() as connection:
        assert connection.execute(sa.select(OUTBOX.c.channel)).scalars().all() == ["C1"]


def test_a_day_that_is_not_over_somewhere_counts_to_now(database: Database) -> None:
    """Five past midnight in Copenhagen, where the day is over; in Halifax it is five past seven in the evening."""
    slot = datetime(2026, 3, 2, 23, 5, tzinfo=UTC)
    early: dict[str, Any] = {"first_seen_at": slot - 5 * DAY}
    with database.write() as connection:
        insert_location(connection, "halifax", timezone="America/Halifax", **early)
        insert_location(connection, **early)
        insert_connector(connection, "c1", location_id="halifax", **early)
        insert_session(connection, "open", slot, location_id="halifax", status="Active", started_at=slot - HOUR)
        connection.execute(sa.update(SESSION).values(ended_at=None))
        status = {"thing": "connector", "thing_id": "c1", "field": "status", "value": "Faulted"}
        insert(connection, tables.Interval, **status, valid_from=slot - 5 * MINUTE, valid_to=None)
    put(database, {**DAILY, "schedule": "5 0 * * *", "timezone": "Europe/Copenhagen"}, slot - HOUR)
    (said,) = look(database, slot + 3 * MINUTE)
    assert not said.facts["complete"]
    assert said.facts["utilisation"] == pytest.approx(60 / (19 * 60 + 5), abs=1e-6)
    assert said.facts["fleet"]["worst"][0]["down_s"] == 300


TIMES = {"0 8 * * *": time(8), "every day at 2:15": time(2, 15), "30 23 * * *": time(23, 30)}


def moment_of(day: date, at: time, zone: str) -> datetime:
    """When a clock on a wall shows a time first: in a skipped hour, when it jumps."""
    shown = datetime.combine(day, at, tzinfo=ZoneInfo(zone))
    found = shown.astimezone(UTC)
    if found.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return found
    return next(
        minute
        for minute in (found - 2 * HOUR + number * MINUTE for number in range(240))
        if minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None) >= shown.replace(tzinfo=None)
    )


@pytest.mark.parametrize("zone", ZONES)
def test_over_two_years_each_day_has_one_slot_of_each_time_where_the_clock_on_the_wall_says(zone: str) -> None:
    first, days = date(2026, 1, 1), [date(2026, 1, 1) + number * DAY for number in range(730)]
    start, end = moment_of(first, time(), zone) - MINUTE, moment_of(days[-1] + DAY, time(), zone) - MINUTE
    for schedule, at in TIMES.items():
        found, moment = [], start
        while (coming := next_moment.__wrapped__(schedule, zone, moment)) is not None and coming <= end:
            found.append(coming)
            moment = coming
        assert found == [moment_of(day, at, zone) for day in days]


@dataclass
class Model:
    """What a person with a calendar expects of one digest: its slots by the clock on the wall, one by one."""

    zone: str
    schedule: str
    counts_from: datetime
    on: bool = True
    claimed: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def moments(self, now: datetime) -> list[datetime]:
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return [moment_of(today + number * DAY, TIMES[self.schedule], self.zone) for number in (-1, 0, 1)]

    def expected(self, now: datetime) -> list[tuple[datetime, bool]]:
        """The slot that is to be said at a look, and whether it is late."""
        after = max(self.claimed, self.counts_from - MINUTE / 60)
        due = [at for at in self.moments(now) if after < at <= now and at > now - DAY] if self.on else []
        if not due:
            return []
        self.claimed = due[-1]
        return [(due[-1], now - due[-1] > 35 * MINUTE)]


def act_on(database: Database, model: Model, act: str, draw: Random, now: datetime) -> None:
    """Do something to the rule or its place, to both the service and the calendar's owner."""
    with database.write() as connection:
        row = find_rule(connection, "daily")
        known = {"base_version": row.version}
        if act == "zone":
            model.zone = draw.choice([zone for zone in ZONES if zone not in {"UTC", model.zone}])
            connection.execute(sa.update(LOCATION).values(timezone=model.zone))
            model.counts_from = now
        elif act == "pause or resume":
            model.on = not model.on
            switch_rule(connection, "daily", "U1", now, on=model.on, **known)
            model.counts_from = now if model.on else model.counts_from
        else:
            others = [one for one in TIMES if one != model.schedule]
            model.schedule = draw.choice(others) if act == "schedule" else model.schedule
            document = {**row.document, "schedule": model.schedule, "description": f"Words of {now}"}
            change_rule(connection, rule_from_document(document, "slack"), "U1", now, **known)
            model.counts_from = now if act == "schedule" else model.counts_from


ACTS = ("zone", "pause or resume", "schedule", "words")
CHANGES = (datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC))
DRAWN = settings().max_examples // 50
SPAN = 12 if os.environ.get("CI") else 3
"""How many days are drawn; a plain run is short."""


def story(draw: Random, start: datetime, acts: Sequence[str], *, a_day: int) -> Iterator[tuple[datetime, str | None]]:
    """When to look, and what is done then: at each slot and act and a minute after, but twice not for nine hours."""
    acted = {start + draw.randrange(1, SPAN * 1440) * MINUTE: draw.choice(acts) for _ in range(a_day * SPAN)}
    asleep = [start + draw.randrange(SPAN * 1440) * MINUTE for _ in range(2)]
    days = [(start + day * DAY).date() for day in range(SPAN + 1)]
    slots = {moment_of(day, at, zone) for day in days for zone in ZONES for at in TIMES.values()}
    moments = {start, *acted, *slots, *(at + MINUTE for at in acted), *(at + 9 * HOUR for at in asleep)}
    for now in sorted(at for at in moments if at >= start):
        if not any(at <= now < at + 9 * HOUR for at in asleep):
            yield now, acted.get(now)


@pytest.mark.parametrize("seed", range(DRAWN))
def test_no_slot_is_doubled_missed_or_late_whatever_is_edited_paused_and_switched_on(
    database: Database, seed: int
) -> None:
    draw = Random(seed)
    start = draw.choice(CHANGES) + draw.randrange(1440) * MINUTE
    model = Model(draw.choice(ZONES), draw.choice(list(TIMES)), start)
    with database.write() as connection:
        insert_location(connection, timezone=model.zone, first_seen_at=start - DAY)
        document = {"name": "daily", "schedule": model.schedule, "digest": "sessions"}
        create_rule(connection, rule_from_document(document, "slack"), "U1", start)
    for now, act in story(draw, start, ACTS, a_day=3):
        if act is not None:
            act_on(database, model, act, draw, now)
        said = [(datetime.fromisoformat(one.slot), one.facts["late"]) for one in look(database, now)]
        assert said == model.expected(now), (now, model)
