"""What one answer of EOSVOLT said about one thing, in fixed units: frozen readings, without behaviour.

Times are aware UTC datetimes, energy is kWh, power kW, money a float beside its ISO 4217 currency text. Nothing here
knows the network, the contract or the database, and no reading guesses: what was missing or null is None, and so is
what could not be read, whose names `unread` holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from eosvolt.errors import EosvoltError

CONNECTOR_STATUSES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
)
"""The nine values of ChargePointStatus (OCPP 1.6, section 7.7)."""

ERROR_CODES = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
)
"""The values of ChargePointErrorCode (OCPP 1.6, section 7.6); vendors add codes of their own."""

NO_ERROR = "NoError"

SESSION_STATUSES = ("Pending", "Active", "Completed", "Failed")

COMMAND_STATUSES = ("Accepted", "Scheduled", "Unlocked", "Rejected", "UnlockFailed", "NotSupported")
"""What a charger answers to a reset, an unlock or a change of availability (OCPP 1.6, section 7)."""

EXPORT_STATUSES = ("Pending", "Ready", "Failed")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocationReading:
    """A site: its time zone (IANA name), currency (ISO 4217), blocking-fee interval (minutes), and place (degrees)."""

    id: str
    name: str
    type: str | None = None
    address: str | None = None
    timezone: str | None = None
    currency: str | None = None
    support_contact: str | None = None
    blocking_fee_interval_minutes: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorReading:
    """One connector of a charger; number 0, where present, stands for the whole charger.

    `status` is one of CONNECTOR_STATUSES, or None where it was missing or is no OCPP 1.6 status; `status_raw` is the
    text as given.
    """

    id: str
    charger_id: str
    status: str | None = None
    status_raw: str | None = None
    status_changed_at: datetime | None = None
    error_code: str | None = None
    vendor_error_code: str | None = None
    power_kw: float | None = None
    max_power_kw: float | None = None
    type: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChargerReading:
    """One charge box with the connectors inside it; `online` is None where the API did not say."""

    id: str
    location_id: str | None
    name: str
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    online: bool | None = None
    last_heartbeat: datetime | None = field(default=None, hash=False)  # it moves on where nothing else of it does
    heartbeat_interval_seconds: float | None = None
    labels: tuple[str, ...] = ()
    updated_at: datetime | None = None
    connectors: tuple[ConnectorReading, ...] = ()
    home: bool | None = None  # it stands at a driver's home
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionReading:
    """One charging session; `status` is one of SESSION_STATUSES, or the text as given where it is another word."""

    id: str
    connector_id: str
    charger_id: str | None
    location_id: str | None
    status: str | None
    type: str | None
    fail_reason: str | None
    started_at: datetime | None
    ended_at: datetime | None = None
    energy_kwh: float | None = None
    cost: float | None = None
    currency: str | None = None
    id_tag: str | None = None
    stop_reason: str | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unread: tuple[str, ...] = ()


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class PriceBlock:
    """A price for a time of day: from `begins` to `ends`, such as "17:00" and "20:00".

    `days` are those of DAYS on which it holds, in their order; empty: every day. `extra` has what else limits it.
    """

    begins: str
    ends: str
    price: float
    days: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PricingReading:
    """The prices of a location, VAT included: per `unit` (kWh or minute), outside of `blocks` the `default`.

    `blocking_fee` is asked again for each interval (minutes) that a car stays after its session; the first is free.
    """

    location_id: str | None
    unit: str | None
    default: float | None
    blocks: tuple[PriceBlock, ...] = ()
    blocking_fee: float | None = None
    blocking_fee_interval_minutes: float | None = None
    currency: str | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ReportReading:
    """The platform's own figures of a range: completed sessions, energy, revenue, and two ratios from 0 to 1.

    `revenues` are by ISO 4217 currency, where the account tells them so; None is what it does not tell.
    """

    sessions: float | None
    energy_kwh: float | None
    revenue: float | None = None
    currency: str | None = None
    revenues: dict[str, float] = field(default_factory=dict, hash=False)
    utilisation: float | None = None
    uptime: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ExportReading:
    """An export that was ordered; `sessions` are there once its status is Ready."""

    id: str
    status: str | None
    sessions: tuple[SessionReading, ...] = ()
    set_aside: tuple["SetAside", ...] = ()


@dataclass(frozen=True, slots=True)
class DriverReading:
    """A driver of a fleet. Personal data: shown to operators who ask, never stored and never logged."""

    id: str
    name: str | None = None
    team_id: str | None = None
    active: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamReading:
    """A team of drivers."""

    id: str
    name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyReading:
    """A charge key: an RFID card or a vehicle's MAC address, as `kind` says; `tag` is what it tells a charger."""

    id: str
    kind: str | None = None
    tag: str | None = field(default=None, repr=False)
    driver_id: str | None = None
    active: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a good answer to a charger command said: one of COMMAND_STATUSES, another text as given, or nothing.

    `id` is that of the command itself, where it is still under way.
    """

    id: str | None = None
    status: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that could not be read: of which resource, its id where one was readable, why, and the row itself.

    A thing set aside is still there: it must not be taken for gone. `field` is the API's name of the field that could
    not be read, empty where the row itself could not; `parent` is the id of the charger around a connector's row.
    """

    resource: str
    key: str | None
    reason: str
    row_json: str
    field: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A field that could not be read in some row, which was kept without it: our name and the API's of it, and why."""

    resource: str
    name: str
    field: str
    reason: str


class Rest(Protocol):
    """A list that is left before its end, and that the client goes on with."""

    @property
    def bookmark(self) -> dict[str, Any] | None:
        """Where another process can go on, as JSON holds it; None where none could."""

    @property
    def told(self) -> str:
        """How far it came, in words."""


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """The answer to one list call, all pages together.

    `complete` is False where a page failed or rows kept moving; `error` then says why, and `rows` holds what did come.
    `clock_skew` is EOSVOLT's clock minus ours, from the first answer's Date header (to about a second). `retries` holds
    for each repeated call the kind of fault that it was repeated after; `cleaned` counts answers that held a character
    which no database stores, and in which U+FFFD stands for it now. `shortfall`, where it is not empty, says that the
    list never reached the total that EOSVOLT states: what came is good, but nothing is gone because it did not come.
    `unread` holds each field that could not be read in some of the rows. `rest`, where there is one, is for the client
    to go on with: the list is not walked to its end, and `rows` are those that came since it was last gone on with.
    At the end of a list of everything that is there, `rows` are all of it, and `new` the ids of those that came since
    it was last gone on with.
    `picked_up`: another process began it, so that `rows` are not all of it.
    """

    rows: tuple[T, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    complete: bool = True
    error: EosvoltError | None = None
    clock_skew: timedelta | None = None
    retries: tuple[str, ...] = ()
    cleaned: int = 0
    shortfall: str = ""
    unread: tuple[Unread, ...] = ()
    rest: "Rest | None" = None
    new: frozenset[str] | None = None
    picked_up: bool = False
