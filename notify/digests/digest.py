"""Digests enqueued at their slots, each exactly once, and corrected while late sessions may change what they said.

A slot counts from when its rule and zone do, is claimed in the transaction that enqueues what it says, and keeps its
period and zone for later corrections. Nothing here reads a clock, and nothing is counted here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.charts.picture import CHART, chart_order
from notify.claims import say_anew
from notify.digests.fleet_day import price_changes, standing, uptime_and_worst
from notify.digests.kinds import chart_of, kind_facts, to_do, with_reasons
from notify.digests.session_figures import session_digest
from notify.digests.slots import LastSlot, claim_slot, forget_early_slots, is_ready, last_slots, slots_to_refresh
from notify.digests.starts import starts_of
from notify.digests.voices import EACH_LOCATION, SpeakingRule, locations_of, place_of, voices_of
from notify.kpis.places import Narrow, by_zone, location_zones
from notify.kpis.scope import NETWORK_KEY, Scope
from notify.kpis.times import uptime
from notify.outbox import DIGEST, enqueue_message
from notify.routing import Routing
from rules.documents.schedules import Slot, next_moment, slot_at, slots_due
from rules.documents.windows import YESTERDAY, period_of
from storage.schema import DIGEST_SLOT, LOCATION, OUTBOX


class DigestRule(SpeakingRule, Protocol):
    """What a digest needs of a rule; `timezone` is an IANA name or EACH_LOCATION, None the default zone."""

    @property
    def name(self) -> str: ...
    @property
    def schedule(self) -> str | None: ...
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


def enqueue_due_digests(connection: Connection, rules: Iterable[DigestRule], routing: Routing) -> list[DigestEnqueued]:
    """Enqueue every digest whose slot has come and need wait no longer, once a slot; what was enqueued, in order.

    1. The slots since the rule's last one, from when on the rule and the zone count.
    2. Of those that are ready, the newest; older ones are thereby skipped.
    3. Claim it; whoever claimed it first enqueues one message a channel, in the same transaction.
    """
    now, default_zone = routing.now, routing.default_zone
    digests = [rule for rule in rules if rule.schedule is not None and rule.digest is not None]
    forget_early_slots(connection, now)
    said = last_slots(connection, [rule.name for rule in digests])
    voices = {rule.name: voices_of(connection, rule, default_zone) for rule in digests}
    starts = starts_of(connection, voices, now)
    enqueued = []
    for rule in digests:
        for voice in voices[rule.name]:
            counts = starts[rule.name][voice], said.get((rule.name, voice))
            slot = _newest_ready_slot(connection, rule, place_of(voice)[0], counts, now)
            if slot is not None:
                enqueued += _say(connection, rule, voice, slot, routing)
    return enqueued


def _say(connection: Connection, rule: DigestRule, voice: str, slot: Slot, routing: Routing) -> list[DigestEnqueued]:
    """Claim a slot and enqueue what it says; nothing where it was claimed before, or says nothing."""
    now, default_zone = routing.now, routing.default_zone
    location = place_of(voice)[1]
    facts = facts_at(connection, rule, slot, now, default_zone=default_zone, location=location)
    facts["late"] = slot.late
    if not claim_slot(connection, rule.name, slot, facts, now, voice=voice):
        return []
    if _has_nothing_to_say(connection, rule, voice, facts, default_zone):
        return []
    for channel in routing.usual_channels(rule.name):
        say_anew(connection, _key(rule.name, voice, slot.local, channel), slot.at, now)
        enqueue_digest(connection, rule.name, voice, slot.local, facts=facts, channel=channel, now=now)
    window = {"from": slot.window_from.isoformat(), "to": slot.window_to.isoformat()}
    return [DigestEnqueued(now, rule.name, slot.local, window, facts)]


def facts_at(
    connection: Connection,
    rule: DigestRule,
    slot: Slot,
    now: datetime,
    *,
    default_zone: str,
    location: str | None = None,
) -> dict[str, Any]:
    """All that a digest says for a slot, as JSON-able facts, as known at `now`; it claims and enqueues nothing.

    `location`: the one that a voice of the rule speaks of.
    """
    only = slot.zone if rule.timezone == EACH_LOCATION else None
    period, narrow = slot.period.cut(slot.at), Narrow(location or rule.location, rule.label)
    facts = session_digest(connection, only, period, now, default_zone=default_zone, narrow=narrow)
    if rule.window not in {None, YESTERDAY}:
        facts["window"] = rule.window
    kind = rule.digest or "sessions"
    scope = Scope(by_zone(location_zones(connection, default_zone), only, default_zone), period, narrow)
    fleet = fleet_digest(connection, scope, slot.at)
    if kind == "maintenance":
        fleet["worst"] = with_reasons(connection, fleet["worst"])
    more = {"kind": kind_facts(connection, kind, scope, slot.at)} if kind != "sessions" else {}
    to_do_today = to_do(connection, scope, slot.at, fleet["worst"])
    chart = {CHART: chart_order(chart_of(kind, period), slot.zone, default_zone, slot.at)}
    each = _of_each(connection, rule, location, default_zone)
    return {**facts, **each, "digest": kind, **more, "fleet": fleet, "to_do": to_do_today, **chart}


def _of_each(connection: Connection, rule: DigestRule, location: str | None, default_zone: str) -> dict[str, Any]:
    """What a rule with a message a location says of that: the name of this one, or that they are too many."""
    if rule.each is None:
        return {}
    if location is None:
        return {"too_many": len(locations_of(connection, rule, default_zone))}
    named = connection.execute(sa.select(LOCATION.c.name).where(LOCATION.c.id == location)).scalar()
    return {"location_name": named or location}


def facts_now(
    connection: Connection, rule: DigestRule, voice: str, now: datetime, *, default_zone: str
) -> dict[str, Any]:
    """What a digest would say if a slot of it came now, by one of its voices; it claims and enqueues nothing."""
    last = last_slots(connection, [rule.name]).get((rule.name, voice))
    since = last.window_to if last is not None else None
    zone, location = place_of(voice)
    slot = slot_at(rule.schedule or "", zone, now, rule.window or YESTERDAY, since)
    return facts_at(connection, rule, slot, now, default_zone=default_zone, location=location)


def enqueue_now(
    connection: Connection, name: str, zone: str, facts: Mapping[str, Any], *, channels: Sequence[str], now: datetime
) -> None:
    """Enqueue a digest that somebody asked for: it is no slot, and no later session corrects it."""
    for channel in channels:
        enqueue_digest(connection, name, zone, f"now {now.isoformat()}", facts=facts, channel=channel, now=now)


def refresh_digests(connection: Connection, names: Collection[str], routing: Routing) -> list[DigestEnqueued]:
    """Edit the digests of the last 48 hours whose figures have changed since they were said; those that did.

    `names` are of rules, whether they are still in force or not. Each is about the period and the zone that it was
    claimed with, whatever its rule says now.
    """
    now, default_zone = routing.now, routing.default_zone
    changed = []
    for row in slots_to_refresh(connection, now):
        if row.rule_id not in names:
            continue
        facts = _corrected(connection, row, now, default_zone)
        if _figures_of(facts) == _figures_of(row.facts):
            continue
        connection.execute(
            sa.update(DIGEST_SLOT)
            .where(DIGEST_SLOT.c.rule_id == row.rule_id, DIGEST_SLOT.c.zone == row.zone, DIGEST_SLOT.c.slot == row.slot)
            .values(facts=facts)
        )
        channels = _channels_of(connection, row)
        # where it was said nowhere, there was nothing to say until now
        for channel in channels or routing.usual_channels(row.rule_id):
            enqueue_digest(connection, row.rule_id, row.zone, row.slot, facts=facts, channel=channel, now=now)
        window = {"from": row.window_from.isoformat(), "to": row.window_to.isoformat()}
        changed.append(DigestEnqueued(now, row.rule_id, row.slot, window, facts))
    return changed


def _corrected(connection: Connection, row: Row[Any], now: datetime, default_zone: str) -> dict[str, Any]:
    """What a claimed slot says by now; how the fleet stood is as it was said: only what sessions tell comes late."""
    period = period_of(row.facts).cut(row.slot_at)
    narrow = Narrow(row.facts.get("location"), row.facts.get("label"))
    facts = session_digest(connection, row.facts["zone"], period, now, default_zone=default_zone, narrow=narrow)
    names = ("late", "digest", "fleet", "kind", "to_do", CHART)
    as_said = {name: row.facts[name] for name in names if name in row.facts}
    return {**row.facts, **facts, **as_said}


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


def _channels_of(connection: Connection, slot: Row[Any]) -> Sequence[str]:
    """The channels in which a slot was said: those of its rule may be others now."""
    mine = OUTBOX.c.natural_key.startswith(_key(slot.rule_id, slot.zone, slot.slot, ""), autoescape=True)
    said = sa.select(OUTBOX.c.channel).where(OUTBOX.c.kind == DIGEST, OUTBOX.c.rule_id == slot.rule_id, mine)
    return list(connection.execute(said.order_by(OUTBOX.c.channel)).scalars())


def _figures_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    # how far the polls have come moves every minute: worth an edit only when it completes the day
    return {key: value for key, value in facts.items() if key != "complete_to"}


def fleet_digest(connection: Connection, scope: Scope, at: datetime) -> dict[str, Any]:
    """How the connectors stood in a period, and which alerts and silences there are at `at`, as JSON-able facts.

    What has not come yet at `at` is not counted. `before` holds the same of the period before; its uptime is None
    where nothing was observed then.
    """
    up, worst = uptime_and_worst(connection, scope.over(scope.period.cut(at)))
    earlier = scope.over(scope.period.before())
    then = standing(connection, earlier, at - (scope.period.first - earlier.period.first))
    before = {"uptime": uptime(connection, earlier).get(NETWORK_KEY), **then}
    prices = price_changes(connection, scope)
    return {"uptime": up, "worst": worst, **standing(connection, scope, at), "prices": prices, "before": before}


def _newest_ready_slot(
    connection: Connection, rule: DigestRule, zone: str, counts: tuple[datetime, LastSlot | None], now: datetime
) -> Slot | None:
    """The newest slot that may be said, of those after the last one and from when on they count."""
    counts_from, last = counts
    schedule = rule.schedule or ""
    # a slot at the very moment from which on slots count is the first one
    begin = counts_from - timedelta(microseconds=1)
    begin = max(begin, last.at) if last is not None else begin
    coming = next_moment(schedule, zone, begin)
    if coming is None or coming > now:
        return None
    since = last.window_to if last is not None else None
    due = slots_due(schedule, zone, begin, now, window_name=rule.window or YESTERDAY, since=since)
    return next((slot for slot in reversed(due) if is_ready(connection, slot, now)), None)


def _has_nothing_to_say(
    connection: Connection, rule: DigestRule, voice: str, facts: Mapping[str, Any], default_zone: str
) -> bool:
    # no location is in the default zone and no stray session was: its slot passes in silence, until a late one comes
    return not facts["sessions"] and says_nothing(connection, rule, voice, default_zone)


def says_nothing(connection: Connection, rule: DigestRule, voice: str, default_zone: str) -> bool:
    """Whether a rule that speaks for each zone has no location in this one: only stray sessions are told of it."""
    idle = rule.timezone == EACH_LOCATION and voice == default_zone and rule.location is None
    return idle and voice not in location_zones(connection, default_zone)
