"""Messages of event rules: exact words, one an event and channel, and no name that breaks them."""

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from notify.events import HAPPENED, enqueue_event_messages
from notify.render import render_message
from notify.routing import Routing
from notify.text.message import SlackMessage
from rules.alerts.events import Event, evaluate_events
from rules.documents.document import rule_from_document
from rules.documents.reader import EVENTS
from rules.registry.store import load_rules, sync_rules
from storage.engine import Database
from storage.recording.prices import record_prices
from storage.schema import OUTBOX
from tests.notify.alert_cards.test_card import assert_harmless, check, compare_with_golden
from tests.notify.records import HOSTILE, MINUTE, T0, without_nul
from tests.readings import at, charger, connector, location, record_poll, session

CHANNELS = {"rule": ("C1", "C2", "C1")}


def happen(connection: sa.Connection, on: str, *, name: str = "Harbour", description: str = "", **values: Any) -> None:
    """One event of `on` at Harbour is judged at 10:10 and enqueued, by a rule that is made before the first poll."""
    document = {"name": "rule", "on": on, "settle": "0s", "severity": "critical"}
    rule = rule_from_document(document | ({"description": description} if description else {}), "test.yaml")
    sync_rules(connection, [rule], T0 - MINUTE)

    def tell(moment: str, status: str, *, online: bool, sessions: list[Any], **codes: Any) -> None:
        link = charger(connector(status=status, **codes), online=online, name=name)
        record_poll(connection, at(moment), location(name=name, currency="EUR"), resource="locations")
        record_poll(connection, at(moment), link)
        record_poll(connection, at(moment), *sessions, resource="sessions")
        block = ("17:00" if name == "Harbour" else name, "20:00", 0.6)
        prices = {"default": 0.45 if moment == "10:00" else 0.5, "blocks": [] if moment == "10:00" else [block]}
        fee = {"blocking_fee": None, "blocking_fee_interval_minutes": None}
        record_prices(connection, {"l1": json.dumps({**prices, **fee})}, at(moment))
        record_poll(connection, at(moment), resource="prices")

    tell("10:00", "Available", online=on != "charger.online", sessions=[])
    codes = {"error_code": "GroundFailure", "vendor_error_code": "E12"} | {
        key: value for key, value in values.items() if key.endswith("error_code")
    }
    told = {"ended_at": at("10:09"), "energy_kwh": 0.02, "cost": 0.3} | {
        key: value for key, value in values.items() if not key.endswith("error_code")
    }
    tell(
        "10:10",
        "Faulted",
        online=on == "charger.online",
        sessions=[session("s1", started=at("10:01"), **told)],
        **codes,
    )
    (compiled,) = load_rules(connection).events
    events = evaluate_events(connection, compiled, at("10:10"))
    assert len(events) == 1
    assert enqueue_event_messages(connection, events, Routing(at("10:10"), CHANNELS)) == 2


def rendered(connection: sa.Connection) -> SlackMessage:
    """The message in the first of the channels, checked against Slack's limits."""
    item = connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.channel)).first()
    assert item is not None
    message = render_message(connection, item, at("10:11"))
    check(message)
    return message


@pytest.mark.parametrize(
    ("on", "golden"),
    [
        ("session.ended", "event_session_ended"),
        ("status.changed", "event_status_changed"),
        ("charger.offline", "event_charger_offline"),
        ("price.changed", "event_price_changed"),
    ],
)
def test_a_message_says_what_happened_where_and_when(database: Database, on: str, golden: str) -> None:
    with database.write() as connection:
        happen(connection, on, description="Somebody should know")
        compare_with_golden(golden, rendered(connection))


def test_a_failed_session_says_why(database: Database) -> None:
    with database.write() as connection:
        happen(connection, "session.failed", status="Failed", fail_reason="NoAuth", energy_kwh=None, cost=None)
        message = rendered(connection)
    assert message.text == "\N{LARGE RED CIRCLE} Session failed: Harbour c1"
    assert "`s1`: 8 min, energy not known, `Failed`, failed: `NoAuth`" in json.dumps(message.all_blocks)


def test_an_event_that_is_enqueued_again_is_said_once(database: Database) -> None:
    facts: dict[str, Any] = {}
    event = Event(T0, "rule", "s1", "session.ended", T0, "session.ended:s1", facts)
    with database.write() as connection:
        assert enqueue_event_messages(connection, [event], Routing(T0, CHANNELS)) == 2
        assert enqueue_event_messages(connection, [event], Routing(T0 + MINUTE, CHANNELS)) == 0
        assert enqueue_event_messages(connection, [event], Routing(T0, {})) == 0
        rows = connection.execute(sa.select(OUTBOX.c.channel, OUTBOX.c.version, OUTBOX.c.kind)).all()
    assert sorted(map(tuple, rows)) == [("C1", 1, "event"), ("C2", 1, "event")]


