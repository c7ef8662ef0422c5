"""The law of `changed`: looking only at what may have moved gives what looking at everything gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from rules.lifecycle import Transition
from storage.engine import Database
from storage.schema import ALERT, RULE
from tests.databases import emptied
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, location, poll, session
from tests.rules.engine import Engine

RULES: list[dict[str, Any]] = [
    {"for_each": "connector", "when": 'connector.status == "Faulted"', "while": "charger.online", "for": "2m"},
    {"for_each": "connector", "when": 'not charger.online or location.type == "public"', "on_gap": "reset"},
    {"for_each": "connector", "when": "location.type is unknown", "keep_firing_for": "2m", "on_gap": "pause"},
    {"for_each": "charger", "when": 'charger.online and location.type != "private"', "for": "1m", "on_gap": "pause"},
    {"for_each": "location", "when": 'location.type in ["public", "private"]', "keep_firing_for": "1m"},
    {"for_each": "session", "when": 'session.energy < 1 kWh and connector.status != "Available"', "for": "1m"},
    {"for_each": "session", "when": "not charger.online", "while": 'location.type == "public"'},
    {"for_each": "connector", "when": "connector.power > 20 kW or charger.heartbeat_age > 90s", "for": "1m"},
    {"for_each": "location", "when": "sum(location.connectors.power) > 40 kW"},
    {"for_each": "charger", "when": "charger.heartbeat_age > 4m", "keep_firing_for": "1m"},
    {"for_each": "connector", "when": 'location.id == "l1" and connector.power > 20 kW', "while": "charger.online"},
    {"for_each": "connector", "when": 'connector.status == "Faulted" and charger.id in ["ch1", "ch9"]', "for": "1m"},
]
DOCUMENTS = [{"name": f"rule-{number}", "severity": "info", **rule} for number, rule in enumerate(RULES)]
LOCATIONS, CHARGERS, CONNECTORS, SESSIONS = ("l1", "l2"), ("ch1", "ch2"), ("a", "b"), ("s1", "s2")


@dataclass(frozen=True)
class Step:
    """One poll: of what, what it said, the ids that it showed if it was a sweep, and whether evaluation followed."""

    minutes: int
    resource: str
    readings: tuple[Any, ...]
    seen: dict[str, set[str]] | None
    evaluated: bool


def _each(ids: tuple[str, ...], make: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    """Readings of some of these things."""
    chosen = st.lists(st.sampled_from(ids), unique=True, max_size=len(ids))
    return chosen.flatmap(lambda some: st.tuples(*(make(one) for one in some)))


def _locations(id_: str) -> st.SearchStrategy[Any]:
    return st.builds(lambda type_: location(id_, type=type_), st.sampled_from(["public", "private", None]))


def _chargers(id_: str) -> st.SearchStrategy[Any]:
    said = st.tuples(st.sampled_from(["Available", "Faulted", "Rebooting"]), st.sampled_from([None, 5.0, 30.0]))
    return st.builds(
        lambda plugs, place, online, beat: charger(
            *(
                connector(f"{id_}.{one}", status, charger=id_, power_kw=power)
                for one, (status, power) in zip(CONNECTORS, plugs, strict=True)
            ),
            charger_id=id_,
            location_id=place,
            online=online,
            last_heartbeat=None if beat is None else T0 + beat * MINUTE,
        ),
        st.tuples(*(said for _ in CONNECTORS)),
        st.sampled_from(LOCATIONS),
        st.sampled_from([True, False, None]),
        st.sampled_from([None, 0, 1, 4]),
    )


def _sessions(id_: str) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda place, plug, energy, ended: session(
            id_,
            started=T0,
            connector_id=f"{place}.{plug}",
            charger_id=place,
            energy_kwh=energy,
            ended_at=T0 + MINUTE if ended else None,
        ),
        st.sampled_from(CHARGERS),
        st.sampled_from(CONNECTORS),
        st.sampled_from([0.0, 2.0, None]),
        st.sampled_from([False, False, True]),
    )


def _subset(ids: list[str]) -> st.SearchStrategy[set[str]]:
    return st.sets(st.sampled_from(ids))


_PLUGS = [f"{place}.{plug}" for place in CHARGERS for plug in CONNECTORS]
_SEEN = {
    "locations": st.fixed_dictionaries({"location": _subset(list(LOCATIONS))}),
    "chargers": st.fixed_dictionaries({"charger": _subset(list(CHARGERS)), "connector": _subset(_PLUGS)}),
    "sessions": st.just({}),
}
READINGS = {
    "locations": _each(LOCATIONS, _locations),
    "chargers": _each(CHARGERS, _chargers),
    "sessions": _each(SESSIONS, _sessions),
}
STEPS = st.sampled_from(list(READINGS)).flatmap(
    lambda resource: st.builds(
        Step,
        st.sampled_from([1, 1, 1, 2, 5]),
        st.just(resource),
        READINGS[resource],
        st.one_of(st.none(), _SEEN[resource]),
        st.sampled_from([True, True, True, False]),
    )
)


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    databases = [Database(f"sqlite:///{tmp_path / name}.db", durable=False) for name in ("changed", "full")]
    for database in databases:
        SQLModel.metadata.create_all(database.engine)
    yield databases[0], databases[1]
    for database in databases:
        database.close()


def forget_what_was_seen(database: Database) -> None:
    """Let the next evaluation look at every subject."""
    with database.write() as connection:
        connection.execute(sa.update(RULE).values(evaluated_seq=0))


def moved(transitions: list[Transition]) -> list[tuple[Any, ...]]:
    told = [
        (one.at, one.rule_id, one.subject, one.from_state, one.to_state, one.active_at, one.reason)
        for one in transitions
    ]
    return sorted(told, key=lambda line: line[:3])  # what one subject went through keeps its order


def open_alerts(database: Database) -> list[tuple[Any, ...]]:
    names = ("rule_id", "subject", "state", "active_at", "due_at", "false_since", "held_since", "fired_at")
    statement = sa.select(*(ALERT.c[name] for name in names)).where(ALERT.c.state.in_(["pending", "firing"]))
    with database.read() as connection:
        return sorted(tuple(row) for row in connection.execute(statement.order_by(*names[:2])))


FAULTED = charger(connector("ch1.a", "Faulted", charger="ch1"))
A_LOCATION_MOVES = [
    Step(1, "chargers", (FAULTED,), None, evaluated=True),
    Step(1, "locations", (location("l1", type="public"),), None, evaluated=False),
    Step(1, "locations", (location("l1", type="private"),), None, evaluated=True),
]
A_CHARGER_GOES = [
    Step(1, "chargers", (FAULTED,), None, evaluated=True),
    Step(1, "chargers", (), {}, evaluated=False),
    Step(1, "chargers", (), {}, evaluated=True),
]


def test_looking_at_what_changed_gives_what_looking_at_everything_gives(twins: tuple[Database, Database]) -> None:
    incremental, full = twins

    @settings(
        max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(st.lists(STEPS, min_size=1, max_size=12))
    @example(A_LOCATION_MOVES)
    @example(A_CHARGER_GOES)
    def law(steps: list[Step]) -> None:
        engines = [Engine(emptied(database), *DOCUMENTS, now=T0) for database in (incremental, full)]
        for resource in READINGS:
            for engine in engines:
                poll(engine.database, T0, resource=resource)
        now = T0
        for step in steps:
            now += step.minutes * MINUTE
            for engine in engines:
                poll(engine.database, now, *step.readings, resource=step.resource, seen=step.seen)
            if step.evaluated:
                forget_what_was_seen(full)
                for engine in engines:
                    engine.evaluate(now)
                assert open_alerts(incremental) == open_alerts(full), step
        assert moved(engines[0].transitions) == moved(engines[1].transitions)
        for one in engines[0].transitions:
            event(f"{one.from_state}>{one.to_state} {one.reason}")

    law()
