"""Alerts on things that end, move or fall silent while the alert is open: none stands for ever, none is lost."""

from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.schema import ALERT
from tests.readings import at, charger, connector, location, poll, session
from tests.rules.engine import Engine

STUCK: dict[str, Any] = {
    "name": "stuck",
    "for_each": "session",
    "when": "session.energy < 0.1 kWh",
    "while": "charger.online",
    "severity": "info",
}
NO_PROGRESS: dict[str, Any] = {
    "name": "no-progress",
    "for_each": "session",
    "when": "increase(session.energy, 20m) < 0.05 kWh",
    "severity": "info",
}
OF_EVERY_KIND = {
    "plain": STUCK["when"],
    "reads the clock": "session.energy < 0.1 kWh and session.duration >= 1m",
    "since": "session.energy < 0.1 kWh and since(connector.status) >= 1m",
    "aggregate": "session.energy < 0.1 kWh and count(charger.connectors) >= 1",
    "window": "session.energy < 0.1 kWh and increase(session.energy, 1m) < 0.05 kWh",
    "hours": 'session.energy < 0.1 kWh and hours("00:00-23:59")',
}


@pytest.mark.parametrize("when", OF_EVERY_KIND.values(), ids=OF_EVERY_KIND)
def test_a_session_that_ends_while_its_alert_is_held_resolves_when_it_can_be_seen(
    database: Database, when: str
) -> None:
    poll(database, at("09:59"), location(), resource="locations")
    engine = Engine(database, STUCK | {"when": when}, now=at("09:59"))
    engine.tick(at("10:00"), charger(connector("c1", "Charging")))
    for minute in range(8):
        moment = at(f"10:0{minute}")
        poll(database, moment, charger(connector("c1", "Charging")))
        engine.tick(moment, session("s1", started=at("10:00"), energy_kwh=0.0), resource="sessions")
    assert [one.to_state for one in engine.transitions] == ["firing"]
    engine.tick(at("10:30"), charger(connector("c1", "Charging"), online=False))
    ended = session("s1", started=at("10:00"), ended_at=at("10:40"), energy_kwh=5.0)
    assert engine.tick(at("10:40"), ended, resource="sessions") == []
    (resolved,) = engine.tick(at("10:50"), charger(connector("c1"), online=True))
    assert resolved.startswith("s1 firing>resolved")


def test_a_stall_that_a_late_value_ends_by_a_hair_goes_on(database: Database) -> None:
    engine = Engine(database, NO_PROGRESS, now=at("09:59"))
    seen: list[str] = []
    told = {0: 0.0, 2: 1.0, 3: 2.0, 4: 3.0, 40: 3.02}
    energy = 0.0
    for minute in range(90):
        energy = told.get(minute, energy)
        moment = at(f"{10 + minute // 60}:{minute % 60:02}")
        reading = session("s1", started=at("10:00"), energy_kwh=energy)
        seen += [f"{moment:%H:%M} {one}" for one in engine.tick(moment, reading, resource="sessions")]
    assert seen == ["10:25 s1 inactive>firing since 10:25"]


def test_a_meter_that_restarts_at_nothing_is_no_stall(database: Database) -> None:
    engine = Engine(database, NO_PROGRESS, now=at("09:59"))
    for minute in range(60):
        energy = 5.5 - 0.1 * (20 - minute) if minute <= 20 else 0.1 * (minute - 21)
        moment = at(f"10:{minute:02}")
        reading = session("s1", started=at("10:00"), energy_kwh=round(energy, 3))
        assert engine.tick(moment, reading, resource="sessions") == []


def test_a_charger_that_moves_while_its_alert_fires_is_found_where_it_is_now(database: Database) -> None:
    rule = {"name": "down", "for_each": "connector", "when": 'connector.status == "Faulted"', "severity": "info"}
    engine = Engine(database, rule | {"while": "charger.online"}, now=at("09:59"))
    engine.tick(at("10:00"), charger(connector("c1", "Faulted")))
    engine.tick(at("10:01"), charger(connector("c1", "Faulted"), location_id="l2", online=False))
    with database.read() as connection:
        (alert,) = connection.execute(sa.select(ALERT)).all()
    assert (alert.location_id, alert.charger_id, alert.connector_id) == ("l2", "ch1", "c1")
    assert alert.labels["location"] == "l1", "what it was grouped by when it opened stays"
