"""The truth of each clause of a condition for one subject, and what it compares, as the compiled SQL itself answers.

Each clause is asked by itself, all of them in one statement; a clause of a kind that is new here is a leaf whose truth
is told all the same. Nothing here knows of alerts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.language.expressions import (
    Aggregate,
    And,
    Compare,
    Expression,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    outside,
    parts_of,
    to_text,
    type_of,
)
from rules.language.fields import Type
from rules.matching.clauses import compile_condition, compile_since, current
from rules.matching.learning import Learner, covered_since
from rules.matching.relations import seen_members, seen_of_aggregate, stopped
from rules.matching.scope import NOW, PATHS, TABLES
from rules.matching.unread import may_be_unread, unread_members
from rules.matching.windows import local_clocks
from storage.dialects import AnyRow
from storage.schema import LOCATION


@dataclass(frozen=True, slots=True)
class Observed:
    """A value that a clause compares, as it is stored now; None is unknown."""

    text: str
    value: Any
    type: Type


@dataclass(frozen=True, slots=True)
class Learning:
    """A function that a clause compares goes further back than is known: so much is, of what is needed.

    `seen` and `needed` are times, or numbers of sessions; `needed` is None where any number may still be missing.
    """

    text: str
    seen: timedelta | int
    needed: timedelta | int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """On so many things that cannot be read now it depends what a function is that a clause compares."""

    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a condition. `since`: when its truth last changed, None where that is not known."""

    text: str
    truth: bool | None
    since: datetime | None
    observed: tuple[Observed, ...]
    clauses: tuple["Clause", ...]
    learning: tuple[Learning, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is unknown in it and below it."""
        below = [name for clause in self.clauses for name in clause.missing]
        return tuple(dict.fromkeys([*(item.text for item in self.observed if item.value is None), *below]))


@dataclass(slots=True)
class Answers:
    """The row that answers for each part of the conditions, by its place in `parts`."""

    parts: list[Expression]
    row: AnyRow

    def of(self, part: Expression, what: str, *otherwise: Any) -> Any:
        """What was answered for a part: its `value`, `since_True` or `since_False`, or `known_N` of a function."""
        number = next(n for n, known in enumerate(self.parts) if known is part)
        return getattr(self.row, f"{what}_{number}", *otherwise)


def _clauses_of(expression: Expression) -> tuple[Expression, ...]:
    return parts_of(expression) if isinstance(expression, And | Or | Not) else ()


def _operands_of(leaf: Expression) -> tuple[Expression, ...]:
    """What a leaf compares, constants aside; nothing of a kind unknown here, whose parts may be about other things."""
    if isinstance(leaf, FieldRef):
        return (leaf,)
    if not isinstance(leaf, Compare | Membership | IsUnknown):
        return ()
    return tuple(part for part in parts_of(leaf) if not isinstance(part, Literal))


def tree_of(condition: Expression) -> list[Expression]:
    """The clauses of a condition and what its leaves compare."""
    below = _clauses_of(condition)
    if below:
        return [condition, *(part for clause in below for part in tree_of(clause))]
    return [condition, *(part for part in _operands_of(condition) if part is not condition)]


def ask(  # noqa: PLR0917 - a question and its circumstances
    connection: Connection,
    for_each: str,
    subject: str,
    parts: list[Expression],
    now: datetime,
    default_zone: str | None = None,
) -> Answers | None:
    """Ask for the truth and the values of all these parts at `now`; None where there is no such subject."""
    table = TABLES[for_each]
    columns: list[ColumnElement[Any]] = []
    for number, part in enumerate(parts):
        value = compile_condition(part, current)
        columns += [column.label(f"{what}_{number}") for what, column in _learning_columns(part)]
        if type_of(part) is not Type.BOOLEAN:
            columns.append(value.label(f"value_{number}"))
            continue
        columns.append(sa.type_coerce(value, sa.Boolean()).label(f"value_{number}"))
        columns += [
            sa.type_coerce(compile_since(part, truth), NOW.type).label(f"since_{truth}_{number}")
            for truth in (True, False)
        ]
    gone = table.c.ended_at if for_each == "session" else table.c.gone_at
    source: sa.FromClause = table
    for thing, path in PATHS[for_each].items():
        source = source.outerjoin(TABLES[thing], TABLES[thing].c.id == path)
    statement = sa.select(*columns, gone.label("gone_at")).select_from(source).where(table.c.id == subject)
    zones = connection.execute(sa.select(LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None)).distinct())
    parameters = {"now": now, "clocks": local_clocks(zones.scalars(), now, default_zone)}
    row = connection.execute(statement, parameters).first()
    return None if row is None else Answers(parts, row)


def _learners(part: Expression) -> list[Learner]:
    """The functions over history that a leaf compares."""
    if _clauses_of(part):
        return []
    return [node for node in outside(part) if isinstance(node, Learner)]


def _learning_columns(part: Expression) -> list[tuple[str, ColumnElement[Any]]]:
    """By the place of each function of a leaf: how far its history reaches, how many sessions it has or cannot read."""
    columns: list[tuple[str, ColumnElement[Any]]] = []
    for place, node in enumerate(_learners(part) if type_of(part) is Type.BOOLEAN else []):
        since = covered_since(node)
        if since is not None:
            columns.append((f"known_{place}", sa.type_coerce(since, NOW.type)))
        elif isinstance(node, Aggregate) and may_be_unread(node):
            columns.append((f"unread_{place}", unread_members(node, compile_condition)))
        elif isinstance(node, Aggregate) and node.last is not None:
            columns.append((f"known_{place}", seen_members(node, compile_condition)))
        elif isinstance(node, Aggregate) and node.name == "streak":
            stop = stopped(node, compile_condition)
            columns.append((f"known_{place}", sa.case((stop.is_(None), seen_of_aggregate(node, compile_condition)))))
    return columns


def _learning(part: Expression, answers: Answers, now: datetime) -> tuple[Learning, ...]:
    told = []
    for place, node in enumerate(_learners(part)):
        known = answers.of(part, f"known_{place}", None)
        if known is None:
            continue
        needed: timedelta | int | None = None if not isinstance(node, Aggregate) else node.last
        if node.window is not None:
            known, needed = now - known, timedelta(seconds=float(node.window.value))
        if needed is None or known < needed:
            told.append(Learning(to_text(node), known, needed))
    return tuple(told)


def _unread(part: Expression, answers: Answers) -> tuple[Unread, ...]:
    numbers = [(node, answers.of(part, f"unread_{place}", None)) for place, node in enumerate(_learners(part))]
    return tuple(Unread(to_text(node), number) for node, number in numbers if number)


def clause_of(condition: Expression, answers: Answers, now: datetime) -> Clause:
    """What the answers say of a condition, with the clauses below it."""
    truth: bool | None = answers.of(condition, "value")
    since = None if truth is None else answers.of(condition, f"since_{truth}")
    below = _clauses_of(condition)
    return Clause(
        text=to_text(condition),
        truth=truth,
        since=since if since is not None and since < now else None,  # `now` stands for "not kept"
        observed=tuple(
            Observed(to_text(part), answers.of(part, "value"), type_of(part))
            for part in ([] if below else _operands_of(condition))
        ),
        clauses=tuple(clause_of(part, answers, now) for part in below),
        learning=_learning(condition, answers, now),
        unread=_unread(condition, answers),
    )
