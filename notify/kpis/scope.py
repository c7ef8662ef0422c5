"""Over what a KPI is measured: which places, in which period, and by which things it is told apart.

Each place counts by its own local days: the bounds of a row are those of its location's zone. It runs no query.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from notify.kpis.places import EVERYWHERE, Narrow, Zones
from rules.documents.windows import Period
from storage.schema import CONNECTOR, LOCATION, SESSION

MOMENT = SESSION.c.started_at.type


class By(StrEnum):
    """By which things a KPI is told apart."""

    NETWORK = "network"
    LOCATION = "location"
    CHARGER = "charger"
    CONNECTOR = "connector"


NETWORK_KEY = ""
"""The key of the whole network."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The places, each zone with its condition, and the period that a KPI is measured over."""

    zones: Zones
    period: Period
    narrow: Narrow = EVERYWHERE

    @property
    def here(self) -> ColumnElement[bool]:
        """The condition of being in one of the places."""
        return sa.or_(*self.zones.values())

    @property
    def start(self) -> ColumnElement[datetime]:
        """Where the period begins, for a row's location."""
        return self._bound(0)

    @property
    def end(self) -> ColumnElement[datetime]:
        """Where the period ends, for a row's location."""
        return self._bound(1)

    @property
    def outer(self) -> tuple[datetime, datetime]:
        """The earliest beginning and the latest end, for indexes."""
        bounds = [self.period.bounds(zone) for zone in self.zones]
        return min(start for start, _ in bounds), max(end for _, end in bounds)

    @property
    def first_end(self) -> datetime:
        """The earliest end of all, for indexes."""
        return min(self.period.bounds(zone)[1] for zone in self.zones)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the period is yet to come anywhere."""
        whole = self.period.whole()
        return all(self.period.bounds(zone) == whole.bounds(zone) for zone in self.zones)

    def over(self, period: Period) -> "Scope":
        """The same places in another period."""
        return replace(self, period=period)

    def of(self, table: sa.Table) -> ColumnElement[bool]:
        """Whether a row of a table, with its location, is one of these places and of what is looked at."""
        return sa.and_(self.here, self.narrow.of(table))

    def within(self, moment: ColumnElement[datetime]) -> ColumnElement[bool]:
        """Whether a moment lies in the period, for a row's location."""
        first, last = (sa.literal(bound, type_=MOMENT) for bound in self.outer)
        within = (moment >= first, moment < last, self.here)
        # with one zone alone its bounds are the outer ones
        return sa.and_(*within) if len(self.zones) == 1 else sa.and_(*within, moment >= self.start, moment < self.end)

    def _bound(self, which: int) -> ColumnElement[datetime]:
        cases = [
            (in_zone, sa.literal(self.period.bounds(zone)[which], type_=MOMENT)) for zone, in_zone in self.zones.items()
        ]
        # rows of no zone are left out by `here`: where there is one zone alone, nothing is to be asked of each row
        return cases[0][1] if len(cases) == 1 else sa.case(*cases)


def key_of(by: By, table: sa.Table) -> ColumnElement[str]:
    """What a session or a connector counts for."""
    if by is By.NETWORK:
        return sa.literal(NETWORK_KEY, sa.String)
    if by is By.CONNECTOR and table is CONNECTOR:
        return CONNECTOR.c.id
    return table.c[f"{by}_id"]


def with_location(table: sa.Table) -> sa.FromClause:
    """The rows of a table, each with its location where it has one."""
    return table.outerjoin(LOCATION, LOCATION.c.id == table.c.location_id)
