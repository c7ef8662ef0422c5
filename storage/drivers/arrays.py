"""Many values as one: PostgreSQL's arrays, written as text, and the statements that take them in place of a row each.

A statement for each row costs the server ten times what the row does, and a list of hundreds is read through and worked
out anew for each length. Nothing here knows a table.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect

_INSERT = re.compile(r"(INSERT INTO .+? \([^()]+\)) VALUES \((.*)\)( ON CONFLICT(?: \([^()]+\))? DO NOTHING)")
_UPDATE = re.compile(r'(UPDATE ([\w"]+) SET .*)( WHERE \2\.[\w"]+ = \$(\d+)(?:::\w+)?((?: AND .*)?))')
_VALUE = re.compile(r"\$(\d+)(?:::(?:\w+ WITH(?:OUT)? TIME ZONE|DOUBLE PRECISION|\w+)(?:\(\d+\))?)?")
_LIST = re.compile(r"(NOT )?IN \(__\[POSTCOMPILE_(\w+)\]\)")
_INNERMOST = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Unnesting:
    """A statement that takes an array for each value of many rows; of an UPDATE `key` is the place of what finds a row.

    One row may be found by one set of values alone: which of several would count is not said.
    """

    sql: str
    key: int | None = None

    def columns(self, rows: Sequence[Sequence[Any]]) -> list[str] | None:
        """What stands for each value in all of these rows; None where they may not be given together."""
        if self.key is not None and len({row[self.key] for row in rows}) < len(rows):
            return None
        try:
            return list(map(array, zip(*rows, strict=True)))
        except ValueError:
            return None


def unnesting(sql: str, types: Sequence[str]) -> Unnesting | None:
    """What writes many rows of values of these types at once, as the numbered statement would one by one.

    None where it would not: it reads what a row before may have written, answers something or does more than this.
    """
    line = " ".join(sql.split())
    if "SELECT" in line or "RETURNING" in line:
        return None
    names = ", ".join(f"v{place}" for place in range(1, len(types) + 1))
    arrays = ", ".join(f"${place}::{type_}[]" for place, type_ in enumerate(types, start=1))
    given = f"unnest({arrays}) AS given ({names})"
    inserting, updating = _INSERT.fullmatch(line), _UPDATE.fullmatch(line)
    if inserting is not None:
        return Unnesting(f"{inserting[1]} SELECT {_of_a_row(inserting[2])} FROM {given}{inserting[3]}")  # noqa: S608 (compiled SQL)
    if updating is not None and " OR " not in _without_brackets(updating[5]):
        return Unnesting(f"{_of_a_row(updating[1])} FROM {given}{_of_a_row(updating[3])}", int(updating[4]) - 1)
    return None


def _of_a_row(part: str) -> str:
    return _VALUE.sub(r"given.v\1", part)


def _without_brackets(part: str) -> str:
    while (less := _INNERMOST.sub("", part)) != part:
        part = less
    return part


def take_whole(compiled: Any, dialect: Dialect) -> set[str]:
    """Let a statement that SQLAlchemy compiled take each list that is given to it as one array; the names of these.

    What stands there is to be an array's text, of whatever length. Another database's statement stays as it is.
    """
    if dialect.name != "postgresql":
        return set()
    given = {name: bind.type for bind, name in compiled.bind_names.items() if bind.expanding and bind.required}
    types = {name: type_.compile(dialect) for name, type_ in given.items() if not type_._is_tuple_type}
    found: set[str] = set()

    def one_value(place: re.Match[str]) -> str:
        name = place[2]
        if name not in types:
            return place[0]
        found.add(name)
        return f"{'!= ALL' if place[1] else '= ANY'} (%({name})s::{types[name]}[])"

    compiled.string = _LIST.sub(one_value, compiled.string)
    return found


def array(values: Collection[Any]) -> str:
    """An array's text; of texts, numbers, truths, moments and nulls. ValueError for any other, and for a NUL."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return f"{{{','.join(['NULL'] * len(values))}}}"
    writers = {_writer(kind) for kind in kinds}
    if len(writers) > 1:
        raise ValueError("values of one column are of several kinds")
    (write,) = writers
    if write is _text and None not in values:
        return f"{{{_texts(values)}}}"
    if write is float.__repr__:  # 0.0 and -0.0 are equal
        return f"{{{','.join(['NULL' if value is None else write(value) for value in values])}}}"
    unlike = set(values)  # most values of a column are the same few
    written = {value: "NULL" if value is None else write(value) for value in unlike}
    return f"{{{','.join([written[value] for value in values])}}}"


def _writer(kind: type[Any]) -> Callable[[Any], str]:
    found = next((_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), None)
    if found is None:
        raise ValueError(f"no array is written of {kind.__name__}")
    return found


def _texts(values: Collection[str]) -> str:
    joined = "\0".join(values)
    if joined.count("\0") != len(values) - 1:
        raise ValueError("a text holds a NUL")
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'"{escaped}"'


def _text(value: str) -> str:
    return _texts((value,))


_WRITERS: dict[type[Any], Callable[[Any], str]] = {
    str: _text,
    bool: lambda value: "t" if value else "f",
    int: int.__repr__,
    float: float.__repr__,
    datetime: lambda value: f'"{value.isoformat()}"',
}
