"""Turns rows of an answer into readings, by getters and converters that are prepared once from the contract.

A row that does not fit raises RowUnreadable with the reason; nothing is guessed, nothing is dropped, and no name of the
API stands here: names, units and words are the contract's.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from eosvolt.contract import UNITS, Contract, Field
from eosvolt.models import (
    COMMAND_STATUSES,
    CONNECTOR_STATUSES,
    SESSION_STATUSES,
    ChargerReading,
    CommandAnswer,
    ConnectorReading,
    LocationReading,
    SessionReading,
)

Convert = Callable[[Any], Any]
_Plan = tuple[list[tuple[str, Convert]], tuple[str, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_REMEMBERED = 20_000
_MOST_SHAPES = 200
_LONGEST_ID = 255  # an index of PostgreSQL takes about 2,700 bytes in all
_LARGEST = 1e12  # sums over any number of rows stay finite
# Outside of it lie units mistaken, "never" as the year 1, and dates that no local time can show.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_DEEPEST_EXTRA = 50  # what is decoded near the limit of recursion could not be encoded again


class RowUnreadable(ValueError):  # noqa: N818  a row is unreadable; it is no fault of ours
    """A row does not fit the contract; the text says which field, and why, with values as long as they came.

    `field` is the API's name of that field, empty where the row itself is none.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


class _Remembered(dict[Any, Any]):
    """A converter that remembers what it made of each text; bounded, because the texts come from outside."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        made = self._convert(value)
        if type(value) is str:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[value] = made
        return made


def _text(value: Any) -> str | None:
    if type(value) is str or value is None:
        return value
    if type(value) is int or type(value) is float:
        return str(value)
    raise ValueError(f"{as_json(value)} is no text")


def _text_or_parts(value: Any) -> str | None:
    """Addresses and contacts come as one text or as an object or list of texts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(part for part in map(_text, value) if part) or None
    return _text(value)


def _id_tag(value: Any) -> str | None:
    """An id tag names a driver, so that no reason may show it."""
    if value is None or type(value) in (str, int):
        return None if value is None else str(value)
    raise ValueError("is no text")


def _id(value: Any) -> str:
    if type(value) is int:
        value = str(value)
    if type(value) is str and value:
        if len(value) > _LONGEST_ID:
            raise ValueError(f"{value[:20]!r}... is an id of {len(value)} characters, more than {_LONGEST_ID}")
        return value
    raise ValueError("is missing" if value is None or value == "" else f"{as_json(value)} is no id")


def _id_or_none(value: Any) -> str | None:
    return None if value is None or value == "" else _id(value)


def _bool(value: Any) -> bool | None:
    if value is None or value is True or value is False:
        return value
    raise ValueError(f"{as_json(value)} is neither true nor false")


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(type(text) is str for text in value):
        raise ValueError(f"{as_json(value)} is no list of texts")
    return tuple(value)


def _number(factor: float) -> Convert:
    # Dividing by a whole number rounds rightly where multiplying by its inverse does not (0.01 is no exact float).
    divisor = round(1 / factor) if factor < 1 else 1

    def convert(value: Any) -> float | None:
        if value is None:
            return None
        if type(value) is str:
            value = float(value)
        elif type(value) is not float and type(value) is not int:
            raise ValueError(f"{as_json(value)} is no number")
        number = value / divisor * (factor if divisor == 1 else 1)
        if number - number != 0:
            raise ValueError(f"{as_json(value)} is no finite number")
        if not -_LARGEST <= number <= _LARGEST:
            raise ValueError(f"{as_json(value)} is beyond any quantity")
        return float(number)

    def as_given(value: Any) -> float | None:
        if type(value) is float and -_LARGEST <= value <= _LARGEST:
            return value
        return convert(value)

    return as_given if factor == 1 else convert


