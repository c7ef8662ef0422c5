"""SQL expressions that SQLAlchemy cannot say alike for SQLite and PostgreSQL: moments, substrings, JSON.

Each is one class and one rendering a database; nothing here knows a table. A missing value gives NULL on both
databases, and text is compared byte for byte, so that both give the same answer.
"""

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Float, Integer, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType


class epoch_seconds(FunctionElement[float]):  # noqa: N801 (read as SQL functions are)
    """The seconds since 1970-01-01 UTC of one datetime expression, rounded to milliseconds."""

    type = Float()
    inherit_cache = True


class seconds_between(FunctionElement[float]):  # noqa: N801
    """The seconds from a first datetime expression to a second one, rounded to milliseconds."""

    type = Float()
    inherit_cache = True


class seconds_apart(FunctionElement[float]):  # noqa: N801
    """The seconds from a first datetime expression to a second one, to a tenth of a millisecond.

    For sums over many rows: rounding each costs a fifth of it.
    """

    type = Float()
    inherit_cache = True


class shifted(FunctionElement[Any]):  # noqa: N801
    """A datetime expression moved by so many seconds, to the millisecond; null where either is."""

    inherit_cache = True

    def __init__(self, at: ColumnElement[Any], seconds: ColumnElement[Any] | float) -> None:
        super().__init__(at, literal(seconds, Float()) if isinstance(seconds, int | float) else seconds)
        self.type = at.type


class json_number(FunctionElement[float]):  # noqa: N801
    """The number under a key of a JSON object, both texts; NULL where the key is not in it."""

    type = Float()
    inherit_cache = True


class week_clock(FunctionElement[int]):  # noqa: N801
    """The seconds since Monday 00:00 local time at a datetime expression, in a zone by its name.

    The first argument is a JSON list of `{"zone", "from", "until", "offset"}`: in a zone, from one second since 1970 to
    another, local time is so many seconds ahead of UTC. NULL where nothing is said of the zone at that moment.
    """

    type = Integer()
    inherit_cache = True


class text_contains(FunctionElement[bool]):  # noqa: N801
    """Whether a first text holds a second one, case-sensitively; no character is a wildcard."""

    type = Boolean()
    inherit_cache = True


class text_starts_with(FunctionElement[bool]):  # noqa: N801
    """Whether a first text begins with a second one, case-sensitively; no character is a wildcard."""

    type = Boolean()
    inherit_cache = True


class ascii_upper(FunctionElement[str]):  # noqa: N801
    """A text with a to z in upper case; other letters stay as they are, whatever the database's locale."""

    type = String()
    inherit_cache = True


class version_key(FunctionElement[Any]):  # noqa: N801
    """What orders a version such as `V1.10.2`: its numbers, zeros at the end aside; NULL where it is none.

    A version is up to eight numbers with ".", "-" or "_" between them, with or without a "v" before. Its keys are
    comparable with one another, and of another type on each database.
    """

    type = NullType()
    inherit_cache = True


VERSION = "[vV]?[0-9]{1,9}([._-][0-9]{1,9}){0,7}"


def version_key_of(text: str | None) -> str | None:
    """The key of a version on SQLite: its numbers in as many digits each."""
    if text is None or not re.fullmatch(VERSION, text):
        return None
    numbers = [int(part) for part in re.split("[._-]", text.lstrip("vV"))]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return ".".join(f"{number:09d}" for number in numbers)


class json_list_contains(FunctionElement[bool]):  # noqa: N801
    """Whether a JSON list column has one text among its members, exactly; NULL where the column is NULL."""

    type = Boolean()
    inherit_cache = True


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, kw: dict[str, Any]) -> list[str]:
    arguments: list[ColumnElement[Any]] = list(element.clauses)
    return [compiler.process(argument, **kw) for argument in arguments]


@compiles(epoch_seconds, "sqlite")
def _(element: epoch_seconds, compiler: SQLCompiler, **kw: Any) -> str:
    (at,) = _arguments(element, compiler, kw)
    # SQLite 3.40 has no unixepoch(..., 'subsec'); a Julian day is right to about 40 microseconds
    return f"ROUND((JULIANDAY({at}) - 2440587.5) * 86400.0, 3)"


@compiles(epoch_seconds, "postgresql")
def _(element: epoch_seconds, compiler: SQLCompiler, **kw: Any) -> str:
    (at,) = _arguments(element, compiler, kw)
    return f"CAST(ROUND(CAST(EXTRACT(EPOCH FROM {at}) AS NUMERIC), 3) AS DOUBLE PRECISION)"


