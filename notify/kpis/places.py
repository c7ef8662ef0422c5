"""Where sessions and connectors are, for figures of local days: each time zone with the condition of being in it.

A location without a zone that zoneinfo knows, and whatever has no location, is in the default zone. It counts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.schema import CHARGER, LOCATION
from storage.sql import json_list_contains

Zones = Mapping[str, ColumnElement[bool]]
"""Each time zone with the condition of a location's being in it."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """What of the network is looked at: one location or charger, the chargers with one label, or else all of it."""

    location: str | None = None
    label: str | None = None
    charger: str | None = None

    def of(self, table: sa.Table) -> ColumnElement[bool]:
        """Whether a row of sessions, connectors, alerts or locations belongs to it."""
        conditions: list[ColumnElement[bool]] = [sa.true()]
        if self.location is not None:
            conditions.append((table.c.id if table is LOCATION else table.c.location_id) == self.location)
        if self.charger is not None:
            place = sa.select(CHARGER.c.location_id).where(CHARGER.c.id == self.charger)
            conditions.append(LOCATION.c.id.in_(place) if table is LOCATION else table.c.charger_id == self.charger)
        if self.label is not None:
            labelled = json_list_contains(CHARGER.c.labels, sa.literal(self.label, sa.String))
            chargers = sa.select(CHARGER.c.location_id if table is LOCATION else CHARGER.c.id).where(labelled)
            conditions.append((table.c.id if table is LOCATION else table.c.charger_id).in_(chargers))
        return sa.and_(*conditions)


EVERYWHERE = Narrow()


@lru_cache(maxsize=1024)
def _is_zone(name: str | None) -> bool:
    try:
        ZoneInfo(name or "")
    except (OSError, ValueError, KeyError):  # a folder, a path, an unknown name
        return False
    return True


def location_zones(connection: Connection, default_zone: str) -> list[str]:
    """Every zone that a location is in, by name."""
    named = connection.execute(sa.select(LOCATION.c.timezone).distinct()).scalars()
    return sorted({zone if _is_zone(zone) else default_zone for zone in named})


def by_zone(zones: Sequence[str], only: str | None, default_zone: str) -> Zones:
    """Each zone with the condition of being in it; the default one has whatever has no zone that zoneinfo knows."""
    own = {zone: LOCATION.c.timezone == zone for zone in zones if zone != default_zone}
    strays = sa.or_(LOCATION.c.timezone.is_(None), LOCATION.c.timezone.not_in(list(own))) if own else sa.true()
    every: dict[str, ColumnElement[bool]] = {**own, default_zone: strays}
    return every if only is None else {only: every.get(only, sa.false())}