def _time(unit: str | None, naive_timezone: ZoneInfo) -> Convert:
    if unit != "iso8601":
        step = "seconds" if unit == "epoch_s" else "milliseconds"

        def from_epoch(value: Any) -> datetime | None:
            if value is None or value == "":
                return None
            if type(value) is str:
                value = float(value)
            if type(value) is not int and type(value) is not float:
                raise ValueError(f"{as_json(value)} is no number of {step} since 1970")
            return _believable(_EPOCH + timedelta(**{step: value}), value)

        return from_epoch

    def from_iso(value: Any) -> datetime | None:
        if value is None or value == "":
            return None
        if type(value) is not str:
            raise ValueError(f"{as_json(value)} is no ISO 8601 time (its `unit` is for the contract file to say)")
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=naive_timezone)
        return _believable(aware.astimezone(UTC), value)

    return _Remembered(from_iso).__getitem__


def _believable(moment: datetime, value: Any) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"{as_json(value)} is the year {moment.year} (`unit` and `values` are for the contract file)")
    return moment


def _folded(word: str) -> str:
    return "".join(c for c in word if c.isalnum()).lower()


def _one_of(statuses: tuple[str, ...], otherwise: Callable[[str], str | None]) -> Convert:
    known = {_folded(status): status for status in statuses}

    def convert(value: Any) -> str | None:
        text = _text(value)
        return None if text is None else known.get(_folded(text), otherwise(text))

    return _Remembered(convert).__getitem__


def _rows(value: Any) -> list[Any]:
    """Rows inside a row are read after it, because each needs the id of the outer one."""
    if value is None:
        return []
    if type(value) is not list:
        raise ValueError(f"{as_json(value)} is no list")
    return value


# What each of our fields is; every other field is text. The contract decides names and units, never this.
_KINDS: dict[str, Convert] = {
    "address": _text_or_parts,
    "support_contact": _text_or_parts,
    "id": _id,
    "id_tag": _id_tag,
    "online": _bool,
    "labels": _texts,
    "connectors": _rows,
}
_UNIT_OF = {
    "blocking_fee_interval_minutes": "min",
    "heartbeat_interval_seconds": "s",
    "power_kw": "kW",
    "max_power_kw": "kW",
    "energy_kwh": "kWh",
    "cost": "major",
}
_TIMES = frozenset({"updated_at", "status_changed_at", "last_heartbeat", "started_at", "ended_at"})
_ESSENTIAL: dict[str, set[str]] = {
    "location": {"id"},
    "charger": {"id", "location_id"},
    "connector": {"id"},
    "session": {"id", "connector_id", "started_at"},
    "command": set(),
}
_MODELS: dict[str, type] = {
    "location": LocationReading,
    "charger": ChargerReading,
    "connector": ConnectorReading,
    "session": SessionReading,
    "command": CommandAnswer,
}
_OTHER_STATUSES = {"session": SESSION_STATUSES, "command": COMMAND_STATUSES}  # another word stays as it was given


def _converter(resource: str, name: str, field: Field, contract: Contract) -> Convert:
    if name in _UNIT_OF:
        convert = _number(UNITS[_UNIT_OF[name]][field.unit or _UNIT_OF[name]])
    elif name in _TIMES:
        convert = _time(field.unit, contract.times.naive_timezone)
    elif name == "status":
        convert = (
            _one_of(CONNECTOR_STATUSES, lambda _: None)
            if resource == "connector"
            else _one_of(_OTHER_STATUSES[resource], lambda text: text)
        )
    elif name.endswith("_id") and name != "id":
        convert = _id_or_none
    else:
        convert = _KINDS.get(name, _text)
    if not field.values:
        return convert
    words = dict(field.values)

    def translated(value: Any) -> Any:
        return convert(words.get(str(value), value) if type(value) in (str, int) else value)

    return translated


def as_json(value: Any) -> str:
    """Return the JSON of anything that came in an answer, however deep it is nested."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return json.dumps("nested too deeply to show")


def _kept(value: Any) -> Any:
    """An unknown field's value, or words in its place where a database could not store it.

    PostgreSQL's JSON refuses the Infinity that a number beyond any float becomes.
    """
    layer = [value]
    for _ in range(_DEEPEST_EXTRA):
        if any(type(one) is float and one - one != 0 for one in layer):
            return as_json(value)
        layer = [item for one in layer if isinstance(one, dict | list) for item in _members(one)]
        if not layer:
            return value
    return "nested too deeply to keep"


def _members(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _reached(path: list[str], convert: Convert) -> Convert:
    def convert_inner(value: Any) -> Any:
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return convert(value)

    return convert_inner


def _absent(convert: Convert) -> Convert:
    """What a field without a key is: the converter's answer to None, worked out once."""
    try:
        made = convert(None)
    except ValueError:
        return lambda _: convert(None)
    return lambda _: made


