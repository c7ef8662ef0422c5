"""One rule's evaluation: match what changed, ask the lifecycle, write down what moved; all in the caller's transaction.

It returns the transitions, so that the messages which tell them are enqueued in the same transaction. What was
evaluated is remembered by `evaluated_seq`, so that a process killed at any point loses no change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.ledger import AlertRecord, Ledger, record_of
from rules.alerts.query import CompiledRule
from rules.lifecycle import AlertState, Match, OnGap, State, Transition, after_gap, end, next_state, retimed
from rules.matching.windows import local_clocks
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.schema import ALERT, COUNTER, GAP, LOCATION, RULE, TRANSITION, WAKE


@dataclass(slots=True)
class Candidate:
    """One subject to look at: what the query said of it, and its open alert if there is one."""

    match: Match
    alert: AlertRecord | None = None
    row: AnyRow | None = None  # the query's answer; None where only time brought the alert here
    ended: AlertRecord | None = None  # the occurrence that ended in this very evaluation


def rules_to_evaluate(connection: Connection, rules: Iterable[CompiledRule], now: datetime) -> list[CompiledRule]:
    """The rules for which something may move at `now`: a change they have not seen, an alert that is due, a clock."""
    rows = {row.id: row for row in _RULE_POSITIONS.all(connection, {"now": now})}
    return [rule for rule in rules if rule.id in rows and _may_move(rule, rows[rule.id], now)]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation of one rule moved, and the incidents whose members came to be held or were let go.

    Being held is no transition, but a card says so.
    """

    transitions: list[Transition]
    held_incidents: frozenset[int]


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
    position = _RULE_POSITION.first(connection, {"rule": compiled.id})
    if position is None or not _is_full(compiled, position, now):
        return None
    return _look(connection, compiled, position, now)


def evaluate_rule(
    connection: Connection, compiled: CompiledRule, now: datetime, ahead: Look | None = None
) -> Evaluated:
    """Evaluate one rule at `now` and write down every transition; at most two for one subject (a reset by a gap).

    `ahead` is what `look_ahead` found at this `now`; where anything has changed since, the rule is matched again.
    """
    position = _RULE_POSITION.first(connection, {"rule": compiled.id})
    seq = position.changed_seq or 0
    resources = sorted(compiled.resources)
    gaps = _NEW_GAPS.all(connection, {"resources": resources, "seen": position.evaluated_gap})
    candidates = _matched(connection, compiled, position, now, ahead)
    _add_waiting(connection, compiled, candidates, now, every=bool(gaps))
    if compiled.timing.on_gap == OnGap.RESET:
        _forget_before_gap(connection, compiled, candidates)
    ledger = Ledger(connection, compiled.id, now)
    for candidate in candidates.values():
        version = candidate.alert.rule_version if candidate.alert else compiled.version  # a gap's move renews it
        if gaps and candidate.alert:
            _move(ledger, compiled, candidate, after_gap(candidate.alert.state, _length(gaps), compiled.timing, now))
        _move(ledger, compiled, candidate, _next(candidate, compiled, version, now))
    if position.evaluated_seq == 0:
        _note_switch_on(candidates.values(), now)
    transitions = ledger.write(compiled.severity, compiled.group_by)
    values = {
        "evaluated_seq": seq,
        "evaluated_gap": max((gap.id for gap in gaps), default=position.evaluated_gap),
        "full_match_at": now if compiled.full_every and _is_full(compiled, position, now) else position.full_match_at,
    }
    if any(getattr(position, name) != value for name, value in values.items()):
        _STORE_POSITION.run(connection, {"rule": compiled.id, **values})
    return Evaluated(transitions, frozenset(ledger.held_incidents))


def _note_switch_on(candidates: Iterable[Candidate], now: datetime) -> None:
    """Note at the alerts that begin with their rule's first match that they were already so, where they are several.

    It changes what is said about them, and no transition.
    """
    begun = [c.alert for c in candidates if c.alert is not None and c.alert.id is None and c.ended is None]
    if len(begun) > 1:
        for record in begun:
            record.switched_on = now


def clock_moves_at(connection: Connection, rules: Iterable[CompiledRule]) -> datetime | None:
    """The earliest moment at which the clock may move something: a subject is woken, or a rule is matched in full."""
    every = {rule.id: rule.full_every for rule in rules if rule.full_every is not None}
    matched = _FULL_MATCHES.all(connection)
    moments = [row.full_match_at + every[row.id] for row in matched if row.id in every]
    first_wake = _FIRST_WAKE.scalar(connection)
    return min([*moments, *([first_wake] if first_wake is not None else [])], default=None)


