"""Statements made ready once, then run straight on the driver: for those that run again at every poll.

SQLAlchemy looks a statement up, prepares its parameters and builds a result anew at each run, at ten times the cost of
a small query itself. What is prepared here means the same on SQLite and on PostgreSQL; nothing is written by hand.
"""

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from itertools import repeat
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Dialect

from storage.drivers import arrays, numbered
from storage.drivers.conversions import Convert, once
from storage.drivers.slots import Array, Slot, filling

Parameters = Mapping[str, Any]

NONE: Parameters = MappingProxyType({})

_record: Any = namedtuple  # its fields are a statement's columns, which no type checker can know

LONGEST_FILLED = 1_024
"""From this length on lists are taken as they are: databases take so many values and no more."""

MOST_SHAPES = 64
"""How many lengths of lists one statement is kept ready for."""

COPIED_FROM = 5
"""From how many rows on PostgreSQL is given them at once, as one stream or an array a column, and not one by one."""

MOST_COMPILED = 1_024
"""How many shapes of statements are kept compiled: rules that differ in what they compare with share theirs."""


class Prepared:
    """One statement with named parameters; those in `IN` may be lists of any length.

    Give it a statement, or a function that makes it for a connection, where the databases spell it differently. An
    INSERT names all its values: no default is filled in. Rows come back as named tuples.
    """

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._ready: dict[tuple[Any, ...], _Ready] = {}
        self._lists: dict[str, tuple[str, ...]] = {}  # by dialect: the parameters that are lists

    def all(self, connection: Connection, parameters: Parameters = NONE) -> list[Any]:
        """Run it and return its rows."""
        parameters = self._padded(connection, parameters)
        ready = self._made_ready(connection, parameters)
        return ready.rows(execute(connection, ready.sql, ready.values(parameters)), connection.dialect)

    def once(self, connection: Connection, parameters: Parameters = NONE) -> list[Any]:
        """As `all`; within `asking_once` only the first time, and what was answered then is answered again.

        The parameters are always named in the same order.
        """
        asked = connection.get_execution_options().get("asked")
        if asked is None:
            return self.all(connection, parameters)
        key = (self, *(tuple(value) if isinstance(value, list) else value for value in parameters.values()))
        if key not in asked:
            asked[key] = self.all(connection, parameters)
        found: list[Any] = asked[key]
        return found

    def first(self, connection: Connection, parameters: Parameters = NONE) -> Any:
        """Run it and return its first row, None where there is none."""
        rows = self.all(connection, parameters)
        return rows[0] if rows else None

    def scalar(self, connection: Connection, parameters: Parameters = NONE) -> Any:
        """Run it and return the first value of its first row, None where there is none."""
        rows = self.all(connection, parameters)
        return rows[0][0] if rows else None

    def scalars(self, connection: Connection, parameters: Parameters = NONE) -> list[Any]:
        """Run it and return the first value of each row."""
        parameters = self._padded(connection, parameters)
        ready = self._made_ready(connection, parameters)
        return ready.scalars(execute(connection, ready.sql, ready.values(parameters)), connection.dialect)

    def run(self, connection: Connection, parameters: Parameters = NONE) -> int:
        """Run it for what it writes; how many rows it touched."""
        parameters = self._padded(connection, parameters)
        ready = self._made_ready(connection, parameters)
        return int(execute(connection, ready.sql, ready.values(parameters)).rowcount)

    def run_many(self, connection: Connection, rows: Sequence[Parameters]) -> int:
        """Run it once for each row of parameters, in one call of the driver; how many rows it touched."""
        if not rows:
            return 0
        ready = self._made_ready(connection, rows[0])
        return ready.run_many(connection, ready.values_of_many(rows))

    def run_columns(self, connection: Connection, columns: Parameters, alike: Parameters = NONE) -> int:
        """As `run_many`, for rows that are told column by column, each a list; what all have `alike` is told once."""
        ready = self._made_ready(connection, {**alike, **columns})
        rows = ready.values_of_columns(columns, alike)
        return ready.run_many(connection, rows) if rows else 0

    def _padded(self, connection: Connection, parameters: Parameters) -> Parameters:
        """The parameters with each list as long as the next power of two: its last item stands there again.

        A statement is made ready for each length that comes, which costs more than a few items that change nothing.
        """
        lists = self._lists.get(connection.dialect.name)
        if not lists:
            return parameters
        return {**parameters, **{name: _filled_up(parameters[name]) for name in lists}}

    def _made_ready(self, connection: Connection, parameters: Parameters) -> "_Ready":
        name = connection.dialect.name
        lists = self._lists.get(name)
        if lists:
            key: tuple[Any, ...] = (name, *(len(parameters[one]) for one in lists))
        else:
            key = (name,)
        ready = self._ready.get(key) if lists is not None else None
        if ready is None:
            ready, self._lists[name] = _make_ready(self.statement, connection, parameters)
            if len(self._ready) >= MOST_SHAPES:
                self._ready.clear()
            self._ready[(name, *(len(parameters[one]) for one in self._lists[name]))] = ready
        return ready


