"""What a rule would have done: the kept past, replayed into a scratch database through the service's own functions.

What was played is counted here. A field without history is refused by name, because a guess would look like a
measurement.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import CompileError, DBAPIError

from rules.actions.automations import Rehearsed, rehearse
from rules.alerts.events import Event, compile_event_rule
from rules.alerts.query import compile_rule
from rules.documents.document import Rule
from rules.documents.reader import EVENTS
from rules.language.expressions import Aggregate, Expression, FieldRef, Windowed, fields_of, walk
from rules.language.paths import DRIVER
from rules.language.quantities import OVER_POWER, OVER_UPTIME
from rules.lifecycle import State, Transition
from rules.registry.runnable import find_unrunnable
from rules.trials.foreseen.foresee import can_be_foreseen, foresee
from rules.trials.grid import PollGrid
from rules.trials.history import POWER_KEY, Kept, has_history, read_kept
from rules.trials.idle_changes import Spells, merge_if_plain
from rules.trials.replay import Replay
from rules.trials.scratch import Scratch, Speaker
from rules.trials.suppressed import Absorbed, find_absorbed
from storage.polls import poll_states
from storage.recording.powers import kept_since
from storage.schema import SESSION

LONGEST_SHOWN = 10
LAST_SESSIONS = timedelta(days=35)


class CannotBacktest(Exception):  # noqa: N818 (read as a sentence)
    """The past of what a rule reads is not known; the message says of what."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message that would have been posted: card or reply, and whether between 22 and 7 at its location."""

    kind: str
    at: datetime
    at_night: bool


