"""What commands and the Home tab ask of the stored state: counts, lists in pages, one thing, the closest ids.

Each answer is frozen and costs a fixed number of set-based queries, however large the fleet. Nothing here writes,
renders or reads a clock. Things that are gone are counted and listed nowhere, but still found by their id.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table

from storage.dialects import AnyRow
from storage.polls import poll_states
from storage.prepared import Prepared
from storage.queries.rows import (
    AlertRow,
    ChargerFilter,
    ChargerRow,
    ConnectorRow,
    DataAge,
    FleetCounts,
    LocationRow,
    Page,
    SessionFilter,
    SessionRow,
)
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, SESSION
from storage.sql import json_list_contains

Kind = Literal["location", "charger", "connector", "session"]
TABLES: dict[Kind, Table] = {"location": LOCATION, "charger": CHARGER, "connector": CONNECTOR, "session": SESSION}
CANDIDATES = 5_000  # ids that difflib looks at: about a tenth of a second
FIRING = "firing"


def data_age(connection: Connection, resource: str, now: datetime, interval: timedelta) -> DataAge:
    """How old a resource's data is; stale after a failed poll, or three intervals without a good one."""
    state = poll_states(connection, now).get(resource)
    if state is None or state.good_at is None:
        return DataAge(None, stale=True)
    return DataAge(state.good_at, stale=state.failures > 0 or now - state.good_at > 3 * interval)


def _counting(table: Table, *conditions: ColumnElement[bool]) -> Select[Any]:
    return sa.select(sa.func.count()).select_from(table).where(*conditions)


_CHARGERS_COUNTED = Prepared(
    sa.select(
        sa.func.count().label("chargers"),
        sa.func.count().filter(CHARGER.c.online.is_(False)).label("offline"),
        sa.func.count().filter(CHARGER.c.online.is_(None)).label("unknown"),
    ).where(CHARGER.c.gone_at.is_(None))
)
_STATUSES_COUNTED = Prepared(
    sa.select(CONNECTOR.c.status, sa.func.count().label("number"), sa.func.sum(CONNECTOR.c.power_kw).label("kw"))
    .where(CONNECTOR.c.gone_at.is_(None))
    .group_by(CONNECTOR.c.status)
)
_ALERTS_COUNTED = Prepared(
    sa.select(
        sa.func.count().label("firing"),
        sa.func.count().filter(ALERT.c.acknowledged_at.is_not(None)).label("acknowledged"),
    ).where(ALERT.c.state == FIRING)
)
_LOCATIONS_COUNTED = Prepared(_counting(LOCATION, LOCATION.c.gone_at.is_(None)))
_SESSIONS_COUNTED = Prepared(_counting(SESSION, SESSION.c.ended_at.is_(None)))


def fleet_counts(connection: Connection) -> FleetCounts:
    """Count the fleet."""
    chargers, statuses = _CHARGERS_COUNTED.first(connection), _STATUSES_COUNTED.all(connection)
    alerts = _ALERTS_COUNTED.first(connection)
    return FleetCounts(
        locations=_LOCATIONS_COUNTED.scalar(connection),
        chargers=chargers.chargers,
        offline=chargers.offline,
        unknown_link=chargers.unknown,
        connectors=sum(row.number for row in statuses),
        statuses={row.status: row.number for row in statuses},
        charging_kw=sum(row.kw or 0 for row in statuses if row.status == "Charging"),
        open_sessions=_SESSIONS_COUNTED.scalar(connection),
        firing=alerts.firing,
        acknowledged=alerts.acknowledged,
    )


def list_locations(connection: Connection, offset: int, limit: int) -> Page[LocationRow]:
    """A page of the locations, those with the most trouble first."""
    present = LOCATION.c.gone_at.is_(None)
    counted = _locations().where(present).subquery()
    trouble = counted.c.faulted + counted.c.offline
    rows = connection.execute(
        sa.select(counted).order_by(trouble.desc(), counted.c.name, counted.c.id).offset(offset).limit(limit)
    )
    return Page(tuple(LocationRow(*row) for row in rows), offset, _count(connection, LOCATION, present))


