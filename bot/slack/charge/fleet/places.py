"""Where exported sessions count: each location by its own days and in its own currency, as digests and reports do.

A session without a location, or at one without a known zone, counts in the service's zone. It asks the database once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection

from eosvolt.models import SessionReading
from rules.documents.schedules import usable_zone
from rules.documents.windows import day_bounds
from storage.schema import LOCATION


@dataclass(frozen=True, slots=True)
class Places:
    """The zones and currencies of locations by id; `default` is the zone of everything else."""

    default: str
    zone_by_id: Mapping[str, str] = field(default_factory=dict)
    currency_by_id: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def zones(self) -> frozenset[str]:
        """Every zone that a session can count in."""
        return frozenset(self.zone_by_id.values()) or frozenset((self.default,))

    def zone_of(self, location_id: str | None) -> str:
        """The zone of a location."""
        return self.zone_by_id.get(location_id or "", self.default)

    def bounds(self, first: date, last: date) -> tuple[datetime, datetime]:
        """From when the earliest to when the latest of the zones has these local days, in UTC."""
        every = self.zones | {self.default} if len(self.zone_by_id) != 1 else self.zones
        return min(day_bounds(first, zone)[0] for zone in every), max(day_bounds(last, zone)[1] for zone in every)

    def told_of(self, sessions: Iterable[SessionReading], first: date, last: date) -> list[SessionReading]:
        """The sessions that ended on these days of their own locations, each in its currency or its location's."""
        return [self._with_currency(one) for one in sessions if self._ended_on(one, first, last)]

    def _ended_on(self, session: SessionReading, first: date, last: date) -> bool:
        if session.ended_at is None:
            return True
        return first <= session.ended_at.astimezone(ZoneInfo(self.zone_of(session.location_id))).date() <= last

    def _with_currency(self, session: SessionReading) -> SessionReading:
        of_place = self.currency_by_id.get(session.location_id or "") if session.cost is not None else None
        currency = (session.currency or of_place or "").upper() or None
        return session if currency == session.currency else replace(session, currency=currency)


def places_of(connection: Connection, default: str, location_id: str | None = None) -> Places:
    """The zones and currencies of all locations, or of one."""
    rows = connection.execute(
        sa.select(LOCATION.c.id, LOCATION.c.timezone, LOCATION.c.currency).where(
            sa.true() if location_id is None else LOCATION.c.id == location_id
        )
    ).all()
    zones = {row.id: usable_zone(row.timezone, default) for row in rows}
    return Places(default, zones, {row.id: row.currency for row in rows})
