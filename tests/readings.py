"""Readings for tests: one connector on one charger at one location, with only what a test cares about said."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from eosvolt.models import CONNECTOR_STATUSES, ChargerReading, ConnectorReading, LocationReading, SessionReading
from storage.engine import Database
from storage.polls import after_good_poll, poll_states, store_poll_states
from storage.record import record_readings
from storage.recording.reading_rows import Observation

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    """A moment on the tests' day: `at("10:05")`, `at("10:05:30")`."""
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return T0.replace(hour=hours, minute=minutes, second=seconds[0] if seconds else 0)


def connector(
    connector_id: str = "c1", status: str | None = "Available", *, charger: str = "ch1", **values: Any
) -> ConnectorReading:
    """A connector's reading; a status outside OCPP's nine is unknown, with its raw text."""
    known = status if status in CONNECTOR_STATUSES else None
    return ConnectorReading(id=connector_id, charger_id=charger, status=known, status_raw=status, **values)


def charger(
    *connectors: ConnectorReading, charger_id: str = "ch1", online: bool | None = True, **values: Any
) -> ChargerReading:
    """A charger's reading with its connectors."""
    values = {"location_id": "l1", "name": f"Charger {charger_id}", **values}
    return ChargerReading(id=charger_id, online=online, connectors=connectors, **values)


def location(location_id: str = "l1", **values: Any) -> LocationReading:
    """A location's reading."""
    return LocationReading(id=location_id, **{"name": f"Location {location_id}", "timezone": "UTC", **values})


def session(session_id: str, *, started: datetime | None, **values: Any) -> SessionReading:
    """A charging session's reading, open unless the values say otherwise."""
    ended = values.get("ended_at")
    base = {
        "connector_id": "c1",
        "charger_id": "ch1",
        "location_id": "l1",
        "status": "Completed" if ended else "Active",
        "type": "OnDemand",
        "fail_reason": None,
    }
    return SessionReading(id=session_id, started_at=started, **{**base, **values})


def poll(
    database: Database,
    now: datetime,
    *readings: Any,
    resource: str = "chargers",
    interval: timedelta = MINUTE,
    seen: dict[str, set[str]] | None = None,
) -> None:
    """Record one good poll: its readings and its end, in one transaction."""
    with database.write() as connection:
        record_poll(connection, now, *readings, resource=resource, interval=interval, seen=seen)


def record_poll(
    connection: Connection,
    now: datetime,
    *readings: Any,
    resource: str = "chargers",
    interval: timedelta = MINUTE,
    seen: dict[str, set[str]] | None = None,
    plain_tags: bool = False,
) -> None:
    """As `poll`, in the caller's transaction; without `plain_tags` nothing is kept of who charges."""
    state = poll_states(connection).get(resource)
    record_readings(
        connection, list(readings), Observation(now, state.good_at if state else None, plain_tags=plain_tags)
    )
    store_poll_states(connection, [after_good_poll(connection, resource, now, interval, state=state, seen=seen)])
