"""Turns single values of an answer into ours: texts, ids, numbers in our units, times in UTC, one of our words.

A value that does not fit raises ValueError with the reason, or TypeError or OverflowError where it is of quite another
kind; nothing is guessed. What a field is called, and in which unit it comes, is the contract's to say.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from eosvolt.models import DAYS
from eosvolt.spellings.moments import read_moment
from eosvolt.spellings.words import error_code, folded

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 20_000, 100
_MOST_IN_COMMON = 1_000
_LONGEST_ID = 255  # an index of PostgreSQL takes about 2,700 bytes in all
_LARGEST = 1e12  # sums over any number of rows stay finite
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_REPLACED = "\ufffd"  # stands for what could not be read: two different ids may look alike with it
# Outside of it lie units mistaken, "never" as the year 1, and dates that no local time can show.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def as_json(value: Any) -> str:
    """Return the JSON of anything that came in an answer, however deep it is nested."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return json.dumps("nested too deeply to show")


class _Remembered(dict[Any, Any]):
    """A converter that remembers what it made of each text, and of None; bounded: they come from outside.

    One of floats remembers these too, and is asked for nothing else: 1 and True are found where 1.0 is.
    """

    def __init__(self, convert: Convert, most: int = _MOST_REMEMBERED, *, of_floats: bool = False) -> None:
        super().__init__()
        self._convert, self._most, self._of_floats = convert, most, of_floats

    def __missing__(self, value: Any) -> Any:
        made = self._convert(value)
        is_short = type(value) is str and len(value) <= _LONGEST_REMEMBERED
        if value is None or is_short or (self._of_floats and type(value) is float):
            if len(self) >= self._most:
                self.clear()
            self[value] = made
        return made


def in_common(convert: Convert) -> Convert:
    """The converter of values that many rows have in common: those of a large list are kept once, not once a row."""
    return _Remembered(convert, _MOST_IN_COMMON).__getitem__


LONGEST_TEXT, MOST_TEXTS = 10_000, 1_000
"""What is longer is no name and no word; a list of more is none of labels."""


def to_text(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"{len(value)} characters are no text of one field")
        return value
    if type(value) is int or type(value) is float:
        return str(value)
    raise ValueError(f"{as_json(value)} is no text")


_DEEPEST_EXTRA = 50  # what is decoded near the limit of recursion could not be encoded again
_MOST_EXTRA = 2_000  # values in one unknown field


def kept(value: Any) -> Any:
    """An unknown field's value, or words in its place where a database could not store it.

    PostgreSQL's JSON refuses the Infinity that a number beyond any float becomes.
    """
    layer = [value]
    held = 0
    for _ in range(_DEEPEST_EXTRA):
        held += len(layer)
        if held > _MOST_EXTRA or any(type(one) is str and len(one) > LONGEST_TEXT for one in layer):
            return "too much to keep"
        if any(type(one) is float and one - one != 0 for one in layer):
            return as_json(value)
        layer = [item for one in layer if isinstance(one, dict | list) for item in _members(one)]
        if not layer:
            return value
    return "nested too deeply to keep"


