"""What a rule would have done: the kept past, replayed into a scratch database through the service's own functions.

Minutes in which nothing that the rule reads changed and nothing was due are left out; they can move nothing. A field
without history is refused by name, because a guess would look like a measurement.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.actions.automations import Rehearsed, rehearse
from rules.alerts.events import Event, compile_event_rule
from rules.alerts.query import compile_rule
from rules.documents.document import Rule
from rules.documents.reader import EVENTS
from rules.language.expressions import Aggregate, Expression, FieldRef, Windowed, fields_of, walk
from rules.lifecycle import State, Transition
from rules.trials.history import Change, Fleet, Kept, has_history, read_kept, session_moments
from rules.trials.scratch import Answer, Scratch, Speaker
from rules.trials.suppressed import Absorbed, find_absorbed
from rules.trials.unmoving import Quiet, find_quiet
from storage.polls import poll_states, record_missing
from storage.schema import CHARGER, CONNECTOR, INTERVAL, LOCATION, SAMPLE

LONGEST_SHOWN = 10
LOCATION_POLL = timedelta(hours=6)
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
    have done at most: whether it would have helped is not known, and codes of danger are not looked at.
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
    if rule.on == "price.changed":
        raise CannotBacktest(f'rule "{rule.name}" cannot be backtested: prices of the past are not replayed')
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
    compiled = compile_event_rule(rule) if rule.kind == "event" else compile_rule(rule)
    resources = compiled.resources | {"chargers"}
    kept = read_kept(connection, _keys(rule), resources, since=since, until=until, lookback=_lookback(rule))
    grid = _Grid(since, until, interval, kept.gaps)
    with Scratch([rule], grid.first, speaker) as scratch:
        with scratch.database.read() as reading:
            quiet = find_quiet(reading, rule, kept, grid.at_or_after) if rule.kind == "alert" else None
        replay = _Replay(kept, grid, scratch, frozenset(resources), quiet)
        evaluated, told = replay.run(every_poll=every_poll)
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
    )


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
        if isinstance(node, FieldRef):
            keys.add(node.key)
        elif isinstance(node, Aggregate) and node.value is not None:
            keys.add(node.value)
    if rule.on is not None and EVENTS[rule.on] != "session":  # read from the history of a status or a link
        keys.add("connector.status" if EVENTS[rule.on] == "connector" else "charger.online")
    return frozenset(keys)


def _lookback(rule: Rule) -> timedelta:
    """How far before a moment the rule may look: its longest window; the sessions of `last` as far as a backfill."""
    windows = [timedelta()]
    for node in _nodes(rule):
        if isinstance(node, Aggregate | Windowed) and node.window is not None:
            windows.append(timedelta(seconds=float(node.window.value)))
        elif isinstance(node, Aggregate) and node.last is not None:
            windows.append(LAST_SESSIONS)
    return max(windows)


class _Grid:
    """The moments of the polls: `interval` apart up to `until`, none inside a gap."""

    def __init__(
        self, since: datetime, until: datetime, interval: timedelta, gaps: Sequence[tuple[datetime, datetime]]
    ) -> None:
        self.until, self.interval = until, interval
        self.count = int((until - since) / interval) + 1
        self.first = until - (self.count - 1) * interval
        self.gaps = [(max(start, self.first), end) for start, end in gaps if end > self.first]
        self.gap_ends = {self._ceil(end): start for start, end in self.gaps}
        self._starts = [start for start, _ in self.gaps]

    def at_or_after(self, moment: datetime) -> datetime:
        """The first poll that could see what happened at `moment`."""
        inside = bisect_right(self._starts, moment) - 1
        if inside >= 0 and self._starts[inside] < moment < self.gaps[inside][1]:
            moment = self.gaps[inside][1]
        return max(self._ceil(moment), self.first)

    def before(self, moment: datetime) -> datetime:
        """The last good poll before the one at `moment`."""
        start = self.gap_ends.get(moment)
        return start if start is not None else moment - self.interval

    def _ceil(self, moment: datetime) -> datetime:
        return self.until - math.floor((self.until - moment) / self.interval) * self.interval


class _Replay:
    """The polls that matter, one after another."""

    def __init__(
        self, kept: Kept, grid: _Grid, scratch: Scratch, resources: frozenset[str], quiet: Quiet | None
    ) -> None:
        self.kept, self.grid, self.scratch, self.resources = kept, grid, scratch, resources
        self.quiet = quiet
        self.untold: list[Change] = []  # seen by polls that could move nothing
        self.open: set[str] = set()
        self.fleet = Fleet(kept)
        self.changes: dict[datetime, list[Change]] = defaultdict(list)
        self.sessions: dict[datetime, set[str]] = defaultdict(set)
        self.gone: dict[datetime, list[tuple[str, str]]] = defaultdict(list)
        for change in kept.changes:
            self.changes[grid.at_or_after(change.at)].append(change)
        for session_id in kept.sessions:
            for moment in session_moments(kept, session_id):
                self.sessions[grid.at_or_after(moment)].add(session_id)
        for at, thing, thing_id in kept.gone:
            self.gone[grid.at_or_after(at)].append((thing, thing_id))

    def run(self, *, every_poll: bool) -> tuple[int, list[Transition | Event]]:
        """How many polls were looked at, and everything that moved in them."""
        waiting = sorted({*self.changes, *self.sessions, *self.gone, *self.grid.gap_ends}, reverse=True)
        now, evaluated = self.grid.first, 1
        told = self._begin()
        due = self.scratch.moves_at(now)
        while True:
            while waiting and waiting[-1] <= now:
                waiting.pop()
            coming = [waiting[-1]] if waiting else []
            if due is not None:  # what has come by now was looked at: it is looked at again at the next poll
                coming.append(self.grid.at_or_after(max(due, now + timedelta(microseconds=1))))
            if every_poll:
                coming.append(self.grid.at_or_after(now + timedelta(microseconds=1)))
            if not coming or min(coming) > self.grid.until:
                return evaluated, told
            now = min(coming)
            if not every_poll and self._moves_nothing(now, coming):
                continue
            self.scratch.was_good(dict.fromkeys(self.resources, self.grid.before(now)))
            told += self._noted(self.scratch.tick(now, self._answers(now)))
            evaluated += 1
            due = self.scratch.moves_at(now)

    def _moves_nothing(self, now: datetime, coming: Sequence[datetime]) -> bool:
        """Whether the poll at `now` sees only changes that can move no alert; they are told at the next that may."""
        only_changes = now not in self.sessions and now not in self.gone and now not in self.grid.gap_ends
        if self.quiet is None or not only_changes or coming.count(now) > 1 or now not in self.changes:
            return False
        if self.quiet.may_move(self.changes[now], self.open):
            return False
        self.untold += self.changes.pop(now)
        return True

    def _noted(self, told: list[Transition | Event]) -> list[Transition | Event]:
        for item in told:
            if isinstance(item, Event):
                continue
            if item.to_state in {State.PENDING, State.FIRING}:
                self.open.add(item.subject)
            else:
                self.open.discard(item.subject)
        return told

    def _begin(self) -> list[Transition | Event]:
        """The first poll: everything as it stood, dated as the history knows it."""
        now = self.grid.first
        for change in self.kept.before:
            self.fleet.tell(change)
        self.fleet.exist_at(now)
        answers = self._answers(now, all_chargers=True)
        self.scratch.record(now, [Answer("locations", self.kept.locations, LOCATION_POLL), *answers])
        self.scratch.began(self.kept.began)
        with self.scratch.database.write() as connection:
            _date_back(connection, self.kept.before)
            _copy_past(connection, self.kept)
        return self._noted(self.scratch.tick(now, []))

    def _answers(self, now: datetime, *, all_chargers: bool = False) -> list[Answer]:
        changes, self.untold = [*self.untold, *self.changes.get(now, ())], []
        chargers = dict.fromkeys(self.fleet.tell(change) for change in changes)
        if now in self.gone:
            self._lose(now)
        if all_chargers:
            chargers = dict.fromkeys(name for thing, name in sorted(self.fleet.known) if thing == "charger")
        known = [name for name in chargers if name is not None and ("charger", name) in self.fleet.known]
        answers = [Answer("chargers", [self.fleet.charger(name) for name in known], self.grid.interval)]
        if "sessions" in self.resources:
            open_ = sorted(self.sessions.get(now, ()))
            readings = [self.fleet.session(name, now) for name in open_]
            answers.append(Answer("sessions", readings, self.grid.interval))
        return answers

    def _lose(self, now: datetime) -> None:
        """What vanished, vanishes again: missing from two sweeps in a row."""
        tables = {table.name: table for table in (LOCATION, CHARGER, CONNECTOR)}
        with self.scratch.database.write() as connection:
            for thing, thing_id in self.gone[now]:
                self.fleet.lose(thing, thing_id)
                rest = set(connection.execute(sa.select(tables[thing].c.id)).scalars()) - {thing_id}
                for _ in range(2):
                    record_missing(connection, tables[thing], rest, now)


def _date_back(connection: Connection, changes: Iterable[Change]) -> None:
    """Give what stood at the beginning the dates that the history knows: `record` could only say "seen now"."""
    moment = sa.bindparam("since", type_=INTERVAL.c.valid_from.type)
    rows = [{"id_": item.thing_id, "field_": item.field, "thing_": item.thing, "since": item.at} for item in changes]
    if not rows:
        return
    of_thing = (
        INTERVAL.c.thing == sa.bindparam("thing_"),
        INTERVAL.c.thing_id == sa.bindparam("id_"),
        INTERVAL.c.field == sa.bindparam("field_"),
    )
    connection.execute(sa.update(INTERVAL).where(*of_thing).values(valid_from=moment), rows)
    for table, name, column in (
        (CHARGER, "online", "online_changed_at"),
        (CONNECTOR, "status", "status_changed_at"),
        (CONNECTOR, "error_code", "error_code_changed_at"),
    ):
        mine = [{"id_": row["id_"], "since": row["since"]} for row in rows if row["field_"] == name]
        if mine:
            connection.execute(sa.update(table).where(table.c.id == sa.bindparam("id_")).values({column: moment}), mine)


def _copy_past(connection: Connection, kept: Kept) -> None:
    """Put what windows look back on beside the state: ended intervals, samples, and since when things are known."""
    moment = sa.bindparam("since", type_=INTERVAL.c.valid_from.type)
    first_seen = {
        CHARGER: {row.id: row.first_seen_at for row in kept.chargers.values()},
        CONNECTOR: {row.id: row.first_seen_at for row in kept.connectors.values()},
        LOCATION: kept.locations_seen,
    }
    for table, moments in first_seen.items():
        seen = [{"id_": id_, "since": at} for id_, at in moments.items()]
        if seen:
            of_row = table.c.id == sa.bindparam("id_")
            connection.execute(sa.update(table).where(of_row).values(first_seen_at=moment), seen)
    if kept.past:
        connection.execute(sa.insert(INTERVAL), kept.past)
    known = {(row.session_id, row.at) for row in connection.execute(sa.select(SAMPLE.c.session_id, SAMPLE.c.at))}
    samples = [
        {"session_id": session_id, "at": at, "energy_kwh": energy}
        for session_id, told in kept.samples.items()
        for at, energy in told
        if at <= kept.since and (session_id, at) not in known
    ]
    if samples:
        connection.execute(sa.insert(SAMPLE), samples)


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