def end_alerts(connection: Connection, rule_id: str, reason: str, now: datetime) -> list[Transition]:
    """End every open alert of a rule for a reason of the rule's own ("rule removed")."""
    ledger = Ledger(connection, rule_id, now)
    for row in _OPEN_ALERTS.all(connection, {"rule": rule_id}):
        record = record_of(row)
        ledger.move(record, end(record.state, now, reason))
    return ledger.write()


def _move(ledger: Ledger, compiled: CompiledRule, candidate: Candidate, after: AlertState | None) -> None:
    if after is None:
        return
    if candidate.alert is None:
        candidate.alert = _begun(compiled, candidate, after)
        ledger.open(candidate.alert)
    else:
        renewed = False
        if candidate.row is not None and candidate.match.truth is not None and not candidate.match.held:
            renewed = compiled.renew_alert(candidate.row, candidate.alert)
        if renewed or after != candidate.alert.state:
            ledger.move(candidate.alert, after)
    if not after.is_open:  # a new occurrence may begin at this very poll
        candidate.alert, candidate.ended = None, candidate.alert
        candidate.match = replace(candidate.match, since=ledger.now)


def _begun(compiled: CompiledRule, candidate: Candidate, state: AlertState) -> AlertRecord:
    if candidate.row is not None:
        return compiled.open_alert(candidate.row, state)
    if candidate.ended is None:
        raise ValueError(f"{candidate.match.subject}: an alert can begin only where the rule's query answered")
    return replace(candidate.ended, state=state, rule_version=compiled.version, id=None, ended_because=None)


_OPEN = (State.PENDING, State.FIRING)
_SEQ = sa.select(COUNTER.c.value).where(COUNTER.c.name == "changed").scalar_subquery().label("changed_seq")
# whatever moves an alert writes a transition: what was read before the last one no longer holds
_LAST_TRANSITION = sa.select(sa.func.max(TRANSITION.c.id)).scalar_subquery().label("last_transition")
_RULE_POSITION = Prepared(
    sa.select(
        RULE.c.version, RULE.c.evaluated_seq, RULE.c.evaluated_gap, RULE.c.full_match_at, _SEQ, _LAST_TRANSITION
    ).where(RULE.c.id == sa.bindparam("rule"))
)
_RESOURCES: sa.BindParameter[str] = sa.bindparam("resources", expanding=True)
_NEW_GAPS = Prepared(
    sa.select(GAP).where(GAP.c.id > sa.bindparam("seen"), GAP.c.resource.in_(_RESOURCES)).order_by(GAP.c.valid_from)
)
_DUE = sa.and_(ALERT.c.due_at <= sa.bindparam("now", type_=ALERT.c.due_at.type), ALERT.c.state.in_(_OPEN))
_DUE_ALERTS = Prepared(sa.select(ALERT).where(ALERT.c.rule_id == sa.bindparam("rule"), _DUE))
_OPEN_ALERTS = Prepared(sa.select(ALERT).where(ALERT.c.rule_id == sa.bindparam("rule"), ALERT.c.state.in_(_OPEN)))
_DUE_RULES = sa.select(ALERT.c.rule_id).where(_DUE).distinct().subquery()
_FULL_MATCHES = Prepared(sa.select(RULE.c.id, RULE.c.full_match_at).where(RULE.c.full_match_at.is_not(None)))
_FIRST_WAKE = Prepared(sa.select(sa.func.min(WAKE.c.wake_at)))
_WAKE_COME = WAKE.c.wake_at <= sa.bindparam("now", type_=WAKE.c.wake_at.type)
_WOKEN_RULES = sa.select(WAKE.c.rule_id).where(_WAKE_COME).distinct().subquery()
_RULE_POSITIONS = Prepared(
    sa.select(
        RULE.c.id,
        RULE.c.evaluated_seq,
        RULE.c.full_match_at,
        _SEQ,
        sa.or_(_DUE_RULES.c.rule_id.is_not(None), _WOKEN_RULES.c.rule_id.is_not(None)).label("is_due"),
    )
    .outerjoin(_DUE_RULES, _DUE_RULES.c.rule_id == RULE.c.id)
    .outerjoin(_WOKEN_RULES, _WOKEN_RULES.c.rule_id == RULE.c.id)
    .where(RULE.c.enabled, RULE.c.removed_at.is_(None))
)
_LAST_GAP = Prepared(sa.select(sa.func.max(GAP.c.valid_to)).where(GAP.c.resource.in_(_RESOURCES)))
_STORE_POSITION = Prepared(
    sa.update(RULE)
    .where(RULE.c.id == sa.bindparam("rule"))
    .values({name: sa.bindparam(name) for name in ("evaluated_seq", "evaluated_gap", "full_match_at")})
)


