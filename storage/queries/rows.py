"""What a query of the stored state answers: frozen rows and pages of them, as commands and the Home tab show them.

They hold what is stored, in its units (aware UTC datetimes, kWh, kW); nothing here queries or renders.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list: `rows` from `offset` on, of `total` in all."""

    rows: tuple[T, ...]
    offset: int
    total: int


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """The fleet in numbers. `statuses` counts connectors by status (None: unknown), `charging_kw` their power."""

    locations: int
    chargers: int
    offline: int
    unknown_link: int
    connectors: int
    statuses: dict[str | None, int]
    charging_kw: float
    open_sessions: int
    firing: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class LocationRow:
    """A location with the numbers of what stands there."""

    id: str
    name: str
    address: str | None
    timezone: str | None
    currency: str | None
    support_contact: str | None
    gone_at: datetime | None
    chargers: int
    offline: int
    connectors: int
    available: int
    charging: int
    faulted: int
    firing: int


@dataclass(frozen=True, slots=True)
class ConnectorRow:
    """A connector, with where it is and the session that is open on it."""

    id: str
    charger_id: str
    charger_name: str
    charger_online: bool | None
    online_changed_at: datetime | None
    location_id: str | None
    location_name: str | None
    status: str | None
    status_raw: str | None
    status_changed_at: datetime
    error_code: str | None
    power_kw: float | None
    max_power_kw: float | None
    type: str | None
    gone_at: datetime | None
    session_id: str | None


@dataclass(frozen=True, slots=True)
class ChargerRow:
    """A charger with its connectors."""

    id: str
    name: str
    location_id: str | None
    location_name: str | None
    online: bool | None
    online_changed_at: datetime
    last_heartbeat: datetime | None
    vendor: str | None
    model: str | None
    firmware: str | None
    serial: str | None
    gone_at: datetime | None
    connectors: tuple[ConnectorRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A charging session, with where it is. `energy_kwh` and `cost` are those so far while it is open."""

    id: str
    status: str | None
    fail_reason: str | None
    stop_reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    energy_kwh: float | None
    cost: float | None
    currency: str | None
    connector_id: str | None
    charger_id: str | None
    charger_name: str | None
    location_id: str | None
    location_name: str | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert that fires."""

    id: int
    rule_id: str
    subject: str
    active_at: datetime
    acknowledged_at: datetime | None
    location_id: str | None
    location_name: str | None
    charger_id: str | None
    connector_id: str | None


@dataclass(frozen=True, slots=True)
class ChargerFilter:
    """Which chargers: all that is given must hold; `text` is looked for in ids, names and models, case aside."""

    status: str | None = None
    location: str | None = None
    online: bool | None = None
    text: str | None = None
    home: bool = False


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions: those open now, or those going on at some time in [since, until); `bookings`: only those."""

    open: bool = False
    bookings: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DataAge:
    """How old what is known is: `good_at` of the last complete poll; `stale` once later ones failed or stayed away."""

    good_at: datetime | None
    stale: bool
