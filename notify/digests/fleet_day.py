"""How the connectors of some locations stood in one period: in use, up, and the worst of them; alerts and silences.

Figures are plain JSON-able numbers. What was not observed (gaps in polling, unknown statuses, the time before a
connector was first seen) is neither up nor down. Nothing here reads a clock or says a word.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.digests.impossible import POSSIBLE
from notify.digests.places import Zones
from rules.documents.windows import Period
from storage.dialects import AnyRow, greatest, least
from storage.schema import ALERT, CHARGER, CONNECTOR, GAP, INTERVAL, LOCATION, POLL, SESSION, SILENCE
from storage.sql import seconds_between

WORST = 5
MOST_PRICES = 5
DIGITS = 6
LONGEST_SESSION = timedelta(days=2)
DOWN = {"status": ("Faulted", "Unavailable"), "online": ("false",)}
Span = tuple[datetime, datetime]


def utilisation(connection: Connection, zones: Zones, period: Period) -> float | None:
    """The share of the connectors' time in a period in which a session was open; None where there were none.

    A connector that was there at the first poll counts as having been there before, as its sessions do. A session that
    goes on beyond it and began more than two days before is none that uses anything, nor is an impossible one.
    """
    in_use = possible = 0.0
    for zone, in_zone in zones.items():
        start, end = period.bounds(zone)
        first = sa.select(POLL.c.first_good_at).where(POLL.c.resource == "chargers").scalar_subquery()
        there = sa.or_(CONNECTOR.c.first_seen_at < end, CONNECTOR.c.first_seen_at <= first)
        still = sa.or_(CONNECTOR.c.gone_at.is_(None), CONNECTOR.c.gone_at > start)
        counted = sa.select(sa.func.count()).select_from(_with_location(CONNECTOR)).where(in_zone, there, still)
        possible += connection.execute(counted).scalar_one() * (end - start).total_seconds()
        moment = SESSION.c.started_at.type
        began = greatest(SESSION.c.started_at, sa.literal(start, type_=moment))
        ended = least(
            sa.func.coalesce(SESSION.c.ended_at, sa.literal(end, type_=moment)), sa.literal(end, type_=moment)
        )
        lasted = sa.select(sa.func.sum(seconds_between(began, ended))).select_from(_with_location(SESSION))
        lasted = lasted.where(in_zone, SESSION.c.status.is_distinct_from("Pending"), POSSIBLE)
        on_the_day = (SESSION.c.ended_at > start, SESSION.c.ended_at <= end)
        beyond_it = (
            sa.or_(SESSION.c.ended_at > end, SESSION.c.ended_at.is_(None)),
            SESSION.c.started_at > start - LONGEST_SESSION,
            SESSION.c.started_at < end,
        )
        for which in (on_the_day, beyond_it):  # each has an index
            in_use += connection.execute(lasted.where(*which)).scalar() or 0.0
    return round(min(1.0, in_use / possible), DIGITS) if possible else None


def standing(connection: Connection, zones: Zones, at: datetime) -> dict[str, int]:
    """How many alerts were firing at a moment, and how many silences were in force: those of a weekly window too."""
    here = sa.or_(*zones.values())
    firing = (ALERT.c.fired_at <= at, sa.or_(ALERT.c.resolved_at.is_(None), ALERT.c.resolved_at > at))
    alerts = sa.select(sa.func.count()).select_from(_with_location(ALERT)).where(here, *firing)
    in_force = (
        SILENCE.c.created_at <= at,
        sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > at),
        sa.or_(SILENCE.c.ended_at.is_(None), SILENCE.c.ended_at > at),
        sa.or_(SILENCE.c.location_id.is_(None), here),
    )
    silences = sa.select(sa.func.count()).select_from(_with_location(SILENCE)).where(*in_force)
    return {
        "open_alerts": connection.execute(alerts).scalar_one(),
        "silences": connection.execute(silences).scalar_one(),
    }


@dataclass(slots=True)
class _Day:
    """One connector's day: its row, and for how long it was up and down, in seconds."""

    row: AnyRow
    up: float
    down: float