class _Ready:
    """A statement as one kind of database takes it, for lists of given lengths."""

    copying: str | None = None  # what takes many rows on PostgreSQL, where it inserts them and does no more
    unnesting: arrays.Unnesting | None = None  # likewise, where it leaves out or changes what is there

    def __init__(self, sql: str, slots: list[Slot], columns: Mapping[str, Any]) -> None:
        self.sql = sql
        self._slots = slots
        self._filling = filling(slots)
        self._types = list(columns.values())
        # as the record's own `_make`, but for a step of Python and a look at how many values there are
        self._row = partial(tuple.__new__, _record("Row", columns, rename=True))
        self._converted: list[tuple[int, Convert]] | None = None  # known once the driver has told its types

    def holding(self, binds: Sequence[sa.BindParameter[Any]]) -> "_Ready":
        """The same SQL with the values that another statement of this shape holds, in their order."""
        other = copy(self)
        held = {slot.name: slot.holding(binds) for slot in self._slots}
        other._slots = [held[slot.name] for slot in self._slots]
        other._filling = filling(other._slots)
        return other

    def values(self, parameters: Parameters) -> Any:
        """The parameters as the driver takes them."""
        return self._filling(parameters)

    def values_of_many(self, rows: Sequence[Parameters]) -> list[Any]:
        """The parameters of each row as the driver takes them, made column by column."""
        columns = [slot.column(rows) for slot in self._slots]
        return list(zip(*columns, strict=True)) if columns else [()] * len(rows)

    def values_of_columns(self, columns: Parameters, alike: Parameters) -> list[Any]:
        """The same of rows that are told column by column."""
        told = [slot.of_columns(columns) for slot in self._slots]
        many = len(next(iter(columns.values())))
        made = [repeat(s.value(alike), many) if t is None else t for s, t in zip(self._slots, told, strict=True)]
        return list(zip(*made, strict=True))

    def run_many(self, connection: Connection, rows: Sequence[Any]) -> int:
        """Run it for each row of values; how many rows it touched."""
        if len(rows) < COPIED_FROM:
            return execute_many(connection, self.sql, rows)
        if self.unnesting is not None and (columns := self.unnesting.columns(rows)) is not None:
            return int(execute(connection, self.unnesting.sql, columns).rowcount)
        return execute_many(connection, self.sql, rows, self.copying)

    def scalars(self, cursor: Any, dialect: Dialect) -> list[Any]:
        """The first values of the driver's rows as Python knows them."""
        found = [row[0] for row in cursor.fetchall()]
        convert = dict(self._conversions(cursor, dialect)).get(0)
        return found if convert is None else list(map(convert, found))

    def rows(self, cursor: Any, dialect: Dialect) -> list[Any]:
        """The driver's rows with every value as Python knows it."""
        conversions, found = self._conversions(cursor, dialect), cursor.fetchall()
        if not conversions or not found:
            return list(map(self._row, found))
        columns: list[Any] = list(zip(*found, strict=True))
        for place, convert in conversions:
            columns[place] = map(convert, columns[place])
        return list(map(self._row, zip(*columns, strict=True)))

    def _conversions(self, cursor: Any, dialect: Dialect) -> list[tuple[int, Convert]]:
        if self._converted is None:
            self._converted = _conversions(self._types, cursor.description, dialect)
        return self._converted


def _filled_up(items: Sequence[Any]) -> Sequence[Any]:
    length = len(items)
    if not 2 < length < LONGEST_FILLED:
        return items
    wanted = 1 << (length - 1).bit_length()
    return [*items, *[items[-1]] * (wanted - length)]


_COMPILED: dict[tuple[Any, ...], tuple[_Ready, tuple[str, ...]]] = {}


def _make_ready(statement: Any, connection: Connection, parameters: Parameters) -> tuple[_Ready, tuple[str, ...]]:
    """The statement for lists as long as those in `parameters`, and the names of the parameters that are lists.

    Statements that differ in their values alone are compiled once, which costs ten times what it takes to see it.
    """
    if not isinstance(statement, sa.ClauseElement):
        statement = statement(connection)
    told = statement._generate_cache_key()  # as SQLAlchemy itself tells what it may run again with other values
    if told is None:
        return _compiled(statement, connection, parameters, ())
    binds = told.bindparams
    shape = (connection.dialect.name, told.key, *(_in_the_text(bind, parameters) for bind in binds))
    known = _COMPILED.get(shape)
    if known is None:
        if len(_COMPILED) >= MOST_COMPILED:
            _COMPILED.clear()
        known = _COMPILED[shape] = _compiled(statement, connection, parameters, binds)
        return known
    return known[0].holding(binds), known[1]


def _in_the_text(bind: sa.BindParameter[Any], parameters: Parameters) -> Any:
    """What of a parameter's value the SQL itself holds: how long a list is, or each of its items."""
    if not bind.expanding and not bind.literal_execute:
        return None
    value: Any = parameters[bind.key] if bind.required else bind.effective_value
    if bind.literal_execute:
        return tuple(value) if bind.expanding else value
    return len(value)


