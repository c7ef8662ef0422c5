"""Aggregates over the things below a subject, as correlated subqueries, and how their changes reach the subject.

What is gone is no member; of sessions, those are members that are open, or with a window, `last` or `streak`, those
that have ended. Nothing here says what a condition means: that is passed in.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.language.expressions import (
    Aggregate,
    Expression,
    FieldRef,
    Windowed,
    fields_of,
    walk,
)
from rules.language.fields import FIELDS, NETWORK, RELATIONS, RESTLESS
from rules.language.paths import starts_at
from rules.language.quantities import OVER_POWER, OVER_UPTIME
from rules.matching.scope import NETWORK_ID, NOW, PATHS, SEEN, TABLES, Resolve, Scope
from storage.recording.things import news_of
from storage.schema import SESSION
from storage.sql import ascii_upper, shifted

Say = Callable[[Expression, Resolve], ColumnElement[Any]]
"""Compiles a condition in a scope."""

Ids = sa.Select[Any] | sa.CompoundSelect[Any]


def inner_things(node: Aggregate) -> frozenset[str]:
    """The kinds of things that an aggregate reads: its members, and what its conditions say of things above them."""
    below = frozenset({RELATIONS[node.path], *(FIELDS[key].thing for key in inner_keys(node))})
    return below.union(*(uptimes_of(part) for part in (node.where, node.among) if part is not None))


def uptimes_of(expression: Expression) -> frozenset[str]:
    """The kinds of things of which an expression reads the uptime, downtime or power over time, wherever it does."""
    windows = [node for node in walk(expression) if isinstance(node, Windowed)]
    return frozenset(node.of for node in windows if node.name in OVER_UPTIME | OVER_POWER)


def inner_keys(node: Aggregate) -> frozenset[str]:
    """The fields that an aggregate reads of its members, and of things above them."""
    parts = [part for part in (node.where, node.among) if part is not None]
    keys = {below.key for part in parts for below in walk(part) if isinstance(below, FieldRef)}
    keys = keys.union(*map(fields_of, parts))
    keys = keys if node.value is None else keys | {node.value}
    return frozenset(keys).union(*(FIELDS[key].currencies for key in keys))


def changes_of(thing: str, keys: Iterable[str]) -> ColumnElement[Any]:
    """The column that says when a change of a thing was last one that counts, for who reads these fields."""
    column: ColumnElement[Any] = TABLES[thing].c.changed_seq
    restless = any(key in RESTLESS and FIELDS[key].thing == thing for key in keys)
    return column if restless else news_of(TABLES[thing])


def seen_of_aggregate(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """The value of an aggregate over what is kept; unknown where the thing that it starts from is not known.

    Whether what is kept is all that there was, is for `learning` to say.
    """
    here = key_of(start_of(node))
    found = _streak(node, say) if node.name == "streak" else _over_members(node, say)
    return sa.case((here.is_not(None), found.correlate(TABLES[start_of(node)]).scalar_subquery()))


def belongs(member: FromClause, start: str) -> ColumnElement[bool]:
    """Whether a thing is one of those below the thing that a path starts from; all are the network's."""
    if start == NETWORK:
        return sa.true()
    return _key_in(member, start) == key_of(start)


def key_of(start: str) -> ColumnElement[Any]:
    """What tells that a thing belongs to the one that a path starts from: its id; of a session's driver, the tag."""
    table = TABLES[start]
    key: ColumnElement[Any] = table.c.id_tag if start == "session" else table.c.id
    return key


