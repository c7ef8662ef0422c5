"""The kept past, played poll by poll into a scratch database.

Polls in which nothing that the rule reads changed and nothing was due are left out; they can move nothing. What came of
it is counted elsewhere.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.events import Event
from rules.lifecycle import State, Transition
from rules.trials.grid import PollGrid
from rules.trials.history import Change, Fleet, Kept, session_moments
from rules.trials.idle_changes import Spells
from rules.trials.powers import POWER, copy_powers
from rules.trials.scratch import Answer, Scratch
from rules.trials.whereabouts import Thing
from storage.polls import record_missing
from storage.schema import CHARGER, CONNECTOR, INTERVAL, LOCATION, SAMPLE

LOCATION_POLL = timedelta(hours=6)


class Replay:
    """The polls that matter, one after another."""

    def __init__(
        self, kept: Kept, grid: PollGrid, scratch: Scratch, resources: frozenset[str], spells: Spells | None
    ) -> None:
        self.kept, self.grid, self.scratch, self.resources = kept, grid, scratch, resources
        self.spells = spells
        self.untold: list[Change] = []  # seen by polls that could move nothing
        self.open: set[str] = set()
        self.fleet = Fleet(kept)
        self.changes: dict[datetime, list[Change]] = defaultdict(list)
        self.sessions: dict[datetime, set[str]] = defaultdict(set)
        self.gone: dict[datetime, list[Thing]] = defaultdict(list)
        self.moves: dict[datetime, list[tuple[Thing, str | None]]] = defaultdict(list)
        self.appearing: dict[datetime, list[Thing]] = defaultdict(list)
        for change in kept.changes:
            self.changes[grid.at_or_after(change.at)].append(change)
        for session_id in kept.sessions:
            for moment in session_moments(kept, session_id):
                self.sessions[grid.at_or_after(moment)].add(session_id)
        span = (grid.first, grid.until)
        for at, thing in kept.whereabouts.appeared(*span):
            self.appearing[grid.at_or_after(at)].append(thing)
        for at, thing in kept.whereabouts.went(*span):
            self.gone[grid.at_or_after(at)].append(thing)
        for at, thing, place in kept.whereabouts.moved(*span):
            self.moves[grid.at_or_after(at)].append((thing, place))

    def run(self, *, every_poll: bool) -> tuple[int, list[Transition | Event]]:
        """How many polls were looked at, and everything that moved in them."""
        waiting = sorted({*self.changes, *self.grid.gap_ends}.union(*self._never_idle()), reverse=True)
        now, evaluated = self.grid.first, 1
        told = self.begin()
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

    def _never_idle(self) -> tuple[Collection[datetime], ...]:
        return self.sessions, self.gone, self.appearing, self.moves

    def _moves_nothing(self, now: datetime, coming: Sequence[datetime]) -> bool:
        """Whether the poll at `now` sees only changes that can move no alert; they are told at the next that may."""
        only_changes = all(now not in moments for moments in (*self._never_idle(), self.grid.gap_ends))
        if self.spells is None or not only_changes or coming.count(now) > 1 or now not in self.changes:
            return False
        if self.spells.may_move(self.changes[now], self.open):
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

    def begin(self) -> list[Transition | Event]:
        """The first poll: everything as it stood, dated as the history knows it."""
        now = self.grid.first
        for change in self.kept.before:
            self.fleet.tell(change)
        self.fleet.exist_at(now)
        answers = self._answers(now, all_chargers=True)
        there = [one for one in self.kept.locations if ("location", one.id) in self.fleet.known]
        self.scratch.record(now, [Answer("locations", there, LOCATION_POLL), *answers])
        self.scratch.began(self.kept.began)
        with self.scratch.database.write() as connection:
            _date_back(connection, self.kept.before)
            _copy_past(connection, self.kept, now)
        return self._noted(self.scratch.tick(now, []))

    def _answers(self, now: datetime, *, all_chargers: bool = False) -> list[Answer]:
        changes, self.untold = [*self.untold, *self.changes.get(now, ())], []
        chargers = dict.fromkeys(self.fleet.tell(change) for change in changes)
        chargers |= dict.fromkeys(self.fleet.move(*thing, place) for thing, place in self.moves.get(now, ()))
        coming = self.appearing.get(now, ())
        chargers |= dict.fromkeys(self.fleet.appear(*one) for one in coming if one[0] != "location")
        new_places = {thing_id for thing, thing_id in coming if thing == "location"}
        if now in self.gone:
            self._lose(now)
        if all_chargers:
            chargers = dict.fromkeys(name for thing, name in sorted(self.fleet.known) if thing == "charger")
        known = [name for name in chargers if name is not None and ("charger", name) in self.fleet.known]
        answers = [Answer("chargers", [self.fleet.charger(name) for name in known], self.grid.interval)]
        if new_places:
            readings = [one for one in self.kept.locations if one.id in new_places]
            answers.insert(0, Answer("locations", readings, LOCATION_POLL))
        if "prices" in self.resources:
            priced = {one.id for one in self.kept.locations} if all_chargers else new_places
            priced |= {change.thing_id for change in changes if change.thing == "location"}
            answers.append(Answer("prices", self.fleet.prices(priced), self.grid.interval))
        if "sessions" in self.resources:
            open_ = sorted(self.sessions.get(now, ()))
            told = [self.fleet.session(name, now) for name in open_]
            answers.append(Answer("sessions", told, self.grid.interval))
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
        (CONNECTOR, POWER, "power_changed_at"),
        (LOCATION, "price", "price_changed_at"),
    ):
        mine = [{"id_": row["id_"], "since": row["since"]} for row in rows if row["field_"] == name]
        if mine:
            connection.execute(sa.update(table).where(table.c.id == sa.bindparam("id_")).values({column: moment}), mine)


def _copy_past(connection: Connection, kept: Kept, now: datetime) -> None:
    """Put what windows look back on beside the state: ended intervals, samples, and since when things are known."""
    moment = sa.bindparam("since", type_=INTERVAL.c.valid_from.type)
    there = list(kept.whereabouts.there_at(now))
    for table in (CHARGER, CONNECTOR, LOCATION):
        seen = [{"id_": thing_id, "since": at} for (name, thing_id), at in there if name == table.name]
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
    copy_powers(connection, kept.powers, now)
