"""A database with the fleet in it and the rules in force, worked on by the functions that the service calls.

What comes of each step is compared with what must come of it: a figure of a wrong world is none.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bench.world import MINUTE, T0, Fleet, alerts, chargers, locations, rules
from bot.service import evaluating
from bot.service.jobs import Jobs, use_rules
from bot.service.recording.answered import Answer
from bot.service.recording.answers import record_answers
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.models import Fetched
from eosvolt.tokens import TokenSource
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.migrate import upgrade
from storage.polls import PollState
from storage.recording.places import ListPlace
from storage.schema import RULE

FIRST = 500
FRESH = ("chargers", "locations", "sessions")


class WrongWorldError(Exception):
    """What was to be measured did not happen."""


class House:
    """One database and its jobs. The client asks nobody: the polls' answers are given."""

    def __init__(self, url: str, rule_count: int = 100) -> None:
        self.database = Database(url)
        upgrade(self.database)
        client = EosvoltClient("http://sandbox.invalid", TokenSource.from_text("none"), load_contract())
        self.jobs = Jobs(self.database, client)
        self.rule_count = rule_count
        self._states: dict[str, PollState] = {}

    def record(self, readings: Sequence[Any], now: datetime, resource: str = "chargers", *, sweep: bool = True) -> None:
        """Record a good poll: a full sweep, or what changed since the last one."""
        state = self._states.get(resource)
        since = None if sweep or state is None else state.good_at
        answer = Answer(ListPlace(resource, now, since, sweep, None), Fetched(tuple(readings)), state)
        self._states |= record_answers(self.jobs, [answer], now)

    def move_in(self, connectors: int) -> None:
        """Record the locations, and put the rules in force."""
        self.record(locations(connectors), T0, "locations")
        given = [rule_from_document(rule, "bench") for rule in rules(connectors, self.rule_count)]
        use_rules(self.jobs, given, T0)

    def evaluate(self, now: datetime, moves: int | None) -> int:
        """Evaluate every rule; how many transitions that gave. Raises WrongWorldError for another number of them."""
        moved = len(evaluating.evaluate(self.jobs, now, FRESH))
        if self.jobs.broken:
            raise WrongWorldError(f"rules cannot be evaluated: {self.jobs.broken}")
        if moves is not None and moved != moves:
            raise WrongWorldError(f"{moved} transitions where {moves} must come")
        return moved

    def know_sizes(self, readings: Sequence[Any]) -> None:
        """Have PostgreSQL know that tables are not empty, after some of these readings, as it would in a minute.

        Until autovacuum has looked, it plans for empty tables, and a first sweep costs the square of the fleet.
        """
        if self.database.engine.dialect.name == "postgresql":
            self.record(readings[:FIRST], T0, sweep=False)
            with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")

    def forget(self) -> None:
        """Let every rule have seen nothing yet, so that it is matched over every subject."""
        with self.database.write() as connection:
            connection.execute(sa.update(RULE).values(evaluated_seq=0, full_match_at=None))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def settled(url: str, fleet: Fleet, rule_count: int) -> House:
    """A house in which the fleet is recorded and all its alerts fire since T0 + MINUTE."""
    house = House(url, rule_count)
    house.move_in(fleet.connectors)
    house.record(chargers(fleet), T0)
    expected = alerts(fleet, rule_count)
    house.evaluate(T0, expected)
    house.evaluate(T0 + MINUTE, expected)
    return house