def _needed(convert: Convert) -> Convert:
    if convert in (_id, _id_or_none):
        return _id

    def convert_needed(value: Any) -> Any:
        made = convert(value)
        if made is None:
            raise ValueError("is missing")
        return made

    return convert_needed


class RowMapper:
    """Reads rows of one resource: aliases are looked up once for each shape (set of keys), not once a row."""

    def __init__(self, resource: str, contract: Contract) -> None:
        self.resource = resource
        self._specs = contract.fields[resource]
        self._names = tuple(field.name for field in fields(_MODELS[resource]) if field.name != "extra")
        self._converters = {
            name: _converter(resource, name, spec, contract) for name, spec in contract.fields[resource].items()
        }
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def place(self, name: str) -> int:
        """Return where one of our fields stands among the values of `read`."""
        return self._names.index(name)

    def read(self, row: Any) -> list[Any]:
        """Return a row's values in the order of its reading's fields, the last one a dict of its unknown fields.

        Raises RowUnreadable, which names the field in the API's spelling and says why.
        """
        if type(row) is not dict:
            raise RowUnreadable(f"{as_json(row)} is no object")
        keys = tuple(row)
        try:
            plan, unknown = self._plans.get(keys) or self._plan(keys)
            values = [convert(row[key]) for key, convert in plan]
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            raise self._diagnosis(row) from None
        values.append({key: _kept(row[key]) for key in unknown} if unknown else {})
        return values

    def key_of(self, row: Any) -> str | None:
        """Return the row's id where one is readable."""
        try:
            return _id(self.member(row, "id"))
        except ValueError:
            return None

    def member(self, row: Any, name: str) -> Any:
        """Return the raw value of one of our fields in a row, or None where it is not there."""
        if isinstance(row, dict):
            key, path = _present(self._specs[name].names, tuple(row))
            if key is not None:
                return _reached(path, lambda value: value)(row[key])
        return None

    def spelled(self, name: str, row: dict[str, Any]) -> str:
        """Return the API's name of one of our fields, as the row has it or else as the contract first names it."""
        names = self._spec(name).names
        return next((alias for alias in names if _present((alias,), tuple(row))[0]), names[0] if names else name)

    def _spec(self, name: str) -> Field:
        return self._specs["status" if name == "status_raw" else name]

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        steps: list[tuple[str, Convert]] = []
        known: set[str] = set()
        for name in self._names:
            spec = self._spec(name)
            convert = _text if name == "status_raw" else self._converters[name]
            if spec.required or name in _ESSENTIAL[self.resource]:
                convert = _needed(convert)
            key, path = _present(spec.names, keys)
            if key is None:
                steps.append((keys[0] if keys else "", _absent(convert)))
            else:
                steps.append((key, _reached(path, convert) if path else convert))
            known.update(alias if alias in keys else alias.partition(".")[0] for alias in spec.names)
        if len(self._plans) >= _MOST_SHAPES:
            self._plans.clear()
        plan = self._plans[keys] = steps, tuple(key for key in keys if key not in known)
        return plan

    def _diagnosis(self, row: dict[str, Any]) -> RowUnreadable:
        steps, _ = self._plan(tuple(row))
        for name, (key, convert) in zip(self._names, steps, strict=True):
            try:
                convert(row.get(key))
            except ValueError as error:
                field = self.spelled(name, row)
                return RowUnreadable(f"{field}: {error}", field)
            except (TypeError, OverflowError, RecursionError):
                field = self.spelled(name, row)
                return RowUnreadable(f"{field}: {as_json(row.get(key))} has the wrong type or size", field)
        return RowUnreadable("the row has a wrong shape")


def _present(names: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """The first name that is among the keys, with the path inside it for a dotted name."""
    for name in names:
        if name in keys:
            return name, []
        head, *path = name.split(".")
        if path and head in keys:
            return head, path
    return None, []