def uptime(connection: Connection, zones: Zones, period: Period) -> float | None:
    """The share of the connectors' observed time in a period in which they were up; None where none was observed."""
    return _share(_days(connection, zones, period))


def uptime_and_worst(connection: Connection, zones: Zones, period: Period) -> tuple[float | None, list[dict[str, Any]]]:
    """As `uptime`, with the five connectors that were down longest, or had most sessions that came to nothing."""
    days = _days(connection, zones, period)
    failed, empty = _troubles(connection, zones, period)
    ranked = sorted(
        (one for one in days if one.down or failed[one.row.id] or empty[one.row.id]),
        key=lambda one: (-one.down, -failed[one.row.id] - empty[one.row.id], one.row.id),
    )
    worst = [
        {
            "connector_id": one.row.id,
            "charger_name": one.row.charger_name or one.row.charger_id,
            "location_name": one.row.location_name or one.row.location_id,
            "down_s": round(one.down, DIGITS),
            "failed": failed[one.row.id],
            "zero_energy": empty[one.row.id],
        }
        for one in ranked[:WORST]
    ]
    return _share(days), worst


def price_changes(connection: Connection, zones: Zones, period: Period) -> dict[str, Any]:
    """How many changes of a location's prices were seen in a period, and the first of them, as they were kept.

    A price that was not known before has not changed.
    """
    told: list[AnyRow] = []
    for zone, in_zone in zones.items():
        start, end = period.bounds(zone)
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
        told += connection.execute(statement.select_from(joined).where(in_zone, *of_price, *seen)).all()
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


def _share(days: Sequence[_Day]) -> float | None:
    up, down = sum(one.up for one in days), sum(one.down for one in days)
    return round(up / (up + down), DIGITS) if up + down else None


def _with_location(table: sa.Table) -> sa.FromClause:
    return table.outerjoin(LOCATION, LOCATION.c.id == table.c.location_id)


def _days(connection: Connection, zones: Zones, period: Period) -> list[_Day]:
    days: list[_Day] = []
    for zone, in_zone in zones.items():
        start, end = period.bounds(zone)
        days += _days_of_zone(connection, in_zone, start, end)
    return days


def _days_of_zone(connection: Connection, in_zone: ColumnElement[bool], start: datetime, end: datetime) -> list[_Day]:
    names = (CHARGER.c.name.label("charger_name"), LOCATION.c.name.label("location_name"))
    fields = (CONNECTOR.c[name] for name in ("id", "charger_id", "location_id", "first_seen_at", "gone_at"))
    source = _with_location(CONNECTOR).outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
    seen = (CONNECTOR.c.first_seen_at < end, sa.or_(CONNECTOR.c.gone_at.is_(None), CONNECTOR.c.gone_at > start))
    rows = connection.execute(sa.select(*fields, *names).select_from(source).where(in_zone, *seen)).all()
    statuses = _not_up(connection, in_zone, "status", start, end)
    links = _not_up(connection, in_zone, "online", start, end)
    gaps = _gaps(connection, start, end)
    days = []
    for row in rows:
        begun, over = max(start, row.first_seen_at), min(end, row.gone_at or end)
        spans = [*statuses.get(row.id, ()), *links.get(row.charger_id, ())]
        down = _joined([(begin, until) for begin, until, is_down in spans if is_down], begun, over)
        known = _joined([(begin, until) for begin, until, _ in spans], begun, over)
        unseen = _joined(gaps, begun, over)
        not_up = _length(known) - _length(_common(known, unseen))
        lasted = (over - begun).total_seconds() - _length(unseen)
        days.append(_Day(row, up=lasted - not_up, down=_length(down) - _length(_common(down, unseen))))
    return days