def find_location(connection: Connection, location_id: str) -> LocationRow | None:
    """The location with this id."""
    row = connection.execute(_locations(location_id).where(LOCATION.c.id == location_id)).first()
    return LocationRow(*row) if row is not None else None


def list_chargers(connection: Connection, which: ChargerFilter, offset: int, limit: int) -> Page[ChargerRow]:
    """A page of the chargers that pass a filter, by location and name, each with its connectors."""
    conditions = list(_charger_conditions(which))
    rows = connection.execute(
        _chargers()
        .where(*conditions)
        .order_by(LOCATION.c.name, CHARGER.c.name, CHARGER.c.id)
        .offset(offset)
        .limit(limit)
    ).all()
    total = connection.execute(
        sa.select(sa.func.count())
        .select_from(CHARGER.outerjoin(LOCATION, LOCATION.c.id == CHARGER.c.location_id))
        .where(*conditions)
    ).scalar_one()
    return Page(_with_connectors(connection, rows), offset, total)


def find_charger(connection: Connection, charger_id: str) -> ChargerRow | None:
    """The charger with this id."""
    rows = connection.execute(_chargers().where(CHARGER.c.id == charger_id)).all()
    return next(iter(_with_connectors(connection, rows)), None)


def find_connector(connection: Connection, connector_id: str) -> ConnectorRow | None:
    """The connector with this id."""
    row = connection.execute(_connectors().where(CONNECTOR.c.id == connector_id)).first()
    return ConnectorRow(*row) if row is not None else None


def list_sessions(connection: Connection, which: SessionFilter, offset: int, limit: int) -> Page[SessionRow]:
    """A page of the sessions that pass a filter, the newest first."""
    conditions: list[ColumnElement[bool]] = []
    if which.bookings:
        conditions.append(SESSION.c.type == "Booking")
    if which.open:
        conditions.append(SESSION.c.ended_at.is_(None))
    if which.since is not None:
        conditions.append(sa.or_(SESSION.c.ended_at.is_(None), SESSION.c.ended_at >= which.since))
    if which.until is not None:
        conditions.append(SESSION.c.started_at < which.until)
    rows = connection.execute(
        _sessions()
        .where(*conditions)
        .order_by(sa.func.coalesce(SESSION.c.started_at, SESSION.c.first_seen_at).desc(), SESSION.c.id)
        .offset(offset)
        .limit(limit)
    )
    return Page(tuple(SessionRow(*row) for row in rows), offset, _count(connection, SESSION, *conditions))


def find_session(connection: Connection, session_id: str) -> SessionRow | None:
    """The session with this id."""
    row = connection.execute(_sessions().where(SESSION.c.id == session_id)).first()
    return SessionRow(*row) if row is not None else None


def open_session_on(connection: Connection, connector_id: str) -> SessionRow | None:
    """The newest session that is open on a connector."""
    row = connection.execute(
        _sessions()
        .where(SESSION.c.connector_id == connector_id, SESSION.c.ended_at.is_(None))
        .order_by(SESSION.c.started_at.desc(), SESSION.c.id.desc())
        .limit(1)
    ).first()
    return SessionRow(*row) if row is not None else None


def open_alerts(connection: Connection, limit: int, **where: str) -> tuple[AlertRow, ...]:
    """The alerts that fire, the unacknowledged first, then the oldest; `where` names columns such as `charger_id`."""
    rows = connection.execute(
        sa.select(
            ALERT.c.id,
            ALERT.c.rule_id,
            ALERT.c.subject,
            ALERT.c.active_at,
            ALERT.c.acknowledged_at,
            ALERT.c.location_id,
            LOCATION.c.name,
            ALERT.c.charger_id,
            ALERT.c.connector_id,
        )
        .select_from(ALERT.outerjoin(LOCATION, LOCATION.c.id == ALERT.c.location_id))
        .where(ALERT.c.state == FIRING, *(ALERT.c[name] == value for name, value in where.items()))
        .order_by(ALERT.c.acknowledged_at.is_not(None), ALERT.c.active_at, ALERT.c.id)
        .limit(limit)
    )
    return tuple(AlertRow(*row) for row in rows)


