"""For whom a digest speaks: once for each time zone, in one zone, or once for each location.

A voice is told by its key: an IANA name, or that and a location's id (`Europe/Copenhagen l1`), so that a location that
comes into another zone is a new voice. Nothing here says anything or reads a clock.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.kpis.places import Narrow, location_zones
from rules.documents.schedules import usable_zone
from storage.schema import LOCATION

EACH_LOCATION = "location"
"""The `timezone` of a rule that follows the clock of each of its locations."""

MOST_VOICES = 30
"""For how many locations there is a message each: for more there is one a zone, which says so."""


class SpeakingRule(Protocol):
    """What says for whom a rule speaks; `each` is EACH_LOCATION for one message a location, else None."""

    @property
    def timezone(self) -> str | None: ...
    @property
    def each(self) -> str | None: ...
    @property
    def location(self) -> str | None: ...
    @property
    def label(self) -> str | None: ...


def place_of(key: str) -> tuple[str, str | None]:
    """The time zone of a voice, and its location where it speaks of one alone."""
    zone, _, location = key.partition(" ")
    return zone, location or None


def voices_of(connection: Connection, rule: SpeakingRule, default_zone: str) -> list[str]:
    """The voices that a rule may have, by their keys."""
    if rule.each is not None:
        zones = locations_of(connection, rule, default_zone)
        if len(zones) <= MOST_VOICES:
            return sorted(f"{zone} {location}" for location, zone in zones.items())
    if rule.timezone != EACH_LOCATION:
        return [rule.timezone or default_zone]
    if rule.location is not None:
        there = sa.select(LOCATION.c.timezone).where(LOCATION.c.id == rule.location)
        return [usable_zone(connection.execute(there).scalar(), default_zone)]
    return sorted({*location_zones(connection, default_zone), default_zone})


def locations_of(connection: Connection, rule: SpeakingRule, default_zone: str) -> dict[str, str]:
    """The locations that a rule tells about and that are there, each with the zone whose clock it follows."""
    there = (Narrow(rule.location, rule.label).of(LOCATION), LOCATION.c.gone_at.is_(None))
    rows = connection.execute(sa.select(LOCATION.c.id, LOCATION.c.timezone).where(*there)).all()
    fixed = None if rule.timezone == EACH_LOCATION else rule.timezone or default_zone
    return {row.id: fixed or usable_zone(row.timezone, default_zone) for row in rows}


def first_seen(connection: Connection) -> Mapping[str, datetime]:
    """When each voice could first be heard: when the first location of a zone was seen, or the location itself."""
    seen: dict[str, datetime] = {}
    rows = connection.execute(sa.select(LOCATION.c.id, LOCATION.c.timezone, LOCATION.c.first_seen_at))
    for row in rows:
        seen[row.timezone] = min(row.first_seen_at, seen.get(row.timezone, row.first_seen_at))
        seen[f"{row.timezone} {row.id}"] = row.first_seen_at
    return seen
