"""The placeholders of a driver's SQL: what stands at each, as the driver takes it.

Nothing here makes SQL, and nothing runs it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect

from storage.drivers import arrays, numbered
from storage.drivers.conversions import Convert, SharedObject, once_written

Parameters = Mapping[str, Any]
Filling = Callable[[Parameters], list[Any]]


class Slot:
    """One placeholder of the driver's SQL: a value of its own, a parameter, or one item of a parameter."""

    __slots__ = ("_among", "_convert", "_is_object", "_key", "_place", "_required", "fixed", "name", "type")

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
        self.fixed = None if self._required else self._converted(bind.effective_value)

    def holding(self, binds: Sequence[sa.BindParameter[Any]]) -> "Slot":
        """The same place in another statement of this shape, whose values these are."""
        if self._required or self._among is None:
            return self
        other = copy(self)
        other.fixed = self._converted(binds[self._among].effective_value)
        return other

    def value(self, parameters: Parameters) -> Any:
        """What stands here."""
        if self._key is None or not (self._required or self._key in parameters):
            return self.fixed
        return self._converted(parameters[self._key])

    def varies(self) -> bool:
        """Whether the parameters of a run may say what stands here."""
        return self._key is not None

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


def filling(slots: Sequence[Slot]) -> Filling:
    """What makes the values of a run from its parameters.

    Long statements hold thousands of values that never change, and a few parameters at hundreds of places: what stays
    is kept, and each parameter is looked at once.
    """
    if any(slot.place_in_list() is not None for slot in slots):
        return partial(_one_by_one, _in_pieces(slots))
    groups: dict[str, tuple[Slot, list[int]]] = {}
    for place, slot in enumerate(slots):
        if slot.varies():
            groups.setdefault(slot.name, (slot, []))[1].append(place)
    return partial(_filled, [slot.fixed for slot in slots], list(groups.values()))


def _filled(fixed: Sequence[Any], groups: Iterable[tuple[Slot, Iterable[int]]], parameters: Parameters) -> list[Any]:
    found = list(fixed)
    for slot, places in groups:
        value = slot.value(parameters)
        for place in places:
            found[place] = value
    return found


def _one_by_one(pieces: Iterable[tuple[Slot, bool]], parameters: Parameters) -> list[Any]:
    found: list[Any] = []
    for slot, is_whole in pieces:
        if is_whole:
            found += slot.items(parameters)
        else:
            found.append(slot.value(parameters))
    return found


def _in_pieces(slots: Sequence[Slot]) -> list[tuple[Slot, bool]]:
    """The slots, but of a list that is given only that of the first item, which stands for it as a whole."""
    places = [(slot, slot.place_in_list()) for slot in slots]
    return [(slot, place == 0) for slot, place in places if not place]
