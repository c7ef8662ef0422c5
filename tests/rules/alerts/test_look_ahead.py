"""A rule that is matched over every subject is matched before the transaction that writes; nothing is lost between."""

from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating
from rules.alerts.evaluate import end_alerts, evaluate_rule
from rules.alerts.looks import look_ahead
from rules.registry.store import load_rules
from storage.engine import Database
from storage.schema import ALERT
from tests.bot.service.jobs.site import FRESH, Site
from tests.readings import T0, at, charger, connector, poll
from tests.rules.engine import FAULTED, Engine, told

OFTEN: dict[str, Any] = {
    "name": "often",
    "for_each": "connector",
    "when": 'uptime(connector, 2d) < 50 % or connector.status == "Faulted"',
    "severity": "info",
}


def test_while_every_subject_is_matched_nobody_waits_to_write(sqlite: Database) -> None:
    site = Site(sqlite, OFTEN, now=T0)
    poll(sqlite, at("10:00"), charger(connector(status="Faulted")))
    began: list[str] = []
    matched_in: list[str] = []

    def note(sql: str) -> None:
        if sql.startswith("BEGIN"):
            began.append(sql)
        elif sql.startswith("SELECT") and "interval" in sql and "while_truth" in sql:
            matched_in.append(began[-1])

    sqlite.engine.dispose()
    sa.event.listen(sqlite.engine, "connect", lambda raw, _: raw.set_trace_callback(note))
    moved = evaluating.evaluate(site.work, at("10:00"), FRESH)
    assert len(moved) == 1
    assert matched_in == ["BEGIN DEFERRED"] * 2  # where alerts begin, and those that stand
    sqlite.engine.dispose()


def test_what_changes_after_the_look_is_not_overlooked(database: Database) -> None:
    Engine(database, FAULTED | {"for": "0s"}, now=T0)
    poll(database, at("10:00"), charger(connector(status="Faulted")))
    with database.read() as connection:
        (compiled,) = load_rules(connection).alerts
        ahead = look_ahead(connection, compiled, at("10:00"))
    assert ahead is not None
    poll(database, at("10:00"), charger(connector(status="Available"), connector("c2", "Faulted")))
    with database.write() as connection:
        moved = evaluate_rule(connection, compiled, at("10:00"), ahead).transitions
    assert told(moved) == ["c2 inactive>firing since 10:00"]


@pytest.mark.parametrize("ends", [False, True])
def test_an_alert_that_ended_after_the_look_is_not_revived(database: Database, ends: bool) -> None:
    engine = Engine(database, OFTEN, now=T0)
    engine.tick(at("10:00"), charger(connector(status="Faulted")))
    with database.read() as connection:
        (compiled,) = load_rules(connection).alerts
        ahead = look_ahead(connection, compiled, at("23:00"))
    assert ahead is not None
    with database.write() as connection:
        if ends:
            end_alerts(connection, "often", "rule removed", at("22:59"))
        moved = evaluate_rule(connection, compiled, at("23:00"), ahead).transitions
        states = connection.execute(sa.select(ALERT.c.state).order_by(ALERT.c.id)).scalars().all()
    assert states == (["resolved", "firing"] if ends else ["firing"])
    assert len(moved) == int(ends)
