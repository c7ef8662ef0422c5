"""What a rule's query answers, and the subjects that an evaluation is to look at because of it or because time passed.

It decides nothing about them. A look may be taken ahead, in a transaction that only reads, and holds while nothing has
moved since.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.positions import is_full, last_gap_end, newest_change, read_positions, still_holds
from rules.alerts.query import CompiledRule, record_columns
from rules.alerts.records import AlertRecord, record_of
from rules.lifecycle import Match, OnGap, State
from rules.matching.relations import MANY
from rules.matching.windows import local_clocks, zones_of_locations
from storage.dialects import AnyRow
from storage.drivers.postgresql import planned_once
from storage.prepared import Prepared
from storage.schema import ALERT, LOCATION, WAKE


@dataclass(slots=True)
class Subject:
    """One subject to look at: what the query said of it, and its open alert if there is one."""

    match: Match
    alert: AlertRecord | None = None
    row: AnyRow | None = None  # the query's answer; None where only time brought here what is held


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule's query answered, and `upon` what: while that stands, the answer holds."""

    upon: AnyRow
    rows: Sequence[AnyRow]
    wakes: Sequence[AnyRow]


def look_ahead(connection: Connection, compiled: CompiledRule, now: datetime) -> Look | None:
    """Match a rule that is to be matched over every subject, before the transaction that writes what comes of it.

    Over a large fleet and a long window that takes seconds, in which others want to write. None where the rule is to
    be matched over what changed alone, which is quick.
    """
    position = read_positions(connection, [compiled.id], now).get(compiled.id)
    if position is None or not is_full(compiled, position, now):
        return None
    return _look(connection, compiled, position, now)


def subjects_to_judge(
    connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime, ahead: Look | None, *, every: bool
) -> list[Subject]:
    """The subjects that may move at `now`: those that the query answers, and the open alerts that are due.

    `ahead` is used where it holds. After a gap (`every`), all open alerts are looked at that wait for anything: of one
    that fires and is not known to be false, a gap moves nothing. What only time moves, moves by what was answered
    last; the query is asked for the values that are kept of it.
    """
    subjects = _matched(connection, compiled, position, now, ahead)
    if every or position.has_due:
        until = _NEVER if every else now
        asked = {**_asked(connection, compiled, position, now), "until": until}
        for row in compiled.waiting.all(connection, asked):
            if row.subject not in subjects:
                alert = record_of(row, "alert_")
                told = row if row.is_there and alert.state.held_since is None else None
                subjects[row.subject] = Subject(_last_answer(alert), alert, told)
    if compiled.timing.hours is not None:
        _note_zones(connection, compiled, subjects.values())
    if compiled.timing.on_gap == OnGap.RESET:
        _forget_before_gap(connection, compiled, subjects)
    return [subjects[name] for name in sorted(subjects)]  # on every database in the same order


def _note_zones(connection: Connection, compiled: CompiledRule, subjects: Iterable[Subject]) -> None:
    """Note the zone of each subject's location, else the default one."""
    zones = zones_of_locations(connection, compiled.default_zone)
    for subject in subjects:
        told = subject.row.location_id if subject.row is not None else None
        if told is None and subject.alert is not None:
            told = subject.alert.subject_ids.get("location_id")
        subject.match = subject.match._replace(zone=zones(told))


_OPEN = (State.PENDING, State.FIRING)
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_RECORDS = sa.select(ALERT.c.subject, *record_columns())
_OPEN_ALERTS = Prepared(_RECORDS.where(ALERT.c.rule_id == sa.bindparam("rule"), ALERT.c.state.in_(_OPEN)))


def open_records(connection: Connection, rule_id: str) -> list[AlertRecord]:
    """Every open alert of a rule."""
    return [record_of(row) for row in _OPEN_ALERTS.all(connection, {"rule": rule_id})]


