"""The sessions that a digest tells about: how many, energy and money, by the local day on which each ended.

A session belongs to the local day on which it ended, in its location's zone. Figures are JSON-able and are compared to
find corrections; all but utilisation come of one pass over the sessions. Nothing here reads a clock.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.digests.slots import complete_to
from notify.kpis.impossible import ODD, ODDITIES
from notify.kpis.places import EVERYWHERE, Narrow, by_zone, location_zones
from notify.kpis.scope import NETWORK_KEY, Scope, with_location
from notify.kpis.sessions import COMPLETED, CURRENCY, DIGITS, ZERO_ENERGY_KWH, drivers, new_drivers
from notify.kpis.times import utilisation
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
    tallies = _tallies(connection, scope)
    return {
        "digest": "sessions",
        **_figures(connection, scope.over(period.whole()) if complete else scope, tallies),
        **(_new_drivers(connection, scope) if _some_tagged(tallies) else {}),
        "zone": zone,
        **{name: told for name, told in (("location", narrow.location), ("label", narrow.label)) if told is not None},
        "top": _top_connectors(connection, tallies),
        "before": _figures(connection, earlier, _tallies(connection, earlier))
        if _known_on(connection, earlier)
        else None,
        "complete_to": min(known_to, now).isoformat() if known_to is not None else None,
        "complete": complete,
        "late": False,
    }


def _some_tagged(tallies: Sequence[Any]) -> bool:
    """Whether it is kept of any of these sessions who charged; else nothing has to be asked about drivers."""
    return any(row.tagged for row in tallies if not row.odd)


def _new_drivers(connection: Connection, scope: Scope) -> dict[str, int]:
    whole = scope.over(scope.period.whole())
    return {"new_drivers": new} if (new := new_drivers(connection, whole).get(NETWORK_KEY)) else {}


def _figures(connection: Connection, scope: Scope, tallies: Sequence[Any]) -> dict[str, Any]:
    impossible: Counter[str] = Counter()
    revenue: defaultdict[str, float] = defaultdict(float)
    for row in tallies:
        if row.odd:
            impossible[row.odd] += row.sessions
        elif row.amount is not None:
            revenue[row.currency] += row.amount
    possible = [row for row in tallies if not row.odd]
    whole = scope.over(scope.period.whole())
    known = drivers(connection, whole).get(NETWORK_KEY) if _some_tagged(tallies) else None
    return {
        **({"drivers": known} if known else {}),
        **scope.period.facts(),
        **({"impossible": {odd: impossible[odd] for odd in ODDITIES if odd in impossible}} if impossible else {}),
        "sessions": sum(row.sessions for row in possible),
        "energy_kwh": round(sum(row.energy_kwh for row in possible), DIGITS),
        "revenue": {code: round(revenue[code], DIGITS) for code in sorted(revenue) if code or revenue[code] != 0},
        "zero_energy": sum(row.zero_energy for row in possible),
        "locations": len({row.location_id for row in possible} - {None}),
        "utilisation": utilisation(connection, scope).get(NETWORK_KEY),
    }


def _tallies(connection: Connection, scope: Scope) -> list[Any]:
    """What completed in whole days, by connector, location, currency and what is impossible about it: one pass."""
    whole = scope.over(scope.period.whole())
    of = (SESSION.c.connector_id, SESSION.c.location_id)
    charger = sa.func.max(SESSION.c.charger_id).label("charger_id")
    count = sa.func.count().label("sessions")
    energy_kwh = sa.func.coalesce(sa.func.sum(SESSION.c.energy_kwh), 0.0).label("energy_kwh")
    zero_energy = sa.func.count().filter(SESSION.c.energy_kwh < ZERO_ENERGY_KWH).label("zero_energy")
    amount = sa.func.sum(SESSION.c.cost).label("amount")
    tagged = sa.func.count(SESSION.c.id_tag).label("tagged")
    statement = (
        sa.select(*of, ODD.label("odd"), CURRENCY, charger, count, energy_kwh, zero_energy, amount, tagged)
        .select_from(with_location(SESSION))
        .where(whole.within(SESSION.c.ended_at), whole.of(SESSION), COMPLETED)
        .group_by(*of, sa.literal_column("odd"), CURRENCY)
    )
    return list(connection.execute(statement))


def _top_connectors(connection: Connection, tallies: Sequence[Any]) -> list[dict[str, Any]]:
    """The connectors that delivered the most, with the charger and the location that their sessions name."""
    by_connector: defaultdict[str, list[Any]] = defaultdict(list)
    for row in tallies:
        if row.connector_id is not None and not row.odd:
            by_connector[row.connector_id].append(row)
    delivered = {name: sum(row.energy_kwh for row in rows) for name, rows in by_connector.items()}
    most = heapq.nsmallest(TOP_CONNECTORS, delivered, key=lambda name: (-delivered[name], name))
    charger_of = dict(connection.execute(_CHARGERS_OF, {"connectors": most}).all())
    top = []
    for name in most:
        rows = by_connector[name]
        charger = max((row.charger_id for row in rows if row.charger_id), default=charger_of.get(name))
        location = max((row.location_id for row in rows if row.location_id), default=None)
        if delivered[name] > 0:
            top.append(
                {
                    "connector_id": name,
                    "charger_name": _name_of(connection, CHARGER, charger),
                    "location_name": _name_of(connection, LOCATION, location),
                    "energy_kwh": round(delivered[name], DIGITS),
                    "sessions": sum(row.sessions for row in rows),
                }
            )
    return top


def _name_of(connection: Connection, table: sa.Table, key: str | None) -> str | None:
    return connection.execute(sa.select(table.c.name).where(table.c.id == key)).scalar() or key


def _known_on(connection: Connection, scope: Scope) -> bool:
    """Whether history reaches back to a period: some session of these places ended before that did."""
    period = scope.period.whole()
    reached = [sa.and_(here, SESSION.c.ended_at < period.bounds(zone)[1]) for zone, here in scope.zones.items()]
    found = sa.select(SESSION.c.id).select_from(with_location(SESSION)).where(sa.or_(*reached), scope.of(SESSION))
    return connection.execute(found.limit(1)).first() is not None
