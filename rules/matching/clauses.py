"""One condition as SQL: its truth, and the moment since when it is true.

SQL's own three-valued logic is Kleene's, so a condition becomes one expression; since when is a second one, computed
clause by clause. Every constant is a bound parameter; nothing here knows a rule.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.sql.elements import Grouping

from rules.language.expressions import (
    Aggregate,
    And,
    Arithmetic,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    LocalTime,
    Membership,
    Not,
    Or,
    Since,
    Windowed,
    fields_of,
    made_of,
    orders_versions,
    outside,
    type_of,
)
from rules.language.fields import FIELDS, FieldSpec, Type
from rules.matching.amounts import divided, where_currencies_agree
from rules.matching.learning import compile_learner, compile_learning_comparison
from rules.matching.scope import MOMENT, NOW, SUBJECT, TABLES, AsOf, Resolve, kept_value, scope_of
from rules.matching.windows import compile_local_time
from storage.dialects import earliest, greatest, latest, least
from storage.schema import INTERVAL
from storage.sql import json_list_contains, seconds_between, shifted, text_contains, text_starts_with, version_key

_NEVER = sa.literal(datetime(9999, 1, 1, tzinfo=UTC), type_=MOMENT)


def current(key: str) -> ColumnElement[Any]:
    """The value of a field of the subject, or of a thing above it, as it is now."""
    return SUBJECT(key)


def compile_condition(expression: Expression, resolve: Resolve) -> ColumnElement[Any]:  # noqa: PLR0911, PLR0912 - one a kind
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
            if any(item.currency for item in items):
                one_by_one = [_compare(Compare("==", operand, item), resolve) for item in items]
                return _opposite(sa.or_(*one_by_one)) if negated else sa.or_(*one_by_one)
            within = compile_condition(operand, resolve).in_([_as_stored(item, operand) for item in items])
            return sa.not_(within) if negated else within
        case Compare():
            return _compare(expression, resolve)
        case Arithmetic():
            return _arithmetic(expression, resolve)
        case Extreme(name, operands):
            found = _extreme(name, [compile_condition(operand, resolve) for operand in operands])
            return where_currencies_agree(operands, resolve, compile_condition, found)
        case Aggregate() | Windowed():
            return compile_learner(expression, compile_condition, scope_of(resolve))
        case Since(operand):
            return _elapsed(operand.key, resolve)
        case LocalTime():
            return compile_local_time(expression, resolve.at if isinstance(resolve, AsOf) else None)


def _elapsed(key: str, resolve: Resolve) -> ColumnElement[Any]:
    scope = scope_of(resolve)
    return sa.case((scope(key).is_not(None), seconds_between(scope.moment(key), NOW)))


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
    "/": divided,
    "contains": text_contains,
    "starts_with": text_starts_with,
}


def _arithmetic(expression: Arithmetic, resolve: Resolve) -> ColumnElement[Any]:
    sides = (expression.left, expression.right)
    result: ColumnElement[Any] = _OPERATORS[expression.op](*(compile_condition(side, resolve) for side in sides))
    if expression.op == "*":
        made = made_of(expression)
        return result / made.over if made.over != 1 else result
    if expression.op == "/" and (made := made_of(expression)).times != 1:
        result = result * made.times
    return where_currencies_agree(sides, resolve, compile_condition, result)


def _compare(expression: Compare, resolve: Resolve) -> ColumnElement[Any]:
    return where_currencies_agree(
        (expression.left, expression.right), resolve, compile_condition, _compared(expression, resolve)
    )


def _compared(expression: Compare, resolve: Resolve) -> ColumnElement[Any]:
    learning = compile_learning_comparison(
        expression, compile_condition, lambda other: compile_condition(other, resolve), scope_of(resolve)
    )
    if learning is not None:
        return learning
    left, right = _side(expression.left, expression, resolve), _side(expression.right, expression, resolve)
    if orders_versions(expression):
        left, right = version_key(left), version_key(right)
    if expression.op == "contains" and type_of(expression.left) is Type.TEXTS:
        return json_list_contains(left, right)
    compared: ColumnElement[Any] = _OPERATORS[expression.op](left, right)
    return compared


def _side(side: Expression, of: Compare, resolve: Resolve) -> ColumnElement[Any]:
    if isinstance(side, Literal) and isinstance(side.value, str) and of.op in {"==", "!="}:
        return sa.literal(_as_stored(side, of.left if side is of.right else of.right))
    return compile_condition(side, resolve)


def _as_stored(text: Literal, other: Expression) -> float | str | bool:
    """A literal in the spelling in which the field that it is compared with is stored."""
    if isinstance(other, FieldRef) and isinstance(text.value, str):
        return FIELDS[other.key].spelled(text.value)
    return text.value


def _extreme(name: str, values: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    known = sa.and_(*(value.is_not(None) for value in values))  # PostgreSQL would leave the unknown ones out
    return sa.case((known, least(*values) if name == "min" else greatest(*values)))


def compile_since(expression: Expression, truth: bool) -> ColumnElement[Any]:
    """The moment since when `expression` has been `truth`, where it is so now: never null, at the latest `now`.

    `and` is true since its latest side became true, `or` since the earliest true side did; a leaf since its truth
    last changed in the kept history, else since a field that it reads last changed. A side that only describes things
    (`charger.labels contains "test"`) does not date an `and`.
    """
    match expression:
        case Not(operand):
            return compile_since(operand, not truth)
        case And(operands) | Or(operands):
            if isinstance(expression, And) is truth:  # every side had to turn
                dating = [operand for operand in operands if not _describes(operand)] or operands
                return latest([compile_since(operand, truth) for operand in dating])
            moments = [compile_since(operand, truth) for operand in operands]
            sides = [_is(compile_condition(operand, current), truth) for operand in operands]
            return earliest(
                [sa.case((side, moment), else_=_NEVER) for side, moment in zip(sides, moments, strict=True)]
            )
        case _:
            return _leaf_since(expression, truth)


def _describes(expression: Expression) -> bool:
    """Whether a condition only says what things are, such as their labels, and nothing of how they stand."""
    keys = fields_of(expression)
    worked_out = any(isinstance(node, Aggregate | Windowed | Since | LocalTime) for node in outside(expression))
    return bool(keys) and not worked_out and all(FIELDS[key].describes for key in keys)


def _is(condition: ColumnElement[Any], truth: bool) -> ColumnElement[Any]:
    return condition if truth else _opposite(condition)


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPEN_DURATION = "session.duration"


def deadline(expression: Expression) -> tuple[ColumnElement[Any], ColumnElement[Any], bool] | None:
    """From when a comparison of an age with a constant counts, when the age comes to it, and whether it is then true.

    None where `expression` is anything else: where time alone turns it, that moment is not known beforehand.
    """
    if not isinstance(expression, Compare) or expression.op not in _MIRRORED:
        return None
    op, age, limit = str(expression.op), expression.left, expression.right
    if isinstance(age, Literal):
        op, age, limit = _MIRRORED[op], limit, age
    if not isinstance(limit, Literal):
        return None
    if isinstance(age, Since):
        begun = sa.case((current(age.operand.key).is_not(None), SUBJECT.moment(age.operand.key)))
    elif age == FieldRef(OPEN_DURATION):
        begun = sa.case((TABLES["session"].c.ended_at.is_(None), TABLES["session"].c.started_at))
    else:
        return None
    return begun, shifted(begun, float(limit.value)), op in {">", ">="}


def _leaf_since(expression: Expression, truth: bool) -> ColumnElement[Any]:
    timed = deadline(expression)
    if timed is not None:
        begun, turned, turns_true = timed
        return least(NOW, sa.func.coalesce(greatest(begun, turned) if turns_true is truth else begun, NOW))
    if any(isinstance(node, Aggregate | Windowed | Since | LocalTime) for node in outside(expression)):
        return NOW
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
        return kept_value(spec, INTERVAL) if key == spec.key else current(key)

    was = _is(compile_condition(expression, then), truth)
    of_thing = (
        INTERVAL.c.thing == spec.thing,
        INTERVAL.c.field == spec.interval,
        INTERVAL.c.thing_id == table.c.id,
        # what ended before the thing came (back) into sight says nothing of it now
        sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > table.c.first_seen_at),
    )
    other = sa.func.max(sa.case((sa.or_(was.is_(None), sa.not_(was)), INTERVAL.c.valid_to)), type_=MOMENT)
    first = sa.func.min(INTERVAL.c.valid_from, type_=MOMENT)
    # in one look at the thing's intervals: which of both it is, is seen there
    told = sa.select(sa.func.coalesce(other, first)).where(*of_thing).correlate(table).scalar_subquery()
    return least(NOW, sa.func.coalesce(told, table.c[spec.changed_at]))
