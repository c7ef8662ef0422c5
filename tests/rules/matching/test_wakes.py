"""What brings a rule to look again: what changed and what time alone moves, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.matching.compile import CLOCK_EVERY
from storage.engine import Database
from storage.schema import ALERT, RULE, WAKE
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, poll
from tests.rules.engine import Engine
from tests.rules.matching.drawn_polls import INTERVAL, SLOW, Step, scripts

WATCHED = [
    ("location", "share(location.chargers where not charger.online) >= 50 %"),
    ("location", 'count(location.connectors where connector.status == "Faulted" and charger.online) >= 1'),
    ("location", "sum(location.connectors.power) > 5 kW"),
    (
        "location",
        'count(location.sessions where session.energy < 0.5 kWh and connector.status != "Available", 30m) >= 1',
    ),
    ("charger", "count(charger.sessions where session.energy < 0.5 kWh, 30m) >= 1"),
    ("charger", "changes(charger.online, 30m) >= 1"),
    ("charger", "since(charger.online) >= 30m"),
    ("connector", "share(location.chargers where charger.online) < 100 % and changes(connector.status, 10m) < 1"),
    ("connector", 'changes(connector.status == "Faulted", 90m) >= 2 or since(charger.online) < 5m'),
    ("connector", "streak(connector.sessions where session.energy < 0.5 kWh) >= 2 or count(connector.sessions) == 0"),
    ("connector", 'share(last(2, connector.sessions) where session.status == "Completed") < 90 %'),
    ("connector", 'since(connector.status) > 10m and connector.status != "Faulted"'),
    ("connector", 'count(connector.sessions where session.status == "Completed", 1h) == 0 and charger.online'),
    ("session", "session.duration > 30m"),
    ("session", "session.duration < 30m or since(session.energy) >= 10m"),
    ("session", "session.energy >= 0.25 kWh and count(connector.sessions, 10m) == 0"),
]


RULES: list[dict[str, Any]] = [
    {"name": f"rule-{number}", "for_each": for_each, "when": when, "for": "1m" if number % 3 == 0 else "0m"}
    for number, (for_each, when) in enumerate(WATCHED)
]


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    databases = [Database(f"sqlite:///{tmp_path / name}.db", durable=False) for name in ("changed", "full")]
    for database in databases:
        SQLModel.metadata.create_all(database.engine)
    yield databases[0], databases[1]
    for database in databases:
        database.close()


def test_looking_when_something_changed_or_woke_gives_what_looking_at_everything_gives(
    twins: tuple[Database, Database],
) -> None:
    def open_alerts(database: Database) -> list[tuple[Any, ...]]:
        names = ("rule_id", "subject", "state", "due_at")
        statement = sa.select(*(ALERT.c[name] for name in names)).where(ALERT.c.state.in_(["pending", "firing"]))
        with database.read() as connection:
            return sorted(tuple(row) for row in connection.execute(statement.order_by(*names[:2])))

    @settings(max_examples=examples(10), suppress_health_check=SLOW)
    @given(scripts(), st.lists(st.booleans(), min_size=20, max_size=20))
    def law(script: tuple[Step, ...], evaluated: list[bool]) -> None:
        for database in twins:
            with database.write() as connection:
                for table in SQLModel.metadata.sorted_tables:
                    connection.execute(sa.delete(table))
        engines = [Engine(database, *RULES, now=T0) for database in twins]
        now, last = T0, script[0]
        for engine in engines:
            poll(engine.database, T0, resource="sessions")
            poll(engine.database, T0, resource="chargers")
        # after the last poll nothing is said any more, but the clock goes on
        quiet = tuple(Step(minutes, last.resource, ()) for minutes in (1, 4, 5, 20, 35, 60))
        for number, step in enumerate((*script, *quiet)):
            now += step.minutes * MINUTE
            seen = None if step.seen is None else {"charger": set(step.seen), "connector": set(step.seen)}
            for engine in engines:
                poll(engine.database, now, *step.readings, resource=step.resource, interval=INTERVAL, seen=seen)
            if number < len(evaluated) and evaluated[number]:
                continue
            with twins[1].write() as connection:
                connection.execute(sa.update(RULE).values(evaluated_seq=0))
            for engine in engines:
                engine.evaluate(now)
            assert open_alerts(twins[0]) == open_alerts(twins[1]), step
        told = [[(one.at, one.rule_id, one.subject, one.to_state) for one in engine.transitions] for engine in engines]
        assert sorted(told[0]) == sorted(told[1])
        for one in engines[0].transitions:
            event(f"{one.rule_id} {one.to_state}")

    law()
    assert all(compile_rule(rule_from_document(rule, "r")).full_every != CLOCK_EVERY for rule in RULES)


def test_a_subject_is_woken_once_and_then_not_again(database: Database) -> None:
    engine = Engine(
        database, {"name": "still", "for_each": "connector", "when": "since(connector.status) >= 2m"}, now=T0
    )
    assert engine.tick(T0, charger(connector("c1", status_changed_at=T0))) == []
    assert engine.tick(T0 + MINUTE) == []
    assert engine.tick(T0 + 2 * MINUTE) == ["c1 inactive>firing since 10:02"]
    with database.read() as connection:
        assert connection.execute(sa.select(WAKE)).all() == []
    changed = charger(connector("c1", "Charging", status_changed_at=T0 + 5 * MINUTE))
    assert engine.tick(T0 + 5 * MINUTE, changed) == ["c1 firing>resolved since 10:02"]
    with database.read() as connection:
        assert [row.wake_at for row in connection.execute(sa.select(WAKE))] == [T0 + 7 * MINUTE]


@pytest.mark.parametrize(("for_each", "when"), WATCHED)
def test_what_changed_is_looked_up_and_no_table_is_read_through(for_each: str, when: str, sqlite: Database) -> None:
    compiled = compile_rule(rule_from_document({"name": "x", "for_each": for_each, "when": when}, "x.yaml"))
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(sqlite.engine, "before_cursor_execute")
    def on_execute(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        asked.append((statement, parameters))

    with sqlite.read() as connection:
        for prepared in (compiled.births_changed, compiled.standing_changed, compiled.wakes_changed):
            if prepared is not None:
                connection.execute(prepared.statement, {"rule": "x", "now": T0, "seen": 1, "version": 1})
        plans = [
            str(line[3])
            for text, values in list(asked)
            if not text.startswith("BEGIN")
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    assert any(line.startswith("SEARCH") for line in plans)
    found = ("SCAN CONSTANT ROW", "SCAN anon_")  # what was looked up before, gone through
    scans = [line for line in plans if line.startswith("SCAN") and not line.startswith(found)]
    assert [line for line in scans if not line.endswith("_stale")] == []  # an index of what cannot be read now alone