def _may_move(rule: CompiledRule, position: AnyRow, now: datetime) -> bool:
    behind = position.evaluated_seq < (position.changed_seq or 0)
    return behind or bool(position.is_due) or (rule.full_every is not None and _is_full(rule, position, now))


def _is_full(rule: CompiledRule, position: AnyRow, now: datetime) -> bool:
    if position.evaluated_seq == 0:
        return True
    last = position.full_match_at
    return rule.full_every is not None and (last is None or now - last >= rule.full_every)


def _length(gaps: Sequence[AnyRow]) -> timedelta:
    """How long nothing was seen of at least one resource: gaps that overlap count once. `gaps` by `valid_from`."""
    total = timedelta(0)
    until: datetime | None = None
    for gap in gaps:
        start = gap.valid_from if until is None else max(gap.valid_from, until)
        if gap.valid_to > start:
            total += gap.valid_to - start
            until = gap.valid_to
    return total


def _look(connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime) -> Look:
    """Ask the rule's query, and when time alone may next move each subject that was looked at."""
    full = _is_full(compiled, position, now)
    parameters = {"rule": compiled.id, "now": now, "seen": position.evaluated_seq}
    if compiled.local_time:
        parameters["clocks"] = local_clocks(_ZONES.scalars(connection), now)
    rows = (compiled.full if full else compiled.changed).all(connection, parameters)
    wakes = compiled.wakes_full if full else compiled.wakes_changed
    return Look(position, rows, [] if wakes is None else wakes.all(connection, parameters))


def _matched(
    connection: Connection, compiled: CompiledRule, position: AnyRow, now: datetime, ahead: Look | None
) -> dict[str, Candidate]:
    full = _is_full(compiled, position, now)
    if not full and position.evaluated_seq >= (position.changed_seq or 0) and not compiled.wakes:
        return {}
    holds = ahead is not None and ahead.upon == position
    look = ahead if ahead is not None and holds else _look(connection, compiled, position, now)
    candidates = {}
    for row in look.rows:
        held = compiled.has_while and row.while_truth is not True
        match = Match(row.subject, row.truth, held=held, since=row.since, gone=row.gone)
        alert = record_of(row, "alert_") if row.alert_id is not None else None
        candidates[row.subject] = Candidate(match, alert, row)
    _store_wakes(connection, compiled, look, now, full=full)
    return candidates


_ZONES = Prepared(sa.select(LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None)).distinct())
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


def _add_waiting(
    connection: Connection, compiled: CompiledRule, candidates: dict[str, Candidate], now: datetime, *, every: bool
) -> None:
    """Add the open alerts that time alone moves (or all of them, after a gap): nothing about their subject changed."""
    statement = _OPEN_ALERTS if every else _DUE_ALERTS
    for stored in statement.all(connection, {"rule": compiled.id, "now": now}):
        if stored.subject not in candidates:
            candidates[stored.subject] = Candidate(_last_answer(stored), record_of(stored))


def _last_answer(stored: AnyRow) -> Match:
    """What the last match of an open alert said, read off the alert itself."""
    if stored.held_since is not None:
        return Match(stored.subject, None)
    return Match(stored.subject, stored.false_since is None, since=stored.active_at)


def _forget_before_gap(connection: Connection, compiled: CompiledRule, candidates: dict[str, Candidate]) -> None:
    """Under `on_gap: reset` no alert begins before the last gap ended: what was true before it is not known to have
    stayed so.
    """
    gap_end = _LAST_GAP.scalar(connection, {"resources": sorted(compiled.resources)})
    if gap_end is None:
        return
    for candidate in candidates.values():
        since = candidate.match.since
        if since is not None and since < gap_end:
            candidate.match = replace(candidate.match, since=gap_end)


def _next(candidate: Candidate, compiled: CompiledRule, version: int, now: datetime) -> AlertState | None:
    alert, match = candidate.alert, candidate.match
    if alert is None:
        return next_state(None, match, compiled.timing, now)
    state = alert.state
    if version < compiled.version and not match.held and not match.gone:
        if match.truth is False:
            return end(state, now, "rule changed")
        if match.truth:
            state = retimed(state, compiled.timing)
    return next_state(state, match, compiled.timing, now)
