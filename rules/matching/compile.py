"""What a condition asks of the stored state: one SQL query that answers true, false or unknown for each subject.

This is the only evaluator, and it knows no alert: what is asked about alerts beside it is in `alerts.query`. How a
condition is said in SQL is in `clauses`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.documents.document import Rule
from rules.language.expressions import (
    Aggregate,
    And,
    Compare,
    Expression,
    FieldRef,
    LocalTime,
    Membership,
    Since,
    Windowed,
    outside,
    read_by,
    to_text,
)
from rules.language.fields import FIELDS, RESOURCE_OF
from rules.matching.clauses import compile_condition, compile_since, current
from rules.matching.relations import (
    changes_of,
    changes_read,
    inner_keys,
    inner_things,
    moved_itself,
    reached,
    start_of,
    uptimes_of,
)
from rules.matching.scope import PATHS, TABLES
from rules.matching.wakes import due_subjects, is_slow, reads_clock, wakes_of
from storage.dialects import unindexed
from storage.schema import CONNECTOR, SESSION

CLOCK_EVERY = timedelta(minutes=5)
"""How often a condition is matched over every subject that reads the clock in a way that tells no moment."""

SLOWLY_EVERY = timedelta(hours=1)
"""How often, where only the uptime of a day or more follows the clock."""

RELATIONS_EVERY = timedelta(hours=1)
"""How often one over related things is: a charger that moves to another location is seen there at once, and missed
where it was by then."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the conditions of a rule read, and when they must be asked anew.

    `keys` are the fields and `computed` what is worked out, by its text; `resources` must be fresh; `local_time`: it
    reads the locations' own clocks. `wake` gives each subject's next moment, where that can be computed; `full_every`
    is how often all subjects are looked at; `among` selects the subjects that a newer change may have moved,
    `moved` is true of them, and so is `moved_among_many`, which goes by what else is asked; `by_range`: `moved` is a
    range of an index that holds the status, too. `bound`: it asks for a location or another thing by its id, so that
    what is there is looked at, however much changed. `changes` are the columns, by thing, that tell whether there is
    one.
    """

    keys: tuple[str, ...]
    computed: dict[str, Expression]
    resources: frozenset[str]
    local_time: bool
    wake: ColumnElement[Any] | None
    full_every: timedelta | None
    among: sa.CompoundSelect[Any] | sa.Select[Any]
    moved: ColumnElement[bool]
    moved_among_many: ColumnElement[bool]
    by_range: bool
    bound: bool
    changes: frozenset[tuple[str, str]]


def demand_of(rule: Rule) -> Demand:
    """What a checked alert rule reads; ValueError where it has no condition."""
    if rule.when is None or rule.for_each is None:
        raise ValueError(f'rule "{rule.name}" has no condition to compile')
    conditions = [rule.when] if rule.while_ is None else [rule.when, rule.while_]
    nodes = [node for condition in conditions for node in outside(condition)]
    aggregates = [node for node in nodes if isinstance(node, Aggregate)]
    keys = tuple(sorted(frozenset[str]().union(*map(read_by, conditions))))
    local_time = any(isinstance(node, LocalTime) for node in nodes)
    things = frozenset({FIELDS[key].thing for key in keys} | {rule.for_each}).union(
        map(start_of, aggregates), {"location"} if local_time else (), *map(_uptimes, nodes)
    )
    polled = things.union(*map(inner_things, aggregates), *map(_polled_for_uptime, conditions))
    wake = wakes_of(conditions)
    by_clock = wake is None and any(map(reads_clock, conditions))
    plain = moved_itself(rule.for_each, things, keys) if wake is None and not aggregates else None
    among = reached(rule.for_each, things, keys, aggregates, [due_subjects] if wake is not None else [])
    one_of_them = TABLES[rule.for_each].c.id.in_(among)
    alone = plain is not None and things == {rule.for_each}
    return Demand(
        keys=keys,
        computed={to_text(node): node for node in nodes if isinstance(node, Aggregate | Windowed | Since | LocalTime)},
        resources=_polls(polled, [*keys, *(key for node in aggregates for key in inner_keys(node))]),
        local_time=local_time,
        wake=wake,
        full_every=_full_every(conditions, aggregates, by_clock=by_clock),
        among=among,
        # where only the subject's own row is read, what changed is one range of an index
        moved=plain if plain is not None and alone else one_of_them,
        moved_among_many=plain if plain is not None else one_of_them,
        by_range=alone and changes_of(rule.for_each, keys).name == "news_seq",
        bound=plain is not None and rule.for_each != "session" and any(map(_names_one, _sides_of(rule))),
        changes=changes_read(things, keys, aggregates),
    )


def match_columns(rule: Rule, demand: Demand, since: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """What is told of each subject: `subject`, `truth`, `while_truth`, `gone`, `since` and the values that are read."""
    assert rule.for_each is not None  # noqa: S101 - checked by demand_of
    boolean = sa.Boolean()
    return [
        TABLES[rule.for_each].c.id.label("subject"),
        sa.type_coerce(truth_of(rule), boolean).label("truth"),
        sa.type_coerce(while_of(rule), boolean).label("while_truth"),
        sa.type_coerce(gone_of(rule.for_each), boolean).label("gone"),
        sa.type_coerce(since, CONNECTOR.c.changed_at.type).label("since"),
        *(current(key).label(field_label(key)) for key in demand.keys),
        *(compile_condition(n, current).label(f"computed_{i}") for i, n in enumerate(demand.computed.values())),
    ]


def begins_where(rule: Rule, *, among_few: bool = False) -> list[ColumnElement[Any]]:
    """What holds of a subject on which an alert may begin: each side of an `and` by itself, for indexes.

    With `among_few` only a side about what is asked for by its id finds anything: the changes of a poll are fewer than
    what has some status.
    """
    sides = _sides_of(rule)
    looked_at = SESSION.c.ended_at.is_(None) if rule.for_each == "session" else ~gone_of(str(rule.for_each))
    compiled = [(compile_condition(side, current), read_by(side)) for side in sides]
    finds = [not among_few or (bool(keys) and all(key.endswith(".id") for key in keys)) for _, keys in compiled]
    return [*(one if bare else unindexed(one) for bare, (one, _) in zip(finds, compiled, strict=True)), looked_at]


def _sides_of(rule: Rule) -> list[Expression]:
    """What must all hold where an alert begins."""
    return [side for part in (rule.when, rule.while_) if part is not None for side in _sides(part)]


def _names_one(side: Expression) -> bool:
    """Whether it asks for a thing by its id, or for one of several."""
    match side:
        case Membership(operand=FieldRef(key=key), negated=False) | Compare(op="==", left=FieldRef(key=key)):
            return key.endswith(".id")
        case _:
            return False


def _sides(condition: Expression) -> list[Expression]:
    if isinstance(condition, And):
        return [side for operand in condition.operands for side in _sides(operand)]
    return [condition]


def since_of(rule: Rule) -> ColumnElement[Any]:
    """Since when the condition is true, of a subject of which it is true."""
    assert rule.when is not None  # noqa: S101 - checked by demand_of
    return compile_since(rule.when, True)


def while_of(rule: Rule) -> ColumnElement[Any]:
    """The truth of `while`; a rule without one is never held by it."""
    return compile_condition(rule.while_, current) if rule.while_ is not None else sa.true()


def truth_of(rule: Rule) -> ColumnElement[Any]:
    """The condition's truth; a state rule looks at open sessions, so with its session a condition's truth ends."""
    assert rule.when is not None  # noqa: S101 - checked by demand_of
    truth = compile_condition(rule.when, current)
    if rule.for_each == "session":
        return sa.case((SESSION.c.ended_at.is_not(None), sa.false()), else_=truth)
    return truth


def gone_of(for_each: str) -> ColumnElement[Any]:
    """Whether EOSVOLT no longer reports a subject; a session is never gone, it ends."""
    return sa.false() if for_each == "session" else TABLES[for_each].c.gone_at.is_not(None)


def field_label(key: str) -> str:
    """The name under which a query's answer holds a field."""
    return "field_" + key.replace(".", "_")


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """One condition about one subject: `statement` answers its truth, and `resources` are what it is read from.

    The statement takes `subject` and `now`, and `clocks` where it reads local time.
    """

    statement: sa.Select[Any]
    resources: frozenset[str]
    local_time: bool


