"""A database that is thrown away, on which polls are recorded and rules evaluated as the service does it.

Rule tests and backtests run on it. It reads no clock and judges nothing itself: every moment, reading and rule comes
from its caller, and what is said about a transition is the speaker's matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.evaluate import Evaluated, evaluate_rule
from rules.alerts.events import Event, evaluate_events, event_rules_to_evaluate
from rules.alerts.positions import clock_moves_at, rules_to_evaluate
from rules.documents.document import Rule
from rules.lifecycle import OPEN_STATES, Transition
from rules.registry.store import RulesInForce, load_rules, sync_rules
from storage.engine import Database
from storage.polls import PollState, after_bad_poll, after_good_poll, store_poll_states
from storage.prepared import Prepared
from storage.record import record_readings
from storage.recording.prices import record_prices
from storage.recording.reading_rows import Observation
from storage.schema import ALERT, EVERY_TABLE, RULE_EVENT

ONE_MINUTE = timedelta(minutes=1)


class Speaker(Protocol):
    """What makes messages out of what rules do; each method works in the transaction it is given.

    `default_zone` is that of locations which name none.
    """

    default_zone: str

    def deliver(self, connection: Connection, now: datetime) -> None:
        """Show, each at the moment it is due, the messages that are due by `now`."""

    def enqueue(self, connection: Connection, rules: RulesInForce, evaluated: Evaluated, now: datetime) -> None:
        """Enqueue what one evaluation makes worth saying."""

    def enqueue_events(
        self, connection: Connection, rules: RulesInForce, events: Sequence[Event], now: datetime
    ) -> None:
        """Enqueue the messages of the events that are announced."""

    def act(self, connection: Connection, rules: RulesInForce, interval: timedelta, now: datetime) -> None:
        """Advance what rules try by themselves; polls lie `interval` apart."""

    def remind(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Enqueue what speaks because time passed or because nothing keeps it quiet any more."""

    def enqueue_digests(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Enqueue the digests whose slot has come."""


class Silent:
    """A speaker that says nothing."""

    default_zone = "UTC"

    def deliver(self, connection: Connection, now: datetime) -> None:
        """Nothing waits."""

    def enqueue(self, connection: Connection, rules: RulesInForce, evaluated: Evaluated, now: datetime) -> None:
        """Nothing is said."""

    def enqueue_events(
        self, connection: Connection, rules: RulesInForce, events: Sequence[Event], now: datetime
    ) -> None:
        """Nothing is said."""

    def act(self, connection: Connection, rules: RulesInForce, interval: timedelta, now: datetime) -> None:
        """Nothing is tried."""

    def remind(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Nothing is said."""

    def enqueue_digests(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Nothing is said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll: its readings, or None where the poll failed.

    `interval` is the time between two of its polls, by which gaps are told. `seen` holds, for a full sweep, the ids
    that it named by table: what two in a row do not name is gone. Readings of `prices` are pairs: a location's id
    and what is kept of its prices.
    """

    resource: str
    readings: Sequence[Any] | None
    interval: timedelta
    seen: Mapping[str, set[str]] | None = None


class Scratch:
    """Rules in force from `now` on, on an empty database in memory. Close it, or use it as a context manager.

    `ready` are the same rules as an earlier one made them ready for the same zone, which takes longer than most cases.
    """

    def __init__(
        self, rules: Sequence[Rule], now: datetime, speaker: Speaker | None = None, ready: RulesInForce | None = None
    ) -> None:
        self.database = Database("sqlite://", durable=False)
        self.polls: dict[str, PollState] = {}
        self.speaker: Speaker = speaker or Silent()
        EVERY_TABLE.into(self.database.engine)
        with self.database.write() as connection:
            sync_rules(connection, rules, now)
            self.rules = ready or load_rules(connection, self.speaker.default_zone)

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def tick(self, now: datetime, answers: Sequence[Answer]) -> list[Transition | Event]:
        """Record one poll of each resource that answered, evaluate what is fresh, and speak.

        What moved comes back, and the events that are announced.
        """
        with self.database.write() as connection:
            self.speaker.deliver(connection, now)
            self._record_all(connection, answers, now)
            told = self._evaluate(connection, now)
            if any(rule.actions for rule in self.rules.documents.values()):
                self.speaker.act(
                    connection, self.rules, max((one.interval for one in answers), default=ONE_MINUTE), now
                )
            if any(one.repeat or one.escalate or one.inhibits or one.rises for one in self.rules.documents.values()):
                self.speaker.remind(connection, self.rules, now)
            if self.rules.digests:
                self.speaker.enqueue_digests(connection, self.rules, now)
        return told

    def record(self, now: datetime, answers: Sequence[Answer]) -> None:
        """Record one poll of each resource that answered, without evaluating anything."""
        with self.database.write() as connection:
            self._record_all(connection, answers, now)

    def was_good(self, last: Mapping[str, datetime]) -> None:
        """Say, by resource, when its last good poll was: those between that brought nothing were left out."""
        for resource, moment in last.items():
            state = self.polls.get(resource)
            if state is not None and state.good_at is not None:
                self.polls[resource] = replace(state, good_at=moment, attempted_at=moment)

    def began(self, first: Mapping[str, datetime]) -> None:
        """Say, by resource, when its first good poll was: windows are known as far back as that tells."""
        known = {resource: state for resource, state in self.polls.items() if resource in first}
        self.polls |= {name: replace(state, first_good_at=first[name]) for name, state in known.items()}
        with self.database.write() as connection:
            store_poll_states(connection, [self.polls[name] for name in known])

    def moves_at(self, after: datetime) -> datetime | None:
        """The earliest moment after one at which time alone may move something; None where nothing waits.

        What was due by then has been looked at: it is held, and time alone does not move it.
        """
        with self.database.read() as connection:
            due: datetime | None = _FIRST_DUE.scalar(connection, {"after": after})
            settled: datetime | None = _FIRST_SETTLED.scalar(connection, {"after": after})
            clock = clock_moves_at(connection, self.rules.alerts)
        return min((moment for moment in (due, settled, clock) if moment is not None), default=None)

    def _record_all(self, connection: Connection, answers: Sequence[Answer], now: datetime) -> None:
        for answer in answers:
            self._record(connection, answer, now)
        if answers:
            store_poll_states(connection, [self.polls[answer.resource] for answer in answers])

    def _record(self, connection: Connection, answer: Answer, now: datetime) -> None:
        state = self.polls.get(answer.resource)
        if answer.readings is None:
            self.polls[answer.resource] = after_bad_poll(answer.resource, now, "the poll failed", state=state)
            return
        if answer.resource == "prices":
            record_prices(connection, dict(answer.readings), now)
        else:
            self._record_readings(connection, answer.readings, state, now)
        self.polls[answer.resource] = after_good_poll(
            connection, answer.resource, now, answer.interval, state=state, seen=answer.seen
        )

    @staticmethod
    def _record_readings(
        connection: Connection, readings: Sequence[Any], state: PollState | None, now: datetime
    ) -> None:
        # a tag is what the case calls it, or what is kept of it: nothing leaves this database
        floor = state.good_at if state else None
        record_readings(connection, readings, Observation(now, floor=floor, plain_tags=True))

    def _evaluate(self, connection: Connection, now: datetime) -> list[Transition | Event]:
        """As the service: the alerts that may move, then the events; what is to be looked at is settled before."""
        fresh = {name for name, state in self.polls.items() if state.good_at == state.attempted_at}
        alerts = [rule for rule in self.rules.alerts if rule.resources <= fresh]
        events = [rule for rule in self.rules.events if rule.resources <= fresh]
        happened = event_rules_to_evaluate(connection, events, now) if events else []
        told: list[Transition | Event] = []
        for rule in rules_to_evaluate(connection, alerts, now) if alerts else []:
            evaluated = evaluate_rule(connection, rule, now)
            told += evaluated.transitions
            if evaluated.transitions or evaluated.held_incidents:
                self.speaker.enqueue(connection, self.rules, evaluated, now)
        for waiting in happened:
            announced = evaluate_events(connection, waiting, now)
            self.speaker.enqueue_events(connection, self.rules, announced, now)
            told += announced
        return told


_FIRST_DUE = Prepared(
    sa.select(sa.func.min(ALERT.c.due_at)).where(
        ALERT.c.state.in_(OPEN_STATES), ALERT.c.due_at > sa.bindparam("after", type_=ALERT.c.due_at.type)
    )
)
_FIRST_SETTLED = Prepared(
    sa.select(sa.func.min(RULE_EVENT.c.due_at)).where(
        RULE_EVENT.c.due_at > sa.bindparam("after", type_=RULE_EVENT.c.due_at.type)
    )
)