class CountingSpeaker(Speaker, Protocol):
    """A speaker that can tell what it would have said."""

    def said(self, connection: Connection) -> list[Said]:
        """The messages that would have been posted, in time order."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that would have fired. `resolved_at` None: it still fires at the end."""

    subject: str
    active_at: datetime
    fired_at: datetime
    resolved_at: datetime | None
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule would have done from `since` to `until`.

    `events` are those that an event rule would have announced; it has no firings, as an alert rule has no events.
    `already` counts the alerts that fired at once, because their condition was old at `since`; `only_pending` those
    that never fired. `cards` and `replies` are messages, `at_night` those of both between 22 and 7. `polls` is how
    many there were, `evaluated` how many of them had to be looked at. `acting` is what the first of its actions would
    have done at most: whether it would have helped is not known, and codes of danger are not looked at. `known_since`
    is from when on there is history of what the rule reads: before that nothing was replayed.
    """

    rule: str
    since: datetime
    until: datetime
    firings: tuple[Firing, ...]
    already: int
    only_pending: int
    cards: int
    replies: int
    at_night: int
    polls: int
    evaluated: int
    events: tuple[Event, ...] = ()
    is_of_events: bool = False
    acting: Rehearsed | None = None
    absorbed: Absorbed = field(default_factory=Absorbed)
    known_since: datetime | None = None

    @property
    def known(self) -> timedelta:
        """How much of the time asked for there is history of."""
        return self.until - (self.known_since or self.since)

    @property
    def is_known(self) -> bool:
        """Whether there is history of all of it, a minute aside."""
        return self.until - self.since - self.known < timedelta(minutes=1)

    @property
    def longest(self) -> tuple[Firing, ...]:
        """The ten that lasted longest."""
        return tuple(sorted(self.firings, key=lambda one: (-one.lasted, one.fired_at, one.subject))[:LONGEST_SHOWN])


def period(connection: Connection, days: timedelta) -> tuple[datetime, datetime]:
    """The time to look at: `days` up to the last good poll of chargers. CannotBacktest before the first one."""
    state = poll_states(connection).get("chargers")
    if state is None or state.good_at is None:
        raise CannotBacktest("there is no history yet: no poll of chargers was ever good")
    return state.good_at - days, state.good_at


def check_history(rule: Rule) -> None:
    """Raise CannotBacktest for a rule that has a schedule, or reads what no history is kept of."""
    if rule.kind == "digest":
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: it has a schedule')
    missing = [key for key in sorted(_keys(rule)) if not has_history(key)]
    if missing:
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: no history is kept of {", ".join(missing)}')


def backtest(
    connection: Connection,
    rule: Rule,
    *,
    since: datetime,
    until: datetime,
    interval: timedelta,
    speaker: CountingSpeaker,
    every_poll: bool = False,
) -> Backtest:
    """Replay what `connection` has kept from `since` to `until`. Polls lie `interval` apart, the last one at `until`.

    Raises CannotBacktest as `check_history` does. `every_poll` leaves none out: the same answer, slowly.
    """
    check_history(rule)
    resources = _resources(rule) | {"chargers"}
    known_since = max(since, *_first_polls(connection, rule, resources))
    kept = read_kept(connection, _keys(rule), resources, since=known_since, until=until, lookback=_lookback(rule))
    grid = PollGrid(known_since, until, interval, kept.gaps)
    with _told_if_it_cannot_run(rule), Scratch([rule], grid.first, speaker) as scratch:
        evaluated, told = _played(rule, kept, grid, scratch, frozenset(resources), every_poll=every_poll)
        with scratch.database.write() as written:
            speaker.deliver(written, until + timedelta(days=1))
            said = speaker.said(written)
            absorbed = find_absorbed(connection, written, rule.name)
    firings, only_pending = _firings([item for item in told if isinstance(item, Transition)], until)
    return Backtest(
        rule=rule.name,
        since=since,
        until=until,
        firings=tuple(firings),
        already=sum(one.fired_at == grid.first for one in firings),
        only_pending=only_pending,
        cards=sum(item.kind == "card" for item in said),
        replies=sum(item.kind == "reply" for item in said),
        at_night=sum(item.at_night for item in said),
        polls=grid.count,
        evaluated=evaluated,
        events=tuple(item for item in told if isinstance(item, Event)),
        is_of_events=rule.kind == "event",
        acting=_rehearsed(rule, firings, kept, grid.first),
        absorbed=absorbed,
        known_since=known_since,
    )


def _played(
    rule: Rule, kept: Kept, grid: PollGrid, scratch: Scratch, resources: frozenset[str], *, every_poll: bool
) -> tuple[int, list[Transition | Event]]:
    """How many polls could move something, and everything that moved in them."""
    with scratch.database.read() as reading:
        is_plain = rule.kind == "alert" and merge_if_plain(reading, rule, kept)
        is_foreseen = is_plain and not every_poll and can_be_foreseen(rule, _keys(rule), kept, grid)
        has_spells = is_plain and not every_poll and not is_foreseen
        spells = Spells(reading, rule, kept, grid.at_or_after) if has_spells else None
    replay = Replay(kept, grid, scratch, resources, spells)
    if not is_foreseen:
        return replay.run(every_poll=every_poll)
    begun = replay.begin()
    moving, told = foresee(scratch, rule, kept, grid, replay.changes)
    return 1 + moving, [*begun, *told]


def _resources(rule: Rule) -> frozenset[str]:
    """What is polled of which a rule reads."""
    try:
        return (compile_event_rule(rule) if rule.kind == "event" else compile_rule(rule)).resources
    except Exception as error:
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: it cannot be compiled ({error})') from error


@contextmanager
def _told_if_it_cannot_run(rule: Rule) -> Iterator[None]:
    """What no database takes though it is written as it should be is refused by name, with the reason."""
    try:
        yield
    except (DBAPIError, CompileError) as error:
        broken = find_unrunnable([rule])
        if not broken:
            raise
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: {broken[rule.name].message}') from error


def _first_polls(connection: Connection, rule: Rule, resources: Collection[str]) -> list[datetime]:
    """When each of these was first polled well. CannotBacktest where one never was."""
    polls = poll_states(connection)
    found = {name: polls[name].first_good_at if name in polls else None for name in sorted(resources)}
    never = [name for name, moment in found.items() if moment is None and name != "locations"]
    if never:
        told = f'rule "{rule.name}" cannot be backtested: no poll of {", ".join(never)} was ever good'
        raise CannotBacktest(told)
    tagged = sa.select(SESSION.c.id).where(SESSION.c.id_tag.is_not(None)).limit(1)
    if TAG_KEY in _keys(rule) and connection.execute(tagged).first() is None:
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: of no session it is kept who charged')
    return [*_powers_since(connection, rule), *(moment for moment in found.values() if moment is not None)]


def _powers_since(connection: Connection, rule: Rule) -> list[datetime]:
    """Since when powers are kept, for a rule that reads one. CannotBacktest where they are not."""
    if POWER_KEY not in _keys(rule):
        return []
    since = kept_since(connection)
    if since is None:
        told = "that is kept while a rule looks at a power over a time, such as avg(connector.power, 1h)"
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: no history is kept of {POWER_KEY}; {told}')
    return [since]


def _rehearsed(rule: Rule, firings: Sequence[Firing], kept: Kept, begun: datetime) -> Rehearsed | None:
    if not rule.actions:
        return None
    things = {"connector": kept.connectors, "session": kept.sessions}.get(rule.for_each or "", {})
    acted_on = {subject: str(row.charger_id) for subject, row in things.items()}
    if rule.actions[0].price is not None and rule.for_each != "location":
        chargers = {one.subject: acted_on.get(one.subject, one.subject) for one in firings}
        known = {subject: kept.chargers.get(charger) for subject, charger in chargers.items()}
        acted_on = {subject: str(row.location_id) for subject, row in known.items() if row is not None}
    fired = [(one.fired_at, acted_on.get(one.subject, one.subject)) for one in firings if one.fired_at != begun]
    return rehearse(rule.actions[0], fired)


def _nodes(rule: Rule) -> list[Expression]:
    return [node for part in (rule.when, rule.while_) if part is not None for node in walk(part)]


def _keys(rule: Rule) -> frozenset[str]:
    """The fields that a rule reads, of its subject and of the things that its aggregates look at."""
    keys = {key for part in (rule.when, rule.while_) if part is not None for key in fields_of(part)}
    for node in _nodes(rule):
        if isinstance(node, Aggregate) and node.path.startswith(f"{DRIVER}."):
            keys.add(TAG_KEY)
        if isinstance(node, FieldRef):
            keys.add(node.key)
        elif isinstance(node, Aggregate) and node.value is not None:
            keys.add(node.value)
        elif isinstance(node, Windowed) and node.name in OVER_UPTIME:
            keys |= {"connector.status", "charger.online"}
        elif isinstance(node, Windowed) and node.name in OVER_POWER:
            keys.add(POWER_KEY)
    if rule.on is not None and EVENTS[rule.on] != "session":
        keys.add(_TOLD_BY.get(rule.on, "charger.online"))
    return frozenset(keys)


TAG_KEY = "session.id_tag"
_TOLD_BY = {
    "status.changed": "connector.status",
    "error_code.changed": "connector.error_code",
    "price.changed": "location.price",
}
"""The field whose history tells of an event; of the others it is that of the charger's connection."""


