"""The few words that SQLite and PostgreSQL spell differently."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

AnyRow = Row[*tuple[Any, ...]]
"""A row of a statement whose columns are put together at run time."""

Insert = sqlite.Insert | postgresql.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, for the database behind this connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


class greatest(GenericFunction[Any]):  # noqa: N801 - the SQL function's name
    """The latest or largest of its arguments; none of them may be null (SQLite and PostgreSQL differ there)."""

    inherit_cache = True

    def __init__(self, *clauses: Any) -> None:
        super().__init__(*clauses)
        self.type = self.clauses.clauses[0].type


class least(GenericFunction[Any]):  # noqa: N801 - the SQL function's name
    """The earliest or smallest of its arguments; none of them may be null."""

    inherit_cache = True

    def __init__(self, *clauses: Any) -> None:
        super().__init__(*clauses)
        self.type = self.clauses.clauses[0].type


class unindexed(GenericFunction[Any]):  # noqa: N801 - one word in SQL
    """Its argument, a truth, by which SQLite is to find no rows: it goes by no statistics, and takes a poor index."""

    inherit_cache = True
    type = Boolean()


@compiles(unindexed)
def _unindexed(element: unindexed, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[0], **kw)})"


@compiles(unindexed, "sqlite")
def _unindexed_on_sqlite(element: unindexed, compiler: Any, **kw: Any) -> str:
    return f"+({compiler.process(element.clauses.clauses[0], **kw)})"


MOST_ARGUMENTS = 100
"""How many arguments one call of a SQLite function gets here: SQLite takes 127."""


@compiles(greatest, "sqlite")
def _greatest_on_sqlite(element: greatest, compiler: Any, **kw: Any) -> str:
    return _nested("max", [compiler.process(clause, **kw) for clause in element.clauses.clauses])


@compiles(least, "sqlite")
def _least_on_sqlite(element: least, compiler: Any, **kw: Any) -> str:
    return _nested("min", [compiler.process(clause, **kw) for clause in element.clauses.clauses])


def _nested(name: str, arguments: list[str]) -> str:
    """One call over all the arguments; where they are too many, a call over calls."""
    while len(arguments) > MOST_ARGUMENTS:
        groups = [arguments[start : start + MOST_ARGUMENTS] for start in range(0, len(arguments), MOST_ARGUMENTS)]
        arguments = [f"{name}({', '.join(group)})" if len(group) > 1 else group[0] for group in groups]
    return f"{name}({', '.join(arguments)})"


def latest(moments: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The greatest of one or more expressions (SQLite's max of one argument would be an aggregate)."""
    return moments[0] if len(moments) == 1 else greatest(*moments)


def earliest(moments: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The least of one or more expressions."""
    return moments[0] if len(moments) == 1 else least(*moments)
