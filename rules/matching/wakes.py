"""When time alone may change what a condition says of a subject, so that it is looked at then and not before.

A comparison of an age with a constant turns at a known moment, and a window lets its oldest member go at one. What
follows the clock in any other way has no such moment: its rule is matched in full every few minutes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from rules.language.expressions import Aggregate, Expression, FieldRef, LocalTime, Since, Windowed, parts_of, walk
from rules.language.fields import FIELDS, RELATIONS
from rules.matching.clauses import compile_condition, current, deadline
from rules.matching.learning import covered_at
from rules.matching.relations import members, start_of
from rules.matching.scope import MOMENT, NOW, RULE_ID, TABLES
from rules.matching.windows import intervals_of, kept_thing, window_start
from storage.dialects import earliest
from storage.schema import INTERVAL, WAKE
from storage.sql import shifted

_NEVER = sa.literal(datetime(9999, 1, 1, tzinfo=UTC), type_=MOMENT)

due_subjects = sa.select(WAKE.c.subject).where(WAKE.c.rule_id == RULE_ID, WAKE.c.wake_at <= NOW)
"""The subjects of a rule whose moment has come."""


def reads_clock(expression: Expression) -> bool:
    """Whether time alone can change what `expression` says."""
    match expression:
        case Windowed() | Since() | LocalTime():
            return True
        case FieldRef(key):
            return FIELDS[key].reads_clock
        case Aggregate():
            return expression.window is not None or _reads_clock_inside(expression)
    return any(map(reads_clock, parts_of(expression)))


def _reads_clock_inside(node: Aggregate) -> bool:
    """Whether time alone can change what is said of the members: how long an ended session took stays as it is."""
    has_ended = node.window is not None or node.last is not None or node.name == "streak"
    keys = [] if node.value is None else [node.value]
    for part in (node.where, node.among):
        below = [] if part is None else list(walk(part))
        if any(isinstance(one, Since | LocalTime | Windowed) for one in below):
            return True
        keys += [one.key for one in below if isinstance(one, FieldRef)]
    return not has_ended and any(FIELDS[key].reads_clock for key in keys)


def wakes_of(expressions: Sequence[Expression]) -> ColumnElement[Any] | None:
    """The next moment at which time alone may change what the conditions say of a subject, null where there is none.

    It may lie a millisecond in the past, where what it waits for has not quite come: then the subject is looked at
    again at once. None where such a moment cannot be told, or where no condition reads the clock.
    """
    moments: list[ColumnElement[Any]] = []
    for expression in expressions:
        found = _moments(expression)
        if found is None:
            return None
        moments += found
    if not moments:
        return None
    coming = [sa.func.coalesce(moment, _NEVER, type_=MOMENT) for moment in moments]
    return sa.func.nullif(earliest(coming), _NEVER, type_=MOMENT)


def is_slow(expression: Expression) -> bool:
    """Whether nothing in `expression` follows the clock but the uptime of windows of a day or more."""
    match expression:
        case Windowed("uptime" | "downtime", _, window):
            return float(window.value) >= 86_400
        case Aggregate(_, _, value, window=None) if value is None or not FIELDS[value].reads_clock:
            return all(map(is_slow, parts_of(expression)))
        case Windowed() | Since() | LocalTime() | Aggregate():
            return not reads_clock(expression)
        case FieldRef(key):
            return not FIELDS[key].reads_clock
    return all(map(is_slow, parts_of(expression)))


def _moments(expression: Expression) -> list[ColumnElement[Any]] | None:  # noqa: PLR0911 (one return a kind of node)
    """The moments of every part that reads the clock; None if one of them cannot be told."""
    timed = deadline(expression)
    if timed is not None:
        _, turned, turns_true = timed
        answer = sa.type_coerce(compile_condition(expression, current), sa.Boolean())
        return [sa.case((answer.is_(not turns_true), turned))]
    match expression:
        case Aggregate():
            return _of_aggregate(expression)
        case Windowed("changes"):
            return [_oldest_change(expression), *covered_at(expression, compile_condition)]
        case Windowed() | Since() | LocalTime():
            return None
        case FieldRef(key) if FIELDS[key].reads_clock:
            return None
    found: list[ColumnElement[Any]] = []
    for part in parts_of(expression):
        below = _moments(part)
        if below is None:
            return None
        found += below
    return found


def _of_aggregate(node: Aggregate) -> list[ColumnElement[Any]] | None:
    if _reads_clock_inside(node):
        return None
    if node.window is None:
        return []
    member = TABLES[RELATIONS[node.path]].alias()
    start = TABLES[start_of(node)]
    oldest = sa.select(sa.func.min(member.c.ended_at, type_=MOMENT)).where(*members(node, member, compile_condition))
    leaving = _leaving(oldest.correlate(start).scalar_subquery(), node.window.value)
    return [leaving, *covered_at(node, compile_condition)]


def _oldest_change(node: Windowed) -> ColumnElement[Any]:
    interval = INTERVAL.alias()
    oldest = sa.select(sa.func.min(interval.c.valid_from, type_=MOMENT)).where(
        *intervals_of(node, interval), interval.c.valid_from > window_start(node)
    )
    return _leaving(oldest.correlate(kept_thing(node)).scalar_subquery(), node.window.value)


def _leaving(oldest: ColumnElement[Any], window: float | str | bool) -> ColumnElement[Any]:
    return shifted(oldest, float(window))
