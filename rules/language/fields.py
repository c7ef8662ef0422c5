"""The ONE catalogue of what a condition can read: key, type, unit, English, SQL, and how its changes are known.

It checks conditions, makes the documentation, the menus and the words of errors. It holds no value and reads no
database: `sql` gives an expression over the columns of the thing's own table.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, not_
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from eosvolt.models import CONNECTOR_STATUSES, SESSION_STATUSES
from eosvolt.spellings.words import error_code
from storage.sql import json_number, seconds_between, text_contains

Columns = ReadOnlyColumnCollection[str, Any]
Sql = Callable[[Columns, ColumnElement[Any]], ColumnElement[Any]]


class Type(Enum):
    """What kind of value an expression has; the value is the word for it in errors and documentation."""

    TEXT = "a text"
    ENUM = "one of a few texts"
    TEXTS = "a list of texts"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    DURATION = "a duration"
    ENERGY = "an energy"
    POWER = "a power"
    MONEY = "an amount of money"
    PRICE = "a price of energy"
    RATE = "a price of time"
    RATIO = "a percentage"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as written: its type, and how many of the stored unit (s, kWh, kW, 1) one of it is."""

    type: Type
    scale: Decimal
    english: str


UNITS = {
    "s": Unit(Type.DURATION, Decimal(1), "seconds"),
    "m": Unit(Type.DURATION, Decimal(60), "minutes"),
    "h": Unit(Type.DURATION, Decimal(3600), "hours"),
    "d": Unit(Type.DURATION, Decimal(86400), "days of 24 hours"),
    "w": Unit(Type.DURATION, Decimal(604800), "weeks of 7 days"),
    "Wh": Unit(Type.ENERGY, Decimal("0.001"), "watt-hours"),
    "kWh": Unit(Type.ENERGY, Decimal(1), "kilowatt-hours"),
    "MWh": Unit(Type.ENERGY, Decimal(1000), "megawatt-hours"),
    "W": Unit(Type.POWER, Decimal("0.001"), "watts"),
    "kW": Unit(Type.POWER, Decimal(1), "kilowatts"),
    "%": Unit(Type.RATIO, Decimal("0.01"), "per cent"),
}

EXACT = Context(prec=60)
"""Decimal arithmetic in which no literal of the language is rounded before it becomes a float."""


def stored_value(number: Decimal, unit: str) -> float:
    """`number` of `unit` in the stored unit: seconds, kWh, kW, or a ratio."""
    return float(EXACT.multiply(number, UNITS[unit].scale))


UNIT_EXAMPLES = {
    Type.DURATION: "30m",
    Type.ENERGY: "0.1 kWh",
    Type.POWER: "7 kW",
    Type.RATIO: "50 %",
    Type.PRICE: "0.90 EUR/kWh",
    Type.RATE: "6 EUR/h",
}
"""One literal of each type that needs a unit, for errors and documentation."""

THINGS = ("connector", "charger", "location", "session")
NETWORK = "network"
SUBJECTS = (*THINGS, NETWORK)
"""What a rule can look at: each of a kind of thing, or the one network."""

REACHABLE = {
    "connector": ("connector", "charger", "location"),
    "charger": ("charger", "location"),
    "location": ("location",),
    "session": ("session", "connector", "charger", "location"),
    NETWORK: (NETWORK,),
}
"""For each `for_each`: the things whose fields a condition can read, itself first."""

