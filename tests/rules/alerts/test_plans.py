"""No statement of a poll and its evaluation goes through every connector, session, interval or alert that there is."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating
from rules.alerts.query import compile_rule
from rules.alerts.silences import review_mutings
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.schema import RULE
from tests.bot.service.jobs.site import FRESH, Site
from tests.readings import T0, at, charger, connector, location, poll, session

WHEN = {
    "connector": [
        'connector.status == "Faulted"',
        'connector.status == "Faulted" and connector.power < 100 kW',
        'location.id == "l1" and connector.status == "Faulted"',
        'connector.status == "Faulted" and charger.online',
    ],
    "charger": ["not charger.online", "charger.heartbeat_age > 5m"],
    "session": ['session.energy < 1 kWh and connector.status == "Faulted"'],
}
RULES: list[dict[str, Any]] = [
    {"name": f"{for_each}-{number}", "for_each": for_each, "when": when, "for": "30s", "severity": "warning"}
    for for_each, some in WHEN.items()
    for number, when in enumerate(some)
]
LARGE = re.compile(r"SCAN (connector|charging_session|interval|alert)\b")
DATA = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


@contextmanager
def statements(database: Database) -> Iterator[set[str]]:
    """Every statement that runs meanwhile, with its values."""
    found: set[str] = set()

    def note(raw: sqlite3.Connection, _: object) -> None:
        raw.set_trace_callback(found.add)

    database.engine.dispose()
    sa.event.listen(database.engine, "connect", note)
    yield found
    sa.event.remove(database.engine, "connect", note)
    database.engine.dispose()


def scans(database: Database, told: set[str]) -> set[str]:
    """The statements that go through all of a large table, each with its plan's words for it."""
    found = set()
    with database.read() as connection:
        for statement in sorted(filter(DATA.match, told)):
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement.replace("%", "%%"))
            found |= {f"{row[3]} in {statement}" for row in plan if LARGE.match(row[3])}
    return found


def fleet(status: str, online: bool) -> list[Any]:
    plugs = [connector(f"c{number}", status, power_kw=float(number)) for number in range(4)]
    return [charger(*plugs, online=online, last_heartbeat=T0)]


def test_no_large_table_is_gone_through_for_what_changed_or_for_a_rule_in_full(sqlite: Database) -> None:
    site = Site(sqlite, *RULES, now=T0)
    site.tick(T0, location(), resource="locations")
    site.tick(T0, session("s1", started=T0, energy_kwh=0.5), resource="sessions")
    site.tick(T0, *fleet("Available", online=True))
    with statements(sqlite) as told:
        moved = 0
        for minute, status, online in ((1, "Faulted", False), (2, "Faulted", False), (12, "Available", True)):
            now = at(f"10:{minute:02}")
            poll(sqlite, now, *fleet(status, online))
            moved += len(evaluating.evaluate(site.work, now, FRESH))
        with sqlite.write() as connection:
            connection.execute(sa.update(RULE).values(evaluated_seq=0))
        evaluating.evaluate(site.work, at("10:13"), FRESH)
    assert moved > 3 * 4 * 2
    assert len(told) > 10 * len(RULES)
    assert scans(sqlite, told) == set()


@pytest.mark.parametrize(
    ("when", "by"),
    [
        ('connector.status == "Faulted"', "connector_status (status=? AND news_seq>?)"),
        ('connector.status == "Faulted" and connector.power < 100 kW', "ix_connector_changed_seq (changed_seq>?)"),
        ('location.id == "l1" and connector.status == "Faulted"', "ix_connector_location_id (location_id=?)"),
        ('charger.id == "c1" and connector.status == "Faulted"', "ix_connector_charger_id (charger_id=?)"),
    ],
)
def test_what_begins_by_few_changes_is_not_looked_for_among_all_of_one_status(
    when: str, by: str, sqlite: Database
) -> None:
    rule = rule_from_document({"name": "x", "for_each": "connector", "when": when}, "x.yaml")
    with statements(sqlite) as told, sqlite.read() as connection:
        known = {"rule": "x", "now": T0, "seen": 1, "version": 1}
        connection.execute(compile_rule(rule).births_changed.statement, known)
    (asked,) = filter(DATA.match, told)
    with sqlite.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + asked)]
    found = next(line for line in plan if line.startswith("SEARCH connector USING"))
    assert found == f"SEARCH connector USING INDEX {by}"


@pytest.mark.parametrize(
    ("when", "counts"),
    [
        ('location.id == "l1" and connector.power < 100 kW', False),
        ('connector.power < 100 kW and charger.id in ["c1", "c2"]', False),
        ('location.id != "l1" and connector.power < 100 kW', True),
        ('location.id not in ["l1"] and connector.power < 100 kW', True),
        ('location.id == "l1" or connector.power < 100 kW', True),
        ("connector.power < 100 kW and charger.online", True),
    ],
)
def test_of_a_rule_for_one_place_it_is_not_asked_what_changed_elsewhere(
    when: str, counts: bool, sqlite: Database
) -> None:
    compiled = compile_rule(rule_from_document({"name": "x", "for_each": "connector", "when": when}, "x.yaml"))
    with statements(sqlite) as told, sqlite.read() as connection:
        known = {"rule": "x", "now": T0, "seen": 1, "version": 1}
        connection.execute(compiled.births_changed.statement, known)
        connection.execute(compiled.standing_changed.statement, known)
    with sqlite.read() as connection:
        asked = filter(DATA.match, told)
        plans = "\n".join(row[3] for one in asked for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + one))
    assert (compiled.how_many_changed is not None) is counts
    assert ("changed_seq>?" in plans) is counts, plans


def test_what_an_alert_inhibits_is_looked_for_among_what_fires_of_the_rules_that_it_names(sqlite: Database) -> None:
    source: dict[str, Any] = {"name": "off", "for_each": "charger", "when": "not charger.online", "inhibits": ["down"]}
    target = {"name": "down", "for_each": "connector", "when": 'connector.status == "Faulted"'}
    site = Site(sqlite, source, target, now=T0)
    site.tick(T0, location(), resource="locations")
    site.tick(T0, *fleet("Faulted", online=False))
    with statements(sqlite) as told, sqlite.write() as connection:
        review_mutings(connection, T0)
    (asked,) = (one for one in told if "JOIN inhibition" in one)
    with sqlite.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + asked)]
    assert "SEARCH target USING INDEX alert_firing (rule_id=?)" in plan, plan


def test_of_what_is_due_a_rule_reads_its_own_alone(sqlite: Database) -> None:
    site = Site(sqlite, *RULES, now=T0)
    site.tick(T0, location(), resource="locations")
    site.tick(T0, *fleet("Faulted", online=False))
    with statements(sqlite) as told:
        moved = evaluating.evaluate(site.work, at("10:01"), FRESH)
    assert len(moved) > 3 * 4
    due = [one for one in told if DATA.match(one) and re.search(r"alert\.due_at <= '", one)]
    assert sum("is_there" in one for one in due) >= 3
    with sqlite.read() as connection:
        for statement in due:
            plan = {row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement)}
            assert "SEARCH alert USING INDEX alert_due (rule_id=? AND due_at<?)" in plan, (statement, plan)
