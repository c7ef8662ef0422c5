"""One rule's evaluation: look, ask the lifecycle, write down what moved; all in the caller's transaction.

It returns the transitions, so that the messages which tell them are enqueued in the same transaction. It calls nothing
outside, and how an alert moves is decided by `lifecycle` alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from rules.alerts.edits import edits_since
from rules.alerts.gaps import Gaps
from rules.alerts.ledger import Ledger
from rules.alerts.looks import Look, Subject, open_records, open_records_by_rule, subjects_to_judge
from rules.alerts.positions import gaps_since, newest_gap, read_positions, store_position
from rules.alerts.query import CompiledRule
from rules.alerts.records import AlertRecord
from rules.lifecycle import AlertState, Edit, Match, OnGap, Transition, end, path
from storage.dialects import AnyRow


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation of one rule moved, and the incidents whose members came to be held or were let go.

    Being held is no transition, but a card says so.
    """

    transitions: list[Transition]
    held_incidents: frozenset[int]


def evaluate_rule(
    connection: Connection,
    compiled: CompiledRule,
    now: datetime,
    ahead: Look | None = None,
    position: AnyRow | None = None,
) -> Evaluated:
    """Evaluate one rule at `now` and write down every transition; at most two for one subject (a reset by a gap).

    1. See how far the rule has come, unless its `position` was read in this transaction, and which gaps are new to it.
    2. Look at the subjects that may move. `ahead` is what `look_ahead` found at this `now`; where anything has changed
       since, the rule is matched again.
    3. Ask the lifecycle which states each goes through.
    4. Write alerts, incidents and transitions, and how far the rule has come now.
    """
    position = position or read_positions(connection, [compiled.id], now).get(compiled.id)
    if position is None:
        raise LookupError(f'rule "{compiled.id}" is not in the database')
    newest = newest_gap(connection, compiled)
    subjects = subjects_to_judge(connection, compiled, position, now, ahead, every=newest > position.evaluated_gap)
    gaps = _gaps_about(connection, compiled, position, newest, subjects)
    edits = edits_since(connection, compiled, {one.alert.rule_version for one in subjects if one.alert is not None})
    begin, go_on = _beginnings(compiled, gaps, now), _continuations(compiled, gaps, edits, now)
    ledger = Ledger(connection, compiled.id, now)
    for subject in subjects:
        states = begin(subject.match) if subject.alert is None else go_on(subject.alert, subject.match)
        ledger.follow(compiled, subject, states)
    if position.evaluated_seq == 0:
        ledger.note_switch_on()
    transitions = ledger.write(compiled.severity, compiled.group_by)
    store_position(connection, compiled, position, newest, now)
    return Evaluated(transitions, frozenset(ledger.held_incidents))


NO_TIME = timedelta(0)


def _beginnings(compiled: CompiledRule, gaps: Gaps, now: datetime) -> Callable[[Match], list[AlertState]]:
    """What the lifecycle says of a subject without an alert; asked once for all of which the same is known."""
    edit = Edit(compiled.timing)
    known: dict[tuple[Any, ...], list[AlertState]] = {}

    def begin(match: Match) -> list[AlertState]:
        key = (match.truth, match.held, match.since, match.gone, match.zone)
        if key not in known:
            counted = partial(compiled.timing.counted, zone=match.zone)
            match = match._replace(unseen=gaps.unseen_since(min(match.since or now, now), counted))
            known[key] = path(None, match, edit, NO_TIME, now)
        return known[key]

    return begin


def _continuations(
    compiled: CompiledRule, gaps: Gaps, edits: Mapping[int, Edit], now: datetime
) -> Callable[[AlertRecord, Match], list[AlertState]]:
    """What the lifecycle says of an open alert; asked once for all of which the same is known."""
    known: dict[tuple[Any, ...], tuple[AlertState, list[AlertState]]] = {}

    def go_on(alert: AlertRecord, match: Match) -> list[AlertState]:
        # alerts that stand alike hold one state: it is kept beside the answer, so that no other takes its id
        key = (id(alert.state), alert.rule_version, match.truth, match.held, match.since, match.gone, match.zone)
        if key not in known:
            new_gaps = gaps.told_to(alert.state, partial(compiled.timing.counted, zone=match.zone))
            known[key] = alert.state, path(alert.state, match, edits[alert.rule_version], new_gaps, now)
        return known[key][1]

    return go_on


def _gaps_about(
    connection: Connection, compiled: CompiledRule, position: AnyRow, newest: int, subjects: Sequence[Subject]
) -> Gaps:
    """The gaps that may count for these subjects: for open alerts if there are new ones, for others if they pause."""
    moments = []
    if newest > position.evaluated_gap:
        alerts = [one.alert.state for one in subjects if one.alert is not None]
        moments += [alert.false_since or alert.active_at for alert in alerts]
    if compiled.timing.on_gap == OnGap.PAUSE:
        moments += [one.match.since for one in subjects if one.alert is None and one.match.since is not None]
    return gaps_since(connection, compiled, position, min(moments)) if moments else Gaps()


def end_alerts(connection: Connection, rule_id: str, reason: str, now: datetime) -> list[Transition]:
    """End every open alert of a rule for a reason of the rule's own ("rule removed")."""
    return _end(connection, rule_id, open_records(connection, rule_id), reason, now)


def end_alerts_on(
    connection: Connection, kind: str, ids: Collection[str], reason: str, now: datetime
) -> list[Transition]:
    """End the open alerts on things of a kind (connector or charger), whatever their rule."""
    if not ids:
        return []
    inner = {"charger": ("connector_id", "session_id"), "connector": ("session_id",)}[kind]
    moved: list[Transition] = []
    for rule_id, records in sorted(open_records_by_rule(connection).items()):
        on_them = [
            one
            for one in records
            if one.subject in ids
            and one.subject_ids.get(f"{kind}_id") == one.subject
            and not any(one.subject_ids.get(name) for name in inner)
        ]
        moved += _end(connection, rule_id, on_them, reason, now)
    return moved


def _end(
    connection: Connection, rule_id: str, records: Iterable[AlertRecord], reason: str, now: datetime
) -> list[Transition]:
    ledger = Ledger(connection, rule_id, now)
    for record in records:
        ledger.move(record, end(record.state, now, reason))
    return ledger.write()
