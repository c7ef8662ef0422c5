"""The ledger of one evaluation: what moved, written in a few statements.

An alert that fires joins its incident here. Nothing here decides whether an alert moves: `lifecycle` does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.incidents import close_incidents, group_of, open_incidents
from rules.alerts.looks import Subject
from rules.alerts.query import EVIDENCE, NAMES, CompiledRule
from rules.alerts.records import MUTABLE_FIELDS, STATE_FIELDS, SUBJECT_FIELDS, AlertRecord, ids_by_name
from rules.alerts.silences import Muting, muting, note_mutings
from rules.lifecycle import OPEN_STATES, AlertState, State, Transition
from storage.dialects import AnyRow
from storage.drivers.conversions import MOST_KNOWN, SharedObject
from storage.prepared import Prepared
from storage.schema import ALERT, TRANSITION

_NEVER_LEFT_OUT = ("rule_id", "rule_version", "subject", "state", "active_at", "gap_s", "labels", "evidence")


@cache
def _insert(names: tuple[str, ...]) -> Prepared:
    """What opens alerts with these columns: the others are null, and a null that is not told costs nothing."""
    return Prepared(sa.insert(ALERT).values({name: sa.bindparam(name) for name in names}))


@cache
def _insert_one(names: tuple[str, ...]) -> Prepared:
    return Prepared(sa.insert(ALERT).values({name: sa.bindparam(name) for name in names}).returning(ALERT.c.id))


_LAST = Prepared(sa.select(sa.func.coalesce(sa.func.max(ALERT.c.id), 0)))
_INSERTED = Prepared(
    sa.select(ALERT.c.subject, ALERT.c.id).where(
        ALERT.c.id > sa.bindparam("last"), ALERT.c.rule_id == sa.bindparam("rule")
    )
)
"""What a rule inserted after the last alert that there was: read by the primary key, one a subject."""
_INSERT_TRANSITION = Prepared(
    sa.insert(TRANSITION).values(
        {column.name: sa.bindparam(column.name) for column in TRANSITION.c if not column.primary_key}
    )
)
_UPDATING = sa.update(ALERT).where(ALERT.c.id == sa.bindparam("alert_id"))
_UPDATE = Prepared(_UPDATING.values({name: sa.bindparam(name) for name in MUTABLE_FIELDS}))
_MOVED_FIELDS = (*STATE_FIELDS, "incident_id", "ended_because")


@cache
def _move(names: tuple[str, ...]) -> Prepared:
    """What writes these of an alert that only moves: of its subject and its rule nothing is new."""
    return Prepared(_UPDATING.values({name: sa.bindparam(name) for name in names}))


_state_values = attrgetter(*STATE_FIELDS)
_ids_of = attrgetter(*SUBJECT_FIELDS)
_told_ids = itemgetter(*SUBJECT_FIELDS)
_KEPT = (*EVIDENCE, *NAMES)
_kept_of = attrgetter(*("now_" + name for name in _KEPT))
_evidence_now = attrgetter(*("now_" + name for name in EVIDENCE))
_OWN_FIELDS = tuple(name for name in MUTABLE_FIELDS if name not in {*STATE_FIELDS, *SUBJECT_FIELDS})
_own_values = attrgetter(*_OWN_FIELDS)


@lru_cache(maxsize=MOST_KNOWN)  # many rules find something on one thing
def _labels_of(own: tuple[tuple[str, str], ...], ids: tuple[str | None, ...]) -> SharedObject:
    here = zip(SUBJECT_FIELDS, ids, strict=True)
    return SharedObject({**dict(own), **{name.removesuffix("_id"): value for name, value in here if value}})


@lru_cache(maxsize=MOST_KNOWN)
def _evidence_of(kept: tuple[str | None, ...]) -> SharedObject:
    return SharedObject(zip(_KEPT, kept, strict=True))


@dataclass(slots=True)
class _Move:
    record: AlertRecord
    from_state: State
    to: AlertState
    trace: dict[str, Any]


class Ledger:
    """What one evaluation of one rule moved; `write` puts it all down."""

    def __init__(self, connection: Connection, rule_id: str, now: datetime) -> None:
        self.now = now
        self._connection = connection
        self._rule_id = rule_id
        self._opened: list[AlertRecord] = []
        self._touched: dict[int, AlertRecord] = {}
        self._before: dict[int, AlertState] = {}  # of those that were touched
        self._renewed: set[int] = set()
        self._traces: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._read: Callable[[AnyRow], tuple[Any, ...]] | None = None
        self._moves: list[_Move] = []
        self.held_incidents: set[int] = set()  # whose members are held since now, or no longer

    def follow(self, compiled: CompiledRule, subject: Subject, path: Sequence[AlertState]) -> None:
        """Take a subject through the states that the lifecycle found; the last open occurrence stays in `alert`."""
        ended: AlertRecord | None = None
        for after in path:
            if subject.alert is None:
                subject.alert = self._begun(compiled, subject, after, ended)
                self._opened.append(subject.alert)
                self._moves.append(_Move(subject.alert, State.INACTIVE, after, subject.alert.trace))
            else:
                renewed = self._renew(compiled, subject)
                if renewed or after != subject.alert.state:
                    self.move(subject.alert, after)
            if after.state not in OPEN_STATES:  # a new occurrence may begin at this very poll
                subject.alert, ended = None, subject.alert

    def note_switch_on(self) -> None:
        """Note at the alerts that begin with their rule's first match that they were already so, where they are many.

        It changes what is said about them, and no transition.
        """
        if len(self._opened) > 1:
            for record in self._opened:
                record.switched_on = self.now

    def move(self, record: AlertRecord, after: AlertState) -> None:
        """An open alert moves on, or only what it waits for changes."""
        before = record.state
        record.state = after
        if record.incident_id is not None and (before.held_since is None) != (after.held_since is None):
            self.held_incidents.add(record.incident_id)
        if after.state not in OPEN_STATES:
            record.ended_because = after.reason
        if record.id is not None:
            self._before.setdefault(record.id, before)
            self._touched[record.id] = record
        if after.state != before.state:
            self._moves.append(_Move(record, before.state, after, record.trace))

    def _begun(
        self, compiled: CompiledRule, subject: Subject, state: AlertState, ended: AlertRecord | None
    ) -> AlertRecord:
        """A new occurrence on a subject, pending or at once firing."""
        row = subject.row
        if row is None:
            if ended is None:
                raise ValueError(f"{subject.match.subject}: an alert can begin only where the rule's query answered")
            return replace(ended, state=state, rule_version=compiled.version, id=None, ended_because=None)
        ids, trace = _ids_of(row), self._trace(compiled, row)
        labels, evidence = _labels_of(tuple(compiled.labels.items()), ids), _evidence_of(_kept_of(row))
        return AlertRecord(row.subject, state, compiled.version, ids_by_name(ids), labels, evidence, trace)

    def _renew(self, compiled: CompiledRule, subject: Subject) -> bool:
        """Bring an open alert up to what the rule and its subject say now; true if the stored alert must change."""
        row, record, match, renewed = subject.row, subject.alert, subject.match, False
        if row is None or record is None:
            return False
        here = ids_by_name(_ids_of(row))
        if here is not record.subject_ids:  # labels are frozen; where it stands is not
            here = {name: value or record.subject_ids.get(name) for name, value in here.items()}
            renewed, record.subject_ids = here != record.subject_ids, here
        if match.truth is not None and not match.held:
            record.trace = self._trace(compiled, row)
            renewed = renewed or record.rule_version != compiled.version
            record.rule_version = compiled.version
            if row.truth:
                renewed = _fill_evidence(record, row) or renewed
        if renewed and record.id is not None:
            self._renewed.add(record.id)
        return renewed

    def _trace(self, compiled: CompiledRule, row: AnyRow) -> dict[str, Any]:
        """The values that were read: one object for all of which the same was read, so that it is written once."""
        if self._read is None:
            fields = ("field_" + key.replace(".", "_") for key in compiled.reads)
            self._read = _reader_of([*fields, *(f"computed_{place}" for place in range(len(compiled.computed)))])
        found = self._read(row)
        key: tuple[Any, ...] = (found, tuple(map(type, found)))  # 1, 1.0 and true are equal, and are not written alike
        try:
            if key in self._traces:
                return self._traces[key]
        except TypeError:  # a list is among them
            key = (id(row),)
        values = dict(zip((*compiled.reads, *compiled.computed), found, strict=True))
        self._traces[key] = trace = SharedObject(values=values)
        return trace

    def write(self, severity: str = "", group_by: Sequence[str] | None = ()) -> list[Transition]:
        """Write alerts, incidents and transitions; returns the transitions in the order in which they happened."""
        if not self._opened and not self._touched:
            return []
        self._join_incidents(severity, group_by)
        self._update_touched()  # before the inserts: a reset ends one alert and opens the next on the same subject
        self._insert_opened()
        ended = [move.record.incident_id for move in self._moves if move.to.state == State.RESOLVED]
        close_incidents(self._connection, [incident for incident in ended if incident is not None], self.now)
        return self._write_transitions(self._mute())

    def _mute(self) -> dict[int, Muting]:
        """What keeps those quiet that fire now, or fired until now; noted at those that fire."""
        moves = [move for move in self._moves if State.FIRING in {move.from_state, move.to.state}]
        ids = {move.record.id for move in moves if move.record.id is not None}
        found = muting(self._connection, self._rule_id, ids, self.now) if ids else {}
        firing = {move.record.id for move in moves if move.to.state == State.FIRING}
        note_mutings(self._connection, {key: found[key] for key in found if key in firing})
        return found

    def _join_incidents(self, severity: str, group_by: Sequence[str] | None) -> None:
        firing = [move.record for move in self._moves if move.to.state == State.FIRING]
        groups = {id(record): group_of(group_by, record.labels, record.subject_ids) for record in firing}
        by_key = {group.key: group for group in groups.values()}
        incidents = open_incidents(self._connection, self._rule_id, severity, by_key.values(), self.now)
        for record in firing:
            record.incident_id = incidents[groups[id(record)].key]

    def _insert_opened(self) -> None:
        if not self._opened:
            return
        columns: dict[str, Sequence[Any]] = {
            "subject": [record.subject for record in self._opened],
            "labels": [record.labels for record in self._opened],
            "switched_on": [record.switched_on for record in self._opened],
            **_mutable_columns(self._opened),
        }
        told = {name: column for name, column in columns.items() if name in _NEVER_LEFT_OUT or _is_told(column)}
        names = ("rule_id", *told)
        if len(self._opened) == 1:
            row = {name: column[0] for name, column in told.items()}
            self._opened[0].id = _insert_one(names).scalar(self._connection, {"rule_id": self._rule_id, **row})
            return
        last = _LAST.scalar(self._connection)
        _insert(names).run_columns(self._connection, told, {"rule_id": self._rule_id})
        ids: dict[str, int] = dict(_INSERTED.all(self._connection, {"last": last, "rule": self._rule_id}))
        for record in self._opened:
            record.id = ids[record.subject]

    def _update_touched(self) -> None:
        renewed = [record for key, record in self._touched.items() if key in self._renewed]
        if renewed:
            _UPDATE.run_columns(self._connection, {"alert_id": _ids(renewed), **_mutable_columns(renewed)})
        known: dict[tuple[Any, ...], tuple[str, ...]] = {}
        moved: dict[tuple[str, ...], list[AlertRecord]] = {}
        for key, record in self._touched.items():
            if key not in self._renewed:
                before = self._before[key]
                kind = (id(before), id(record.state), record.incident_id is None, record.ended_because is None)
                if kind not in known:
                    known[kind] = _changed(before, record)
                moved.setdefault(known[kind], []).append(record)
        for names, records in moved.items():
            columns = {name: column for name, column in _moved_columns(records).items() if name in names}
            _move(names).run_columns(self._connection, {"alert_id": _ids(records), **columns})

    def _write_transitions(self, mutings: dict[int, Muting]) -> list[Transition]:
        now, rule, moves = self.now, self._rule_id, self._moves
        if not moves:
            return []
        columns: dict[str, Sequence[Any]] = {
            "subject": [move.record.subject for move in moves],
            "from_state": [move.from_state for move in moves],
            "to_state": [move.to.state for move in moves],
            "active_at": [move.to.active_at for move in moves],
            "reason": [move.to.reason for move in moves],
            "alert_id": [move.record.id or 0 for move in moves],
        }
        incidents = [move.record.incident_id for move in moves]
        muted = [alert_id in mutings for alert_id in columns["alert_id"]]
        # in the order of its fields, which is quicker than by their names
        transitions = list(map(Transition, repeat(now), repeat(rule), *columns.values(), incidents, muted))
        columns |= {name: [_PLAIN[state] for state in columns[name]] for name in ("from_state", "to_state")}
        columns["trace"] = [_muted_trace(move.trace, mutings.get(move.record.id or 0)) for move in moves]
        _INSERT_TRANSITION.run_columns(self._connection, columns, {"at": now, "rule_id": rule})
        return transitions


_PLAIN = {state: str(state.value) for state in State}
"""The states as text: what is none to the letter, the driver of SQLite asks each time what it is."""


def _ids(records: Sequence[AlertRecord]) -> list[int | None]:
    return [record.id for record in records]


def _changed(before: AlertState, record: AlertRecord) -> tuple[str, ...]:
    """The columns in which an alert that moved is not what it was."""
    pairs = zip(STATE_FIELDS, _state_values(before), _state_values(record.state), strict=True)
    joined = ["incident_id"] if before.state != State.FIRING and record.incident_id is not None else []
    ended = ["ended_because"] if record.ended_because is not None else []
    return (*(name for name, was, is_ in pairs if was != is_), *joined, *ended)


def _state_columns(records: Sequence[AlertRecord]) -> dict[str, Sequence[Any]]:
    found = zip(*[_state_values(record.state) for record in records], strict=True)
    columns: dict[str, Sequence[Any]] = dict(zip(STATE_FIELDS, found, strict=True))
    return columns | {"state": [_PLAIN[state] for state in columns["state"]]}


def _moved_columns(records: Sequence[AlertRecord]) -> dict[str, Sequence[Any]]:
    """The columns that a move may change."""
    own = {name: [getattr(record, name) for record in records] for name in ("incident_id", "ended_because")}
    return {**_state_columns(records), **own}


def _mutable_columns(records: Sequence[AlertRecord]) -> dict[str, Sequence[Any]]:
    """The columns that can change after the alert was opened."""
    own = zip(*[_own_values(record) for record in records], strict=True)
    ids = zip(*[_told_ids(record.subject_ids) for record in records], strict=True)
    return {
        **_state_columns(records),
        **dict(zip(_OWN_FIELDS, own, strict=True)),
        **dict(zip(SUBJECT_FIELDS, ids, strict=True)),
    }


def _reader_of(names: Sequence[str]) -> Callable[[AnyRow], tuple[Any, ...]]:
    """What reads these columns off a row."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)


def _fill_evidence(record: AlertRecord, row: AnyRow) -> bool:
    """Note what was not known as the alert began; whether anything was."""
    told, known = zip(EVIDENCE, _evidence_now(row), strict=True), record.evidence
    more = {name: found for name, found in told if found is not None and known.get(name) is None}
    if more:
        record.evidence = {**record.evidence, **more}
    return bool(more)


def _is_told(column: Sequence[Any]) -> bool:
    return column.count(None) < len(column)


def _muted_trace(trace: dict[str, Any], muting_: Muting | None) -> dict[str, Any]:
    return trace if muting_ is None else {**trace, "muted_by": muting_.said}
