"""A rule, compiled to one SQL query that answers true, false or unknown for each subject it looks at.

SQL's own three-valued logic is Kleene's, so a condition becomes one expression; the moment since when it is true is
a second one, computed clause by clause. This is the only evaluator: every constant is a bound parameter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table
from sqlalchemy.sql.elements import Grouping

from rules.alerts import STATE_FIELDS, SUBJECT_FIELDS, AlertRecord
from rules.document import Rule
from rules.expressions import (
    And,
    Arithmetic,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    fields_of,
    type_of,
)
from rules.fields import FIELDS, RESOURCE_OF, FieldSpec, Type
from rules.incidents import ALERT
from rules.lifecycle import AlertState, OnGap, State, Timing
from storage.dialects import AnyRow, earliest, greatest, latest, least
from storage.record import CHARGER, CONNECTOR, INTERVAL, LOCATION, SESSION
from storage.sql import json_list_contains, text_contains, text_starts_with

Resolve = Callable[[str], ColumnElement[Any]]
"""Gives the SQL value of a field by its key."""

TABLES: dict[str, Table] = {"connector": CONNECTOR, "charger": CHARGER, "location": LOCATION, "session": SESSION}

# from a thing, the column that leads to each thing above it
PATHS: dict[str, dict[str, ColumnElement[Any]]] = {
    "connector": {"charger": CONNECTOR.c.charger_id, "location": CONNECTOR.c.location_id},
    "charger": {"location": CHARGER.c.location_id},
    "location": {},
    "session": {
        "connector": SESSION.c.connector_id,
        "charger": SESSION.c.charger_id,
        "location": SESSION.c.location_id,
    },
}

NOW: ColumnElement[Any] = sa.bindparam("now", type_=CONNECTOR.c.changed_at.type)
_SEEN = sa.bindparam("seen", type_=sa.Integer)
_RULE = sa.bindparam("rule", type_=sa.String)
_NEVER = sa.literal(datetime(9999, 1, 1, tzinfo=UTC), type_=CONNECTOR.c.changed_at.type)

EVIDENCE = {
    "status": CONNECTOR.c.status,
    "error_code": CONNECTOR.c.error_code,
    "vendor_error_code": CONNECTOR.c.vendor_error_code,
}
"""What is kept of a connector when an alert on it (or on a session of it) opens, for the card."""

NAMES = {"location_name": LOCATION.c.name, "charger_name": CHARGER.c.name}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule in force, ready to be matched. `full` looks at every subject, `changed` at those that may have moved."""

    id: str
    version: int
    severity: str
    group_by: tuple[str, ...]
    labels: dict[str, str]
    timing: Timing
    resources: frozenset[str]
    reads_clock: bool
    has_while: bool
    for_each: str
    reads: tuple[str, ...]
    full: sa.Select[Any]
    changed: sa.Select[Any]

    def open_alert(self, row: AnyRow, state: AlertState) -> AlertRecord:
        """A new alert on the subject of this row of the query's answer."""
        ids = {name: getattr(row, name) for name in SUBJECT_FIELDS}
        labels = {**self.labels, **{name.removesuffix("_id"): value for name, value in ids.items() if value}}
        evidence = {name: getattr(row, "now_" + name) for name in (*EVIDENCE, *NAMES)}
        return AlertRecord(row.subject, state, self.version, ids, labels, evidence=evidence, trace=self._trace(row))

    def renew_alert(self, row: AnyRow, record: AlertRecord) -> bool:
        """Bring an open alert up to what the rule and its subject say now; true if the stored alert must change."""
        record.trace = self._trace(row)
        renewed = record.rule_version != self.version
        record.rule_version = self.version
        for name in EVIDENCE:
            found = getattr(row, "now_" + name)
            if row.truth and record.evidence.get(name) is None and found is not None:
                record.evidence = {**record.evidence, name: found}
                renewed = True
        return renewed

    def _trace(self, row: AnyRow) -> dict[str, Any]:
        return {"values": {key: getattr(row, _label(key)) for key in self.reads}}


def compile_rule(rule: Rule, version: int = 1) -> CompiledRule:
    """Compile an alert rule. The document was checked before: what reaches this is typed."""
    if rule.when is None or rule.for_each is None:
        raise ValueError(f'rule "{rule.name}" has no condition to compile')
    keys = fields_of(rule.when) | (fields_of(rule.while_) if rule.while_ is not None else frozenset())
    things = {FIELDS[key].thing for key in keys} | {rule.for_each}
    full = _select(rule, rule.for_each, tuple(sorted(keys)))
    changed = full.where(TABLES[rule.for_each].c.id.in_(_reached(rule.for_each, things)))
    return CompiledRule(
        id=rule.name,
        version=version,
        severity=rule.severity,
        group_by=rule.group_by,
        labels=rule.labels,
        timing=Timing(rule.for_, rule.keep_firing_for, OnGap(rule.on_gap)),
        resources=frozenset(RESOURCE_OF[thing] for thing in things),
        reads_clock=any(FIELDS[key].reads_clock for key in keys),
        has_while=rule.while_ is not None,
        for_each=rule.for_each,
        reads=tuple(sorted(keys)),
        full=full,
        changed=changed,
    )


