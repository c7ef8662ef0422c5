"""How the connectors of some locations stood in one period: up, the worst of them, changed prices; alerts and silences.

Figures are plain JSON-able numbers. What was not observed (gaps in polling, unknown statuses, the time before a
connector was first seen) is neither up nor down. Nothing here reads a clock or says a word.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.kpis.impossible import POSSIBLE
from notify.kpis.scope import By, Scope, with_location
from notify.kpis.sessions import ZERO_ENERGY_KWH
from notify.kpis.times import Stood, stood
from storage.dialects import AnyRow
from storage.schema import ALERT, CHARGER, CONNECTOR, INTERVAL, LOCATION, SESSION, SILENCE

WORST = 5
MOST_PRICES = 5
DIGITS = 6


def standing(connection: Connection, scope: Scope, at: datetime) -> dict[str, int]:
    """How many alerts were firing at a moment, and how many silences were in force: those of a weekly window too."""
    here = scope.here
    firing = (ALERT.c.fired_at <= at, sa.or_(ALERT.c.resolved_at.is_(None), ALERT.c.resolved_at > at))
    alerts = sa.select(sa.func.count()).select_from(with_location(ALERT)).where(scope.of(ALERT), *firing)
    in_force = (
        SILENCE.c.created_at <= at,
        sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > at),
        sa.or_(SILENCE.c.ended_at.is_(None), SILENCE.c.ended_at > at),
        sa.or_(SILENCE.c.location_id.is_(None), here),
    )
    silences = sa.select(sa.func.count()).select_from(with_location(SILENCE)).where(*in_force)
    return {
        "open_alerts": connection.execute(alerts).scalar_one(),
        "silences": connection.execute(silences).scalar_one(),
    }


def uptime_and_worst(connection: Connection, scope: Scope) -> tuple[float | None, list[dict[str, Any]]]:
    """The uptime of all, and the five connectors that were down longest, or had most sessions that came to nothing."""
    stood_of = stood(connection, scope, By.CONNECTOR)
    failed, empty = _troubles(connection, scope)
    down = {key: one.down for key, one in stood_of.items()}
    ranked = sorted(
        (key for key in stood_of if down[key] or failed[key] or empty[key]),
        key=lambda key: (-down[key], -failed[key] - empty[key], key),
    )[:WORST]
    named = _named(connection, ranked)
    worst = [
        {
            "connector_id": key,
            "charger_name": named[key].charger_name or named[key].charger_id,
            "location_name": named[key].location_name or named[key].location_id,
            "down_s": round(down[key], DIGITS),
            "failed": failed[key],
            "zero_energy": empty[key],
        }
        for key in ranked
    ]
    up, all_down = sum(one.up for one in stood_of.values()), sum(down.values())
    return Stood(up, all_down, 0.0).uptime, worst


def _named(connection: Connection, connectors: Sequence[str]) -> dict[str, AnyRow]:
    """The rows of connectors, with the names of their charger and location."""
    names = (CHARGER.c.name.label("charger_name"), LOCATION.c.name.label("location_name"))
    source = with_location(CONNECTOR).outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
    fields = (CONNECTOR.c[name] for name in ("id", "charger_id", "location_id"))
    statement = sa.select(*fields, *names).select_from(source).where(CONNECTOR.c.id.in_(list(connectors)))
    return {row.id: row for row in connection.execute(statement)}


def price_changes(connection: Connection, scope: Scope) -> dict[str, Any]:
    """How many changes of a location's prices were seen in a period, and the first of them, as they were kept.

    A price that was not known before has not changed.
    """
    told: list[AnyRow] = []
    for zone, in_zone in scope.zones.items():
        start, end = scope.period.bounds(zone)
        earlier = INTERVAL.alias()
        known = (earlier.c.thing == "location", earlier.c.field == "price", earlier.c.value.is_not(None))
        before = (
            sa.select(earlier.c.value)
            .where(*known, earlier.c.thing_id == INTERVAL.c.thing_id, earlier.c.id < INTERVAL.c.id)
            .order_by(earlier.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        seen = (INTERVAL.c.valid_from >= start, INTERVAL.c.valid_from < end, before != INTERVAL.c.value)
        of_price = (INTERVAL.c.thing == "location", INTERVAL.c.field == "price")
        statement = sa.select(
            INTERVAL.c.valid_from, INTERVAL.c.value, before.label("before"), LOCATION.c.id, LOCATION.c.name
        ).add_columns(LOCATION.c.currency)
        joined = INTERVAL.join(LOCATION, LOCATION.c.id == INTERVAL.c.thing_id)
        told += connection.execute(
            statement.select_from(joined).where(in_zone, scope.narrow.of(LOCATION), *of_price, *seen)
        ).all()
    told.sort(key=lambda row: (row.valid_from, row.id))
    first = [
        {
            "location_name": row.name or row.id,
            "at": row.valid_from.isoformat(),
            "before": row.before,
            "value": row.value,
            "currency": row.currency,
        }
        for row in told[:MOST_PRICES]
    ]
    return {"count": len(told), "first": first}


def _troubles(connection: Connection, scope: Scope) -> tuple[dict[str, int], dict[str, int]]:
    """By connector: how many sessions failed, and how many delivered nothing, that ended in the period."""
    failed: dict[str, int] = defaultdict(int)
    empty: dict[str, int] = defaultdict(int)
    is_failed, is_empty = SESSION.c.status == "Failed", sa.and_(SESSION.c.energy_kwh < ZERO_ENERGY_KWH, POSSIBLE)
    counts = sa.select(
        SESSION.c.connector_id,
        sa.func.count().filter(is_failed).label("failed"),
        sa.func.count().filter(is_empty, SESSION.c.status.is_distinct_from("Failed")).label("empty"),
    ).select_from(with_location(SESSION))
    ended = sa.and_(scope.within(SESSION.c.ended_at), scope.of(SESSION))
    of_period = (ended, sa.or_(is_failed, is_empty), SESSION.c.connector_id.is_not(None))
    for row in connection.execute(counts.where(*of_period).group_by(SESSION.c.connector_id)):
        failed[row.connector_id], empty[row.connector_id] = row.failed, row.empty
    return failed, empty
