"""How far back the kept history reaches, and what a comparison may say of a window that it does not cover yet.

What is not covered is unknown ("learning"), never 0; but what has been seen may decide alone: four changes stay four,
whatever else there was. Nothing here counts anything: what was seen is passed in.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.language.expressions import Aggregate, Compare, Expression, Windowed
from rules.language.fields import FIELDS, NETWORK
from rules.language.quantities import OVER_POWER
from rules.matching.powers import power_is_covered, power_known_since
from rules.matching.relations import Say, enough, seen_of_aggregate, start_of, stopped
from rules.matching.scope import NOW, SUBJECT, TABLES, Scope
from rules.matching.unread import (
    NEVER_NEGATIVE,
    ORDER,
    compile_read,
    compile_read_comparison,
    may_be_unread,
    reads_history,
)
from rules.matching.windows import intervals_of, kept_thing, seen_of_window, window_start
from storage.dialects import greatest, least
from storage.schema import INTERVAL, POLL, SAMPLE, SESSION
from storage.sql import shifted

BACKFILL = timedelta(days=35)
"""How far back the first poll of sessions reads: digests compare with the same weekday of weeks before."""

_RESOURCE = {"connector": "chargers", "charger": "chargers", "location": "locations"}
_RISING = frozenset({"count", "max", "streak", "changes", "downtime"})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Learner = Aggregate | Windowed


def covered(node: Learner, say: Say, scope: Scope = SUBJECT) -> ColumnElement[bool] | None:
    """Whether history tells all that `node` goes over; None where it is about the present, or tells for itself."""
    if isinstance(node, Windowed):
        return _window_covered(node, scope)
    if node.window is not None:
        return sessions_known_since(start_of(node)) <= shifted(NOW, -float(node.window.value))
    if node.name == "streak":
        return stopped(node, say).is_not(None)
    if node.last is not None and node.name not in {"share", "avg"}:
        return enough(node, say)
    return None


def _window_covered(node: Windowed, scope: Scope) -> ColumnElement[bool] | None:
    if node.name == "increase":
        return None
    start = window_start(node)
    if node.name in OVER_POWER:
        return power_is_covered(node, start, scope)
    if node.name != "changes":
        return scope.tables[node.of].c.first_seen_at <= start
    thing = kept_thing(node, scope)
    old = sa.exists().where(*_kept_of(node, INTERVAL.alias(), scope, since=start))
    return sa.or_(thing.c.first_seen_at <= start, old.correlate(thing))


def covered_since(node: Learner) -> ColumnElement[Any] | None:
    """From when on history tells all that the window of `node` goes over; None where it has no window of time."""
    if isinstance(node, Aggregate):
        return None if node.window is None else sessions_known_since(start_of(node))
    if node.name == "increase":
        known = (SAMPLE.c.session_id == SESSION.c.id, SAMPLE.c.energy_kwh.is_not(None))
        first = sa.select(sa.func.min(SAMPLE.c.at, type_=NOW.type)).where(*known)
        return first.correlate(SESSION).scalar_subquery()
    if node.name in OVER_POWER:
        return power_known_since(node, SUBJECT)
    if node.name != "changes":
        return TABLES[node.of].c.first_seen_at
    thing, interval = kept_thing(node), INTERVAL.alias()
    first = sa.select(sa.func.min(interval.c.valid_from, type_=NOW.type)).where(*_kept_of(node, interval, SUBJECT))
    first_seen: ColumnElement[Any] = thing.c.first_seen_at
    return least(first_seen, sa.func.coalesce(first.correlate(thing).scalar_subquery(), first_seen))


def covered_at(node: Learner, say: Say) -> list[ColumnElement[Any]]:
    """The moment at which the window of `node` will be covered, null where it is; none where time alone covers none."""
    since, is_covered = covered_since(node), covered(node, say)
    if since is None or is_covered is None or node.window is None:
        return []
    return [sa.case((sa.not_(is_covered.self_group()), shifted(since, float(node.window.value))))]


def sessions_known_since(start: str) -> ColumnElement[Any]:
    """From when on every session of a connector, charger or location is known.

    What was there at the first poll has had its sessions read back; what came later has had none before it was seen.
    """
    read_back = shifted(_first_good("sessions"), -BACKFILL.total_seconds())
    if start in {NETWORK, "session"}:  # a driver is not told by when it was first seen
        return read_back
    first_seen: ColumnElement[Any] = TABLES[start].c.first_seen_at
    return sa.case((first_seen <= _first_good(_RESOURCE[start]), read_back), else_=greatest(first_seen, read_back))


def compile_learner(node: Learner, say: Say, scope: Scope = SUBJECT) -> ColumnElement[Any]:
    """The value of a function over related things or history; null while it is learning or cannot be read."""
    if isinstance(node, Aggregate) and may_be_unread(node):
        return compile_read(node, say)
    seen, is_covered = _seen(node, say, scope), covered(node, say, scope)
    return seen if is_covered is None else sa.case((is_covered, seen))


def compile_learning_comparison(
    node: Compare, say: Say, value: Callable[[Expression], ColumnElement[Any]], scope: Scope = SUBJECT
) -> ColumnElement[Any] | None:
    """A comparison of such a function with anything else, decided as early as what was seen decides it.

    None where no side is such a function, or where more history could still turn it either way. What is unknown of
    things that cannot be read now is told by `unread`. `value` compiles
    the other side.
    """
    op, learner, other = str(node.op), node.left, node.right
    if isinstance(other, Learner) and not isinstance(learner, Learner):
        op, learner, other = _MIRRORED.get(op, op), other, learner
    if op not in ORDER or not isinstance(learner, Learner) or isinstance(other, Learner):
        return None
    if isinstance(learner, Aggregate) and may_be_unread(learner):
        # of amounts, which may be of several currencies, and of what histories say there are no bounds
        amounts = learner.value is not None and FIELDS[learner.value].currencies
        return None if amounts or reads_history(learner) else compile_read_comparison(op, learner, value(other), say)
    is_covered, rises = covered(learner, say, scope), _rises(learner)
    if is_covered is None or rises is None:
        return None
    seen, limit = _seen(learner, say, scope), value(other)
    so_far = ORDER[op](seen, limit)
    beyond = seen > limit if rises else seen < limit
    if op in {"==", "!="}:
        return sa.case((is_covered, so_far), (beyond, sa.true() if op == "!=" else sa.false()))
    if op in ({">", ">="} if rises else {"<", "<="}):
        return sa.case((is_covered, so_far), (so_far, sa.true()))
    return sa.case((is_covered, so_far), (sa.not_(so_far), sa.false()))


def _seen(node: Learner, say: Say, scope: Scope) -> ColumnElement[Any]:
    return seen_of_aggregate(node, say) if isinstance(node, Aggregate) else seen_of_window(node, say, scope)


def _rises(node: Learner) -> bool | None:
    """Whether more history can only raise the value; false where it can only lower it, None where it may do both."""
    if isinstance(node, Aggregate) and node.value is not None and FIELDS[node.value].currencies:
        return None  # one more amount, in another currency, and it is unknown
    if node.name == "min":
        return False
    if isinstance(node, Aggregate) and node.name == "sum":
        return True if FIELDS[node.value or ""].type in NEVER_NEGATIVE else None
    return True if node.name in _RISING else None


def _kept_of(node: Windowed, interval: FromClause, scope: Scope, *, since: Any = None) -> list[ColumnElement[bool]]:
    """The kept intervals of what `changes` reads, since the thing came into sight; those begun by `since` alone."""
    first_seen = kept_thing(node, scope).c.first_seen_at
    in_sight = sa.or_(interval.c.valid_to.is_(None), interval.c.valid_to > first_seen)
    begun = [] if since is None else [interval.c.valid_from <= since]
    return [*intervals_of(node, interval, scope), in_sight, *begun]


def _first_good(resource: str) -> ColumnElement[Any]:
    return sa.select(POLL.c.first_good_at).where(POLL.c.resource == resource).scalar_subquery()