def _select(rule: Rule, for_each: str, keys: tuple[str, ...]) -> sa.Select[Any]:
    table = TABLES[for_each]
    assert rule.when is not None  # noqa: S101 - checked by compile_rule
    truth = compile_condition(rule.when, current)
    gone: ColumnElement[Any] = sa.false()
    if for_each == "session":  # a state rule looks at open sessions: with its session, a condition's truth ends
        truth = sa.case((SESSION.c.ended_at.is_not(None), sa.false()), else_=truth)
    else:
        gone = table.c.gone_at.is_not(None)
    while_truth = compile_condition(rule.while_, current) if rule.while_ is not None else sa.true()
    has_alert = ALERT.c.id.is_not(None)
    since = sa.case((sa.and_(truth, ~has_alert), compile_since(rule.when, True)))
    boolean = sa.Boolean()
    columns: list[ColumnElement[Any]] = [
        table.c.id.label("subject"),
        sa.type_coerce(truth, boolean).label("truth"),
        sa.type_coerce(while_truth, boolean).label("while_truth"),
        sa.type_coerce(gone, boolean).label("gone"),
        sa.type_coerce(since, CONNECTOR.c.changed_at.type).label("since"),
        *_ids(for_each),
        *(column.label("now_" + name) for name, column in {**EVIDENCE, **NAMES}.items() if _in_reach(column, for_each)),
        *(
            sa.null().label("now_" + name)
            for name, column in {**EVIDENCE, **NAMES}.items()
            if not _in_reach(column, for_each)
        ),
        *(current(key).label(_label(key)) for key in keys),
        *(ALERT.c[name].label("alert_" + name) for name in _ALERT_COLUMNS),
    ]
    firing = sa.and_(ALERT.c.rule_id == _RULE, ALERT.c.subject == table.c.id, ALERT.c.state.in_(_OPEN))
    joined = reduce(
        lambda source, thing: source.outerjoin(TABLES[thing], TABLES[thing].c.id == PATHS[for_each][thing]),
        PATHS[for_each],
        table.outerjoin(ALERT, firing),
    )
    return sa.select(*columns).select_from(joined).where(sa.or_(has_alert, sa.and_(~gone, truth)))


_OPEN = (State.PENDING.value, State.FIRING.value)
_ALERT_COLUMNS = ("id", *STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "labels", "evidence", "incident_id")


def _label(key: str) -> str:
    return "field_" + key.replace(".", "_")


def _in_reach(column: ColumnElement[Any], for_each: str) -> bool:
    table = getattr(column, "table", None)
    return any(TABLES[thing] is table for thing in (for_each, *PATHS[for_each]))


def _ids(for_each: str) -> list[ColumnElement[Any]]:
    paths = {for_each: TABLES[for_each].c.id, **PATHS[for_each]}
    return [paths.get(name.removesuffix("_id"), sa.cast(sa.null(), sa.String)).label(name) for name in SUBJECT_FIELDS]


def _reached(for_each: str, things: set[str]) -> sa.CompoundSelect[Any] | sa.Select[Any]:
    """The subjects reachable from a row that changed after `seen`, along the paths that the condition reads."""
    table = TABLES[for_each]
    reached = [sa.select(table.c.id).where(table.c.changed_seq > _SEEN)]
    for thing in sorted(things - {for_each}):
        moved = sa.select(TABLES[thing].c.id).where(TABLES[thing].c.changed_seq > _SEEN)
        reached.append(sa.select(table.c.id).where(PATHS[for_each][thing].in_(moved)))
    return sa.union(*reached) if len(reached) > 1 else reached[0]


def current(key: str) -> ColumnElement[Any]:
    """The value of a field as it is now."""
    spec = FIELDS[key]
    return spec.sql(TABLES[spec.thing].c, NOW)


