"""The sessions that a digest tells about: how many, energy and money, by the local day on which each ended.

A session belongs to the local day on which it ended, in its location's zone. Figures are JSON-able and are compared to
find corrections; each is one query. Nothing here reads a clock.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.digests.slots import complete_to
from notify.kpis.impossible import POSSIBLE, count_impossible
from notify.kpis.places import EVERYWHERE, Narrow, by_zone, location_zones
from notify.kpis.scope import NETWORK_KEY, Scope, with_location
from notify.kpis.sessions import COMPLETED, DIGITS, energy, revenue, sessions, zero_energy
from notify.kpis.times import utilisation
from rules.documents.schedules import SETTLE
from rules.documents.windows import Period
from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION

TOP_CONNECTORS = 5


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
    return {
        "digest": "sessions",
        **_figures(connection, scope.over(period.whole()) if complete else scope),
        "zone": zone,
        **{name: told for name, told in (("location", narrow.location), ("label", narrow.label)) if told is not None},
        "top": _top_connectors(connection, scope),
        "before": _figures(connection, earlier) if _known_on(connection, earlier) else None,
        "complete_to": min(known_to, now).isoformat() if known_to is not None else None,
        "complete": complete,
        "late": False,
    }


def _figures(connection: Connection, scope: Scope) -> dict[str, Any]:
    whole = scope.over(scope.period.whole())
    in_it = (whole.within(SESSION.c.ended_at), scope.of(SESSION), COMPLETED)
    places = sa.select(sa.func.count(SESSION.c.location_id.distinct())).select_from(with_location(SESSION))
    impossible = count_impossible(connection, sa.and_(*in_it))
    return {
        **scope.period.facts(),
        **({"impossible": dict(impossible)} if impossible else {}),
        "sessions": sessions(connection, whole).get(NETWORK_KEY, 0),
        "energy_kwh": energy(connection, whole).get(NETWORK_KEY, 0.0),
        "revenue": revenue(connection, whole).get(NETWORK_KEY, {}),
        "zero_energy": zero_energy(connection, whole).get(NETWORK_KEY, 0),
        "locations": connection.execute(places.where(*in_it, POSSIBLE)).scalar_one(),
        "utilisation": utilisation(connection, scope).get(NETWORK_KEY),
    }


def _top_connectors(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    delivered = sa.func.sum(SESSION.c.energy_kwh)
    in_it = sa.and_(scope.over(scope.period.whole()).within(SESSION.c.ended_at), scope.of(SESSION))
    top = (
        sa.select(
            SESSION.c.connector_id,
            delivered.label("energy_kwh"),
            sa.func.count().label("sessions"),
            sa.func.max(SESSION.c.charger_id).label("charger_id"),
            sa.func.max(SESSION.c.location_id).label("location_id"),
        )
        .select_from(with_location(SESSION))
        .where(in_it, COMPLETED, POSSIBLE, SESSION.c.connector_id.is_not(None))
        .group_by(SESSION.c.connector_id)
        .having(delivered > 0)
        .order_by(delivered.desc(), SESSION.c.connector_id)
        .limit(TOP_CONNECTORS)
        .subquery()
    )
    rows = connection.execute(
        sa.select(top, CHARGER.c.name.label("charger_name"), LOCATION.c.name.label("location_name"))
        .select_from(
            top.outerjoin(CONNECTOR, CONNECTOR.c.id == top.c.connector_id)
            .outerjoin(CHARGER, CHARGER.c.id == sa.func.coalesce(top.c.charger_id, CONNECTOR.c.charger_id))
            .outerjoin(LOCATION, LOCATION.c.id == top.c.location_id)
        )
        .order_by(top.c.energy_kwh.desc(), top.c.connector_id)
    )
    return [_top_connector(row) for row in rows]


def _top_connector(row: Row[Any]) -> dict[str, Any]:
    return {
        "connector_id": row.connector_id,
        "charger_name": row.charger_name or row.charger_id,
        "location_name": row.location_name or row.location_id,
        "energy_kwh": round(row.energy_kwh, DIGITS),
        "sessions": row.sessions,
    }


def _known_on(connection: Connection, scope: Scope) -> bool:
    """Whether history reaches back to a period: some session of these places ended before that did."""
    period = scope.period.whole()
    reached = [sa.and_(here, SESSION.c.ended_at < period.bounds(zone)[1]) for zone, here in scope.zones.items()]
    found = sa.select(SESSION.c.id).select_from(with_location(SESSION)).where(sa.or_(*reached), scope.of(SESSION))
    return connection.execute(found.limit(1)).first() is not None