def many(count: int, name: str = "Harbour") -> list[Event]:
    """Sessions that ended at once, as one evaluation tells them."""
    told: dict[str, Any] = {"rule": "rule", "description": name.strip(), "severity": "warning", "labels": {}}
    told |= {
        "event": "session.ended",
        "event_at": T0.isoformat(),
        "connector_id": name,
        "charger_id": name,
        "location_id": "l1",
    }
    told |= {"charger_name": name, "location_name": name, "status": "Completed", "started_at": at("09:30").isoformat()}
    told |= {"ended_at": T0.isoformat(), "energy_kwh": 0.02, "cost": None, "currency": None}
    told |= {"fail_reason": name, "stop_reason": None}
    facts = [{**told, "subject": f"s{number}"} for number in range(count)]
    return [Event(T0, "rule", f["subject"], "session.ended", T0, f"session.ended:{f['subject']}", f) for f in facts]


def said(connection: sa.Connection) -> list[SlackMessage]:
    """Every message, in the order of its pages, each checked against Slack's limits."""
    rows = connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key)).all()
    messages = [render_message(connection, row, T0) for row in rows]
    for message in messages:
        check(message)
    return messages


@pytest.mark.parametrize(
    ("count", "messages", "named", "left_out"), [(3, 3, 3, 0), (4, 1, 4, 0), (41, 2, 41, 0), (500, 3, 120, 380)]
)
def test_more_events_at_once_than_the_budget_are_a_list(
    sqlite: Database, count: int, messages: int, named: int, left_out: int
) -> None:
    with sqlite.write() as connection:
        enqueue_event_messages(connection, many(count), Routing(T0, {"rule": ["C1"]}))
        enqueue_event_messages(connection, many(count), Routing(T0 + MINUTE, {"rule": ["C1"]}))
        texts = [json.dumps(message.all_blocks) for message in said(connection)]
    assert len(texts) == messages
    assert sum(text.count("30 min, 0.02 kWh") for text in texts) == (named if count > 3 else 3)
    assert (f"and {left_out} more" in texts[-1]) == bool(left_out)
    assert all(f"{count} times" in text for text in texts) == (count > 3)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_list_of_events(sqlite: Database, name: str) -> None:
    with sqlite.write() as connection:
        enqueue_event_messages(connection, many(40, name), Routing(T0, {"rule": ["C1"]}))
        (message,) = said(connection)
    assert_harmless(message, "" if name.startswith("&<>") else name)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_and_no_number_breaks_a_list_of_prices(sqlite: Database, name: str) -> None:
    def prices(default: float) -> str:
        blocks = [[f"{hour:02}:00", name, default * hour] for hour in range(24)]
        fee = {"blocking_fee": default, "blocking_fee_interval_minutes": default}
        return json.dumps({"default": default, "blocks": blocks, **fee})

    told: dict[str, Any] = {"event": "price.changed", "before": prices(0.45), "value": prices(1e300), "currency": name}
    events = [replace(event, facts={**event.facts, **told}) for event in many(40, name)]
    with sqlite.write() as connection:
        enqueue_event_messages(connection, events, Routing(T0, {"rule": ["C1"]}))
        enqueue_event_messages(connection, events[:1], Routing(T0, {"rule": ["C1"]}))
        messages = said(connection)
    assert ["and 13 more" in json.dumps(message.all_blocks) for message in messages] == [True, False]
    for message in messages:
        assert_harmless(message, "" if name.startswith("&<>") else name)


def test_what_the_message_says_does_not_change_with_what_becomes_known_later(database: Database) -> None:
    with database.write() as connection:
        happen(connection, "session.ended")
        before = rendered(connection)
        corrected = session("s1", started=at("10:01"), ended_at=at("10:09"), energy_kwh=44.0)
        record_poll(connection, at("10:11"), corrected, resource="sessions")
        assert rendered(connection) == before


def test_every_event_has_its_words() -> None:
    assert list(HAPPENED) == list(EVENTS)


@pytest.mark.parametrize("on", EVENTS)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_message(sqlite: Database, name: str, on: str) -> None:
    with sqlite.write() as connection:
        codes = {"error_code": name, "vendor_error_code": name, "fail_reason": name, "stop_reason": name}
        told = {"currency": name, "status": "Failed" if on == "session.failed" else name}
        happen(connection, on, name=name, description=name.strip(), **codes, **told)
        connection.execute(sa.update(OUTBOX).values(facts=moved(connection, name)))
        assert_harmless(rendered(connection), "" if name.startswith("&<>") else name)


def test_a_hostile_name_is_stored_on_either_database(database: Database) -> None:
    with database.write() as connection:
        for name in HOSTILE[6:7]:
            happen(connection, "charger.offline", name=without_nul(name, database))
            assert_harmless(rendered(connection), name)


def moved(connection: sa.Connection, name: str) -> dict[str, Any]:
    (facts,) = {json.dumps(row) for row in connection.execute(sa.select(OUTBOX.c.facts)).scalars()}
    return {**json.loads(facts), "moved_from": name, "moved_because": name}
