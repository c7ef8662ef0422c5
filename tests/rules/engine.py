"""A small engine for tests: rules in force on a database, polls recorded and evaluated as the jobs do it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.evaluate import evaluate_rule
from rules.alerts.looks import look_ahead
from rules.alerts.positions import rules_to_evaluate
from rules.alerts.query import CompiledRule
from rules.documents.document import rule_from_document
from rules.lifecycle import Transition
from rules.registry.store import load_rules, sync_rules
from storage.engine import Database
from storage.polls import poll_states
from storage.schema import RULE
from tests.readings import poll


class Engine:
    """Rules on a database. `tick` records a poll and evaluates; `seen` holds every transition as short text."""

    def __init__(self, database: Database, *documents: dict[str, Any], now: datetime) -> None:
        self.database = database
        self.transitions: list[Transition] = []
        self.default_zone: str | None = None
        self._loaded: tuple[object, tuple[CompiledRule, ...]] = (None, ())
        self.use(*documents, now=now)

    def use(self, *documents: dict[str, Any], now: datetime) -> None:
        """Make these the rules in force."""
        with self.database.write() as connection:
            rules = [rule_from_document(document, "test.yaml") for document in documents]
            self.transitions += sync_rules(connection, rules, now)

    def tick(self, now: datetime, *readings: Any, resource: str = "chargers", **how: Any) -> list[str]:
        """Record a good poll at `now`, evaluate, and tell what moved."""
        poll(self.database, now, *readings, resource=resource, **how)
        return self.evaluate(now)

    def evaluate(self, now: datetime) -> list[str]:
        """Evaluate every rule that may move at `now`."""
        with self.database.read() as connection:
            polls = poll_states(connection)
            fresh = {name for name, state in polls.items() if state.good_at == state.attempted_at}
            rules = [rule for rule in self._in_force(connection) if rule.resources <= fresh]
            due = rules_to_evaluate(connection, rules, now)
        moved: list[Transition] = []
        for compiled in due:
            with self.database.read() as connection:
                ahead = look_ahead(connection, compiled, now)
            with self.database.write() as connection:
                moved += evaluate_rule(connection, compiled, now, ahead).transitions
        self.transitions += moved
        return told(moved)

    def _in_force(self, connection: Connection) -> tuple[CompiledRule, ...]:
        """The rules in force, compiled again only where a stored one is another than before."""
        stored = connection.execute(sa.select(RULE.c.id, RULE.c.version, RULE.c.enabled, RULE.c.removed_at)).all()
        if self._loaded[0] != stored:
            self._loaded = (stored, load_rules(connection, self.default_zone).alerts)
        return self._loaded[1]


def told(transitions: Sequence[Transition]) -> list[str]:
    """Transitions as short text: `c1 pending>firing since 10:00`."""
    return [
        f"{item.subject} {item.from_state}>{item.to_state} since {item.active_at:%H:%M:%S}".removesuffix(":00")
        for item in transitions
    ]


FAULTED: dict[str, Any] = {
    "name": "faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "while": "charger.online",
    "for": "30m",
    "keep_firing_for": "5m",
    "severity": "critical",
}