@compiles(seconds_between, "sqlite")
def _(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = _arguments(element, compiler, kw)
    return f"ROUND((JULIANDAY({end}) - JULIANDAY({start})) * 86400.0, 3)"


@compiles(seconds_between, "postgresql")
def _(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = _arguments(element, compiler, kw)
    return f"CAST(ROUND(CAST(EXTRACT(EPOCH FROM ({end} - {start})) AS NUMERIC), 3) AS DOUBLE PRECISION)"


@compiles(seconds_apart, "sqlite")
def _(element: seconds_apart, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = _arguments(element, compiler, kw)
    return f"(JULIANDAY({end}) - JULIANDAY({start})) * 86400.0"


@compiles(seconds_apart, "postgresql")
def _(element: seconds_apart, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = _arguments(element, compiler, kw)
    return f"CAST(EXTRACT(EPOCH FROM ({end} - {start})) AS DOUBLE PRECISION)"


@compiles(shifted, "sqlite")
def _(element: shifted, compiler: SQLCompiler, **kw: Any) -> str:
    at, seconds = _arguments(element, compiler, kw)
    # as SQLAlchemy stores a datetime, with six digits
    return f"STRFTIME('%Y-%m-%d %H:%M:%f000', {at}, ({seconds}) || ' seconds')"


@compiles(shifted, "postgresql")
def _(element: shifted, compiler: SQLCompiler, **kw: Any) -> str:
    at, seconds = _arguments(element, compiler, kw)
    return f"DATE_TRUNC('milliseconds', {at} + MAKE_INTERVAL(secs => {seconds}))"


@compiles(json_number, "sqlite")
def _(element: json_number, compiler: SQLCompiler, **kw: Any) -> str:
    numbers, key = _arguments(element, compiler, kw)
    return f"(SELECT number.value FROM JSON_EACH({numbers}) AS number WHERE number.key = {key})"  # noqa: S608 (compiled SQL)


@compiles(json_number, "postgresql")
def _(element: json_number, compiler: SQLCompiler, **kw: Any) -> str:
    numbers, key = _arguments(element, compiler, kw)
    return f"CAST(CAST({numbers} AS JSONB) ->> {key} AS DOUBLE PRECISION)"


_MONDAY, _WEEK = 259_200, 604_800  # the first second of 1970 was a Thursday's


@compiles(week_clock, "sqlite")
def _(element: week_clock, compiler: SQLCompiler, **kw: Any) -> str:
    offsets, zone, at = _arguments(element, compiler, kw)
    seconds = f"CAST(STRFTIME('%s', {at}) AS INTEGER)"
    here = f"value ->> 'zone' = {zone} AND {seconds} >= value ->> 'from' AND {seconds} < value ->> 'until'"
    local = f"{seconds} + {_MONDAY} + (value ->> 'offset')"
    return f"(SELECT ({local}) % {_WEEK} FROM JSON_EACH({offsets}) WHERE {here})"  # noqa: S608 (compiled SQL)


@compiles(week_clock, "postgresql")
def _(element: week_clock, compiler: SQLCompiler, **kw: Any) -> str:
    offsets, zone, at = _arguments(element, compiler, kw)
    seconds = f"CAST(FLOOR(EXTRACT(EPOCH FROM {at})) AS BIGINT)"
    columns = 'zone TEXT, "from" BIGINT, "until" BIGINT, "offset" BIGINT'
    told = f"JSONB_TO_RECORDSET(CAST({offsets} AS JSONB)) AS told({columns})"
    here = f'told.zone = {zone} AND {seconds} >= told."from" AND {seconds} < told."until"'
    local = f'{seconds} + {_MONDAY} + told."offset"'
    return f"(SELECT CAST(MOD({local}, {_WEEK}) AS INTEGER) FROM {told} WHERE {here})"  # noqa: S608 (compiled SQL)


@compiles(text_contains, "sqlite")
def _(element: text_contains, compiler: SQLCompiler, **kw: Any) -> str:
    text, part = _arguments(element, compiler, kw)
    return f"(INSTR({text}, {part}) > 0)"  # LIKE ignores case in SQLite


@compiles(text_contains, "postgresql")
def _(element: text_contains, compiler: SQLCompiler, **kw: Any) -> str:
    text, part = _arguments(element, compiler, kw)
    return f"(STRPOS({text}, {part}) > 0)"


@compiles(text_starts_with, "sqlite")
def _(element: text_starts_with, compiler: SQLCompiler, **kw: Any) -> str:
    text, part = _arguments(element, compiler, kw)
    return f"(SUBSTR({text}, 1, LENGTH({part})) = {part})"


@compiles(text_starts_with, "postgresql")
def _(element: text_starts_with, compiler: SQLCompiler, **kw: Any) -> str:
    text, part = _arguments(element, compiler, kw)
    return f"STARTS_WITH({text}, {part})"


@compiles(ascii_upper, "sqlite")
def _(element: ascii_upper, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    return f"UPPER({text})"


@compiles(ascii_upper, "postgresql")
def _(element: ascii_upper, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    return f'UPPER(CAST({text} AS TEXT) COLLATE "C")'


@compiles(version_key, "sqlite")
def _(element: version_key, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    return f"VERSION_KEY({text})"


@compiles(version_key, "postgresql")
def _(element: version_key, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    dotted = f"TRANSLATE({text}, '_-vV', '..')"
    numbers = f"STRING_TO_ARRAY(REGEXP_REPLACE({dotted}, '([.]?\\m0+)+$', ''), '.')"
    return f"(CASE WHEN {text} ~ '^{VERSION}$' THEN CAST({numbers} AS BIGINT[]) END)"


@compiles(json_list_contains, "sqlite")
def _(element: json_list_contains, compiler: SQLCompiler, **kw: Any) -> str:
    members, text = _arguments(element, compiler, kw)
    found = f"EXISTS (SELECT 1 FROM JSON_EACH({members}) AS member WHERE member.value = {text})"  # noqa: S608 (compiled SQL)
    return f"(CASE WHEN {members} IS NOT NULL THEN {found} END)"


@compiles(json_list_contains, "postgresql")
def _(element: json_list_contains, compiler: SQLCompiler, **kw: Any) -> str:
    members, text = _arguments(element, compiler, kw)
    return f"(CAST({members} AS JSONB) @> TO_JSONB(CAST({text} AS TEXT)))"