def _key_in(member: FromClause, start: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = member.c["id_tag" if start == "session" else f"{start}_id"]
    return column


def start_of(node: Aggregate) -> str:
    """The kind of thing that the path of an aggregate starts from; a driver is told by a session."""
    return starts_at(node.path)


def _over_members(node: Aggregate, say: Say) -> sa.Select[Any]:
    scope = _scope(node)
    member = scope.tables[RELATIONS[node.path]]
    truth = say(node.where, scope) if node.where is not None else sa.true()
    value = scope(node.value) if node.value is not None else sa.literal(1.0)
    counted: ColumnElement[Any] = value if node.where is None else sa.case((truth, value))
    result: ColumnElement[Any]
    currency = _counted_currency(node, scope, counted)
    match node.name:
        case "count":
            result = sa.func.count(counted)
        case "share":
            result = sa.func.avg(sa.case((truth, sa.literal(1.0)), (sa.not_(truth.self_group()), sa.literal(0.0))))
        case "sum":
            result = sa.func.coalesce(sa.func.sum(counted), 0.0)
        case _:
            result = getattr(sa.func, node.name)(counted)
    if currency is not None:
        result = sa.case((sa.or_(sa.func.count(counted) <= 1, _is_one(currency, counted)), result))
    if node.last is not None and node.name in {"share", "avg"}:  # until there are so many, it is learning
        result = sa.case((sa.func.count() >= node.last, result))
    return sa.select(result).select_from(joined(node, scope)).where(*members(node, member, say))


ANY_CURRENCY = "*"
"""The currency of a sum of nothing."""


def folded(codes: Iterable[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The first of these currency codes that is known, in upper case."""
    named = [sa.func.nullif(ascii_upper(code), "") for code in codes]
    return sa.func.coalesce(*named) if len(named) > 1 else named[0]


def currency_of_aggregate(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """The one currency of the amounts that an aggregate goes over; null where they have several or one has none."""
    scope = _scope(node)
    member = scope.tables[RELATIONS[node.path]]
    value = scope(str(node.value))
    counted = value if node.where is None else sa.case((say(node.where, scope), value))
    currency = _counted_currency(node, scope, counted)
    assert currency is not None  # noqa: S101 - asked of amounts alone
    only = sa.case((sa.func.count(counted) == 0, ANY_CURRENCY), (_is_one(currency, counted), sa.func.min(currency)))
    found = sa.select(only).select_from(joined(node, scope)).where(*members(node, member, say))
    return found.correlate(TABLES[start_of(node)]).scalar_subquery()


def _counted_currency(node: Aggregate, scope: Scope, counted: ColumnElement[Any]) -> ColumnElement[Any] | None:
    """The currency of each amount that an aggregate counts; None where it goes over no amounts."""
    codes = FIELDS[node.value].currencies if node.value is not None else ()
    return sa.case((counted.is_not(None), folded(map(scope, codes)))) if codes else None


def _is_one(currency: ColumnElement[Any], counted: ColumnElement[Any]) -> ColumnElement[bool]:
    return sa.and_(sa.func.count(sa.distinct(currency)) == 1, sa.func.count(currency) == sa.func.count(counted))


def members(node: Aggregate, member: FromClause, say: Say) -> list[ColumnElement[bool]]:
    """What makes a row of `member` one of the things that an aggregate goes over, its `where` aside."""
    of_start = belongs(member, start_of(node))
    if RELATIONS[node.path] != "session":
        return [of_start, member.c.gone_at.is_(None)]
    if node.window is not None:
        return [of_start, member.c.ended_at > shifted(NOW, -float(node.window.value))]
    if node.last is not None:
        return [of_start, member.c.ended_at.is_not(None), member.c.id.in_(_latest(node, say))]
    return [of_start, member.c.ended_at.is_(None)]


def _latest(node: Aggregate, say: Say) -> sa.Select[Any]:
    scope = _scope(node)
    member = scope.tables["session"]
    ended = [belongs(member, start_of(node)), member.c.ended_at.is_not(None)]
    among = [say(node.among, scope)] if node.among is not None else []
    ordered = sa.select(member.c.id).select_from(joined(node, scope)).where(*ended, *among)
    return (
        ordered.order_by(member.c.ended_at.desc(), member.c.id.desc())
        .limit(node.last)
        .correlate(TABLES[start_of(node)])
    )


def _streak(node: Aggregate, say: Say) -> sa.Select[Any]:
    """How many there are, for which it is true, after the latest one for which it is false."""
    assert node.where is not None  # noqa: S101 - checked by the language
    counted = _scope(node)
    member = counted.tables["session"]
    stop = stopped(node, say)
    since = sa.or_(stop.is_(None), member.c.ended_at > stop)
    return (
        sa.select(sa.func.count())
        .select_from(joined(node, counted))
        .where(belongs(member, start_of(node)), member.c.ended_at.is_not(None), since)
        .where(say(node.where, counted))
    )


def stopped(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """When the latest session ended that ends a streak; null where none that is kept does."""
    assert node.where is not None  # noqa: S101 - checked by the language
    begun = _scope(node)
    stop, start = begun.tables["session"], TABLES[start_of(node)]
    return (
        sa.select(stop.c.ended_at)
        .select_from(joined(node, begun))
        .where(belongs(stop, start_of(node)), stop.c.ended_at.is_not(None))
        .where(sa.not_(say(node.where, begun).self_group()))
        .order_by(stop.c.ended_at.desc())
        .limit(1)
        .correlate(start)
        .scalar_subquery()
    )


def enough(node: Aggregate, say: Say) -> ColumnElement[bool]:
    """Whether there are as many sessions as `last` asks for."""
    return seen_members(node, say) >= node.last


def seen_members(node: Aggregate, say: Say) -> ColumnElement[Any]:
    """How many of the latest sessions that `last` asks for are kept."""
    scope = _scope(node)
    member, start = scope.tables["session"], TABLES[start_of(node)]
    found = sa.select(sa.func.count()).select_from(joined(node, scope)).where(*members(node, member, say))
    return found.correlate(start).scalar_subquery()


def _scope(node: Aggregate) -> Scope:
    return Scope({thing: TABLES[thing].alias() for thing in (RELATIONS[node.path], *sorted(_above(node)))})


def _above(node: Aggregate) -> frozenset[str]:
    return inner_things(node) - {RELATIONS[node.path]}


def joined(node: Aggregate, scope: Scope) -> FromClause:
    """The members of an aggregate, with the things above them that its conditions read."""
    member = scope.tables[RELATIONS[node.path]]
    return reduce(
        lambda source, thing: source.outerjoin(
            scope.tables[thing], scope.tables[thing].c.id == member.c[f"{thing}_id"]
        ),
        sorted(_above(node)),
        member,
    )


def changes_read(
    things: Iterable[str], keys: Collection[str], aggregates: Iterable[Aggregate]
) -> frozenset[tuple[str, str]]:
    """By thing, the columns that say whether anything changed that may move a rule which reads all this."""
    own = {(thing, changes_of(thing, keys).name) for thing in things if thing != NETWORK}
    inner = {(thing, changes_of(thing, inner_keys(node)).name) for node in aggregates for thing in inner_things(node)}
    return frozenset(own | inner)


def moved_itself(for_each: str, things: Iterable[str], keys: Collection[str]) -> ColumnElement[bool]:
    """Whether a subject, or a thing above it that a condition reads, changed after `seen`: of rows that are joined."""
    above = [changes_of(thing, keys) > SEEN for thing in sorted(set(things) - {for_each})]
    if above and for_each == "session":  # of one that has ended, nothing above it changes what a rule says
        above = [sa.and_(SESSION.c.ended_at.is_(None), sa.or_(*above))]
    return sa.or_(changes_of(for_each, keys) > SEEN, *above)


def any_changed(changes: Iterable[tuple[str, str]]) -> sa.Select[Any]:
    """How many rows changed after `seen` in what is read, counted to MANY at the most of each kind of thing."""
    counts = [
        sa.select(sa.func.count()).select_from(
            sa.select(TABLES[thing].c.id).where(TABLES[thing].c[name] > SEEN).limit(MANY).subquery()
        )
        for thing, name in sorted(changes)
    ]
    first, *more = (one.scalar_subquery() for one in counts)
    total: ColumnElement[int] = first
    for one in more:
        total = total + one
    return sa.select(total)


MANY = 2_000
"""From so many changes on, whatever a condition finds is looked at for them, and not each of them for what it is."""


def reached(
    for_each: str,
    things: frozenset[str],
    keys: Collection[str],
    aggregates: list[Aggregate],
    others: Sequence[sa.Select[Any]] = (),
) -> Ids:
    """The subjects reachable from a row that changed after `seen`, along the paths that the condition reads.

    `things` are those whose fields, the `keys`, it reads of the subject and above it; of each aggregate, the members'
    changes and those of what it reads above them lead to the thing that it starts from. A change of what nobody here
    reads counts for nothing. `others` are more subjects to look at.
    """
    table = TABLES[for_each]
    # of a session that has ended, nothing above it changes what a rule says
    looked_at = [SESSION.c.ended_at.is_(None)] if for_each == "session" else []
    found: list[sa.Select[Any]] = [sa.select(table.c.id).where(changes_of(for_each, keys) > SEEN)]
    for thing in sorted(things - {for_each}):
        moved = sa.select(TABLES[thing].c.id).where(changes_of(thing, keys) > SEEN)
        found.append(sa.select(table.c.id).where(PATHS[for_each][thing].in_(moved), *looked_at))
    ways = {
        (
            start_of(node),
            RELATIONS[node.path],
            changes_of(RELATIONS[node.path], inner_keys(node)).name,
            tuple((thing, changes_of(thing, inner_keys(node)).name) for thing in sorted(_above(node))),
        )
        for node in aggregates
    }
    for start, inner, changes, above in sorted(ways):
        member = TABLES[inner].alias()
        above_it = sa.literal(NETWORK_ID, sa.String) if start == NETWORK else _key_in(member, start)
        starts = [sa.select(above_it).select_from(member).where(member.c[changes] > SEEN)]
        for thing, changes_above in above:
            moved = sa.select(TABLES[thing].c.id).where(TABLES[thing].c[changes_above] > SEEN)
            starts.append(sa.select(above_it).select_from(member).where(member.c[f"{thing}_id"].in_(moved)))
        own = key_of(start) if start == for_each else PATHS[for_each][start]
        found.extend(sa.select(table.c.id).where(own.in_(ids), *looked_at) for ids in starts)
    found.extend(others)
    return sa.union(*found) if len(found) > 1 else found[0]
