"""Laws of events: however polls are split, repeated or lost to a kill, each event is announced exactly once."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from rules.alerts.events import evaluate_events
from rules.registry.store import load_rules
from storage.engine import Database
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, poll, session
from tests.rules.alerts.event_engine import EventEngine

SETTLE = 2  # minutes
RULES: list[dict[str, Any]] = [
    {"name": "begun", "on": "session.started"},
    {"name": "over", "on": "session.ended"},
    {"name": "empty", "on": "session.ended", "when": "session.energy < 0.1 kWh"},
    {"name": "moved", "on": "status.changed"},
    {"name": "faulted", "on": "status.changed", "when": 'connector.status == "Faulted"'},
    {"name": "lost", "on": "charger.offline"},
]
steps = st.tuples(
    st.integers(1, 3),
    st.sampled_from(["Available", "Faulted", "Charging"]),
    st.booleans(),
    st.sampled_from(["nothing", "start", "start", "end empty", "end full"]),
    st.sampled_from(["evaluated", "evaluated", "killed before", "killed within", "twice", "split", "restarted"]),
)
Step = tuple[int, str, bool, str, str]


@dataclass
class Plain:
    """The second opinion: what must be announced, read off the story and nothing else."""

    seen: dict[str, list[tuple[int, Any]]] = field(default_factory=lambda: {"status": [], "online": []})
    expected: list[tuple[str, str, int]] = field(default_factory=list)

    def sees(self, name: str, minute: int, value: Any) -> None:
        if not self.seen[name] or self.seen[name][-1][1] != value:
            self.seen[name].append((minute, value))

    def announced(self) -> list[tuple[str, str, int]]:
        lasting = {
            name: [
                (minute, value)
                for place, (minute, value) in enumerate(changes)
                if place and (place + 1 == len(changes) or changes[place + 1][0] - minute >= SETTLE)
            ]
            for name, changes in self.seen.items()
        }
        moved = [("moved", "c1", minute) for minute, _ in lasting["status"]]
        faulted = [("faulted", "c1", minute) for minute, value in lasting["status"] if value == "Faulted"]
        lost = [("lost", "ch1", minute) for minute, value in lasting["online"] if value is False]
        return sorted([*self.expected, *moved, *faulted, *lost])


def play(database: Database, story: list[Step]) -> tuple[EventEngine, Plain]:
    """Play a story on an empty database: a first sync with an open session, the steps, then five quiet minutes."""
    with database.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    engine, plain = EventEngine(database, *RULES), Plain()
    sessions = {"s0": session("s0", started=T0 - MINUTE, energy_kwh=0.0)}
    opened = "s0"
    minute = 0
    quiet: list[Step] = [(1, "", True, "nothing", "evaluated")] * 5
    for passed, new_status, new_online, act, fate in [(0, "Available", True, "nothing", "evaluated"), *story, *quiet]:
        minute += passed
        now = T0 + minute * MINUTE
        status, online = new_status, new_online
        if not status:
            status, online = plain.seen["status"][-1][1], plain.seen["online"][-1][1]
        plain.sees("status", minute, status)
        plain.sees("online", minute, online)
        if act == "start" and not opened:
            opened = f"s{len(sessions)}"
            sessions[opened] = session(opened, started=now, energy_kwh=0.0)
            plain.expected.append(("begun", opened, minute))
        elif act.startswith("end") and opened:
            started, energy = sessions[opened].started_at, 0.0 if act == "end empty" else 9.0
            sessions[opened] = session(opened, started=started, ended_at=now, energy_kwh=energy)
            plain.expected += [("over", opened, minute)] + ([("empty", opened, minute)] if energy == 0.0 else [])
            opened = ""
        link = charger(connector("c1", status, status_changed_at=now), online=online)
        for _ in range(2 if fate == "twice" else 1):
            poll(database, now, link)
            if fate == "split":
                for reading in [*sessions.values()][::-1]:
                    poll(database, now, reading, resource="sessions")
            else:
                poll(database, now, *sessions.values(), resource="sessions")
        if fate == "killed within":
            evaluate_and_lose(database, now)
        if fate == "restarted":
            engine.use(*RULES, now=now)
        if not fate.startswith("killed"):
            engine.evaluate(f"{now:%H:%M:%S}")
    return engine, plain


def evaluate_and_lose(database: Database, now: Any) -> None:
    """Evaluate every rule in one transaction that never commits, as a kill leaves it."""
    with database.engine.connect() as connection:
        for compiled in load_rules(connection).events:
            evaluate_events(connection, compiled, now)
        connection.rollback()


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(steps, max_size=10))
def test_for_any_splits_repeats_kills_and_restarts_each_event_is_announced_exactly_once(
    sqlite: Database, story: list[Step]
) -> None:
    engine, plain = play(sqlite, story)
    told = [(one.rule_id, one.subject, int((one.event_at - T0) / MINUTE)) for one in engine.announced]
    assert sorted(told) == plain.announced()


@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(steps, max_size=8))
def test_both_databases_announce_the_same(database: Database, story: list[Step]) -> None:
    engine, plain = play(database, story)
    told = [(one.rule_id, one.subject, int((one.event_at - T0) / MINUTE)) for one in engine.announced]
    assert sorted(told) == plain.announced()