def _not_up(
    connection: Connection, in_zone: ColumnElement[bool], field: str, start: datetime, end: datetime
) -> dict[str, list[tuple[datetime, datetime, bool]]]:
    """By connector (or charger, of the link): from when to when it was down, or (False) nothing was known."""
    thing = CONNECTOR if field == "status" else CHARGER
    not_up = sa.or_(INTERVAL.c.value.is_(None), INTERVAL.c.value.in_(DOWN[field]))
    columns = [INTERVAL.c[name] for name in ("thing_id", "value", "valid_from", "valid_to")]
    here = sa.select(thing.c.id).select_from(_with_location(thing)).where(in_zone)
    of_field = (INTERVAL.c.thing == thing.name, INTERVAL.c.field == field)
    of_day = (INTERVAL.c.thing_id.in_(here), INTERVAL.c.valid_from > start, INTERVAL.c.valid_from < end)
    earlier = INTERVAL.alias()
    # of the history before the day only the last row of each thing is read
    last = (
        sa.select(earlier.c.id)
        .where(earlier.c.thing == thing.name, earlier.c.thing_id == thing.c.id, earlier.c.field == field)
        .where(earlier.c.valid_from <= start)
        .order_by(earlier.c.valid_from.desc(), earlier.c.id.desc())
        .limit(1)
        .correlate(thing)
        .scalar_subquery()
    )
    before = here.with_only_columns(last.label("interval_id")).subquery()
    standing_then = sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > start)
    found: dict[str, list[tuple[datetime, datetime, bool]]] = defaultdict(list)
    for statement in (
        sa.select(*columns).where(*of_field, *of_day, not_up),
        sa.select(*columns).join(before, before.c.interval_id == INTERVAL.c.id).where(standing_then, not_up),
    ):
        for row in connection.execute(statement):
            found[row.thing_id].append((row.valid_from, row.valid_to or end, row.value is not None))
    return found


def _gaps(connection: Connection, start: datetime, end: datetime) -> list[Span]:
    of_chargers = (GAP.c.resource == "chargers", GAP.c.valid_from < end, GAP.c.valid_to > start)
    return [(row.valid_from, row.valid_to) for row in connection.execute(sa.select(GAP).where(*of_chargers))]


def _troubles(connection: Connection, zones: Zones, period: Period) -> tuple[dict[str, int], dict[str, int]]:
    """By connector: how many sessions failed, and how many delivered nothing, that ended in it."""
    failed: dict[str, int] = defaultdict(int)
    empty: dict[str, int] = defaultdict(int)
    is_failed, is_empty = SESSION.c.status == "Failed", sa.and_(SESSION.c.energy_kwh < 0.1, POSSIBLE)
    for zone, in_zone in zones.items():
        start, end = period.bounds(zone)
        of_day = (in_zone, SESSION.c.ended_at >= start, SESSION.c.ended_at < end, sa.or_(is_failed, is_empty))
        counts = sa.select(
            SESSION.c.connector_id,
            sa.func.count().filter(is_failed).label("failed"),
            sa.func.count().filter(is_empty, SESSION.c.status.is_distinct_from("Failed")).label("empty"),
        )
        source = counts.select_from(_with_location(SESSION)).where(*of_day, SESSION.c.connector_id.is_not(None))
        for row in connection.execute(source.group_by(SESSION.c.connector_id)):
            failed[row.connector_id] += row.failed
            empty[row.connector_id] += row.empty
    return failed, empty


def _joined(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """The spans within (start, end), those that overlap as one, in order."""
    joined: list[Span] = []
    for begin, until in sorted((max(begin, start), min(until, end)) for begin, until in spans):
        if begin >= until:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((begin, until))
    return joined


def _common(some: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    return [
        (max(begin, start), min(until, end))
        for begin, until in some
        for start, end in others
        if begin < end
        if start < until
    ]


def _length(spans: Iterable[Span]) -> float:
    return sum((until - begin for begin, until in spans), timedelta()).total_seconds()
