"""What an aggregate over things as they are now may be while some of its members cannot be read, and what that decides.

A thing that was set aside, or that a doubted sweep did not show, is still a member, and what it is stays known; how it
stands does not. Nothing here knows of windows: a session that has ended stays as it was read.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from rules.language.expressions import Aggregate, Windowed, walk
from rules.language.fields import FIELDS, RELATIONS, Type
from rules.matching.relations import Say, inner_things, joined, key_of, members, seen_of_aggregate, start_of
from rules.matching.scope import TABLES, Scope

NEVER_NEGATIVE = frozenset({Type.ENERGY, Type.DURATION, Type.POWER})

ORDER: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class AsRead(Scope):
    """A scope in which how a thing stands is unknown while it cannot be read."""

    def __call__(self, key: str) -> ColumnElement[Any]:
        """The value of a field; null where its thing cannot be read, unless it says what the thing is."""
        spec, value = FIELDS[key], super().__call__(key)
        if spec.describes or spec.thing == "location":
            return value
        return sa.case((self.tables[spec.thing].c.stale_since.is_(None), value))


def may_be_unread(node: Aggregate) -> bool:
    """Whether what `node` says can depend on how its members stand now."""
    about_now = node.window is None and node.last is None and node.name != "streak"
    return about_now and not (node.name == "count" and node.where is None)


def all_read(node: Aggregate) -> ColumnElement[bool]:
    """Whether all things of the kinds that `node` reads can be read: asked once a statement, not once a subject."""
    found = []
    for thing in sorted(inner_things(node) - {"location"}):
        table = TABLES[thing].alias()
        there = table.c.ended_at.is_(None) if thing == "session" else table.c.gone_at.is_(None)
        found.append(~sa.exists().where(table.c.stale_since.is_not(None), there))
    return sa.and_(sa.true(), *found)


def unread_members(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """How many members there are on which it depends what `node` is, and which cannot be read."""
    return _Members(node, say).ask(lambda of: of.unread)


def compile_read(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """The value of an aggregate; null where it depends on what cannot be read."""
    seen = seen_of_aggregate(node, say)
    if reads_history(node):
        return sa.case((all_read(node), seen), (_old_members(node, say) == 0, seen))
    return sa.case((all_read(node), seen), (unread_members(node, say) == 0, seen))


def reads_history(node: Aggregate) -> bool:
    """Whether the `where` of an aggregate reads windows: then it is unknown while any of its members cannot be read,
    because what its bounds would cost is more than they tell.
    """
    return node.where is not None and any(isinstance(below, Windowed) for below in walk(node.where))


def _old_members(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """How many members of the subject, or things above them that are read, cannot be read."""
    scope = Scope({thing: TABLES[thing].alias() for thing in sorted(inner_things(node))})
    start = TABLES[start_of(node)]
    stands = [table for thing, table in scope.tables.items() if thing != "location"]
    old = sa.or_(sa.false(), *(table.c.stale_since.is_not(None) for table in stands))
    found = sa.select(sa.func.count()).select_from(joined(node, scope))
    found = found.where(*members(node, scope.tables[RELATIONS[node.path]], say), old)
    return found.correlate(start).scalar_subquery()


def compile_read_comparison(op: str, node: Aggregate, limit: ColumnElement[Any], say: Say) -> ColumnElement[Any]:
    """A comparison of an aggregate, decided where it comes out alike whatever the members are that cannot be read."""
    of = _Members(node, say)
    least, most = of.ask(_Members.least), of.ask(_Members.most)
    match op:
        case ">" | ">=":
            yes, no = ORDER[op](least, limit), sa.not_(ORDER[op](most, limit))
        case "<" | "<=":
            yes, no = ORDER[op](most, limit), sa.not_(ORDER[op](least, limit))
        case _:
            yes, no = sa.and_(least == limit, most == limit), sa.or_(least > limit, most < limit)
            yes, no = (yes, no) if op == "==" else (no, yes)
    return sa.case((all_read(node), ORDER[op](seen_of_aggregate(node, say), limit)), (yes, sa.true()), (no, sa.false()))


class _Members:
    """What can be counted of the members of an aggregate: `yes` and `no` by its `where`, `unread` those that may be
    either, `value` of those of which it is true.
    """

    def __init__(self, node: Aggregate, say: Say) -> None:
        self.node, self._say = node, say
        things = sorted(inner_things(node))
        self._scope = AsRead({thing: TABLES[thing].alias() for thing in things})
        truth = say(node.where, self._scope) if node.where is not None else sa.true()
        told = sa.case((truth, 1), (sa.not_(truth.self_group()), 0))
        value = self._scope(node.value) if node.value is not None else sa.literal(1.0)
        stands = [self._scope.tables[thing] for thing in things if thing != "location"]
        old = sa.or_(sa.false(), *(table.c.stale_since.is_not(None) for table in stands))
        missing = sa.or_(told.is_(None), sa.and_(told == 1, value.is_(None)))
        self.yes, self.no = (sa.func.count(sa.case((told == answer, 1))) for answer in (1, 0))
        self.unread = sa.func.count(sa.case((sa.and_(old, missing), 1)))
        self._chosen = sa.case((told == 1, value))

    def ask(self, what: Callable[["_Members"], ColumnElement[Any]]) -> ColumnElement[Any]:
        """Something about the members of the subject."""
        start = TABLES[start_of(self.node)]
        member = self._scope.tables[RELATIONS[self.node.path]]
        found = sa.select(what(self)).select_from(joined(self.node, self._scope))
        found = found.where(*members(self.node, member, self._say)).correlate(start)
        return sa.case((key_of(start_of(self.node)).is_not(None), found.scalar_subquery()))

    def least(self) -> ColumnElement[Any]:
        """The least that it may be; null where nothing is."""
        return self._end(self.yes, bounded=self.node.name == "max" or self._adds_up())

    def most(self) -> ColumnElement[Any]:
        """The most that it may be; null where there is no such bound."""
        return self._end(self.yes + self.unread, bounded=self.node.name == "min")

    def _adds_up(self) -> bool:
        return self.node.name == "sum" and FIELDS[self.node.value or ""].type in NEVER_NEGATIVE

    def _end(self, number: ColumnElement[Any], *, bounded: bool) -> ColumnElement[Any]:
        if self.node.name == "count":
            return number
        if self.node.name == "share":
            return number * 1.0 / (sa.func.nullif(self.yes + self.no, 0) + self.unread)
        seen: ColumnElement[Any] = getattr(sa.func, self.node.name)(self._chosen)
        if self.node.name == "sum":
            seen = sa.func.coalesce(seen, 0.0)
        return seen if bounded else sa.case((self.unread == 0, seen))
