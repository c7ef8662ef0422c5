"""The ledger of one evaluation: what moved, written in a few statements.

An alert that fires joins its incident here. Nothing here decides whether an alert moves: `lifecycle` does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.incidents import close_incidents, group_of, open_incidents
from rules.alerts.looks import Subject
from rules.alerts.query import EVIDENCE, NAMES, CompiledRule
from rules.alerts.records import MUTABLE_FIELDS, STATE_FIELDS, SUBJECT_FIELDS, AlertRecord
from rules.alerts.silences import Muting, muting, note_mutings
from rules.lifecycle import OPEN_STATES, AlertState, State, Transition
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.schema import ALERT, TRANSITION

_INSERTING = sa.insert(ALERT).values(
    {name: sa.bindparam(name) for name in ("rule_id", "subject", "labels", "switched_on", *MUTABLE_FIELDS)}
)
_INSERT_ONE = Prepared(_INSERTING.returning(ALERT.c.id))
_INSERT = Prepared(_INSERTING)
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
_MOVE = Prepared(_UPDATING.values({name: sa.bindparam(name) for name in _MOVED_FIELDS}))
"""For what only moves: of its subject and its rule nothing is new."""


_state_values = attrgetter(*STATE_FIELDS)
_ids_of = attrgetter(*SUBJECT_FIELDS)
_KEPT = (*EVIDENCE, *NAMES)
_kept_of = attrgetter(*("now_" + name for name in _KEPT))
_MOVED = ("alert_id", *_MOVED_FIELDS)
_OWN_FIELDS = tuple(name for name in MUTABLE_FIELDS if name not in {*STATE_FIELDS, *SUBJECT_FIELDS})


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
        ids = dict(zip(SUBJECT_FIELDS, _ids_of(row), strict=True))
        labels = {**compiled.labels, **{name.removesuffix("_id"): value for name, value in ids.items() if value}}
        evidence = dict(zip(_KEPT, _kept_of(row), strict=True))
        trace = self._trace(compiled, row)
        return AlertRecord(row.subject, state, compiled.version, ids, labels, evidence=evidence, trace=trace)

    def _renew(self, compiled: CompiledRule, subject: Subject) -> bool:
        """Bring an open alert up to what the rule and its subject say now; true if the stored alert must change."""
        row, record, match = subject.row, subject.alert, subject.match
        if row is None or record is None:
            return False
        told = zip(SUBJECT_FIELDS, _ids_of(row), strict=True)
        here = {name: value or record.subject_ids.get(name) for name, value in told}
        moved, record.subject_ids = here != record.subject_ids, here  # labels are frozen; where it stands is not
        renewed = moved
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
        self._traces[key] = trace = {"values": dict(zip((*compiled.reads, *compiled.computed), found, strict=True))}
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
        rows = [
            {
                "rule_id": self._rule_id,
                "subject": record.subject,
                "labels": record.labels,
                "switched_on": record.switched_on,
                **_mutable_values(record),
            }
            for record in self._opened
        ]
        if len(rows) == 1:
            self._opened[0].id = _INSERT_ONE.scalar(self._connection, rows[0])
        elif rows:
            last = _LAST.scalar(self._connection)
            _INSERT.run_many(self._connection, rows)
            ids: dict[str, int] = dict(_INSERTED.all(self._connection, {"last": last, "rule": self._rule_id}))
            for record in self._opened:
                record.id = ids[record.subject]

    def _update_touched(self) -> None:
        if not self._touched:
            return
        renewed, moved = [], []
        for key, record in self._touched.items():
            if key in self._renewed:
                renewed.append({"alert_id": key, **_mutable_values(record)})
            else:
                values = (key, *_state_values(record.state), record.incident_id, record.ended_because)
                moved.append(dict(zip(_MOVED, values, strict=True)))
        _UPDATE.run_many(self._connection, renewed)
        _MOVE.run_many(self._connection, moved)

    def _write_transitions(self, mutings: dict[int, Muting]) -> list[Transition]:
        transitions = [
            Transition(
                at=self.now,
                rule_id=self._rule_id,
                subject=move.record.subject,
                from_state=move.from_state,
                to_state=move.to.state,
                active_at=move.to.active_at,
                reason=move.to.reason,
                alert_id=move.record.id or 0,
                incident_id=move.record.incident_id,
                muted=move.record.id in mutings,
            )
            for move in self._moves
        ]
        _INSERT_TRANSITION.run_many(
            self._connection,
            [
                {
                    "at": transition.at,
                    "rule_id": transition.rule_id,
                    "subject": transition.subject,
                    "alert_id": transition.alert_id,
                    "from_state": transition.from_state,
                    "to_state": transition.to_state,
                    "active_at": transition.active_at,
                    "reason": transition.reason,
                    "trace": _muted_trace(move.trace, mutings.get(transition.alert_id)),
                }
                for transition, move in zip(transitions, self._moves, strict=True)
            ],
        )
        return transitions


def _mutable_values(record: AlertRecord) -> dict[str, Any]:
    """The columns that can change after the alert was opened."""
    values = dict(zip(STATE_FIELDS, _state_values(record.state), strict=True))
    values |= {name: getattr(record, name) for name in _OWN_FIELDS}
    return values | {name: record.subject_ids.get(name) for name in SUBJECT_FIELDS}


def _reader_of(names: Sequence[str]) -> Callable[[AnyRow], tuple[Any, ...]]:
    """What reads these columns off a row."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)


def _fill_evidence(record: AlertRecord, row: AnyRow) -> bool:
    """Note what was not known as the alert began; whether anything was."""
    more = {name: getattr(row, "now_" + name) for name in EVIDENCE if record.evidence.get(name) is None}
    more = {name: found for name, found in more.items() if found is not None}
    if more:
        record.evidence = {**record.evidence, **more}
    return bool(more)


def _muted_trace(trace: dict[str, Any], muting_: Muting | None) -> dict[str, Any]:
    return trace if muting_ is None else {**trace, "muted_by": muting_.said}
