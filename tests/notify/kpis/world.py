"""Drawn worlds for KPIs, and what each KPI is, counted minute by minute: the second opinion, which knows no SQL.

All moments lie on whole minutes, so that a minute is wholly one thing or another.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from storage import tables
from tests.notify.records import insert, insert_connector, insert_location, insert_session

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATUSES = ("Available", "Available", "Charging", "Finishing", "Faulted", "Unavailable", None)
ZONES = {"cph": "Europe/Copenhagen", "ny": "America/New_York"}
ALLOWED = {"cph": 20.0, "ny": None}
Spans = list[tuple[datetime, datetime | None, str | None]]


@dataclass
class World:
    """What is drawn: places of connectors, statuses, links, gaps, sessions, when connectors came and went."""

    start: datetime
    end: datetime
    place: dict[str, str] = field(default_factory=dict)
    seen: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    status: dict[str, Spans] = field(default_factory=dict)
    online: dict[str, Spans] = field(default_factory=dict)
    gaps: list[tuple[datetime, datetime]] = field(default_factory=list)
    stale: dict[str, Spans] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)


def draw_world(draw: Random, middle: date) -> World:
    """A world of about ten days around a local day."""
    start = datetime(middle.year, middle.month, middle.day, tzinfo=UTC) - 5 * DAY
    world = World(start, start + 9 * DAY)
    for number in range(4):
        name = f"c{number}"
        world.place[name] = draw.choice(list(ZONES))
        late = draw.random() < 0.3
        first = start + draw.randrange(9 * 1440) * MINUTE if late else start - DAY
        gone = first + draw.randrange(1, 6 * 1440) * MINUTE if draw.random() < 0.25 else None
        world.seen[name] = (first, gone)
        world.status[name] = list(_drawn(draw, first, world.end, STATUSES))
        world.online[name] = list(_drawn(draw, first, world.end, ("true", "true", "false", None)))
    moment = start
    while draw.random() < 0.8:
        begin = moment + draw.randrange(1, 3 * 1440) * MINUTE
        moment = begin + draw.randrange(1, 400) * MINUTE
        world.gaps.append((begin, moment))
    for name in world.place:
        begin = start + draw.randrange(9 * 1440) * MINUTE
        until = draw.choice([None, begin + draw.randrange(1, 2 * 1440) * MINUTE])
        world.stale[name] = [(begin, until, "true")] if draw.random() < 0.5 else []
    world.sessions = [_session(draw, world, number) for number in range(60)]
    world.sessions += [{**one, "id": f"{one['id']}-again"} for one in draw.sample(world.sessions, 3)]
    return world


def _drawn(draw: Random, at: datetime, end: datetime, values: tuple[str | None, ...]) -> Iterator[Any]:
    while at < end:
        until = at + draw.choice([draw.randrange(1, 90), draw.randrange(1, 2000)]) * MINUTE
        yield at, until if until < end else None, draw.choice(values)
        at = until


def _session(draw: Random, world: World, number: int) -> dict[str, Any]:
    connector = draw.choice([*world.place])
    start = world.start + draw.randrange(8 * 1440) * MINUTE
    minutes = draw.choice([draw.randrange(200), draw.randrange(3000), -5])
    currency = draw.choice(["EUR", "eur", "USD", None])
    return {
        "id": f"s{number}",
        "connector_id": connector,
        "charger_id": f"ch-{connector}",
        "location_id": draw.choice([world.place[connector], world.place[connector], None]),
        "started_at": start,
        "ended_at": start + minutes * MINUTE,
        "status": draw.choice(["Completed"] * 6 + ["Failed", "Active"]),
        "energy_kwh": draw.choice([draw.random() * 60, 0.0, 0.05, None, -3.0]),
        "cost": draw.choice([draw.random() * 20, 0.0, None]),
        "currency": currency,
        "id_tag": draw.choice([None, *(f"hash {number}" for number in range(8))]),
    }


def store(connection: Connection, world: World) -> None:
    """Write a world down as polls would have."""
    for name, zone in ZONES.items():
        currency = "dkk" if name == "cph" else None
        early: dict[str, Any] = {"first_seen_at": world.start - DAY, "currency": currency}
        minutes = {"blocking_fee_interval_minutes": ALLOWED[name]}
        insert_location(connection, name, timezone=zone, **early, **minutes)
    for name, place in world.place.items():
        first, gone = world.seen[name]
        insert_connector(connection, name, location_id=place, first_seen_at=first, gone_at=gone)
        for thing, of, field_, spans in (
            ("connector", name, "status", world.status[name]),
            ("connector", name, "stale", world.stale[name]),
            ("charger", f"ch-{name}", "online", world.online[name]),
        ):
            for begin, until, value in spans:
                known: dict[str, Any] = {"thing": thing, "thing_id": of, "field": field_, "value": value}
                insert(connection, tables.Interval, **known, valid_from=begin, valid_to=until)
    for number, (begin, until) in enumerate(world.gaps):
        gap: dict[str, Any] = {"resource": "chargers", "valid_from": begin, "valid_to": until}
        insert(connection, tables.PollGap, **gap, changed_seq=number)
    for one in world.sessions:
        insert_session(
            connection, one["id"], one["ended_at"], **{k: v for k, v in one.items() if k not in {"id", "ended_at"}}
        )


def zone_of(place: str | None) -> str:
    """The zone that something at a place counts in."""
    return ZONES.get(place or "", "UTC")


def local_day(at: datetime, place: str | None) -> date:
    return at.astimezone(ZoneInfo(zone_of(place))).date()


def possible_sessions(world: World) -> list[dict[str, Any]]:
    """The sessions that can have been, each once."""
    found: dict[Any, dict[str, Any]] = {}
    for one in sorted(world.sessions, key=lambda one: one["id"]):
        same = (one["connector_id"], one["started_at"], one["status"])
        if same in found:
            continue
        found[same] = one
    return [
        one
        for one in found.values()
        if one["ended_at"] >= one["started_at"] and not (one["energy_kwh"] is not None and one["energy_kwh"] < 0)
    ]


def counted_sessions(world: World, days: set[date]) -> list[dict[str, Any]]:
    """The completed sessions of some local days that can have been, each once."""
    return [
        one
        for one in possible_sessions(world)
        if one["status"] == "Completed" and local_day(one["ended_at"], one["location_id"]) in days
    ]


def begun_sessions(world: World, days: set[date]) -> list[dict[str, Any]]:
    """The sessions that began on some local days and are known to have gone well or not."""
    return [
        one
        for one in possible_sessions(world)
        if one["status"] in {"Active", "Completed", "Failed"}
        and local_day(one["started_at"], one["location_id"]) in days
    ]


def bounds_of(place: str | None, days: set[date]) -> tuple[datetime, datetime]:
    """The first instant of some local days of a place and the one after their last."""
    zone = ZoneInfo(zone_of(place))
    first, last = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (min(days), max(days) + DAY))
    return first.astimezone(UTC), last.astimezone(UTC)


def there_of(world: World, connector: str, days: set[date]) -> float:
    """How many seconds the days of a connector have, if it was there in them."""
    begin, end = bounds_of(world.place[connector], days)
    first, gone = world.seen[connector]
    return (end - begin).total_seconds() if first < end and (gone is None or gone > begin) else 0.0


def used_of(one: dict[str, Any], days: set[date]) -> float:
    """How many seconds of some days a session was open; one that goes on for days after them is none."""
    begin, end = bounds_of(one["location_id"], days)
    if one["ended_at"] > end and one["started_at"] <= begin - 2 * DAY:
        return 0.0
    open_for: timedelta = min(one["ended_at"], end) - max(one["started_at"], begin)
    return max(0.0, open_for.total_seconds())


def _at(spans: Spans, moment: datetime) -> Any:
    for begin, until, value in spans:
        if begin <= moment and (until is None or moment < until):
            return (begin, value)
    return (None, "nothing was said")


def minutes_of(world: World, connector: str, days: set[date]) -> dict[str, int]:
    """How many minutes of some local days a connector was up, down and free, and overstayed."""
    count: dict[str, int] = defaultdict(int)
    first, gone = world.seen[connector]
    moment = world.start
    while moment < world.end:
        here = local_day(moment, world.place[connector]) in days
        if here and first <= moment and (gone is None or moment < gone):
            begun, status = _at(world.status[connector], moment)
            _, online = _at(world.online[connector], moment)
            unseen = any(begin <= moment < until for begin, until in world.gaps)
            unseen = unseen or _at(world.stale[connector], moment)[1] == "true"
            allowed = ALLOWED[world.place[connector]]
            if status == "Finishing" and allowed is not None and moment >= begun + allowed * MINUTE:
                count["overstay"] += 1
            down = status in {"Faulted", "Unavailable"} or online == "false"
            if not unseen and down:
                count["down"] += 1
            elif not unseen and status is not None and online is not None:
                count["up"] += 1
                count["free"] += status == "Available" and online == "true"
        moment += MINUTE
    return count


def repairs_of(world: World, connector: str, days: set[date]) -> list[float]:
    """How long each outage that ended in some local days had lasted, in seconds."""
    first, gone = world.seen[connector]
    found, begun, moment = [], None, max(first, world.start)
    while moment < min(world.end, gone or world.end):
        _, status = _at(world.status[connector], moment)
        _, online = _at(world.online[connector], moment)
        down = status in {"Faulted", "Unavailable"} or online == "false"
        if not down and begun is not None and local_day(moment, world.place[connector]) in days:
            found.append((moment - begun).total_seconds())
        begun = (begun or moment) if down else None
        moment += MINUTE
    return found
