"""What a problem costs while it stands: what usually comes in at this hour, who is charging, where else to charge.

A few queries by index, asked as a card is drawn. What is not known well enough is not said, and nothing is estimated
beyond what kept sessions show.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.kpis.impossible import POSSIBLE
from notify.kpis.sessions import COMPLETED, CURRENCY
from rules.documents.schedules import usable_zone
from rules.lifecycle import State
from storage.queries.state import is_open
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, SESSION

WEEKS = 8
ENOUGH_WEEKS, ENOUGH_SESSIONS = 4, 4
"""So many weeks must be kept, with so many sessions in this hour, before anything counts as usual."""
MOST_CONNECTORS = 50
OUT_OF_USE = ("Faulted", "Unavailable")
FAR_KM = 25.0
"""A connector farther away than this helps nobody who stands here."""
EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Free:
    """A connector that is free: on the same charger, at the same location, or so many km away at another."""

    connector_id: str
    charger_name: str | None
    same_charger: bool
    location_name: str | None = None
    km: float | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What a problem costs. `takings` are by ISO 4217 code, a week, in `hour` (local, 0 to 23) of this weekday."""

    running: int = 0
    takings: tuple[tuple[str, float], ...] = ()
    hour: int = 0
    free: Free | None = None

    @property
    def shown(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.running or self.takings or self.free)


NO_IMPACT = Impact()


def impact_of(connection: Connection, incident_ids: Sequence[int], now: datetime, default_zone: str = "UTC") -> Impact:
    """What the connectors cost that are out of use by what fires of these incidents; nothing where none is."""
    rows = connection.execute(_out_of_use(incident_ids)).all()
    if not rows or len(rows) > MOST_CONNECTORS:
        return NO_IMPACT
    ids = [row.id for row in rows]
    running = connection.execute(
        sa.select(sa.func.count()).select_from(SESSION).where(SESSION.c.connector_id.in_(ids), is_open())
    ).scalar_one()
    local = now.astimezone(ZoneInfo(usable_zone(rows[0].timezone, default_zone)))
    takings = _usual(connection, ids, local)
    return Impact(running, takings, local.hour if takings else 0, _free(connection, rows, ids))


