"""Each kind of digest tells its own figures, what to do today, and breaks at no name."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from notify.digests.digest import enqueue_due_digests, refresh_digests
from notify.digests.kinds import KINDS, _longer
from notify.digests.tables import TOLD_IN_THREAD, enqueue_tables, tables_of
from notify.render import render_message, render_tables
from notify.routing import Routing
from notify.text.limits import check_message
from rules.documents.reader import DIGESTS
from storage.engine import Database
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, OUTBOX
from tests.notify.digests.test_digest import (
    CHANNELS,
    EIGHT,
    MINUTE,
    Daily,
    enqueue,
    insert_outages,
    insert_prices,
    insert_sessions,
    outbox,
    prepared,
    utc,
)
from tests.notify.records import HOSTILE, insert_alert, insert_incident, insert_rule, insert_session, without_nul

pytestmark = pytest.mark.on_either_database


def a_day(database: Database) -> None:
    """On 2 March: outages, sessions, changed prices, and a rule that fired seven times, mostly for short."""
    with prepared(database).write() as connection:
        insert_outages(connection)
        insert_sessions(connection)
        insert_prices(connection)
        insert_session(connection, "usd", utc("2026-03-02T09:30"), cost=7.0, currency="usd", connector_id="c9")
        connection.execute(sa.update(CONNECTOR).where(CONNECTOR.c.id == "c1").values(error_code="GroundFailure"))
        insert_rule(connection)
        for number in range(1, 8):
            fired = utc("2026-03-02T08:00") + number * 60 * MINUTE
            ended = fired + (5 if number < 6 else 50) * MINUTE
            taken = {"acknowledged_at": fired + MINUTE, "acknowledged_by": "U1"} if number == 7 else {}
            insert_incident(connection, number, group_key=str(number))
            states = {"fired_at": fired, "resolved_at": ended, "state": "resolved", "ended_because": "recovered"}
            insert_alert(connection, number, incident_id=number, subject=f"x{number}", **states, **taken)
        insert_incident(connection, 8, group_key="8")
        insert_alert(connection, 8, incident_id=8, subject="x8", fired_at=EIGHT - 60 * MINUTE)


def said_of(database: Database, kind: str) -> tuple[dict[str, Any], str]:
    (said,) = enqueue(database, EIGHT, [Daily(digest=kind)], {"daily": ["C1"]})
    (item,) = outbox(database)
    with database.read() as connection:
        message = render_message(connection, item, EIGHT)
    return said.facts, json.dumps(message.all_blocks, ensure_ascii=False).replace("\\n", " ")


def test_the_kinds_that_a_rule_can_name_are_those_that_are_told() -> None:
    assert tuple(KINDS) == DIGESTS


def test_uptime_tells_availability_repairs_and_who_was_down_longest(database: Database) -> None:
    a_day(database)
    facts, text = said_of(database, "uptime")
    # c1 was down from 10:00 to 12:00 by its own and its charger's account; for an hour nothing was seen
    assert facts["kind"]["time_to_repair_s"] == pytest.approx(7200)
    assert [place["down_s"] for place in facts["kind"]["places"]] == [23 * 3600, 5400]
    assert "*Mean time to repair:* 2 h" in text
    lists = str(render_tables(tables_of(facts)))
    assert "*Longest down, by location*" in lists
    assert "*Longest down, by connector*" in lists


def test_alerts_tell_what_fired_who_took_it_and_which_rule_is_noisy(database: Database) -> None:
    a_day(database)
    facts, text = said_of(database, "alerts")
    more = facts["kind"]
    assert (more["fired"], more["taken"], more["people"]) == (7, 1, [{"user": "U1", "number": 1}])
    said = {"rule": "faulted", "title": "Faulted", "fired": 7}
    assert more["rules"][0] == {**said, "lasted_s": pytest.approx((5 * 5 + 2 * 50) * 60 / 7)}
    assert more["noisy"] == [{**said, "short": 5, "longer_s": 600, "for": "10m"}]
    assert "1. Faulted · 7" in text
    assert "5 of 7 were over within 10 min. With `for` 10 min longer 2 would have fired." in text
    assert "`/charge rules edit faulted for: 10m`" in text
    assert facts["to_do"]["untaken"] == 1
    assert "1 alert that nobody has acknowledged" in text


def test_revenue_is_told_by_currency_and_location_and_corrected_by_late_sessions(database: Database) -> None:
    a_day(database)
    facts, text = said_of(database, "revenue")
    assert facts["revenue"] == {"DKK": 60.0, "USD": 7.0}
    assert [(one["currency"], one["amount"]) for one in facts["kind"]["places"]] == [("DKK", 60.0), ("USD", 7.0)]
    assert "*USD:*" in text
    assert "*Changes of prices:* 1" in text


def test_maintenance_names_reasons_and_next_steps_dangers_first(database: Database) -> None:
    a_day(database)
    facts, text = said_of(database, "maintenance")
    assert facts["to_do"]["dangerous"] == [{"connector_id": "c1", "error_code": "GroundFailure"}]
    assert "tells `GroundFailure`: send an electrician, and do not reset it" in text
    reasons = {one["connector_id"]: one["reason"] for one in facts["fleet"]["worst"]}
    assert (reasons["c1"], reasons["elsewhere"]) == ("danger", "faulted")
    assert "reset it once; if that does not help, send somebody" in text


@pytest.mark.parametrize("kind", DIGESTS)
def test_no_name_breaks_any_kind_and_it_fits_into_one_message(database: Database, kind: str) -> None:
    a_day(database)
    names = HOSTILE[DIGESTS.index(kind) :: len(DIGESTS)]
    for number, name in enumerate(names):
        told = without_nul(name, database)
        with database.write() as connection:
            for table in (LOCATION, CHARGER):
                connection.execute(sa.update(table).values(name=told))
            connection.execute(sa.update(CONNECTOR).values(error_code=told))
            connection.execute(sa.update(ALERT).where(ALERT.c.id == 7).values(acknowledged_by=told))
            now = EIGHT + number * timedelta(days=1)
            enqueue_due_digests(connection, [Daily(digest=kind)], Routing(now + timedelta(minutes=31), CHANNELS))
    items = outbox(database)
    assert len(items) == 2 * len(names)
    with database.write() as connection:
        for item in items:
            assert check_message(render_message(connection, item, EIGHT)) == []
            stands = {"message_channel": "C1", "message_ts": "1772000000.000100"}
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(**stands))
            enqueue_tables(connection, item, EIGHT)
    lists = [item for item in outbox(database) if item.thread_of is not None]
    assert len(lists) == (len(items) if kind in TOLD_IN_THREAD else 0)
    with database.read() as connection:
        for item in lists:
            assert check_message(render_message(connection, item, EIGHT)) == []


def test_a_digest_of_one_location_or_label_tells_of_nothing_else(database: Database) -> None:
    a_day(database)
    with database.write() as connection:
        labelled = sa.update(CHARGER).where(CHARGER.c.id == "ch-c2").values(labels=["north"])
        connection.execute(labelled)
        insert_session(connection, "ny", utc("2026-03-02T20:00"), location_id="ny", connector_id="elsewhere")
        for name, at, energy in (("n1", "2026-03-02T18:00", 3.0), ("n2", "2026-03-02T23:30", 4.0)):
            of_north = {"charger_id": "ch-c2", "connector_id": "c2"}
            insert_session(connection, name, utc(at), energy_kwh=energy, **of_north)
    (of_ny,) = enqueue(database, EIGHT + 7 * 60 * MINUTE, [Daily(timezone="location", location="ny")])
    assert of_ny.slot == "2026-03-03T08:00:00-05:00"
    assert (of_ny.facts["sessions"], of_ny.facts["fleet"]["open_alerts"]) == (1, 0)
    assert [one["connector_id"] for one in of_ny.facts["fleet"]["worst"]] == ["elsewhere"]
    (of_north_,) = enqueue(database, EIGHT, [Daily(name="north", label="north")], {"north": ["C1"]})
    assert (of_north_.facts["sessions"], of_north_.facts["energy_kwh"]) == (1, 3.0)
    assert [one["connector_id"] for one in of_north_.facts["fleet"]["worst"]] == []
    with database.write() as connection:
        insert_session(connection, "late", utc("2026-03-02T19:00"), connector_id="c1")
        later = EIGHT + 8 * 60 * MINUTE
        changed = refresh_digests(connection, ["daily", "north"], Routing(later, CHANNELS))
    assert [one.rule for one in changed] == []
    with database.read() as connection:
        item = next(row for row in outbox(database) if row.rule_id == "north")
        assert "Chargers with the label north alone" in json.dumps(render_message(connection, item, EIGHT).all_blocks)


def test_a_noisy_rule_is_offered_ten_minutes_more_where_that_can_be_said() -> None:
    said = {None: "10m", "30m": "40m", "1h": "1h10m", "30m of business_hours": None, "nonsense": None}
    assert {told: _longer({"for": told} if told else {}) for told in said} == said


@pytest.mark.parametrize("kind", DIGESTS)
def test_a_stretch_says_since_when_where_slack_turns_it_into_the_readers_clock(database: Database, kind: str) -> None:
    a_day(database)
    enqueue(database, EIGHT + 31 * MINUTE, [Daily(digest=kind, window="since the last one")], {"daily": ["C1"]})
    (item,) = outbox(database)
    with database.read() as connection:
        blocks = render_message(connection, item, EIGHT).all_blocks
    said = [text for block in blocks for text in block.get("elements", ()) if "<!date" in text["text"]]
    assert "From <!date" in str(said)
    assert {text["type"] for text in said} == {"mrkdwn"}
