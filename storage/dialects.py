"""The few words that SQLite and PostgreSQL spell differently."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from storage.prepared import execute_many

AnyRow = Row[*tuple[Any, ...]]
"""A row of a statement whose columns are put together at run time."""

Insert = sqlite.Insert | postgresql.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT, for the database behind this connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


class Bulk:
    """A statement made ready once for one kind of database, then run over many rows straight on the driver.

    SQLAlchemy prepares each row's parameters anew, at a multiple of the cost of the write itself. The statement may
    hold named parameters only, and each row must have them all.
    """

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._named: bool = compiled.positiontup is None
        order: list[str] = list(compiled.binds) if self._named else compiled.positiontup
        self._names = order
        self._values_of: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*order)  # there are several
        converts = [compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order]
        self._converted = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run the statement for each row, in one call of the driver's `executemany`."""
        known: dict[Any, Any] = {}  # most moments of a poll are the same few
        values = [self._convert(row, known) for row in rows]
        if self._named:
            execute_many(connection, self._sql, [dict(zip(self._names, one, strict=True)) for one in values])
        else:
            execute_many(connection, self._sql, values)

    def _convert(self, row: Mapping[str, Any], known: dict[Any, Any]) -> list[Any]:
        values = list(self._values_of(row))
        for place, convert in self._converted:
            value = values[place]
            if value is None:
                continue
            # moments, and lists and objects of which most are empty: each is converted once
            key = value if isinstance(value, datetime) else (place, type(value)) if not value else None
            if key is None:
                values[place] = convert(value)
            elif key in known:
                values[place] = known[key]
            else:
                values[place] = known[key] = convert(value)
        return values


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
