"""The sessions that a digest tells about: how many, energy and money, by the local day on which each ended.

A session belongs to the local day on which it ended, in its location's zone. Figures are JSON-able and are compared to
find corrections; all but utilisation come of one pass over the sessions. Nothing here reads a clock.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.digests.slots import complete_to
from notify.kpis.impossible import possible, twice_among
from notify.kpis.places import EVERYWHERE, Narrow, by_zone, location_zones
from notify.kpis.scope import NETWORK_KEY, Scope, with_location
from notify.kpis.sessions import COMPLETED, drivers, new_drivers
from notify.kpis.times import LONGEST_SESSION, utilisation, utilisation_beside
from notify.kpis.totals import Totals, totals, totals_by_connector
from rules.documents.schedules import SETTLE
from rules.documents.windows import Period
from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION

TOP_CONNECTORS = 5
_CHARGERS_OF = sa.select(CONNECTOR.c.id, CONNECTOR.c.charger_id).where(
    CONNECTOR.c.id.in_(sa.bindparam("connectors", expanding=True))
)


def session_digest(
    connection: Connection,
    zone: str | None,
    period: Period,
    now: datetime,
    *,
    default_zone: str,
    narrow: Narrow = EVERYWHERE,
) -> dict[str, Any]:
    """The sessions that completed in a period, as JSON-able facts.

    `zone` None takes all locations, each with its own local day; an IANA name takes the locations of that zone alone.
    A location without a (known) zone, and a session without a location, are in `default_zone`. Energy in kWh, revenue
    by ISO 4217 currency. `before` holds the same of the period before, or None where no session is known that early.
    `complete_to`: the last good session poll (ISO 8601, UTC); `complete`: it lies after the end, settled. Until then
    what takes time counts as far as the time has come.
    """
    places = location_zones(connection, default_zone)
    zones = by_zone(places, zone, default_zone)
    known_to = complete_to(connection)
    end = max(period.whole().bounds(each)[1] for each in ([zone] if zone else places or [default_zone]))
    complete = known_to is not None and known_to >= end + SETTLE
    scope = Scope(zones, period, narrow)
    earlier = scope.over(period.before())
    whole = scope.over(period.whole())
    twice = twice_among(connection, earlier.outer[0] - LONGEST_SESSION, whole.outer[1])
    told, delivered = totals_by_connector(connection, whole, twice)
    return {
        "digest": "sessions",
        **_figures(connection, whole if complete else scope, told),
        **(_new_drivers(connection, scope) if told.tagged else {}),
        "zone": zone,
        **{name: told for name, told in (("location", narrow.location), ("label", narrow.label)) if told is not None},
        "top": _top_connectors(connection, whole, twice, delivered),
        "before": _figures(connection, earlier, totals(connection, earlier, twice))
        if _known_on(connection, earlier)
        else None,
        "complete_to": min(known_to, now).isoformat() if known_to is not None else None,
        "complete": complete,
        "late": False,
    }


def _new_drivers(connection: Connection, scope: Scope) -> dict[str, int]:
    whole = scope.over(scope.period.whole())
    return {"new_drivers": new} if (new := new_drivers(connection, whole).get(NETWORK_KEY)) else {}


def _figures(connection: Connection, scope: Scope, told: Totals) -> dict[str, Any]:
    whole = scope.over(scope.period.whole())
    known = drivers(connection, whole).get(NETWORK_KEY) if told.tagged else None
    return {
        **({"drivers": known} if known else {}),
        **scope.period.facts(),
        **({"impossible": dict(told.impossible)} if told.impossible else {}),
        "sessions": told.sessions,
        "energy_kwh": told.energy_kwh,
        "revenue": dict(told.revenue),
        "zero_energy": told.zero_energy,
        "locations": told.locations,
        # what is not over is used as far as the time has come: other sessions, other stretches of them
        "utilisation": utilisation_beside(connection, scope, told.used)
        if scope.is_whole
        else utilisation(connection, scope).get(NETWORK_KEY),
    }


def _top_connectors(
    connection: Connection, scope: Scope, twice: ColumnElement[bool], delivered: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The connectors that delivered the most, with the charger and the location that their sessions name."""
    energy = {name: kwh for name, kwh in delivered.items() if kwh > 0}
    most = heapq.nsmallest(TOP_CONNECTORS, energy, key=lambda name: (-energy[name], name))
    by_connector = _seen_of(connection, scope, most, twice)
    charger_of = dict(connection.execute(_CHARGERS_OF, {"connectors": most}).all())
    top = []
    for name in most:
        rows = by_connector[name]
        charger = max((row.charger_id for row in rows if row.charger_id), default=charger_of.get(name))
        location = max((row.location_id for row in rows if row.location_id), default=None)
        top.append(
            {
                "connector_id": name,
                "charger_name": _name_of(connection, CHARGER, charger),
                "location_name": _name_of(connection, LOCATION, location),
                "energy_kwh": energy[name],
                "sessions": sum(row.sessions for row in rows),
            }
        )
    return top


def _seen_of(
    connection: Connection, scope: Scope, connectors: Sequence[str], twice: ColumnElement[bool]
) -> dict[str, list[Any]]:
    """How many sessions completed on some connectors, at which chargers and locations."""
    of = (SESSION.c.connector_id, SESSION.c.location_id)
    charger, count = sa.func.max(SESSION.c.charger_id).label("charger_id"), sa.func.count().label("sessions")
    statement = (
        sa.select(*of, charger, count)
        .select_from(with_location(SESSION))
        .where(SESSION.c.connector_id.in_(connectors), scope.within(SESSION.c.ended_at), scope.of(SESSION))
        .where(COMPLETED, possible(twice))
        .group_by(*of)
    )
    seen: defaultdict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(statement):
        seen[row.connector_id].append(row)
    return seen


def _name_of(connection: Connection, table: sa.Table, key: str | None) -> str | None:
    return connection.execute(sa.select(table.c.name).where(table.c.id == key)).scalar() or key


def _known_on(connection: Connection, scope: Scope) -> bool:
    """Whether history reaches back to a period: some session of these places ended before that did."""
    period = scope.period.whole()
    reached = [sa.and_(here, SESSION.c.ended_at < period.bounds(zone)[1]) for zone, here in scope.zones.items()]
    found = sa.select(SESSION.c.id).select_from(with_location(SESSION)).where(sa.or_(*reached), scope.of(SESSION))
    return connection.execute(found.limit(1)).first() is not None