RELATIONS = {
    "network.locations": "location",
    "network.chargers": "charger",
    "network.connectors": "connector",
    "network.sessions": "session",
    "location.chargers": "charger",
    "location.connectors": "connector",
    "location.sessions": "session",
    "charger.connectors": "connector",
    "charger.sessions": "session",
    "connector.sessions": "session",
    "driver.sessions": "session",
}
"""From a thing to the things below it, as a condition writes it, and what these are."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

PER_MINUTE = '"unit": "minute"'
"""What stands in kept prices that are per minute."""

RESOURCE_OF = {"connector": "chargers", "charger": "chargers", "location": "locations", "session": "sessions"}
"""Which polled resource tells about a thing: connectors come inside chargers."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. `changed_at` names the column of the thing's table that tells when the value last changed.

    `interval` is the `field` of table Interval under which the history is kept, or None where there is none.
    `sql` takes the columns of the thing's table (or alias) and `now`, a datetime expression or bind parameter.
    `describes`: it says what a thing is, not how it stands, and nothing tells when that changed; so beside a state it
    does not date a condition. `spelled` gives the spelling in which a text that it is compared with is stored.
    `kept` makes its value of the text that history keeps, where that is another. `currencies` are the keys of the
    fields that name an amount's currency, the first one that is known. `is_version`: it is ordered as versions are.
    """

    key: str
    thing: str
    type: Type
    unit: str | None
    values: tuple[str, ...]
    english: str
    sql: Sql
    changed_at: str
    interval: str | None
    reads_clock: bool
    describes: bool = False
    spelled: Callable[[str], str] = str
    kept: Callable[[ColumnElement[Any]], ColumnElement[Any]] | None = None
    currencies: tuple[str, ...] = ()
    is_version: bool = False


def _column(name: str) -> Sql:
    def sql(columns: Columns, now: ColumnElement[Any]) -> ColumnElement[Any]:
        column: ColumnElement[Any] = columns[name]
        return column

    return sql


def _standard(name: str, values: tuple[str, ...]) -> Sql:
    """The column where it has a standard value, else NULL: a word outside the standard is unknown."""

    def sql(columns: Columns, now: ColumnElement[Any]) -> ColumnElement[Any]:
        return case((columns[name].in_(values), columns[name]))

    return sql


def _blocking_fee_interval(columns: Columns, now: ColumnElement[Any]) -> ColumnElement[Any]:
    seconds: ColumnElement[Any] = columns["blocking_fee_interval_minutes"] * 60.0
    return seconds


def _default_price(told: ColumnElement[Any]) -> ColumnElement[Any]:
    """The default price per kWh of prices as they are kept; null where they are per minute."""
    return case((not_(text_contains(told, literal(PER_MINUTE))), json_number(told, literal("default"))))


def _of_prices(read: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> Sql:
    return lambda columns, now: read(columns["price"])


def _session_duration(columns: Columns, now: ColumnElement[Any]) -> ColumnElement[Any]:
    lasted = seconds_between(columns["started_at"], func.coalesce(columns["ended_at"], now))
    # one that ends before it starts has no duration; one that starts ahead of our clock has only begun
    return case((columns["ended_at"] < columns["started_at"], None), else_=lasted)


def _spec(
    key: str,
    type_: Type,
    english: str,
    column: str | Sql,
    *,
    unit: str | None = None,
    values: tuple[str, ...] = (),
    changed_at: str = "changed_at",
    interval: str | None = None,
    reads_clock: bool = False,
    spelled: Callable[[str], str] = str,
    kept: Callable[[ColumnElement[Any]], ColumnElement[Any]] | None = None,
    currencies: tuple[str, ...] = (),
    is_version: bool = False,
) -> FieldSpec:
    sql = _column(column) if isinstance(column, str) else column
    thing = key.split(".", maxsplit=1)[0]
    dated = (changed_at, interval, reads_clock, key in _DESCRIPTIONS)
    return FieldSpec(key, thing, type_, unit, values, english, sql, *dated, spelled, kept, currencies, is_version)


_DESCRIPTIONS = frozenset(
    {
        *("connector.id", "connector.max_power", "connector.type", "charger.heartbeat_interval"),
        *(f"charger.{name}" for name in ("id", "name", "vendor", "model", "firmware", "serial", "labels")),
    }
)
"""Their things' rows change with every status and heartbeat; a location's row changes when the location does."""


_SPECS = (
    _spec("connector.id", Type.TEXT, "The connector's id, such as 242.2.1.", "id", changed_at="first_seen_at"),
    _spec(
        "connector.status",
        Type.ENUM,
        "The OCPP 1.6 status; unknown where EOSVOLT gave another word.",
        "status",
        values=CONNECTOR_STATUSES,
        changed_at="status_changed_at",
        interval="status",
    ),
    _spec(
        "connector.status_raw",
        Type.TEXT,
        "The status as EOSVOLT gave it, whatever the word.",
        "status_raw",
        changed_at="status_changed_at",
    ),
    _spec(
        "connector.error_code",
        Type.TEXT,
        "The OCPP error code, such as GroundFailure, in any spelling; vendors add codes of their own.",
        "error_code",
        changed_at="error_code_changed_at",
        interval="error_code",
        spelled=error_code,
    ),
    _spec("connector.vendor_error_code", Type.TEXT, "The vendor's own error code.", "vendor_error_code"),
    _spec(
        "connector.power",
        Type.POWER,
        "The power that the connector delivers now.",
        "power_kw",
        unit="kW",
        changed_at="power_changed_at",
    ),
    _spec("connector.max_power", Type.POWER, "The most power it can deliver.", "max_power_kw", unit="kW"),
    _spec("connector.type", Type.TEXT, "The kind of plug, such as CCS.", "type"),
    _spec("charger.id", Type.TEXT, "The charger's id.", "id", changed_at="first_seen_at"),
    _spec("charger.name", Type.TEXT, "The charger's name.", "name"),
    _spec("charger.vendor", Type.TEXT, "Who made the charger.", "vendor"),
    _spec("charger.model", Type.TEXT, "The charger's model.", "model"),
    _spec(
        "charger.firmware",
        Type.TEXT,
        "The firmware's version, a text; `<` and `>=` order it by its numbers, so that 1.10 comes after 1.9.",
        "firmware",
        is_version=True,
    ),
    _spec("charger.serial", Type.TEXT, "The serial number or charge box id.", "serial"),
    _spec(
        "charger.online",
        Type.BOOLEAN,
        "Whether EOSVOLT has a connection to the charger.",
        "online",
        changed_at="online_changed_at",
        interval="online",
    ),
    _spec(
        "charger.heartbeat_age",
        Type.DURATION,
        "How old the last heartbeat was when the charger was last read.",
        "heartbeat_age_s",
        unit="s",
        changed_at="heartbeat_changed_at",
    ),
    _spec(
        "charger.heartbeat_interval",
        Type.DURATION,
        "How often the charger is told to send a heartbeat.",
        "heartbeat_interval_s",
        unit="s",
    ),
    _spec("charger.labels", Type.TEXTS, 'The charger\'s labels: `charger.labels contains "test"`.', "labels"),
    _spec("location.id", Type.TEXT, "The location's id.", "id", changed_at="first_seen_at"),
    _spec("location.name", Type.TEXT, "The location's name.", "name"),
    _spec("location.type", Type.TEXT, "The kind of location, such as public or private.", "type"),
    _spec("location.address", Type.TEXT, "The postal address.", "address"),
    _spec("location.timezone", Type.TEXT, "The time zone, such as Europe/Copenhagen.", "timezone"),
    _spec("location.currency", Type.TEXT, "The currency of prices there, such as EUR.", "currency"),
    _spec(
        "location.blocking_fee_interval",
        Type.DURATION,
        "How long a blocking-fee interval lasts; the first one is grace.",
        _blocking_fee_interval,
        unit="s",
    ),
    _spec(
        "location.price",
        Type.PRICE,
        "The default price per kWh, VAT included, in `location.currency`; unknown where prices are per minute.",
        _of_prices(_default_price),
        changed_at="price_changed_at",
        interval="price",
        kept=_default_price,
        currencies=("location.currency",),
    ),
    _spec("session.id", Type.TEXT, "The charging session's id.", "id", changed_at="first_seen_at"),
    _spec(
        "session.status",
        Type.ENUM,
        "The session's status; unknown where EOSVOLT gave another word.",
        _standard("status", SESSION_STATUSES),
        values=SESSION_STATUSES,
        changed_at="status_changed_at",
    ),
    _spec(
        "session.status_raw",
        Type.TEXT,
        "The session's status as EOSVOLT gave it.",
        "status",
        changed_at="status_changed_at",
    ),
    _spec("session.type", Type.TEXT, "How it was begun: OnDemand or Booking.", "type"),
    _spec(
        "session.energy",
        Type.ENERGY,
        "The energy delivered so far; it can be corrected after the end.",
        "energy_kwh",
        unit="kWh",
        changed_at="energy_changed_at",
    ),
    _spec(
        "session.cost",
        Type.MONEY,
        "What the session costs so far, in `session.currency`, else `location.currency`.",
        "cost",
        currencies=("session.currency", "location.currency"),
    ),
    _spec("session.currency", Type.TEXT, "The currency of the cost, such as EUR.", "currency"),
    _spec(
        "session.duration",
        Type.DURATION,
        "From its start to its end; while it is open, to now. Unknown where it ends before it starts.",
        _session_duration,
        unit="s",
        reads_clock=True,
    ),
    _spec("session.fail_reason", Type.TEXT, "Why it failed, where EOSVOLT says.", "fail_reason"),
    _spec("session.stop_reason", Type.TEXT, "Why it stopped, where EOSVOLT says.", "stop_reason"),
    _spec("session.id_tag", Type.TEXT, "Who charged: a keyed hash unless plain id tags are on.", "id_tag"),
)

FIELDS: dict[str, FieldSpec] = {spec.key: spec for spec in _SPECS}
"""Every field by its key, in the order of the documentation."""


RESTLESS = frozenset({"connector.power", "charger.heartbeat_age", "session.energy", "session.cost"})
"""The fields that hardly ever stand still: a change of theirs is news to those alone who read it."""


def fields_for(for_each: str) -> tuple[FieldSpec, ...]:
    """The fields that a condition of a rule `for_each` connector, charger, location or session can read."""
    return tuple(spec for thing in REACHABLE[for_each] for spec in _SPECS if spec.thing == thing)


def units_of(type_: Type) -> tuple[str, ...]:
    """The units in which a literal of `type_` can be written; none for texts and plain numbers."""
    return tuple(name for name, unit in UNITS.items() if unit.type is type_)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that `word` was probably meant to be, case aside, or None where none is near."""
    by_lower = {candidate.lower(): candidate for candidate in reversed(tuple(words))}
    found = difflib.get_close_matches(word.lower()[:200], by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def nearest_field(key: str, for_each: str) -> str | None:
    """The field that `key` was probably meant to be: by its whole key, else by the name after the dot alone."""
    keys = [spec.key for spec in fields_for(for_each)]
    found = nearest(key, keys)
    if found is not None:
        return found
    by_name = {name.split(".")[1]: name for name in reversed(keys)}
    name = nearest(key.rsplit(".", maxsplit=1)[-1], by_name)
    return by_name[name] if name is not None else None
