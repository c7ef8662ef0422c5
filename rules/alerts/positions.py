"""How far each rule has come: what it has seen of changes and gaps, and whether something may move it now.

It reads and stores positions; it matches nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.gaps import Gaps
from rules.alerts.query import CompiledRule
from rules.language.fields import NETWORK
from rules.lifecycle import State
from rules.matching.scope import TABLES
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.recording.things import news_of
from storage.schema import ALERT, COUNTER, GAP, RULE, TRANSITION, WAKE

_OPEN = (State.PENDING, State.FIRING)
_SEQ = sa.select(COUNTER.c.value).where(COUNTER.c.name == "changed").scalar_subquery().label("changed_seq")
_DUE = sa.and_(ALERT.c.due_at <= sa.bindparam("now", type_=ALERT.c.due_at.type), ALERT.c.state.in_(_OPEN))
_IS_DUE = sa.exists().where(ALERT.c.rule_id == RULE.c.id, _DUE)
_WAKE_COME = WAKE.c.wake_at <= sa.bindparam("now", type_=WAKE.c.wake_at.type)
_WOKEN_RULES = sa.select(WAKE.c.rule_id).where(_WAKE_COME)
_NEWEST = [
    sa.select(sa.func.max(table.c[name])).scalar_subquery().label(f"{thing}_{name}")
    for thing, table in TABLES.items()
    if thing != NETWORK
    for name in sorted({"changed_seq", news_of(table).name})
]
_NEWEST_GAP_SEQ = sa.select(sa.func.max(GAP.c.changed_seq)).scalar_subquery().label("gap_seq")
_RULE_POSITIONS = Prepared(
    sa.select(
        RULE.c.id,
        RULE.c.evaluated_seq,
        RULE.c.full_match_at,
        *_NEWEST,
        _NEWEST_GAP_SEQ,
        sa.or_(_IS_DUE, RULE.c.id.in_(_WOKEN_RULES)).label("is_due"),
    ).where(RULE.c.enabled, RULE.c.removed_at.is_(None))
)


def rules_to_evaluate(connection: Connection, rules: Iterable[CompiledRule], now: datetime) -> list[CompiledRule]:
    """The rules for which something may move at `now`: a change they have not seen, an alert that is due, a clock."""
    rows = {row.id: row for row in _RULE_POSITIONS.all(connection, {"now": now})}
    return [rule for rule in rules if rule.id in rows and _may_move(rule, rows[rule.id], now)]


def rules_in_full(connection: Connection, rules: Sequence[CompiledRule], now: datetime) -> frozenset[str]:
    """The ids of those of these rules that are to be matched over every subject."""
    rows = {row.id: row for row in _RULE_POSITIONS.all(connection, {"now": now})} if rules else {}
    return frozenset(rule.id for rule in rules if rule.id in rows and is_full(rule, rows[rule.id], now))


def _may_move(rule: CompiledRule, position: AnyRow, now: datetime) -> bool:
    newest = max(newest_change(rule, position), position.gap_seq or 0)
    behind = position.evaluated_seq == 0 or position.evaluated_seq < newest
    return behind or bool(position.is_due) or (rule.full_every is not None and is_full(rule, position, now))


def newest_change(rule: CompiledRule, position: AnyRow) -> int:
    """The `changed_seq` of the newest change of anything that a rule reads."""
    return max((getattr(position, f"{thing}_{name}") or 0 for thing, name in rule.changes), default=0)


_FULL_MATCHES = Prepared(sa.select(RULE.c.id, RULE.c.full_match_at).where(RULE.c.full_match_at.is_not(None)))
_FIRST_WAKE = Prepared(sa.select(sa.func.min(WAKE.c.wake_at)))


def clock_moves_at(connection: Connection, rules: Iterable[CompiledRule]) -> datetime | None:
    """The earliest moment at which the clock may move something: a subject is woken, or a rule is matched in full."""
    every = {rule.id: rule.full_every for rule in rules if rule.full_every is not None}
    matched = _FULL_MATCHES.all(connection)
    moments = [row.full_match_at + every[row.id] for row in matched if row.id in every]
    first_wake = _FIRST_WAKE.scalar(connection)
    return min([*moments, *([first_wake] if first_wake is not None else [])], default=None)


# whatever moves an alert writes a transition: what was read before the last one no longer holds
_LAST_TRANSITION = sa.select(sa.func.max(TRANSITION.c.id)).scalar_subquery().label("last_transition")
_OWN_TRANSITION = Prepared(
    sa.select(TRANSITION.c.id)
    .where(TRANSITION.c.id > sa.bindparam("last"), TRANSITION.c.rule_id == sa.bindparam("rule"))
    .limit(1)
)
# a look for each rule: asked as EXISTS, PostgreSQL would read whatever is due of all
_FIRST_DUE = sa.select(ALERT.c.id).where(ALERT.c.rule_id == RULE.c.id, _DUE).limit(1).correlate(RULE).scalar_subquery()
_POSITIONS = Prepared(
    sa.select(
        RULE.c.id,
        RULE.c.version,
        RULE.c.evaluated_seq,
        RULE.c.evaluated_gap,
        RULE.c.full_match_at,
        _SEQ,
        _LAST_TRANSITION,
        *_NEWEST,
        _FIRST_DUE.is_not(None).label("has_due"),
    ).where(RULE.c.id.in_(sa.bindparam("rules", expanding=True)))
)


def read_positions(connection: Connection, rule_ids: Sequence[str], now: datetime) -> dict[str, AnyRow]:
    """What each of these rules has seen, beside the newest change and the last transition of all; what is no rule is
    left out. `has_due` tells whether an alert of it waits for a moment that has come.
    """
    return {row.id: row for row in _POSITIONS.all(connection, {"rules": rule_ids, "now": now})}


def still_holds(connection: Connection, rule: CompiledRule, upon: AnyRow, position: AnyRow) -> bool:
    """Whether what a rule was told upon one position is so upon another: nothing that it reads has changed since."""
    same = ("version", "evaluated_seq", "evaluated_gap", "full_match_at")
    if any(getattr(upon, name) != getattr(position, name) for name in same):
        return False
    if newest_change(rule, upon) != newest_change(rule, position):
        return False
    if upon.last_transition == position.last_transition:
        return True
    since = {"rule": rule.id, "last": upon.last_transition or 0}
    return _OWN_TRANSITION.first(connection, since) is None


def is_full(rule: CompiledRule, position: AnyRow, now: datetime) -> bool:
    """Whether a rule is to be matched over every subject."""
    if position.evaluated_seq == 0:
        return True
    last = position.full_match_at
    return rule.full_every is not None and (last is None or now - last >= rule.full_every)


_RESOURCES: sa.BindParameter[str] = sa.bindparam("resources", expanding=True)
_NEWEST_GAP = Prepared(sa.select(sa.func.max(GAP.c.id)).where(GAP.c.resource.in_(_RESOURCES)))
_GAPS_SINCE = Prepared(
    sa.select(GAP.c.id, GAP.c.valid_from, GAP.c.valid_to)
    .where(GAP.c.resource.in_(_RESOURCES), GAP.c.valid_to > sa.bindparam("since", type_=GAP.c.valid_to.type))
    .order_by(GAP.c.id)
)


def newest_gap(connection: Connection, rule: CompiledRule) -> int:
    """The id of the newest gap in what a rule reads, 0 where there is none."""
    (newest,) = _NEWEST_GAP.once(connection, {"resources": sorted(rule.resources)})
    return int(newest[0] or 0)


def gaps_since(connection: Connection, rule: CompiledRule, position: AnyRow, since: datetime) -> Gaps:
    """The gaps in what a rule reads that ended after a moment."""
    rows = _GAPS_SINCE.all(connection, {"resources": sorted(rule.resources), "since": since})
    spans = [(row.id > position.evaluated_gap, (row.valid_from, row.valid_to)) for row in rows]
    return Gaps([span for is_new, span in spans if not is_new], [span for is_new, span in spans if is_new])


_LAST_GAP = Prepared(sa.select(sa.func.max(GAP.c.valid_to)).where(GAP.c.resource.in_(_RESOURCES)))


def last_gap_end(connection: Connection, rule: CompiledRule) -> datetime | None:
    """When the last gap in what a rule reads ended."""
    ended: datetime | None = _LAST_GAP.scalar(connection, {"resources": sorted(rule.resources)})
    return ended


_STORE_POSITION = Prepared(
    sa.update(RULE)
    .where(RULE.c.id == sa.bindparam("rule"))
    .values({name: sa.bindparam(name) for name in ("evaluated_seq", "evaluated_gap", "full_match_at")})
)


def store_position(
    connection: Connection, rule: CompiledRule, position: AnyRow, newest_gap_id: int, now: datetime
) -> None:
    """Note what a rule has seen by this evaluation, so that a process killed at any point loses no change."""
    values = {
        "evaluated_seq": position.changed_seq or 0,
        "evaluated_gap": max(newest_gap_id, position.evaluated_gap),
        "full_match_at": now if rule.full_every and is_full(rule, position, now) else position.full_match_at,
    }
    if any(getattr(position, name) != value for name, value in values.items()):
        _STORE_POSITION.run(connection, {"rule": rule.id, **values})
