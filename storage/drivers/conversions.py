"""Values on their way between Python and a driver: what many rows have alike is converted once.

Lists and objects are each row's own, so that who reads one may change it, unless their column is of SHARED_JSON: nobody
changes those, and who wants another makes a new one. Nothing here knows a table.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

Convert = Callable[[Any], Any]

MOST_KNOWN = 4_096
"""How many values of one parameter or column are kept as they were converted."""


class SharedObject(dict[str, Any]):
    """An object that many rows hold and nobody changes: it is written as JSON once."""

    __slots__ = ("_by", "_written")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by: Convert | None = None

    def written(self, convert: Convert) -> Any:
        """What a column's `convert` makes of it."""
        if self._by is not convert:
            self._written, self._by = convert(self), convert
        return self._written


class SharedJson(sa.JSON):
    """The type of a JSON column in a prepared statement that reads alike texts as one object."""

    cache_ok = True


SHARED_JSON = SharedJson().with_variant(JSONB(), "postgresql")


class _Known(dict[Any, Any]):
    """Values as the other side takes them: most moments of a poll are the same few, and each is converted once."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        if len(self) >= MOST_KNOWN:
            self.clear()
        converted = self[value] = self._convert(value)
        return converted


def once(type_: Any, convert: Convert | None) -> Convert | None:
    """What converts a value of this type; where rows may share one, only once."""
    if convert is None:
        return None
    if isinstance(type_, SharedJson):
        return _Known(_sharing(convert)).__getitem__
    return convert if isinstance(type_, sa.JSON) else _Known(convert).__getitem__


def _sharing(convert: Convert) -> Convert:
    def shared(text: Any) -> Any:
        found = convert(text)
        return SharedObject(found) if isinstance(found, dict) else found

    return shared


def once_written(type_: Any, convert: Convert | None) -> Convert | None:
    """As `once`, on the way to the database: there most lists and objects are empty, and written alike."""
    if convert is None or not isinstance(type_, sa.JSON):
        return once(type_, convert)
    empty = {kind: convert(kind()) for kind in (dict, list)}

    def written(value: Any) -> Any:
        kind = type(value)
        if kind is SharedObject:
            return value.written(convert)
        return convert(value) if value or kind not in empty else empty[kind]

    return written
