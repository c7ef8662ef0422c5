"""Turns rows of an answer into readings, by getters and converters that are prepared once from the contract.

A row that does not fit raises RowUnreadable with the reason; nothing is guessed, nothing is dropped, and no name of the
API stands here: names, units and words are the contract's.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from eosvolt.contract import UNITS, Contract, Field
from eosvolt.converters import (
    Convert,
    as_json,
    degrees_up_to,
    in_common,
    kept,
    never_negative,
    number_of,
    one_of,
    time_of,
    to_amounts,
    to_bool,
    to_days,
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
    DriverReading,
    ExportReading,
    KeyReading,
    LocationReading,
    PriceBlock,
    PricingReading,
    ReportReading,
    SessionReading,
    TeamReading,
)
from eosvolt.terms.identities import outer_word
from eosvolt.terms.paths import Step, getter_of, heads_of, is_composite, reach, steps_of
from eosvolt.terms.shapes import spelled

_Plan = tuple[list[tuple[Any, Convert]], tuple[str, ...], bool]
_ROW = object()  # stands for the whole row among its keys
_NO_EXTRA: dict[str, Any] = {}  # one for all rows

_MOST_SHAPES = 200
_AROUND = ("charger", "location")  # the rows around one, where the contract reaches into them
_OURS = frozenset({"extra", "set_aside", "unread"})  # fields of readings that no row has
_UNFIT = (ValueError, TypeError, LookupError, OverflowError, RecursionError)
_SEVERAL: dict[str, Callable[[], Any]] = {"labels": tuple, "connectors": list, "blocks": list, "revenues": dict}


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
    "latitude": degrees_up_to(90),
    "longitude": degrees_up_to(180),
    "online": to_bool,
    "home": to_bool,
    "active": to_bool,
    "tag": to_id_tag,
    "error_code": in_common(to_error_code),
    "labels": to_texts,
    "connectors": to_rows,
    "blocks": to_rows,
    "begins": to_time_of_day,
    "days": to_days,
    "ends": to_time_of_day,
    "revenues": to_amounts,
    "unit": one_of(("kWh", "minute"), lambda text: text),
}
_OF_RESOURCE: dict[tuple[str, str], Convert] = {
    ("report", "sessions"): number_of(1),
    ("command", "id"): to_id_or_none,
    ("export", "sessions"): to_rows,
    ("session", "type"): one_of(("OnDemand", "Booking"), lambda text: text),
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
_IN_COMMON = frozenset(
    {"currency", "fail_reason", "firmware", "model", "stop_reason", "timezone", "type", "vendor", "vendor_error_code"}
)
"""Texts of which a whole fleet has few."""

_TIMES = frozenset({"updated_at", "status_changed_at", "last_heartbeat", "started_at", "ended_at"})
_ESSENTIAL: dict[str, set[str]] = {
    "location": {"id"},
    "charger": {"id"},
    "connector": {"id"},
    "session": {"id", "connector_id"},
    "pricing": set(),
    "price_block": {"begins", "ends", "price"},
    "report": set(),
    "export": {"id"},
    "command": set(),
    "driver": {"id"},
    "team": {"id"},
    "key": {"id"},
}
_WRONG_IS_WORSE_THAN_NONE = frozenset({("charger", "location_id"), ("session", "started_at")})
"""A row without one of these can be told; one with another than its own would be told wrongly."""

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
    "driver": DriverReading,
    "team": TeamReading,
    "key": KeyReading,
}
# another word stays as it was given
_OTHER_STATUSES = {"session": SESSION_STATUSES, "export": EXPORT_STATUSES, "command": COMMAND_STATUSES}


def _converter(resource: str, name: str, field: Field, contract: Contract) -> Convert:
    if (resource, name) in _OF_RESOURCE:
        convert = _OF_RESOURCE[resource, name]
    elif name in _UNIT_OF:
        convert = number_of(UNITS[_UNIT_OF[name]][field.unit or _UNIT_OF[name]])
        if _UNIT_OF[name] == "ratio":
            convert = never_negative(convert)
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
        convert = in_common(to_text) if name in _IN_COMMON else _KINDS.get(name, to_text)
    words, plain = dict(field.values), convert

    def translated(value: Any) -> Any:
        return plain(words.get(spelled(value), value) if type(value) in (str, int, bool) else value)

    if words:
        convert = translated
    return _or_default(convert, field.default) if field.default is not None else convert


def _as_given(value: Any) -> str | None:
    """A status as the API words it, be it a number, true or false."""
    return spelled(value) if isinstance(value, bool) else to_text(value)


def _or_default(convert: Convert, default: Any) -> Convert:
    def converted(value: Any) -> Any:
        made = convert(value) if value is not None and value != "" else None
        return default if made is None else made

    return converted


def _reached(path: tuple[Step, ...], convert: Convert) -> Convert:
    return lambda value: convert(reach(value, path))


def _first_of(names: tuple[str, ...], convert: Convert) -> Convert:
    """From a whole row, what the first of several names holds that is not null."""
    getters = [getter_of(name) for name in names]
    return lambda row: convert(next((value for get in getters if (value := get(row)) is not None), None))


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
        self._names = tuple(field.name for field in fields(_MODELS[resource]) if field.name not in _OURS)
        self._converters = {
            name: _converter(resource, name, spec, contract) for name, spec in contract.fields[resource].items()
        }
        self._as_given = in_common(_as_given)
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._taken = {
            head
            for route in contract.routes.values()
            if route.each and route.outer == resource
            for head in heads_of(route.each)
        }
        self.reaches_out = any(outer_word(name) for spec in self._specs.values() for name in spec.names)

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
            plan, unknown, whole = self._plans.get(keys) or self._plan(keys)
            source = {**row, _ROW: row} if whole else row
            values = [convert(source[key]) for key, convert in plan]
        except _UNFIT:
            raise self._diagnosis(row) from None
        values.append({key: kept(row[key]) for key in unknown} if unknown else _NO_EXTRA)
        return values

    def read_leniently(self, row: Any) -> tuple[list[Any], dict[str, str]]:
        """As `read`, but a field that cannot be read is unknown; with those, by our name, and why.

        The row is refused only where it cannot be told what it is: its id, or what it belongs to.
        """
        try:
            return self.read(row), {}
        except RowUnreadable:
            if type(row) is not dict:
                raise
        plan, unknown, _ = self._plan(tuple(row))
        values: list[Any] = []
        unread: dict[str, str] = {}
        for name, (key, convert) in zip(self._names, plan, strict=True):
            value = row if key is _ROW else row.get(key)
            try:
                values.append(convert(value))
            except _UNFIT as error:
                problem = self._problem(name, value, row, error)
                if self._is_needed(name) or (self.resource, name) in _WRONG_IS_WORSE_THAN_NONE:
                    raise problem from None
                unread[name] = str(problem)
                values.append(_SEVERAL[name]() if name in _SEVERAL else None)
        values.append({key: kept(row[key]) for key in unknown} if unknown else {})
        return values, unread

    def _is_needed(self, name: str) -> bool:
        return self._spec(name).required or name in _ESSENTIAL[self.resource]

    def key_of(self, row: Any) -> str | None:
        """Return the row's id where one is readable."""
        try:
            return to_id(self.member(row, "id")) if "id" in self._specs else None
        except ValueError:
            return None

    def member(self, row: Any, name: str) -> Any:
        """Return the raw value of one of our fields in a row, or None where it is not there."""
        if not isinstance(row, dict):
            return None
        found = (getter_of(alias)(row) for alias in _present(self._specs[name].names, tuple(row)))
        return next((value for value in found if value is not None), None)

    @property
    def fields(self) -> tuple[str, ...]:
        """Our fields, as the contract has them."""
        return tuple(self._specs)

    def is_essential(self, name: str) -> bool:
        """Whether a row without the field is set aside."""
        return name in _ESSENTIAL[self.resource]

    def problem_with(self, name: str, value: Any) -> str:
        """Return why a raw value cannot be one of our fields, or nothing."""
        try:
            self._converters[name](value)
        except ValueError as error:
            return str(error)
        except (TypeError, OverflowError, RecursionError):
            return f"{as_json(value)} has the wrong type or size"
        return ""

    def spelled(self, name: str, row: dict[str, Any]) -> str:
        """Return the API's name of one of our fields, as the row has it or else as the contract first names it."""
        names = self._spec(name).names
        return next(iter(_present(names, tuple(row))), names[0] if names else name)

    def _spec(self, name: str) -> Field:
        return self._specs["status" if name == "status_raw" else name]

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        steps: list[tuple[Any, Convert]] = []
        known: set[str] = set()
        for name in self._names:
            spec = self._spec(name)
            convert = self._as_given if name == "status_raw" else self._converters[name]
            if self._is_needed(name):
                convert = _needed(convert)
            steps.append(_step(_present(spec.names, keys), keys, convert))
            known.update(head for alias in spec.names for head in ((alias,) if alias in keys else heads_of(alias)))
        known |= self._taken | (set(_AROUND) if self.reaches_out else set())
        if len(self._plans) >= _MOST_SHAPES:
            self._plans.clear()
        unknown = tuple(key for key in keys if key not in known)
        plan = self._plans[keys] = steps, unknown, any(key is _ROW for key, _ in steps)
        return plan

    def _diagnosis(self, row: dict[str, Any]) -> RowUnreadable:
        steps = self._plan(tuple(row))[0]
        for name, (key, convert) in zip(self._names, steps, strict=True):
            value = row if key is _ROW else row.get(key)
            try:
                convert(value)
            except _UNFIT as error:
                return self._problem(name, value, row, error)
        return RowUnreadable("the row has a wrong shape")

    def _problem(self, name: str, value: Any, row: dict[str, Any], error: Exception) -> RowUnreadable:
        field = self.spelled(name, row)
        if isinstance(error, ValueError):  # told by a converter
            return RowUnreadable(f"{field}: {error}", field)
        return RowUnreadable(f"{field}: {as_json(value)} has the wrong type or size", field)


def _step(present: list[str], keys: tuple[str, ...], convert: Convert) -> tuple[Any, Convert]:
    """Where the value of a field stands in rows of one shape, and what is made of it."""
    if not present:
        return keys[0] if keys else "", _absent(convert)
    first = present[0]
    if len(present) > 1 or is_composite(first):
        return _ROW, _first_of(tuple(present), convert)
    if first in keys:
        return first, convert
    head, *path = steps_of(first)
    return head, _reached(tuple(path), convert)


def _present(names: tuple[str, ...], keys: tuple[str, ...]) -> list[str]:
    """The names that may hold something in rows of these keys, in their order."""
    return [name for name in names if name in keys or all(head in keys for head in heads_of(name))]