def compile_check(condition: Expression, for_each: str) -> CompiledCheck:
    """Compile a condition to be asked of one subject of a rule, by the same functions as the rule itself."""
    nodes = list(outside(condition))
    aggregates = [node for node in nodes if isinstance(node, Aggregate)]
    local_time = any(isinstance(node, LocalTime) for node in nodes)
    keys = read_by(condition)
    things = {for_each, *(FIELDS[key].thing for key in keys), *map(start_of, aggregates)}
    polled = things.union(*map(inner_things, aggregates), _polled_for_uptime(condition), *map(_uptimes, nodes))
    table = TABLES[for_each]
    truth = sa.type_coerce(compile_condition(condition, current), sa.Boolean())
    answer = sa.select(truth.label("truth")).select_from(with_things_above(for_each, table))
    return CompiledCheck(
        answer.where(table.c.id == sa.bindparam("subject")),
        _polls(polled, [*keys, *(key for node in aggregates for key in inner_keys(node))]),
        local_time,
    )


def _uptimes(node: Expression) -> frozenset[str]:
    """Of what kind of thing a function reads the uptime, where it does so of its subject or of what is above it."""
    return uptimes_of(node) if isinstance(node, Windowed) else frozenset()


def _polled_for_uptime(condition: Expression) -> frozenset[str]:
    """The uptime of anything is that of connectors, which come with their chargers."""
    return frozenset({"charger"}) if uptimes_of(condition) else frozenset()


def _polls(things: Iterable[str], keys: Iterable[str]) -> frozenset[str]:
    """The resources whose polls tell of these things and fields."""
    asked_alone = {"prices"} if any(FIELDS[key].interval == "price" for key in keys) else set[str]()
    return frozenset(RESOURCE_OF[thing] for thing in things if thing in RESOURCE_OF) | asked_alone


def _full_every(conditions: list[Expression], aggregates: list[Aggregate], *, by_clock: bool) -> timedelta | None:
    if by_clock and all(map(is_slow, conditions)):
        return SLOWLY_EVERY
    return CLOCK_EVERY if by_clock else RELATIONS_EVERY if aggregates else None


def with_things_above(for_each: str, source: FromClause) -> FromClause:
    """A subject's table joined to those of the things it belongs to."""
    return reduce(
        lambda joined, thing: joined.outerjoin(TABLES[thing], TABLES[thing].c.id == PATHS[for_each][thing]),
        PATHS[for_each],
        source,
    )


def wakes_statement(for_each: str, wake: ColumnElement[Any]) -> sa.Select[Any]:
    """The next moment of each subject that a rule looks at; null where time alone changes nothing."""
    table = TABLES[for_each]
    looked_at = SESSION.c.ended_at.is_(None) if for_each == "session" else table.c.gone_at.is_(None)
    answer = sa.select(table.c.id.label("subject"), wake.label("wake_at")).where(looked_at)
    return answer.select_from(with_things_above(for_each, table))
