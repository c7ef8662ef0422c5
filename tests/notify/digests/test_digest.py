"""Session digests: which sessions belong to which day, and one message a slot, corrected while it may be."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from notify.digests.session_figures import session_digest
from notify.digests.tables import tables_of
from notify.render import render_message, render_tables
from notify.routing import Routing
from rules.documents.windows import one_day
from storage import tables
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import (
    insert,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_poll,
    insert_rule,
    insert_session,
    table,
)

DAY = date(2026, 3, 2)
MINUTE, ONE_DAY = timedelta(minutes=1), timedelta(days=1)
EIGHT = datetime(2026, 3, 3, 7, tzinfo=UTC)  # 08:00 in Copenhagen on the day after
MADE = EIGHT - timedelta(days=30)
CHANNELS = {"daily": ["C1", "C2"]}


@dataclass(frozen=True)
class Daily:
    """A digest rule, with the fields that a checked rule has."""

    name: str = "daily"
    schedule: str | None = "0 8 * * *"
    timezone: str | None = "Europe/Copenhagen"
    digest: str | None = "sessions"
    window: str | None = "yesterday"
    each: str | None = None
    location: str | None = None
    label: str | None = None


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def prepared(database: Database, *, polled: datetime | None = EIGHT) -> Database:
    with database.write() as connection:
        insert_location(connection)
        insert_connector(connection)
        insert_rule(connection, "daily", created_at=MADE)
        if polled is not None:
            insert_poll(connection, polled)
    return database


def facts_of(database: Database, zone: str | None = None, day: date = DAY, default_zone: str = "UTC") -> dict[str, Any]:
    with database.read() as connection:
        return session_digest(connection, zone, one_day(day), EIGHT, default_zone=default_zone)


def enqueue(
    database: Database,
    now: datetime,
    rules: Sequence[Daily] = (Daily(),),
    channels: Mapping[str, Sequence[str]] = CHANNELS,
) -> list[DigestEnqueued]:
    with database.write() as connection:
        return enqueue_due_digests(connection, rules, Routing(now, channels, default_zone="UTC"))


def refresh(database: Database, now: datetime) -> list[DigestEnqueued]:
    with database.write() as connection:
        return refresh_digests(connection, ["daily"], Routing(now, CHANNELS, default_zone="UTC"))


def outbox(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key)))


def test_a_session_belongs_to_the_local_day_on_which_it_ended(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_location(connection, "ny", timezone="America/New_York")
        insert_location(connection, "nowhere", timezone=None)
        insert_location(connection, "mars", timezone="Mars/Phobos")
        for name, ended, place in (
            ("first instant", "2026-03-01T23:00", "l1"),
            ("last instant", "2026-03-02T22:59:59", "l1"),
            ("day before", "2026-03-01T22:59:59", "l1"),
            ("day after", "2026-03-02T23:00", "l1"),
            ("evening in New York", "2026-03-03T04:59", "ny"),
            ("night before in New York", "2026-03-02T04:59", "ny"),
            ("default zone", "2026-03-02T23:59", "nowhere"),
            ("unknown zone", "2026-03-02T00:00", "mars"),
            ("no location", "2026-03-02T23:59", None),
            ("unknown location", "2026-03-02T12:00", "elsewhere"),
        ):
            insert_session(connection, name, utc(ended), location_id=place)
    assert facts_of(database)["sessions"] == 7
    assert facts_of(database, "Europe/Copenhagen")["sessions"] == 2
    assert facts_of(database, "America/New_York")["sessions"] == 1
    assert facts_of(database, "UTC")["sessions"] == 4


def test_days_of_23_and_25_hours_are_counted_whole(database: Database) -> None:
    with prepared(database).write() as connection:
        for number in range(24 * 10):
            insert_session(connection, f"spring {number}", utc("2026-03-26T00:30") + number * timedelta(hours=1))
            insert_session(connection, f"autumn {number}", utc("2026-10-21T00:30") + number * timedelta(hours=1))
    hours = [facts_of(database, day=date(2026, *day))["sessions"] for day in ((3, 28), (3, 29), (10, 25), (10, 26))]
    assert hours == [24, 23, 25, 24]


def test_figures_count_completed_sessions_energy_money_and_places(database: Database) -> None:
    noon = utc("2026-03-02T12:00")
    with prepared(database).write() as connection:
        insert_location(connection, "l2", currency="EUR")
        insert_session(connection, "a", noon, energy_kwh=0.1, cost=1.1)
        insert_session(connection, "b", noon, energy_kwh=0.2, cost=2.2)
        insert_session(connection, "c", noon, energy_kwh=0.0999, cost=None, location_id="l2")
        insert_session(connection, "d", noon, energy_kwh=None, cost=5.0, currency=None, location_id="l2")
        insert_session(connection, "e", noon, status="Failed", energy_kwh=99.0)
        insert_session(connection, "f", noon, status="Active", energy_kwh=99.0)
    facts = facts_of(database)
    assert {key: facts[key] for key in ("day", "sessions", "energy_kwh", "revenue", "zero_energy", "locations")} == {
        "day": "2026-03-02",
        "sessions": 4,
        "energy_kwh": 0.3999,
        "revenue": {"DKK": 3.3, "EUR": 5.0},
        "zero_energy": 1,
        "locations": 2,
    }


def test_the_five_connectors_with_the_most_energy_are_named(database: Database) -> None:
    noon = utc("2026-03-02T12:00")
    with prepared(database).write() as connection:
        for number in range(2, 8):
            insert_session(connection, f"s{number}", noon, connector_id=f"c{number}", energy_kwh=float(number))
        for half in ("x", "y"):
            insert_session(connection, half, noon, energy_kwh=3.0)
        insert_session(connection, "z", noon, connector_id="c9", energy_kwh=0.0)
    top = facts_of(database)["top"]
    assert [(each["connector_id"], each["energy_kwh"]) for each in top] == [
        ("c7", 7.0),
        ("c1", 6.0),
        ("c6", 6.0),
        ("c5", 5.0),
        ("c4", 4.0),
    ]
    assert (top[1]["charger_name"], top[1]["location_name"], top[1]["sessions"]) == ("Charger of c1", "Location l1", 2)


def test_the_week_before_is_unknown_where_history_begins_later_and_zero_where_it_does_not(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_session(connection, "a", utc("2026-02-24T12:00"))
    assert facts_of(database)["before"] is None
    with database.write() as connection:
        insert_session(connection, "b", utc("2026-02-20T12:00"))
    before = facts_of(database)["before"]
    assert (before["day"], before["sessions"], before["revenue"]) == ("2026-02-23", 0, {})


def test_a_slot_is_enqueued_exactly_once_in_each_channel(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_session(connection, "a", utc("2026-03-02T12:00"))
    (said,) = enqueue(database, EIGHT)
    assert (said.rule, said.slot, said.facts["sessions"], said.facts["late"]) == (
        "daily",
        "2026-03-03T08:00:00+01:00",
        1,
        False,
    )
    assert said.window == {"from": "2026-03-01T23:00:00+00:00", "to": "2026-03-02T23:00:00+00:00"}
    assert [enqueue(database, EIGHT + n * MINUTE) for n in range(3)] == [[], [], []]
    key = "digest:daily:Europe/Copenhagen:2026-03-03T08:00:00+01:00"
    assert [(row.natural_key, row.version) for row in outbox(database)] == [(f"{key}:C1", 1), (f"{key}:C2", 1)]
    assert len(enqueue(database, EIGHT + timedelta(days=1))) == 0  # yesterday's poll is too old for this one
    assert len(enqueue(database, EIGHT + timedelta(days=1, minutes=30))) == 1


def test_a_digest_without_a_fresh_poll_waits_then_says_how_far_it_is_complete(database: Database) -> None:
    stale = utc("2026-03-02T22:10")
    prepared(database, polled=stale)
    assert enqueue(database, EIGHT + 29 * MINUTE) == []
    (said,) = enqueue(database, EIGHT + 30 * MINUTE)
    assert (said.facts["complete"], said.facts["complete_to"]) == (False, stale.isoformat())
    with database.write() as connection:
        insert_poll(connection, EIGHT + 40 * MINUTE)
    (edited,) = refresh(database, EIGHT + 41 * MINUTE)
    assert edited.facts["complete"]
    assert [row.version for row in outbox(database)] == [2, 2]


def test_a_missed_slot_is_caught_up_once_and_says_that_it_is_late(database: Database) -> None:
    prepared(database, polled=EIGHT + timedelta(hours=5))
    (said,) = enqueue(database, EIGHT + timedelta(hours=5))
    assert (said.facts["late"], said.facts["day"]) == (True, "2026-03-02")
    assert enqueue(database, EIGHT + timedelta(hours=6)) == []


def test_a_rule_made_after_its_slot_waits_for_the_next(database: Database) -> None:
    with prepared(database).write() as connection:
        connection.execute(sa.update(table(tables.Rule)).values(created_at=EIGHT + MINUTE))
    assert enqueue(database, EIGHT + 2 * MINUTE) == []


def test_late_sessions_edit_what_was_said_for_48_hours_and_a_new_poll_alone_does_not(database: Database) -> None:
    prepared(database)
    enqueue(database, EIGHT)
    with database.write() as connection:
        insert_poll(connection, EIGHT + MINUTE)
    assert refresh(database, EIGHT + MINUTE) == []
    with database.write() as connection:
        insert_session(connection, "late", utc("2026-03-02T12:00"))
    assert [said.facts["sessions"] for said in refresh(database, EIGHT + timedelta(hours=47))] == [1]
    assert refresh(database, EIGHT + timedelta(hours=47)) == []
    with database.write() as connection:
        insert_session(connection, "too late", utc("2026-03-02T13:00"))
    assert refresh(database, EIGHT + timedelta(hours=48)) == []
    assert [(row.version, row.facts["sessions"]) for row in outbox(database)] == [(2, 1), (2, 1)]


def test_a_rule_by_location_speaks_once_for_each_zone_about_its_own_locations(database: Database) -> None:
    with prepared(database, polled=EIGHT + timedelta(hours=6)).write() as connection:
        insert_location(connection, "ny", timezone="America/New_York")
        insert_session(connection, "a", utc("2026-03-02T12:00"))
        insert_session(connection, "b", utc("2026-03-02T12:00"), location_id="ny")
        insert_session(connection, "c", utc("2026-03-03T04:00"), location_id="ny")
        connection.execute(sa.update(table(tables.Rule)).values(created_at=EIGHT))
    rule = Daily(timezone="location")
    (morning,) = enqueue(database, EIGHT, [rule])
    (later,) = enqueue(database, EIGHT + timedelta(hours=6), [rule])
    assert (morning.slot, morning.facts["sessions"]) == ("2026-03-03T08:00:00+01:00", 1)
    assert (later.slot, later.facts["sessions"]) == ("2026-03-03T08:00:00-05:00", 2)


def test_a_stray_session_makes_the_default_zone_speak_too(database: Database) -> None:
    with prepared(database, polled=EIGHT + timedelta(hours=1)).write() as connection:
        insert_session(connection, "a", utc("2026-03-02T12:00"), location_id=None)
    said = enqueue(database, EIGHT + timedelta(hours=1), [Daily(timezone="location")])
    assert {each.slot: each.facts["sessions"] for each in said} == {
        "2026-03-03T08:00:00+01:00": 0,
        "2026-03-03T08:00:00+00:00": 1,
    }


def test_a_default_zone_with_nothing_in_it_is_silent_until_a_late_stray_session_comes(database: Database) -> None:
    nine = EIGHT + timedelta(hours=1)
    prepared(database, polled=nine)
    rule = Daily(timezone="location")
    assert [said.slot for said in enqueue(database, nine, [rule])] == ["2026-03-03T08:00:00+01:00"]
    assert len(outbox(database)) == 2
    with database.write() as connection:
        insert_session(connection, "a", utc("2026-03-02T12:00"), location_id=None)
        said = refresh_digests(connection, [rule.name], Routing(nine, CHANNELS, default_zone="UTC"))
    assert [(each.slot, each.facts["sessions"]) for each in said] == [("2026-03-03T08:00:00+00:00", 1)]
    assert len(outbox(database)) == 4


def test_two_processes_that_find_one_slot_due_at_once_enqueue_it_once(database: Database) -> None:
    prepared(database)
    other = Database(database.url, durable=False)
    try:
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(lambda process: enqueue(process, EIGHT), (database, other)))
    finally:
        other.close()
    assert sorted(len(each) for each in said) == [0, 1]
    assert len(outbox(database)) == 2


def test_alert_rules_make_no_digest(database: Database) -> None:
    assert enqueue(prepared(database), EIGHT, [Daily(schedule=None, digest=None)]) == []


NOON = utc("2026-03-01T12:00")


def insert_outages(connection: Connection) -> None:
    """On 2 March c1 was out of order from 10:00, and its charger offline until noon, UTC; c2 was unknown for hours."""
    early = {"first_seen_at": NOON}
    insert_connector(connection, "c2", **early)
    insert_connector(connection, "c3", first_seen_at=EIGHT, location_id="l1")  # on the next day
    insert_location(connection, "ny", timezone="America/New_York")
    insert_connector(connection, "elsewhere", location_id="ny", **early)
    for model in (tables.Connector, tables.Charger):
        connection.execute(sa.update(table(model)).where(table(model).c.id.in_(["c1", "ch-c1"])).values(**early))
    for thing, field, value, begin, end in (
        ("c1", "status", "Available", "2026-02-20T00:00", "2026-03-02T10:00"),
        ("c1", "status", "Faulted", "2026-03-02T10:00", "2026-03-02T11:00"),
        ("c1", "status", "Available", "2026-03-02T11:00", None),
        ("ch-c1", "online", "false", "2026-03-02T10:30", "2026-03-02T12:00"),
        ("c2", "status", None, "2026-03-02T13:00", "2026-03-02T16:00"),
        ("elsewhere", "status", "Faulted", "2026-03-01T00:00", None),
    ):
        kind = "charger" if field == "online" else "connector"
        to = utc(end) if end else None
        values = {"thing": kind, "thing_id": thing, "field": field, "value": value}
        insert(connection, tables.Interval, **values, valid_from=utc(begin), valid_to=to)
    # not seen from 11:30 on: half an hour of the outage does not count
    gap = {"resource": "chargers", "valid_from": utc("2026-03-02T11:30"), "valid_to": utc("2026-03-02T12:30")}
    insert(connection, tables.PollGap, **gap, changed_seq=1)


def insert_sessions(connection: Connection) -> None:
    insert_session(connection, "s1", utc("2026-03-02T09:00"), started_at=utc("2026-03-02T08:00"), energy_kwh=5)
    insert_session(connection, "s2", utc("2026-03-02T23:30"), started_at=utc("2026-03-02T22:00"), connector_id="c2")
    empty = {"connector_id": "c2", "energy_kwh": 0.0}
    insert_session(connection, "s3", utc("2026-03-02T07:00"), started_at=utc("2026-03-02T07:00"), **empty)


def insert_alerts_and_a_silence(connection: Connection) -> None:
    insert_rule(connection)
    for number, (fired_at, resolved_at) in enumerate(
        ((EIGHT - MINUTE, None), (EIGHT - 8 * ONE_DAY, EIGHT - 6 * ONE_DAY), (EIGHT + MINUTE, None)), 1
    ):
        insert_incident(connection, number, group_key=str(number), resolved_at=resolved_at)
        states = {
            "fired_at": fired_at,
            "resolved_at": resolved_at,
            "state": "resolved" if resolved_at else "firing",
        }
        insert_alert(connection, number, incident_id=number, subject=f"c{number}", **states)
    asked = {"author": "U1", "reason": "works", "created_at": EIGHT - ONE_DAY, "until": EIGHT + ONE_DAY}
    insert(connection, tables.Silence, **asked)


def insert_prices(connection: Connection) -> None:
    for begin, end, price in (
        ("2026-02-01T10:00", "2026-03-02T09:00", 0.4),  # first sight is no change
        ("2026-03-02T09:00", "2026-03-02T23:30", 0.45),
        ("2026-03-02T23:30", None, 0.5),  # on the next day
    ):
        told = {"default": price, "blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}
        values = {"thing": "location", "thing_id": "l1", "field": "price", "value": json.dumps(told)}
        insert(connection, tables.Interval, **values, valid_from=utc(begin), valid_to=utc(end) if end else None)


def test_a_digest_tells_use_uptime_alerts_silences_and_the_worst_connectors(database: Database) -> None:
    with prepared(database).write() as connection:
        for insert_some in (insert_outages, insert_sessions, insert_alerts_and_a_silence, insert_prices):
            insert_some(connection)
    zones = {one.facts["zone"]: one for one in enqueue(database, EIGHT, [Daily(timezone="location")])}
    said = zones["Europe/Copenhagen"]
    facts, fleet = said.facts, said.facts["fleet"]
    assert facts["utilisation"] == pytest.approx(2 / 48, abs=1e-6)  # an hour of c1, an hour of c2 before midnight
    # of 2 x 24 hours one each was not seen; c1 was down from 10:00 to 11:30, of c2 three hours are not known
    assert fleet["uptime"] == pytest.approx((23 - 1.5 + 23 - 3) / (23 + 23 - 3), abs=1e-6)
    assert [(one["connector_id"], one["down_s"], one["zero_energy"]) for one in fleet["worst"]] == [
        ("c1", 5400, 0),
        ("c2", 0, 1),
    ]
    assert (fleet["open_alerts"], fleet["silences"]) == (1, 1)
    assert fleet["prices"]["count"] == 1
    assert zones["America/New_York"].facts["fleet"]["prices"] == {"count": 0, "first": []}
    with database.read() as connection:
        item = next(row for row in outbox(database) if row.facts["zone"] == "Europe/Copenhagen")
        render_message(connection, item, EIGHT)
        blocks = json.dumps(render_tables(tables_of(item.facts)).blocks, ensure_ascii=False)
    assert "*Worst connectors*" in blocks
    assert "*Prices changed*" in blocks
    assert ": default price 0.40 → 0.45" in blocks
    assert fleet["before"] == {"uptime": None, "open_alerts": 1, "silences": 0}


def test_drivers_are_counted_by_their_tags_where_some_are_kept_and_none_is_named(database: Database) -> None:
    with prepared(database).write() as connection:
        for number, (ended, tag) in enumerate(
            (("02T10:00", "h1"), ("02T11:00", "h1"), ("02T12:00", "h2"), ("02T13:00", None), ("01T10:00", "h2"))
        ):
            insert_session(connection, f"s{number}", utc(f"2026-03-{ended}"), id_tag=tag)
    said = [one.facts for one in enqueue(database, EIGHT)]
    assert (said[0]["drivers"], said[0]["new_drivers"]) == (2, 1)
    with database.read() as connection:
        blocks = str(render_message(connection, outbox(database)[0], EIGHT).blocks)
    assert "*Drivers:* 2, 1 of them new" in blocks
    assert "h1" not in json.dumps(said)
    assert "drivers" not in facts_of(database, day=date(2026, 3, 3))