def compile_condition(expression: Expression, resolve: Resolve) -> ColumnElement[Any]:  # noqa: PLR0911 - one a kind
    """The SQL of a condition or a value, with `resolve` giving the fields."""
    match expression:
        case Literal(value):
            return sa.true() if value is True else sa.false() if value is False else sa.literal(value)
        case FieldRef(key):
            return resolve(key)
        case And(operands):
            return sa.and_(*(compile_condition(operand, resolve) for operand in operands))
        case Or(operands):
            return sa.or_(*(compile_condition(operand, resolve) for operand in operands))
        case Not(operand):
            return _opposite(compile_condition(operand, resolve))
        case IsUnknown(operand, negated):
            answer = compile_condition(operand, resolve)
            return answer.is_not(None) if negated else answer.is_(None)
        case Membership(operand, items, negated):
            within = compile_condition(operand, resolve).in_([item.value for item in items])
            return sa.not_(within) if negated else within
        case Compare():
            return _compare(expression, resolve)
        case Arithmetic(op, left, right):
            result: ColumnElement[Any] = _OPERATORS[op](
                compile_condition(left, resolve), compile_condition(right, resolve)
            )
            return result
        case Extreme(name, operands):
            return _extreme(name, [compile_condition(operand, resolve) for operand in operands])


def _opposite(condition: ColumnElement[Any]) -> ColumnElement[Any]:
    """NOT with parentheses around it: SQLAlchemy leaves them out before `IS NULL` and `=`, which bind tighter."""
    return Grouping(sa.not_(sa.type_coerce(condition, sa.Boolean()).self_group()))


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "contains": text_contains,
    "starts_with": text_starts_with,
}


def _compare(expression: Compare, resolve: Resolve) -> ColumnElement[Any]:
    left = compile_condition(expression.left, resolve)
    right = compile_condition(expression.right, resolve)
    if expression.op == "contains" and type_of(expression.left) is Type.TEXTS:
        return json_list_contains(left, right)
    compared: ColumnElement[Any] = _OPERATORS[expression.op](left, right)
    return compared


def _extreme(name: str, values: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    known = sa.and_(*(value.is_not(None) for value in values))  # PostgreSQL would leave the unknown ones out
    return sa.case((known, least(*values) if name == "min" else greatest(*values)))


def compile_since(expression: Expression, truth: bool) -> ColumnElement[Any]:
    """The moment since when `expression` has been `truth`, where it is so now: never null, at the latest `now`.

    `and` is true since its latest side became true, `or` since the earliest true side did; a leaf since its truth
    last changed in the kept history, else since a field that it reads last changed.
    """
    match expression:
        case Not(operand):
            return compile_since(operand, not truth)
        case And(operands) | Or(operands):
            moments = [compile_since(operand, truth) for operand in operands]
            if isinstance(expression, And) is truth:  # every side had to turn
                return latest(moments)
            sides = [_is(compile_condition(operand, current), truth) for operand in operands]
            return earliest(
                [sa.case((side, moment), else_=_NEVER) for side, moment in zip(sides, moments, strict=True)]
            )
        case _:
            return _leaf_since(expression, truth)


def _is(condition: ColumnElement[Any], truth: bool) -> ColumnElement[Any]:
    return condition if truth else _opposite(condition)


def _leaf_since(expression: Expression, truth: bool) -> ColumnElement[Any]:
    specs = [FIELDS[key] for key in sorted(fields_of(expression))]
    if not specs or any(spec.reads_clock for spec in specs):
        return NOW
    if len(specs) == 1 and specs[0].interval is not None:
        return _kept_since(expression, specs[0], truth)
    changed = [sa.func.coalesce(TABLES[spec.thing].c[spec.changed_at], NOW) for spec in specs]
    return least(NOW, latest(changed))


def _kept_since(expression: Expression, spec: FieldSpec, truth: bool) -> ColumnElement[Any]:
    """Since the end of the last kept interval in which the leaf was not `truth`, else since history began."""
    table = TABLES[spec.thing]

    def then(key: str) -> ColumnElement[Any]:
        if spec.type is Type.BOOLEAN:
            return sa.case((INTERVAL.c.value == "true", sa.true()), (INTERVAL.c.value == "false", sa.false()))
        return INTERVAL.c.value

    was = _is(compile_condition(expression, then), truth)
    of_thing = (INTERVAL.c.thing == spec.thing, INTERVAL.c.field == spec.interval, INTERVAL.c.thing_id == table.c.id)
    other = sa.select(sa.func.max(INTERVAL.c.valid_to)).where(*of_thing, sa.or_(was.is_(None), sa.not_(was)))
    first = sa.select(sa.func.min(INTERVAL.c.valid_from)).where(*of_thing)
    moment = sa.func.coalesce(
        other.correlate(table).scalar_subquery(), first.correlate(table).scalar_subquery(), table.c[spec.changed_at]
    )
    return least(NOW, moment)