def nearest_ids(connection: Connection, kind: Kind, wrong: str, number: int = 3) -> tuple[str, ...]:
    """The known ids that a wrong one resembles most, the closest first; none where nothing is near.

    First among the ids that begin alike, then among all of about the same length.
    """
    table = TABLES[kind]
    present = [table.c.gone_at.is_(None)] if "gone_at" in table.c else []
    length = sa.func.abs(sa.func.length(table.c.id) - len(wrong)) <= 3
    prefix = wrong[: max(1, len(wrong) // 2)]
    alike = sa.func.lower(sa.func.substr(table.c.id, 1, len(prefix))) == prefix.lower()
    for conditions in ([alike], [length]):
        statement = sa.select(table.c.id).where(*present, *conditions).order_by(table.c.id.desc()).limit(CANDIDATES)
        by_lower = {str(known).lower(): str(known) for known in connection.execute(statement).scalars()}
        found = get_close_matches(wrong.lower(), by_lower, n=number, cutoff=0.6)
        if found:
            return tuple(by_lower[match] for match in found)
    return ()


def first_id(connection: Connection, kind: Kind, *conditions: ColumnElement[bool]) -> str | None:
    """An id of this kind that is known and present, for examples that work when pasted."""
    table = TABLES[kind]
    present = [table.c.gone_at.is_(None)] if "gone_at" in table.c else []
    found: str | None = connection.execute(
        sa.select(table.c.id).where(*present, *conditions).order_by(table.c.id).limit(1)
    ).scalar_one_or_none()
    return found


def is_available() -> ColumnElement[bool]:
    """The condition of a connector that is free, on a charger that is online."""
    online = sa.select(CHARGER.c.id).where(CHARGER.c.online)
    return sa.and_(CONNECTOR.c.status == "Available", CONNECTOR.c.charger_id.in_(online))


def is_out_of_service() -> ColumnElement[bool]:
    """The condition of a connector that was taken out of service, on a charger that is online."""
    online = sa.select(CHARGER.c.id).where(CHARGER.c.online)
    return sa.and_(CONNECTOR.c.status == "Unavailable", CONNECTOR.c.charger_id.in_(online))


def is_online() -> ColumnElement[bool]:
    """The condition of a charger that is online."""
    return CHARGER.c.online.is_(True)


def is_open() -> ColumnElement[bool]:
    """The condition of a session that goes on."""
    return SESSION.c.ended_at.is_(None)


def _count(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(_counting(table, *conditions)).scalar_one())


def _locations(only: str | None = None) -> Select[Any]:
    # each table is grouped once: a count for each location would look at all alerts again and again
    plug = CONNECTOR.c.status
    statuses = {"available": plug == "Available", "charging": plug == "Charging", "faulted": plug == "Faulted"}
    counted: tuple[tuple[Table, ColumnElement[bool], dict[str, ColumnElement[bool]]], ...] = (
        (CHARGER, CHARGER.c.gone_at.is_(None), {"chargers": sa.true(), "offline": CHARGER.c.online.is_(False)}),
        (CONNECTOR, CONNECTOR.c.gone_at.is_(None), {"connectors": sa.true(), **statuses}),
        (ALERT, ALERT.c.state == FIRING, {"firing": sa.true()}),
    )
    joined: FromClause = LOCATION
    columns: list[ColumnElement[Any]] = [
        LOCATION.c[name] for name in ("id", "name", "address", "timezone", "currency", "support_contact", "gone_at")
    ]
    for table, where, counts in counted:
        numbers = [sa.func.count().filter(condition).label(name) for name, condition in counts.items()]
        here = table.c.location_id == only if only is not None else sa.true()
        grouped = sa.select(table.c.location_id, *numbers).where(where, here).group_by(table.c.location_id).subquery()
        joined = joined.outerjoin(grouped, grouped.c.location_id == LOCATION.c.id)
        columns += [sa.func.coalesce(grouped.c[name], 0).label(name) for name in counts]
    return sa.select(*columns).select_from(joined)


def _chargers() -> Select[Any]:
    names = ("online", "online_changed_at", "last_heartbeat", "vendor", "model", "firmware", "serial", "gone_at")
    place = LOCATION.c.name.label("location_name")
    return sa.select(
        CHARGER.c.id, CHARGER.c.name, CHARGER.c.location_id, place, *(CHARGER.c[name] for name in names)
    ).select_from(CHARGER.outerjoin(LOCATION, LOCATION.c.id == CHARGER.c.location_id))


def _charger_conditions(which: ChargerFilter) -> Iterator[ColumnElement[bool]]:
    yield CHARGER.c.gone_at.is_(None)
    if which.status is not None:
        status = sa.or_(CONNECTOR.c.status == which.status, CONNECTOR.c.status_raw == which.status)
        yield CHARGER.c.id.in_(sa.select(CONNECTOR.c.charger_id).where(status, CONNECTOR.c.gone_at.is_(None)))
    if which.location is not None:
        yield CHARGER.c.location_id == which.location
    if which.home:
        yield json_list_contains(CHARGER.c.labels, sa.literal("home"))
    if which.online is not None:
        yield CHARGER.c.online.is_(which.online)
    if which.text is not None:
        looked_in = (CHARGER.c.id, CHARGER.c.name, CHARGER.c.vendor, CHARGER.c.model, LOCATION.c.name)
        yield sa.or_(*(sa.func.lower(column).contains(which.text.lower(), autoescape=True) for column in looked_in))


def _with_connectors(connection: Connection, rows: Sequence[AnyRow]) -> tuple[ChargerRow, ...]:
    ids = [row.id for row in rows]
    statement = _connectors().where(CONNECTOR.c.charger_id.in_(ids), CONNECTOR.c.gone_at.is_(None))
    by_charger: dict[str, list[ConnectorRow]] = {}
    for row in connection.execute(statement.order_by(CONNECTOR.c.id)) if ids else ():
        by_charger.setdefault(row.charger_id, []).append(ConnectorRow(*row))
    return tuple(ChargerRow(**row._mapping, connectors=tuple(by_charger.get(row.id, ()))) for row in rows)


def _connectors() -> Select[Any]:
    names = ("status", "status_raw", "status_changed_at", "error_code", "power_kw", "max_power_kw", "type", "gone_at")
    # null where the charger itself was never told: then its connector has no known place either
    location_id = sa.func.coalesce(CONNECTOR.c.location_id, CHARGER.c.location_id)
    open_session = (
        sa.select(sa.func.max(SESSION.c.id))
        .where(SESSION.c.connector_id == CONNECTOR.c.id, SESSION.c.ended_at.is_(None))
        .correlate(CONNECTOR)
        .scalar_subquery()
    )
    return sa.select(
        CONNECTOR.c.id,
        CONNECTOR.c.charger_id,
        sa.func.coalesce(CHARGER.c.name, "").label("charger_name"),
        CHARGER.c.online,
        CHARGER.c.online_changed_at,
        location_id.label("location_id"),
        LOCATION.c.name.label("location_name"),
        *(CONNECTOR.c[name] for name in names),
        open_session.label("session_id"),
    ).select_from(
        CONNECTOR.outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id).outerjoin(
            LOCATION, LOCATION.c.id == location_id
        )
    )


def _sessions() -> Select[Any]:
    names = (
        *("id", "status", "fail_reason", "stop_reason", "started_at", "ended_at"),
        *("energy_kwh", "cost", "currency", "connector_id", "charger_id"),
    )
    return sa.select(
        *(SESSION.c[name] for name in names),
        CHARGER.c.name.label("charger_name"),
        SESSION.c.location_id,
        LOCATION.c.name.label("location_name"),
    ).select_from(
        SESSION.outerjoin(CHARGER, CHARGER.c.id == SESSION.c.charger_id).outerjoin(
            LOCATION, LOCATION.c.id == SESSION.c.location_id
        )
    )