def _members(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def to_text_or_parts(value: Any) -> str | None:
    """Addresses and contacts come as one text or as an object or list of texts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(part for part in map(to_text, value) if part) or None
    return to_text(value)


def to_id_tag(value: Any) -> str | None:
    """An id tag names a driver, so that no reason may show it."""
    if value is None or type(value) in (str, int):
        return None if value is None else str(value)
    raise ValueError("is no text")


def to_id(value: Any) -> str:
    if type(value) is int:
        value = str(value)
    if type(value) is str and value:
        if len(value) > _LONGEST_ID:
            raise ValueError(f"{value[:20]!r}... is an id of {len(value)} characters, more than {_LONGEST_ID}")
        if _REPLACED in value:
            raise ValueError(f"{as_json(value)} is an id with a character that could not be read")
        return value
    raise ValueError("is missing" if value is None or value == "" else f"{as_json(value)} is no id")


def to_error_code(value: Any) -> str | None:
    text = to_text(value)
    return None if text is None else error_code(text)


def to_id_or_none(value: Any) -> str | None:
    return None if value is None or value == "" else to_id(value)


def to_bool(value: Any) -> bool | None:
    if value is None or value is True or value is False:
        return value
    raise ValueError(f"{as_json(value)} is neither true nor false")


def to_texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(type(text) is str for text in value):
        raise ValueError(f"{as_json(value)} is no list of texts")
    if len(value) > MOST_TEXTS:
        raise ValueError(f"{len(value)} texts are more than one field holds")
    return tuple(text for text in value if to_text(text) is not None)


def _number(text: str) -> float:
    """A number as JSON or CSV would write it: Python's own float() takes "1_000" and digits of every script."""
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(f"{as_json(text)} is no number")
    return float(text)


def number_of(factor: float) -> Convert:
    # Dividing by a whole number rounds rightly where multiplying by its inverse does not (0.01 is no exact float).
    divisor = round(1 / factor) if factor < 1 else 1

    def convert(value: Any) -> float | None:
        if value is None:
            return None
        if type(value) is str:
            value = _number(value)
        elif type(value) is not float and type(value) is not int:
            raise ValueError(f"{as_json(value)} is no number")
        number = value / divisor * (factor if divisor == 1 else 1)
        if number - number != 0:
            raise ValueError(f"{as_json(value)} is no finite number")
        if not -_LARGEST <= number <= _LARGEST:
            raise ValueError(f"{as_json(value)} is beyond any quantity")
        return float(number)

    known = _Remembered(convert, _MOST_IN_COMMON, of_floats=True)

    def as_given(value: Any) -> Any:
        return known[value] if type(value) is float else convert(value)

    return as_given if factor == 1 else convert


def degrees_up_to(limit: float) -> Convert:
    """An angle in degrees (WGS 84), of at most so many to either side."""
    number = number_of(1)

    def convert(value: Any) -> float | None:
        degrees: float | None = number(value)
        if degrees is not None and abs(degrees) > limit:
            raise ValueError(f"{as_json(value)} is beyond {limit:g} degrees")
        return degrees

    return convert


def never_negative(convert: Convert) -> Convert:
    """A share of time or of things: below nothing it is a mistake."""

    def convert_share(value: Any) -> float | None:
        made: float | None = convert(value)
        if made is not None and made < 0:
            raise ValueError(f"{as_json(value)} is less than nothing")
        return made

    return convert_share


def time_of(unit: str | None, naive_timezone: ZoneInfo) -> Convert:
    if unit != "iso8601":
        step = "seconds" if unit == "epoch_s" else "milliseconds"

        def from_epoch(value: Any) -> datetime | None:
            if value is None or value == "":
                return None
            if type(value) is str:
                value = _number(value)
            if type(value) is not int and type(value) is not float:
                raise ValueError(f"{as_json(value)} is no number of {step} since 1970")
            return _believable(_EPOCH + timedelta(**{step: value}), value)

        return from_epoch

    def from_iso(value: Any) -> datetime | None:
        if value is None or value == "":
            return None
        if type(value) is not str:
            raise ValueError(f"{as_json(value)} is no ISO 8601 time (its `unit` is for the contract file to say)")
        return _believable(read_moment(value, naive_timezone), value)

    return _Remembered(from_iso).__getitem__


def _believable(moment: datetime, value: Any) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"{as_json(value)} is the year {moment.year} (`unit` and `values` are for the contract file)")
    return moment


def one_of(statuses: tuple[str, ...], otherwise: Callable[[str], str | None]) -> Convert:
    known = {folded(status): status for status in statuses}

    def convert(value: Any) -> str | None:
        text = to_text(value)
        return None if text is None else known.get(folded(text), otherwise(text))

    return _Remembered(convert).__getitem__


def to_rows(value: Any) -> list[Any]:
    """Rows inside a row are read after it, because each needs the id of the outer one."""
    if value is None:
        return []
    if type(value) is not list:
        raise ValueError(f"{as_json(value)} is no list")
    return value


def to_amounts(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise ValueError(f"{as_json(value)} is no table of amounts")
    amounts = {str(key): number_of(1)(amount) for key, amount in value.items()}
    return {key: amount for key, amount in amounts.items() if amount is not None}


def to_days(value: Any) -> tuple[str, ...]:
    """Weekdays as DAYS, from names however long, or from numbers, of which 1 is Monday and 0 and 7 are Sunday."""
    if value is None or value == []:
        return ()
    found = {_day(one) for one in (value if isinstance(value, list) else re.split(r"[,;\s]+", str(value)))}
    return tuple(day for day in DAYS if day in found)


def _day(value: Any) -> str:
    text = str(value).strip().lower()
    if text.isdecimal() and not isinstance(value, bool) and 0 <= int(text) <= len(DAYS):
        return DAYS[int(text) - 1]
    known = next((day for day in DAYS if len(text) >= _SHORTEST_DAY and _DAYS[day].startswith(text)), None)
    if known is None:
        raise ValueError(f"{as_json(value)} is no weekday, such as MONDAY")
    return known


_SHORTEST_DAY = 2
_DAYS = dict(zip(DAYS, ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), strict=True))


def to_time_of_day(value: Any) -> str:
    text = to_text(value)
    if text is None or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text[:5]) is None:
        raise ValueError(f"{as_json(value)} is no time of day, such as 17:00")
    return text[:5]