def _compiled(
    statement: Any, connection: Connection, parameters: Parameters, binds: Sequence[sa.BindParameter[Any]]
) -> tuple[_Ready, tuple[str, ...]]:
    """What `_make_ready` answers, made anew; `binds` are the values that another of its shape may have others of."""
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect)
    whole = arrays.take_whole(compiled, dialect)
    wanted = {bind.key for bind in compiled.bind_names if bind.required}
    state = compiled.construct_expanded_state({name: parameters[name] for name in wanted})
    places = {bind.key: place for place, bind in enumerate(binds)}
    slots: dict[str, Slot] = {}
    lists = []
    for bind, name in compiled.bind_names.items():
        if bind.literal_execute:
            continue  # it stands in the text
        # one that the compiler added (an offset of nothing) is among none, and alike in all
        among = next((places[one.key] for one in bind._cloned_set if one.key in places), None)
        items = state.parameter_expansion.get(name)
        if items is None or name in whole:
            kind = Array if name in whole else Slot
            slots[name] = kind(compiled.escaped_bind_names.get(name, name), bind, None, dialect, among)
            continue
        if bind.required:
            lists.append(bind.key)
        for place, item in enumerate(items):
            slots[item] = Slot(item, bind, place, dialect, among)
    columns = {name: column.type for name, column in statement.exported_columns.items()}
    if state.positiontup is not None:
        return _Ready(state.statement, [slots[name] for name in state.positiontup], columns), tuple(lists)
    ready = _Ready(numbered.numbered(state.statement, list(slots)), list(slots.values()), columns)
    ready.copying = numbered.copying(ready.sql)
    if isinstance(statement, sa.Insert | sa.Update) and not whole:
        with suppress(sa.exc.CompileError):  # nothing is said of the type of a value
            ready.unnesting = arrays.unnesting(ready.sql, [slot.type.compile(dialect) for slot in slots.values()])
    return ready, tuple(lists)


def _conversions(types: Sequence[Any], described: Sequence[Any], dialect: Dialect) -> list[tuple[int, Convert]]:
    """The columns whose driver's values are not yet Python's, each with what makes them so."""
    found = enumerate(_conversion(type_, told[1], dialect) for type_, told in zip(types, described, strict=True))
    return [(place, convert) for place, convert in found if convert is not None]


def _conversion(type_: Any, told: Any, dialect: Dialect) -> Convert | None:
    if numbered.is_json(told, dialect):
        return once(type_ if isinstance(type_, sa.JSON) else sa.JSON(), numbered.read_json)
    return once(type_, type_.dialect_impl(dialect).result_processor(dialect, told))


def execute(connection: Connection, sql: str, values: Any) -> Any:
    """Run the driver's own SQL, of PostgreSQL with numbered values, in the connection's transaction; its cursor.

    Errors are SQLAlchemy's.
    """
    cursor = _cursor_of(connection)
    try:
        return cursor.execute(sql, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, sql, values, error) from error


def execute_many(connection: Connection, sql: str, rows: Sequence[Any], copying: str | None = None) -> int:
    """Run the driver's own SQL for each row, as `execute` does, or `copying` for all; how many rows it touched."""
    cursor = _cursor_of(connection)
    try:
        if copying is not None:
            numbered.copy(cursor, copying, rows)
        else:
            cursor.executemany(sql, rows)
        return int(cursor.rowcount)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, sql, rows, error) from error
    finally:
        cursor.close()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction that is undone by itself where it raises."""
    execute(connection, "SAVEPOINT part", ())
    try:
        yield
    except BaseException:
        execute(connection, "ROLLBACK TO SAVEPOINT part", ())
        execute(connection, "RELEASE SAVEPOINT part", ())
        raise
    execute(connection, "RELEASE SAVEPOINT part", ())


@contextmanager
def asking_once(connection: Connection) -> Iterator[None]:
    """A part of a transaction in which what `once` asks is asked of the database only once.

    Such a question is one whose answer nothing in this part changes, or for which the one from its beginning will do.
    """
    connection.execution_options(asked={})
    try:
        yield
    finally:
        connection.execution_options(asked=None)


def noted(connection: Connection) -> dict[Any, Any]:
    """What is kept until the end of `asking_once`; outside of it nothing is."""
    asked: dict[Any, Any] | None = connection.get_execution_options().get("asked")
    return {} if asked is None else asked


def _cursor_of(connection: Connection) -> Any:
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy does by itself; the end of the connection's block ends it
    driver: Any = connection.connection.driver_connection
    return numbered.cursor(driver) if connection.dialect.name == "postgresql" else driver.cursor()


def _told(connection: Connection, sql: str, values: Any, error: Exception) -> Exception:
    dialect = connection.dialect
    return sa.exc.DBAPIError.instance(sql, values, error, dialect.loaded_dbapi.Error, dialect=dialect)
