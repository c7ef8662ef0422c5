"""The placeholders of a driver's SQL: what stands at each, as the driver takes it.

Nothing here makes SQL, and nothing runs it.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect

from storage.drivers import arrays, numbered
from storage.drivers.conversions import Convert, SharedObject, once_written

Parameters = Mapping[str, Any]


class Slot:
    """One placeholder of the driver's SQL: a value of its own, a parameter, or one item of a parameter."""

    __slots__ = ("_among", "_convert", "_fixed", "_is_object", "_key", "_place", "_required", "name", "type")

    def __init__(
        self, name: str, bind: sa.BindParameter[Any], place: int | None, dialect: Dialect, among: int | None
    ) -> None:
        self.name, self.type = name, bind.type
        self._among = among
        self._key, self._required = None if bind.unique else bind.key, bind.required
        self._place = place
        self._is_object = isinstance(bind.type, sa.JSON)
        convert: Convert | None = bind.type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None and self._is_object and dialect.name == "postgresql":
            convert = numbered.json_text(convert)
        self._convert = once_written(bind.type, convert)
        self._fixed = None if self._required else self._converted(bind.effective_value)

    def holding(self, binds: Sequence[sa.BindParameter[Any]]) -> "Slot":
        """The same place in another statement of this shape, whose values these are."""
        if self._required or self._among is None:
            return self
        other = copy(self)
        other._fixed = self._converted(binds[self._among].effective_value)
        return other

    def value(self, parameters: Parameters) -> Any:
        """What stands here."""
        if self._key is None or not (self._required or self._key in parameters):
            return self._fixed
        return self._converted(parameters[self._key])

    def place_in_list(self) -> int | None:
        """Which item of a list that is given it is; None where it is none."""
        return self._place if self._required else None

    def items(self, parameters: Parameters) -> Iterable[Any]:
        """The list that is given, whole."""
        given: Sequence[Any] = parameters[str(self._key)]
        return given if self._convert is None else map(self._convert, given)

    def column(self, rows: Sequence[Parameters]) -> Sequence[Any]:
        """What stands here in each of several rows."""
        if self._key is None or self._place is not None or not (self._required or self._key in rows[0]):
            return [self.value(row) for row in rows]
        return self._written([row[self._key] for row in rows])

    def of_columns(self, columns: Parameters) -> Sequence[Any] | None:
        """What stands here in each of several rows that are told column by column; None where no column tells it."""
        return None if self._key is None or self._key not in columns else self._written(columns[self._key])

    def _written(self, found: Sequence[Any]) -> Sequence[Any]:
        if self._convert is None:
            return found
        if not self._is_object or (found and type(found[0]) is SharedObject):
            return list(map(self._convert, found))
        unlike = {id(value): value for value in found}  # rows may share an object: each is written once
        written = {key: self._convert(value) for key, value in unlike.items()}
        return [written[id(value)] for value in found]

    def _converted(self, value: Any) -> Any:
        if self._place is not None:
            value = value[self._place]
        return value if self._convert is None else self._convert(value)


class Array(Slot):
    """A list of any length as one value, as PostgreSQL takes it."""

    __slots__ = ()

    def _converted(self, value: Any) -> Any:
        items = value if self._convert is None else [self._convert(item) for item in value]
        try:
            return arrays.array(items)
        except ValueError:
            return list(items)  # the driver writes what it can, and says what it cannot


def in_pieces(slots: Sequence[Slot]) -> list[tuple[Slot, bool]]:
    """The slots, but of a list that is given only that of the first item, which stands for it as a whole."""
    places = [(slot, slot.place_in_list()) for slot in slots]
    return [(slot, place == 0) for slot, place in places if not place]
