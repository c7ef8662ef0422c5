"""Turns rows of an answer into readings, by getters and converters that are prepared once from the contract.

A row that does not fit raises RowUnreadable with the reason; nothing is guessed, nothing is dropped, and no name of the
API stands here: names, units and words are the contract's.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from eosvolt.contract import UNITS, Contract, Field
from eosvolt.converters import (
    Convert,
    as_json,
    number_of,
    one_of,
    time_of,
    to_amounts,
    to_bool,
    to_error_code,
    to_id,
    to_id_or_none,
    to_id_tag,
    to_rows,
    to_text,
    to_text_or_parts,
    to_texts,
    to_time_of_day,
)
from eosvolt.models import (
    COMMAND_STATUSES,
    CONNECTOR_STATUSES,
    EXPORT_STATUSES,
    SESSION_STATUSES,
    ChargerReading,
    CommandAnswer,
    ConnectorReading,
    ExportReading,
    LocationReading,
    PriceBlock,
    PricingReading,
    ReportReading,
    SessionReading,
)

_Plan = tuple[list[tuple[str, Convert]], tuple[str, ...]]

_MOST_SHAPES = 200
_OURS = frozenset({"extra", "set_aside"})  # fields of readings that no row has
_DEEPEST_EXTRA = 50  # what is decoded near the limit of recursion could not be encoded again


class RowUnreadable(ValueError):  # noqa: N818  a row is unreadable; it is no fault of ours
    """A row does not fit the contract; the text says which field, and why, with values as long as they came.

    `field` is the API's name of that field, empty where the row itself is none.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


# What each of our fields is; every other field is text. The contract decides names and units, never this.
_KINDS: dict[str, Convert] = {
    "address": to_text_or_parts,
    "support_contact": to_text_or_parts,
    "id": to_id,
    "id_tag": to_id_tag,
    "online": to_bool,
    "error_code": to_error_code,
    "labels": to_texts,
    "connectors": to_rows,
    "blocks": to_rows,
    "begins": to_time_of_day,
    "ends": to_time_of_day,
    "revenues": to_amounts,
    "unit": one_of(("kWh", "minute"), lambda text: text),
}
_OF_RESOURCE: dict[tuple[str, str], Convert] = {
    ("report", "sessions"): number_of(1),
    ("export", "sessions"): to_rows,
}
_UNIT_OF = {
    "blocking_fee_interval_minutes": "min",
    "heartbeat_interval_seconds": "s",
    "power_kw": "kW",
    "max_power_kw": "kW",
    "energy_kwh": "kWh",
    "cost": "major",
    "default": "major",
    "price": "major",
    "blocking_fee": "major",
    "revenue": "major",
    "utilisation": "ratio",
    "uptime": "ratio",
}
_TIMES = frozenset({"updated_at", "status_changed_at", "last_heartbeat", "started_at", "ended_at"})
_ESSENTIAL: dict[str, set[str]] = {
    "location": {"id"},
    "charger": {"id", "location_id"},
    "connector": {"id"},
    "session": {"id", "connector_id", "started_at"},
    "pricing": set(),
    "price_block": {"begins", "ends", "price"},
    "report": set(),
    "export": {"id"},
    "command": set(),
}
_MODELS: dict[str, type] = {
    "location": LocationReading,
    "charger": ChargerReading,
    "connector": ConnectorReading,
    "session": SessionReading,
    "pricing": PricingReading,
    "price_block": PriceBlock,
    "report": ReportReading,
    "export": ExportReading,
    "command": CommandAnswer,
}
# another word stays as it was given
_OTHER_STATUSES = {"session": SESSION_STATUSES, "export": EXPORT_STATUSES, "command": COMMAND_STATUSES}


def _converter(resource: str, name: str, field: Field, contract: Contract) -> Convert:
    if (resource, name) in _OF_RESOURCE:
        convert = _OF_RESOURCE[resource, name]
    elif name in _UNIT_OF:
        convert = number_of(UNITS[_UNIT_OF[name]][field.unit or _UNIT_OF[name]])
    elif name in _TIMES:
        convert = time_of(field.unit, contract.times.naive_timezone)
    elif name == "status":
        convert = (
            one_of(CONNECTOR_STATUSES, lambda _: None)
            if resource == "connector"
            else one_of(_OTHER_STATUSES[resource], lambda text: text)
        )
    elif name.endswith("to_id") and name != "id":
        convert = to_id_or_none
    else:
        convert = _KINDS.get(name, to_text)
    if not field.values:
        return convert
    words = dict(field.values)

    def translated(value: Any) -> Any:
        return convert(words.get(str(value), value) if type(value) in (str, int) else value)

    return translated


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
    if convert in (to_id, to_id_or_none):
        return to_id

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
        self._names = tuple(
            field.name for field in fields(_MODELS[resource]) if field.name not in {"extra", "set_aside"}
        )
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
            return to_id(self.member(row, "id")) if "id" in self._specs else None
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
            convert = to_text if name == "status_raw" else self._converters[name]
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
