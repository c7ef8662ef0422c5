"""What a digest says: the sessions that ended on one local day, and the slots at which it is said exactly once.

A session belongs to the local day on which it ended, in its location's zone. Facts are JSON-able and are compared to
find corrections. Nothing here reads a clock; days are computed with zoneinfo, figures with one query each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.claims import say_anew
from notify.digests.fleet_day import price_changes, standing, uptime, uptime_and_worst, utilisation
from notify.digests.impossible import POSSIBLE, count_impossible
from notify.digests.slots import claim_slot, complete_to, forget_early_slots, is_ready, last_slots, slots_to_refresh
from notify.outbox import DIGEST, enqueue_message
from notify.routing import Routing
from rules.documents.schedules import SETTLE, Slot, day_bounds, next_moment, slots_due
from storage.schema import CHARGER, CONNECTOR, DIGEST_SLOT, LOCATION, RULE, SESSION

ZERO_ENERGY_KWH = 0.1
TOP_CONNECTORS = 5
DIGITS = 6  # hides the order in which floats were added, and nothing else
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
EACH_LOCATION = "location"
"""The `timezone` of a rule that speaks once for each of its locations' zones."""


class DigestRule(Protocol):
    """What a digest needs of a rule; `timezone` is an IANA name or EACH_LOCATION, None the default zone."""

    @property
    def name(self) -> str: ...
    @property
    def schedule(self) -> str | None: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def window(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class DigestEnqueued:
    """A digest was enqueued: at which moment, for which rule and local slot, about which window (UTC, ISO 8601)."""

    at: datetime
    rule: str
    slot: str
    window: dict[str, str]
    facts: dict[str, Any]


def session_digest(
    connection: Connection, zone: str | None, day: date, now: datetime, *, default_zone: str
) -> dict[str, Any]:
    """The sessions that completed on a local day, as JSON-able facts.

    `zone` None takes all locations, each with its own local day; an IANA name takes the locations of that zone alone.
    A location without a (known) zone, and a session without a location, are in `default_zone`. Energy in kWh, revenue
    by ISO 4217 currency. `before` holds the same figures a week earlier, or None where no session is known that early.
    `complete_to`: the last good session poll (ISO 8601, UTC); `complete`: it lies after the day's end, settled.
    """
    places = _location_zones(connection, default_zone)
    zones = _by_zone(places, zone, default_zone)
    week_before = day - timedelta(days=7)
    known_to = complete_to(connection)
    day_end = max(day_bounds(day, each)[1] for each in ([zone] if zone else places or [default_zone]))
    return {
        "digest": "sessions",
        **_figures(connection, zones, day),
        "zone": zone,
        "top": _top_connectors(connection, zones, day),
        "before": _figures(connection, zones, week_before) if _known_on(connection, zones, week_before) else None,
        "complete_to": min(known_to, now).isoformat() if known_to is not None else None,
        "complete": known_to is not None and known_to >= day_end + SETTLE,
        "late": False,
    }


def enqueue_due_digests(connection: Connection, rules: Iterable[DigestRule], routing: Routing) -> list[DigestEnqueued]:
    """Enqueue every digest whose slot has come and need wait no longer, once a slot; what was enqueued, in order.

    1. The slots since the rule's last one (or its making), at most a day back.
    2. Of those that are ready, the newest; older ones are thereby skipped.
    3. Claim it; whoever claimed it first enqueues one message a channel, in the same transaction.
    """
    now, default_zone = routing.now, routing.default_zone
    digests = [rule for rule in rules if rule.schedule is not None and rule.digest is not None]
    forget_early_slots(connection, now)
    spoken_to = last_slots(connection, [rule.name for rule in digests])
    made_at = _made_at(connection, digests)
    enqueued = []
    for rule in digests:
        for zone in _rule_zones(connection, rule, default_zone):
            # a slot at the very moment of a rule's making is its first one
            after = max(spoken_to.get((rule.name, zone), LONG_AGO), made_at.get(rule.name, LONG_AGO))
            slot = _newest_ready_slot(connection, rule, zone, after, now)
            if slot is None:
                continue
            facts = _slot_facts(connection, rule, slot, now, default_zone)
            facts["late"] = slot.late
            day, only = _day_of(rule, slot)
            facts["fleet"] = fleet_digest(connection, only, day, slot.at, default_zone=default_zone)
            if not claim_slot(connection, rule.name, slot, facts, now):
                continue
            if _has_nothing_to_say(connection, rule, zone, facts, default_zone):
                continue
            for channel in routing.usual_channels(rule.name):
                say_anew(connection, _key(rule.name, slot.zone, slot.local, channel), slot.at, now)
                enqueue_digest(connection, rule.name, slot.zone, slot.local, facts=facts, channel=channel, now=now)
            spoken_of = {"from": slot.window_from.isoformat(), "to": slot.window_to.isoformat()}
            enqueued.append(DigestEnqueued(now, rule.name, slot.local, spoken_of, facts))
    return enqueued


def refresh_digests(connection: Connection, rules: Iterable[DigestRule], routing: Routing) -> list[DigestEnqueued]:
    """Edit the digests of the last 48 hours whose figures have changed since they were said; those that did."""
    now, default_zone = routing.now, routing.default_zone
    by_name = {rule.name: rule for rule in rules}
    changed = []
    for row in slots_to_refresh(connection, now):
        rule = by_name.get(row.rule_id)
        if rule is None:
            continue
        facts = _slot_facts(connection, rule, row, now, default_zone)
        # how the fleet stood is as it was said; only what sessions tell comes late
        facts |= {name: row.facts[name] for name in ("late", "fleet") if name in row.facts}
        if _figures_of(facts) == _figures_of(row.facts):
            continue
        connection.execute(
            sa.update(DIGEST_SLOT)
            .where(DIGEST_SLOT.c.rule_id == row.rule_id, DIGEST_SLOT.c.zone == row.zone, DIGEST_SLOT.c.slot == row.slot)
            .values(facts=facts)
        )
        for channel in routing.usual_channels(rule.name):
            enqueue_digest(connection, rule.name, row.zone, row.slot, facts=facts, channel=channel, now=now)
        spoken_of = {"from": row.window_from.isoformat(), "to": row.window_to.isoformat()}
        changed.append(DigestEnqueued(now, rule.name, row.slot, spoken_of, facts))
    return changed


def enqueue_digest(
    connection: Connection,
    rule_id: str,
    zone: str,
    slot: str,
    *,
    facts: Mapping[str, Any],
    channel: str,
    now: datetime,
) -> bool:
    """Enqueue a digest once a rule, zone, local slot and channel; other facts edit it. False: nothing changed."""
    return enqueue_message(
        connection,
        natural_key=_key(rule_id, zone, slot, channel),
        kind=DIGEST,
        channel=channel,
        facts=facts,
        now=now,
        rule_id=rule_id,
    )


def _key(rule_id: str, zone: str, slot: str, channel: str) -> str:
    return f"digest:{rule_id}:{zone}:{slot}:{channel}"


def _figures_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    # how far the polls have come moves every minute: worth an edit only when it completes the day
    return {key: value for key, value in facts.items() if key != "complete_to"}


def _slot_facts(
    connection: Connection, rule: DigestRule, slot: Slot | Row[Any], now: datetime, default_zone: str
) -> dict[str, Any]:
    day, only = _day_of(rule, slot)
    return session_digest(connection, only, day, now, default_zone=default_zone)


def _day_of(rule: DigestRule, slot: Slot | Row[Any]) -> tuple[date, str | None]:
    """The local day that a slot is about, and the one zone that it is about, if it is."""
    day = slot.window_from.astimezone(ZoneInfo(slot.zone)).date()
    return day, slot.zone if rule.timezone == EACH_LOCATION else None


def fleet_digest(
    connection: Connection, zone: str | None, day: date, at: datetime, *, default_zone: str
) -> dict[str, Any]:
    """How the connectors stood on a local day, and which alerts and silences there are at `at`, as JSON-able facts.

    `before` holds the same a week earlier; its uptime is None where nothing was observed then.
    """
    zones = _by_zone(_location_zones(connection, default_zone), zone, default_zone)
    up, worst = uptime_and_worst(connection, zones, day)
    week = timedelta(days=7)
    before = {"uptime": uptime(connection, zones, day - week), **standing(connection, zones, at - week)}
    prices = price_changes(connection, zones, day)
    return {"uptime": up, "worst": worst, **standing(connection, zones, at), "prices": prices, "before": before}


def _made_at(connection: Connection, rules: Sequence[DigestRule]) -> dict[str, datetime]:
    made = sa.select(RULE.c.id, RULE.c.created_at).where(RULE.c.id.in_([rule.name for rule in rules]))
    return {row.id: row.created_at - timedelta(microseconds=1) for row in connection.execute(made)}


def _newest_ready_slot(
    connection: Connection, rule: DigestRule, zone: str, after: datetime, now: datetime
) -> Slot | None:
    schedule = rule.schedule or ""
    if after != LONG_AGO:
        coming = next_moment(schedule, zone, after)
        if coming is None or coming > now:
            return None
    due = slots_due(schedule, zone, after, now, window_name=rule.window or "yesterday")
    return next((slot for slot in reversed(due) if is_ready(connection, slot, now)), None)


def _rule_zones(connection: Connection, rule: DigestRule, default_zone: str) -> list[str]:
    """The zones that a rule may speak for: its own one, or each that a location or a stray session can be in."""
    if rule.timezone != EACH_LOCATION:
        return [rule.timezone or default_zone]
    return sorted({*_location_zones(connection, default_zone), default_zone})


def _has_nothing_to_say(
    connection: Connection, rule: DigestRule, zone: str, facts: Mapping[str, Any], default_zone: str
) -> bool:
    # no location is in the default zone and no stray session was: its slot passes in silence, until a late one comes
    idle = rule.timezone == EACH_LOCATION and zone == default_zone and not facts["sessions"]
    return idle and zone not in _location_zones(connection, default_zone)


@lru_cache(maxsize=1024)
def _is_zone(name: str | None) -> bool:
    try:
        ZoneInfo(name or "")
    except (OSError, ValueError, KeyError):  # a folder, a path, an unknown name
        return False
    return True


def _location_zones(connection: Connection, default_zone: str) -> list[str]:
    named = connection.execute(sa.select(LOCATION.c.timezone).distinct()).scalars()
    return sorted({zone if _is_zone(zone) else default_zone for zone in named})


def _by_zone(zones: Sequence[str], only: str | None, default_zone: str) -> dict[str, ColumnElement[bool]]:
    """Each zone with the condition of being in it; the default one has whatever has no zone that zoneinfo knows."""
    own = {zone: LOCATION.c.timezone == zone for zone in zones if zone != default_zone}
    strays = sa.or_(LOCATION.c.timezone.is_(None), LOCATION.c.timezone.not_in(list(own)))
    every: dict[str, ColumnElement[bool]] = {**own, default_zone: strays}
    return every if only is None else {only: every.get(only, sa.false())}


def _ended_on(zones: Mapping[str, ColumnElement[bool]], day: date) -> ColumnElement[bool]:
    bounds = {zone: day_bounds(day, zone) for zone in zones}
    return sa.and_(
        SESSION.c.status == "Completed",
        SESSION.c.ended_at >= min(start for start, _ in bounds.values()),  # for the index
        SESSION.c.ended_at < max(end for _, end in bounds.values()),
        sa.or_(
            *(
                sa.and_(in_zone, SESSION.c.ended_at >= bounds[zone][0], SESSION.c.ended_at < bounds[zone][1])
                for zone, in_zone in zones.items()
            )
        ),
    )


def _from_sessions() -> sa.FromClause:
    return SESSION.outerjoin(LOCATION, LOCATION.c.id == SESSION.c.location_id)


def _figures(connection: Connection, zones: Mapping[str, ColumnElement[bool]], day: date) -> dict[str, Any]:
    on_the_day = _ended_on(zones, day)
    totals = connection.execute(
        sa.select(
            sa.func.count().label("sessions"),
            sa.func.coalesce(sa.func.sum(SESSION.c.energy_kwh), 0.0).label("energy_kwh"),
            sa.func.count().filter(SESSION.c.energy_kwh < ZERO_ENERGY_KWH).label("zero_energy"),
            sa.func.count(SESSION.c.location_id.distinct()).label("locations"),
        )
        .select_from(_from_sessions())
        .where(on_the_day, POSSIBLE)
    ).one()
    currency = sa.func.coalesce(SESSION.c.currency, LOCATION.c.currency, sa.literal_column("''")).label("currency")
    revenue = connection.execute(
        sa.select(currency, sa.func.sum(SESSION.c.cost).label("amount"))
        .select_from(_from_sessions())
        .where(on_the_day, POSSIBLE, SESSION.c.cost.is_not(None))
        .group_by(currency)
        .order_by(currency)
    )
    impossible = count_impossible(connection, on_the_day)
    return {
        "day": day.isoformat(),
        **({"impossible": dict(impossible)} if impossible else {}),
        "sessions": totals.sessions,
        "energy_kwh": round(totals.energy_kwh, DIGITS),
        "revenue": {row.currency: round(row.amount, DIGITS) for row in revenue},
        "zero_energy": totals.zero_energy,
        "locations": totals.locations,
        "utilisation": utilisation(connection, zones, day),
    }


def _top_connectors(
    connection: Connection, zones: Mapping[str, ColumnElement[bool]], day: date
) -> list[dict[str, Any]]:
    delivered = sa.func.sum(SESSION.c.energy_kwh)
    top = (
        sa.select(
            SESSION.c.connector_id,
            delivered.label("energy_kwh"),
            sa.func.count().label("sessions"),
            sa.func.max(SESSION.c.charger_id).label("charger_id"),
            sa.func.max(SESSION.c.location_id).label("location_id"),
        )
        .select_from(_from_sessions())
        .where(_ended_on(zones, day), POSSIBLE, SESSION.c.connector_id.is_not(None))
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


def _known_on(connection: Connection, zones: Mapping[str, ColumnElement[bool]], day: date) -> bool:
    """Whether history reaches back to a day: some session of these zones ended before that day did."""
    reached = [sa.and_(in_zone, SESSION.c.ended_at < day_bounds(day, zone)[1]) for zone, in_zone in zones.items()]
    found = sa.select(SESSION.c.id).select_from(_from_sessions()).where(sa.or_(*reached)).limit(1)
    return connection.execute(found).first() is not None
