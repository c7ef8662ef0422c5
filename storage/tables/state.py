"""What is true now, one row a thing, and its history as intervals.

Each row carries the `changed_seq` at which it last changed, and where some values hardly ever stand still (power, the
heartbeat's age, energy and cost) the `news_seq` at which anything else did. `unread` names the fields of its last
reading that could not be read, between commas; `stale_since` is set while the thing itself cannot be read: what the
row says is then old.
"""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import JSON_COLUMN, Json


def _stale(table: str) -> Index:
    """What cannot be read now: hardly ever anything, and asked at every look at an aggregate."""
    old = text("stale_since IS NOT NULL")
    return Index(f"{table}_stale", "id", sqlite_where=old, postgresql_where=old)


class Counter(SQLModel, table=True):
    """A growing number; the row `changed` gives every write of state its `changed_seq`."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True)
    value: int = 0


class Location(SQLModel, table=True):
    """A place with chargers, as the API last told it."""

    __tablename__ = "location"
    id: str = Field(primary_key=True)
    name: str = ""
    type: str | None = None
    address: str | None = None
    timezone: str | None = None
    currency: str | None = None
    support_contact: str | None = None
    blocking_fee_interval_minutes: float | None = None
    latitude: float | None = None  # degrees, WGS 84
    longitude: float | None = None
    price: str | None = None  # as storage.recording.prices keeps it; None: not known
    price_changed_at: datetime
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    missed_sweeps: int = 0
    gone_at: datetime | None = None
    stale_since: datetime | None = None
    unread: str | None = None


class Charger(SQLModel, table=True):
    """A charge point (OCPP) of a location, as the API last told it."""

    __tablename__ = "charger"
    __table_args__ = (_stale("charger"),)
    id: str = Field(primary_key=True)
    location_id: str | None = Field(default=None, index=True)
    previous_location_id: str | None = None  # where it was before it last changed: elsewhere only if it moved then
    name: str = ""
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    online: bool | None = None
    online_changed_at: datetime
    last_heartbeat: datetime | None = None
    heartbeat_interval_s: float | None = None
    heartbeat_age_s: float | None = None  # observed at minus last heartbeat, of one reading: never of the clock
    heartbeat_changed_at: datetime  # when a reading last told another age
    labels: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    news_seq: int = Field(default=0, index=True, sa_column_kwargs={"server_default": text("0")})
    missed_sweeps: int = 0
    gone_at: datetime | None = None
    stale_since: datetime | None = None
    unread: str | None = None


class Connector(SQLModel, table=True):
    """A connector (a "plug" in operator screens), as the API last told it."""

    __tablename__ = "connector"
    __table_args__ = (
        # where an alert begins: connectors of a status, all of them or those of which there is news
        Index("connector_status", "status", "news_seq"),
        _stale("connector"),
    )
    id: str = Field(primary_key=True)
    charger_id: str = Field(index=True)
    previous_charger_id: str | None = None  # as `previous_location_id` of a charger
    location_id: str | None = Field(default=None, index=True)
    status: str | None = None  # one of OCPP 1.6's nine, else unknown
    status_raw: str | None = None
    status_changed_at: datetime
    error_code: str | None = None
    error_code_changed_at: datetime
    code_missing_since: datetime | None = None  # from then on the API told no code, though the fault lasts
    vendor_error_code: str | None = None
    power_kw: float | None = None
    power_changed_at: datetime
    max_power_kw: float | None = None
    type: str | None = None
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    news_seq: int = Field(default=0, index=True, sa_column_kwargs={"server_default": text("0")})
    missed_sweeps: int = 0
    gone_at: datetime | None = None
    stale_since: datetime | None = None
    unread: str | None = None


class ChargingSession(SQLModel, table=True):
    """One charging event on one connector. `id_tag` is a keyed hash unless the operator turned the plain text on."""

    __tablename__ = "charging_session"
    __table_args__ = (
        Index("charging_session_ended", "ended_at", "location_id"),  # digests and reports
        # a rule's windows over the sessions of a thing, and the sessions that a change of it reaches
        Index("charging_session_of_connector", "connector_id", "ended_at"),
        Index("charging_session_of_charger", "charger_id", "ended_at"),
        Index("charging_session_of_location", "location_id", "ended_at"),
        _stale("charging_session"),
    )
    id: str = Field(primary_key=True)
    connector_id: str | None = Field(default=None, index=True)
    charger_id: str | None = None
    location_id: str | None = None
    status: str | None = None
    status_changed_at: datetime
    type: str | None = None
    fail_reason: str | None = None
    started_at: datetime | None = Field(default=None, index=True)  # the newest sessions first
    ended_at: datetime | None = None
    energy_kwh: float | None = None
    energy_changed_at: datetime
    previous_energy_kwh: float | None = None  # what it was before the row last changed, and since when
    previous_energy_at: datetime | None = None
    cost: float | None = None
    currency: str | None = None
    id_tag: str | None = None
    stop_reason: str | None = None
    sampled_at: datetime | None = None
    pending_until: datetime | None = None  # when a poll saw that it was Pending no longer: backtests ask
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    news_seq: int = Field(default=0, index=True, sa_column_kwargs={"server_default": text("0")})
    stale_since: datetime | None = None
    unread: str | None = None


class SessionSample(SQLModel, table=True):
    """The energy of an open session: about every 5 minutes, and where it stood still, began to move or fell."""

    __tablename__ = "session_sample"
    session_id: str = Field(primary_key=True)
    at: datetime = Field(primary_key=True)
    energy_kwh: float | None = None


class Interval(SQLModel, table=True):
    """A field of a thing had a value from `valid_from` (inclusive) to `valid_to` (exclusive; null: still has it).

    While a connector cannot be read, `stale` has one too: what its other fields say then was not observed. Where a
    thing was before it moved, and a life of it that has ended (`there`), have one each that is closed from the start.
    """

    __tablename__ = "interval"
    __table_args__ = (
        Index("interval_of_thing", "thing", "thing_id", "field", "valid_from"),
        # at most one open interval a field: record closes the old one before it opens the new one
        Index(
            "interval_open",
            "thing",
            "field",
            "thing_id",
            unique=True,
            sqlite_where=text("valid_to IS NULL"),
            postgresql_where=text("valid_to IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    thing: str
    thing_id: str
    field: str
    value: str | None = None
    valid_from: datetime
    valid_to: datetime | None = None