def _out_of_use(incident_ids: Sequence[int]) -> sa.Select[tuple[str, str, str, str]]:
    """The connectors that these incidents stand on and that nobody can use, with where they are."""
    fires = (ALERT.c.incident_id.in_(incident_ids), ALERT.c.state == State.FIRING.value)
    on_connectors = sa.select(ALERT.c.connector_id).where(*fires, ALERT.c.connector_id.is_not(None))
    on_chargers = sa.select(ALERT.c.charger_id).where(
        *fires, ALERT.c.connector_id.is_(None), ALERT.c.charger_id.is_not(None)
    )
    return (
        sa.select(CONNECTOR.c.id, CONNECTOR.c.charger_id, CONNECTOR.c.location_id, LOCATION.c.timezone)
        .join(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
        .outerjoin(LOCATION, LOCATION.c.id == CONNECTOR.c.location_id)
        .where(
            sa.or_(CONNECTOR.c.id.in_(on_connectors), CONNECTOR.c.charger_id.in_(on_chargers)),
            sa.or_(CONNECTOR.c.status.in_(OUT_OF_USE), CHARGER.c.online.is_(False)),
            CONNECTOR.c.gone_at.is_(None),
        )
        .order_by(CONNECTOR.c.id)
        .limit(MOST_CONNECTORS + 1)
    )


def _usual(connection: Connection, ids: Sequence[str], local: datetime) -> tuple[tuple[str, float], ...]:
    """What these connectors took in a week, in this hour of it, by currency; nothing where too little is known."""
    began = local.replace(minute=0, second=0, microsecond=0)
    hours = [began - timedelta(weeks=week) for week in range(1, WEEKS + 1)]  # by the clock on the wall
    mine = SESSION.c.connector_id.in_(ids)
    first = sa.select(sa.func.min(SESSION.c.ended_at)).where(mine).scalar_subquery()
    rows = connection.execute(
        sa.select(
            CURRENCY,
            sa.func.sum(SESSION.c.cost).label("amount"),
            sa.func.count().label("sessions"),
            first.label("first"),
        )
        .select_from(SESSION.outerjoin(LOCATION, LOCATION.c.id == SESSION.c.location_id))
        .where(mine, sa.or_(*map(_within, hours)), COMPLETED, POSSIBLE, SESSION.c.cost.is_not(None))
        .group_by(CURRENCY)
        .order_by(CURRENCY)
    ).all()
    if not rows or sum(row.sessions for row in rows) < ENOUGH_SESSIONS:
        return ()
    kept = sum(hour + timedelta(hours=1) > rows[0].first for hour in hours)
    if kept < ENOUGH_WEEKS:
        return ()
    return tuple((row.currency, row.amount / kept) for row in rows if row.amount and row.currency)


def _within(hour: datetime) -> ColumnElement[bool]:
    return sa.and_(SESSION.c.ended_at >= hour, SESSION.c.ended_at < hour + timedelta(hours=1))


def _free(connection: Connection, rows: Sequence[sa.Row[tuple[str, str, str, str]]], ids: Sequence[str]) -> Free | None:
    """The nearest connector that is free: of the same chargers, then of the same locations."""
    chargers = {row.charger_id for row in rows}
    places = {row.location_id for row in rows if row.location_id is not None}
    nearer = sa.case((CONNECTOR.c.charger_id.in_(chargers), 0), else_=1)
    found = connection.execute(
        sa.select(CONNECTOR.c.id, CONNECTOR.c.charger_id, CHARGER.c.name)
        .join(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
        .where(CONNECTOR.c.location_id.in_(places), CONNECTOR.c.id.not_in(ids), *CAN_BE_USED)
        .order_by(nearer, CHARGER.c.name, CONNECTOR.c.id)
        .limit(1)
    ).first()
    if found is None:
        return _free_elsewhere(connection, places)
    return Free(found.id, found.name or None, found.charger_id in chargers)


CAN_BE_USED = (
    CONNECTOR.c.status == "Available",
    CONNECTOR.c.gone_at.is_(None),
    CONNECTOR.c.stale_since.is_(None),
    CHARGER.c.online.is_(True),
)
"""A connector is free, on a charger that is online, and both were seen lately."""


def _free_elsewhere(connection: Connection, places: Collection[str]) -> Free | None:
    """The nearest connector that is free elsewhere, within FAR_KM of the one place where all of this is."""
    if len(places) != 1:
        return None
    lies = sa.select(LOCATION.c.latitude, LOCATION.c.longitude).where(LOCATION.c.id.in_(places))
    here = connection.execute(lies).first()
    if here is None or not _lies(here):
        return None
    high = math.degrees(FAR_KM / EARTH_KM)
    near = sa.select(LOCATION.c.id, LOCATION.c.name, LOCATION.c.latitude, LOCATION.c.longitude)
    near = near.where(
        LOCATION.c.id.not_in(places),
        LOCATION.c.gone_at.is_(None),
        LOCATION.c.latitude.between(here.latitude - high, here.latitude + high),
        sa.exists().where(
            CONNECTOR.c.location_id == LOCATION.c.id, CHARGER.c.id == CONNECTOR.c.charger_id, *CAN_BE_USED
        ),
    )
    ranked = [(km_between(here, row), row.id, row) for row in connection.execute(near) if _lies(row)]
    km, _, place = min(ranked, default=(math.inf, "", None), key=lambda one: one[:2])
    if place is None or km > FAR_KM:
        return None
    first = sa.select(CONNECTOR.c.id, CHARGER.c.name).join(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
    first = first.where(CONNECTOR.c.location_id == place.id, *CAN_BE_USED).order_by(CHARGER.c.name, CONNECTOR.c.id)
    found = connection.execute(first.limit(1)).one()
    return Free(found.id, found.name or None, same_charger=False, location_name=place.name or place.id, km=km)


def _lies(place: Any) -> bool:
    """Whether it is told where a place lies: 0, 0 is what systems write that do not know."""
    return None not in (place.latitude, place.longitude) and (place.latitude, place.longitude) != (0, 0)


def km_between(one: Any, other: Any) -> float:
    """The distance of two places over the ground, as the crow flies (haversine formula, on a sphere)."""
    north, other_north = math.radians(one.latitude), math.radians(other.latitude)
    across = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    chord = math.sin((other_north - north) / 2) ** 2 + math.cos(north) * math.cos(other_north) * across
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, chord)))
