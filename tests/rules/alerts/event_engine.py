"""One event rule on a database of its own, with the polls that a test lets it see."""

from typing import Any

import sqlalchemy as sa

from rules.alerts.events import Event, evaluate_events, event_rules_to_evaluate
from rules.documents.document import rule_from_document
from rules.registry.store import load_rules, sync_rules
from storage.engine import Database
from storage.polls import poll_states
from storage.schema import RULE_EVENT
from tests.readings import MINUTE, T0, at, poll, session


class EventEngine:
    """Event rules on a database; `tick` records a poll and tells what was announced, as short text."""

    def __init__(
        self, database: Database, *documents: dict[str, Any], now: Any = T0, default_zone: str | None = None
    ) -> None:
        self.database = database
        self.default_zone = default_zone
        self.announced: list[Event] = []
        self.use(*documents, now=now)

    def use(self, *documents: dict[str, Any], now: Any) -> None:
        with self.database.write() as connection:
            sync_rules(connection, [rule_from_document(document, "test.yaml") for document in documents], now)

    def tick(self, moment: str, *readings: Any, resource: str = "sessions", **how: Any) -> list[str]:
        poll(self.database, at(moment), *readings, resource=resource, **how)
        return self.evaluate(moment)

    def evaluate(self, moment: str) -> list[str]:
        now = at(moment)
        with self.database.read() as connection:
            fresh = {name for name, state in poll_states(connection).items() if state.good_at == state.attempted_at}
            rules = [rule for rule in load_rules(connection, self.default_zone).events if rule.resources <= fresh]
            due = event_rules_to_evaluate(connection, rules, now)
        told: list[Event] = []
        for compiled in due:
            with self.database.write() as connection:
                told += evaluate_events(connection, compiled, now)
        self.announced += told
        return [f"{one.subject} {one.event} at {one.event_at:%H:%M:%S}" for one in told]

    def quiet(self, first: str, last: str, **how: Any) -> list[str]:
        """Poll every minute from first to last without news; everything that was announced meanwhile, with its time."""
        told = []
        moment = at(first)
        while moment <= at(last):
            told += [f"{moment:%H:%M} {line}" for line in self.tick(f"{moment:%H:%M:%S}", **how)]
            moment += MINUTE
        return told

    def verdicts(self) -> dict[str, str | None]:
        with self.database.read() as connection:
            rows = connection.execute(sa.select(RULE_EVENT.c.natural_key, RULE_EVENT.c.verdict))
            return {row.natural_key: row.verdict for row in rows}


def ended(session_id: str = "s1", started: str = "10:01", end: str = "10:06", **values: Any) -> Any:
    return session(session_id, started=at(started), ended_at=at(end), **{"energy_kwh": 0.0, **values})