def _lookback(rule: Rule) -> timedelta:
    """How far before a moment the rule may look: its longest window; the sessions of `last` as far as a backfill."""
    windows = [timedelta()]
    for node in _nodes(rule):
        if isinstance(node, Aggregate | Windowed) and node.window is not None:
            windows.append(timedelta(seconds=float(node.window.value)))
        elif isinstance(node, Aggregate) and node.last is not None:
            windows.append(LAST_SESSIONS)
    return max(windows)


def _firings(transitions: Sequence[Transition], until: datetime) -> tuple[list[Firing], int]:
    firings: list[Firing] = []
    fired: dict[int, Transition] = {}
    only_pending = 0
    for item in transitions:
        if item.to_state == State.FIRING:
            fired[item.alert_id] = item
        elif item.to_state == State.RESOLVED and item.alert_id in fired:
            firings.append(_firing(fired.pop(item.alert_id), item.at, until))
        elif item.from_state == State.PENDING and item.to_state == State.INACTIVE:
            only_pending += 1
    firings += [_firing(item, None, until) for item in fired.values()]
    return sorted(firings, key=lambda one: (one.fired_at, one.subject)), only_pending


def _firing(fired: Transition, resolved_at: datetime | None, until: datetime) -> Firing:
    lasted = (resolved_at or until) - fired.at
    return Firing(fired.subject, fired.active_at, fired.at, resolved_at, lasted)