def open_records_by_rule(connection: Connection) -> dict[str, list[AlertRecord]]:
    """Every open alert, by the rule that found it."""
    found: dict[str, list[AlertRecord]] = {}
    for row in connection.execute(sa.select(ALERT).where(ALERT.c.state.in_(_OPEN))):
        found.setdefault(row.rule_id, []).append(record_of(row))
    return found


_ZONES = Prepared(sa.select(LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None)).distinct())


def _asked(connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime) -> dict[str, Any]:
    """The parameters of a rule's questions."""
    asked = {"rule": compiled.id, "now": now, "seen": position.evaluated_seq, "version": compiled.version}
    if compiled.local_time:
        asked["clocks"] = local_clocks(_ZONES.scalars(connection), now, compiled.default_zone)
    return asked


def _look(connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime) -> Look:
    """Ask the rule's query, and when time alone may next move each subject that was looked at."""
    full = is_full(compiled, position, now)
    parameters = _asked(connection, compiled, position, now)
    questions = (compiled.births, compiled.standing)
    counted = compiled.how_many_changed
    if not full:
        many = counted is not None and counted.once(connection, {"seen": position.evaluated_seq})[0][0] >= MANY
        questions = (
            (compiled.births_among_many, compiled.standing_among_many)
            if many
            else (compiled.births_changed, compiled.standing_changed)
        )
    with planned_once(connection) if counted is None and not full else nullcontext():
        rows = [row for question in questions for row in question.all(connection, parameters)]
    wakes = compiled.wakes_full if full else compiled.wakes_changed
    return Look(position, rows, [] if wakes is None else wakes.all(connection, parameters))


def _matched(
    connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime, ahead: Look | None
) -> dict[str, Subject]:
    full = is_full(compiled, position, now)
    if not full and position.evaluated_seq >= newest_change(compiled, position) and not compiled.wakes:
        return {}
    holds = ahead is not None and still_holds(connection, compiled, ahead.upon, position)
    look = ahead if ahead is not None and holds else _look(connection, compiled, position, now)
    subjects = {}
    for row in look.rows:
        held = row.blind or (compiled.has_while and row.while_truth is not True)
        match = Match(row.subject, row.truth, held=held, since=row.since, gone=row.gone)
        alert = record_of(row, "alert_") if row.alert_id is not None else None
        subjects[row.subject] = Subject(match, alert, row)
    _store_wakes(connection, compiled, look, now, full=full)
    return subjects


_FORGET_WAKES = Prepared(sa.delete(WAKE).where(WAKE.c.rule_id == sa.bindparam("rule")))
_INSERT_WAKES = Prepared(sa.insert(WAKE).values({column.name: sa.bindparam(column.name) for column in WAKE.c}))


def _store_wakes(connection: Connection, compiled: CompiledRule, look: Look, now: datetime, *, full: bool) -> None:
    """Write down when time alone may next move each subject that was looked at; after a look at all, for all."""
    if full:
        _FORGET_WAKES.run(connection, {"rule": compiled.id})
    elif compiled.wakes:
        seen = {"rule": compiled.id, "now": now, "seen": look.upon.evaluated_seq}
        compiled.forgotten_wakes.run(connection, seen)
    coming = [row for row in look.wakes if row.wake_at is not None]
    values = [{"rule_id": compiled.id, "subject": row.subject, "wake_at": row.wake_at} for row in coming]
    _INSERT_WAKES.run_many(connection, values)


def _last_answer(alert: AlertRecord) -> Match:
    """What the last match of an open alert said, read off the alert itself."""
    state = alert.state
    if state.held_since is not None:
        return Match(alert.subject, None)
    return Match(alert.subject, state.false_since is None, since=state.active_at)


def _forget_before_gap(connection: Connection, compiled: CompiledRule, subjects: dict[str, Subject]) -> None:
    """Under `on_gap: reset` no alert begins before the last gap ended: what was true before it is not known to have
    stayed so.
    """
    gap_end = last_gap_end(connection, compiled)
    if gap_end is None:
        return
    for subject in subjects.values():
        since = subject.match.since
        if since is not None and since < gap_end:
            subject.match = subject.match._replace(since=gap_end)
