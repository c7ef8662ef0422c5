"""Events that are read from intervals: of a connector's status, a charger's link and a location's prices."""

from typing import Any

from storage.engine import Database
from storage.recording.prices import record_prices
from tests.readings import at, charger, connector, location, poll
from tests.rules.alerts.event_engine import EventEngine


def status(value: str | None, changed: str | None = None, connector_id: str = "c1", **values: Any) -> Any:
    when = at(changed) if changed else None
    return charger(connector(connector_id, value, status_changed_at=when, **values))


def test_a_status_change_tells_from_what_to_what(database: Database) -> None:
    engine = EventEngine(database, {"name": "changed", "on": "status.changed"})
    chargers = {"resource": "chargers"}
    assert engine.tick("10:00", status("Available"), **chargers) == []
    assert engine.tick("10:01", status("Faulted", "10:00:20", error_code="GroundFailure"), **chargers) == []
    assert engine.quiet("10:02", "10:05", **chargers) == ["10:03 c1 status.changed at 10:00:20"]
    (event,) = engine.announced
    told = {name: event.facts[name] for name in ("before", "value", "error_code", "connector_id", "charger_name")}
    assert told == {
        "before": "Available",
        "value": "Faulted",
        "error_code": "GroundFailure",
        "connector_id": "c1",
        "charger_name": "Charger ch1",
    }


def test_a_condition_reads_the_status_as_it_was_when_it_happened(database: Database) -> None:
    rule = {"name": "to-faulted", "on": "status.changed", "when": 'connector.status == "Faulted" and charger.online'}
    engine = EventEngine(database, rule)
    poll(database, at("10:00"), status("Available"))
    poll(database, at("10:01"), status("Faulted", "10:00:30"))
    assert engine.evaluate("10:01") == []
    poll(database, at("10:04"), status("Available", "10:03:30"))
    assert engine.evaluate("10:04") == ["c1 status.changed at 10:00:30"]


def test_a_status_that_did_not_last_is_not_announced(database: Database) -> None:
    engine = EventEngine(database, {"name": "faulted", "on": "status.changed", "when": 'connector.status == "Faulted"'})
    chargers = {"resource": "chargers"}
    engine.tick("10:00", status("Available"), **chargers)
    engine.tick("10:01", status("Faulted"), **chargers)
    engine.tick("10:02", status("Available"), **chargers)
    assert engine.quiet("10:03", "10:06", **chargers) == []
    assert sorted(map(str, engine.verdicts().values())) == ["did not last", "not matched"]


def test_an_unknown_status_is_neither_an_event_nor_the_beginning_of_one(database: Database) -> None:
    engine = EventEngine(database, {"name": "changed", "on": "status.changed", "settle": "0s"})
    chargers = {"resource": "chargers"}
    engine.tick("10:00", status("Available"), **chargers)
    assert engine.tick("10:01", status("Rebooting"), **chargers) == []
    assert engine.tick("10:02", status("Available"), **chargers) == []
    assert engine.tick("10:03", status(None), **chargers) == []
    assert engine.tick("10:04", status("Faulted"), **chargers) == ["c1 status.changed at 10:04:00"]
    assert engine.announced[0].facts["before"] == "Available"


def links(engine: EventEngine, *values: bool | None) -> list[str]:
    """A charger says one value a minute from 10:00 on; what is announced, each with its minute."""
    told = []
    for minute, online in enumerate(values):
        lines = engine.tick(f"10:{minute:02d}", charger(connector(), online=online), resource="chargers")
        told += [f"10:{minute:02d} {line}" for line in lines]
    return told


def test_a_charger_that_goes_offline_is_an_event(database: Database) -> None:
    engine = EventEngine(database, {"name": "link", "on": "charger.offline"})
    told = links(engine, True, None, None, False, False, False, False, True, True, True, True)
    assert told == ["10:05 ch1 charger.offline at 10:03:00"]
    assert engine.announced[0].facts["charger_name"] == "Charger ch1"


def test_a_charger_that_comes_back_is_an_event(database: Database) -> None:
    engine = EventEngine(database, {"name": "link", "on": "charger.online"})
    told = links(engine, False, True, True, True, True, False, False, None, True, True, True)
    assert told == ["10:03 ch1 charger.online at 10:01:00", "10:10 ch1 charger.online at 10:08:00"]


def priced(engine: EventEngine, moment: str, **prices: str) -> list[str]:
    """A round of prices ends; what was announced within three minutes."""
    with engine.database.write() as connection:
        record_prices(connection, prices, at(moment))
    told = engine.tick(moment, resource="prices")
    return told + [line for after in (1, 2) for line in engine.tick(f"{moment[:3]}{int(moment[3:]) + after:02}")]


def test_prices_that_change_are_an_event_of_their_location_and_those_at_first_sight_are_none(
    database: Database,
) -> None:
    engine = EventEngine(database, {"name": "prices", "on": "price.changed", "when": 'location.name == "Location l1"'})
    engine.tick("09:59", location("l1", currency="EUR"), location("l2"), resource="locations")
    assert priced(engine, "10:00", l1="a", l2="a") == []
    assert priced(engine, "10:10", l1="a", l2="a") == []
    assert priced(engine, "10:20", l1="b", l2="b") == ["l1 price.changed at 10:20:00"]
    assert priced(engine, "10:30", l1="b") == []
    (event,) = engine.announced
    told = {name: event.facts[name] for name in ("before", "value", "location_id", "location_name", "currency")}
    assert told == {
        "before": "a",
        "value": "b",
        "location_id": "l1",
        "location_name": "Location l1",
        "currency": "EUR",
    }


def test_a_location_that_comes_back_with_other_prices_tells_of_them(database: Database) -> None:
    engine = EventEngine(database, {"name": "prices", "on": "price.changed"})
    engine.tick("09:58", location("l1"), resource="locations")
    assert priced(engine, "10:00", l1="a") == []
    for moment in ("10:04", "10:05"):
        engine.tick(moment, resource="locations", seen={"location": set()})
    assert priced(engine, "10:10", l1="c") == []  # it is gone: nobody pays there
    engine.tick("10:20", location("l1"), resource="locations")
    assert priced(engine, "10:30", l1="b") == ["l1 price.changed at 10:30:00"]
    assert engine.announced[0].facts["before"] == "a"
