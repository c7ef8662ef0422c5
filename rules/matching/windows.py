"""What the kept history says of a window that ends now: changes, an increase, uptime; and the locations' own clocks.

Each is a correlated subquery over the rows of one thing. What was not observed is not counted; whether history covers
the window is for `learning` to say.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause

from rules.language.expressions import FieldRef, LocalTime, Windowed, fields_of
from rules.language.fields import FIELDS, WEEKDAYS
from rules.language.quantities import OVER_POWER
from rules.matching.powers import seen_of_power
from rules.matching.relations import Say
from rules.matching.scope import CLOCKS, NOW, OFFSETS, SUBJECT, Scope, kept_value
from storage.dialects import greatest, least
from storage.recording.things import STALE
from storage.schema import CONNECTOR, GAP, INTERVAL, LOCATION, SAMPLE
from storage.sql import json_number, seconds_between, shifted, week_clock

_DAY = 86_400


def seen_of_window(node: Windowed, say: Say, scope: Scope = SUBJECT) -> ColumnElement[Any]:
    """What is kept of `changes`, `increase`, `uptime` or `downtime` for the subject, or for the things of a scope."""
    start = window_start(node)
    if node.name == "changes":
        return _changes(node, start, say, scope)
    if node.name == "increase":
        return _increase(start, scope.tables["session"])
    if node.name in OVER_POWER:
        return seen_of_power(node, start, scope)
    return _Uptime(node, start, say, scope).value()


def window_start(node: Windowed) -> ColumnElement[Any]:
    """The moment at which the window of `node` begins, itself outside the window."""
    return shifted(NOW, -float(node.window.value))


def kept_thing(node: Windowed, scope: Scope = SUBJECT) -> FromClause:
    """The table, or its alias, of the thing whose field `changes` reads."""
    assert node.operand is not None  # noqa: S101 - checked by the language
    (key,) = fields_of(node.operand)
    return scope.tables[FIELDS[key].thing]


def intervals_of(node: Windowed, interval: FromClause, scope: Scope = SUBJECT) -> list[ColumnElement[bool]]:
    """What makes a row of `interval` one of those of the field that `changes` reads."""
    assert node.operand is not None  # noqa: S101 - checked by the language
    (key,) = fields_of(node.operand)
    spec = FIELDS[key]
    of_thing = interval.c.thing_id == scope.tables[spec.thing].c.id
    return [interval.c.thing == spec.thing, of_thing, interval.c.field == spec.interval]


def _changes(node: Windowed, start: ColumnElement[Any], say: Say, scope: Scope) -> ColumnElement[Any]:
    """How many intervals that began in the window differ from the last one before them, of those that are known."""
    assert node.operand is not None  # noqa: S101 - checked by the language
    operand = node.operand
    (key,) = fields_of(operand)
    thing = scope.tables[FIELDS[key].thing]
    now, before = INTERVAL.alias(), INTERVAL.alias()

    def value(interval: FromClause) -> ColumnElement[Any]:
        then = kept_value(FIELDS[key], interval)
        return then if isinstance(operand, FieldRef) else say(operand, lambda one: then if one == key else scope(one))

    earlier = sa.or_(
        before.c.valid_from < now.c.valid_from,
        sa.and_(before.c.valid_from == now.c.valid_from, before.c.id < now.c.id),
    )
    last = (
        sa.select(value(before))
        .where(*intervals_of(node, before, scope), before.c.valid_from <= now.c.valid_from, earlier)
        .where(value(before).is_not(None))
        .order_by(before.c.valid_from.desc(), before.c.id.desc())
        .limit(1)
        .correlate(thing, now)
        .scalar_subquery()
    )
    changed = sa.select(sa.func.count()).where(
        *intervals_of(node, now, scope), now.c.valid_from > start, sa.type_coerce(value(now), last.type) != last
    )
    return sa.case((thing.c.id.is_not(None), changed.select_from(now).correlate(thing).scalar_subquery()))


def _increase(start: ColumnElement[Any], session: FromClause) -> ColumnElement[Any]:
    """The energy now less the last one known before the window; 0 where it has not changed since.

    A fall is a reset of the counter, as in Prometheus: what it showed before is added.
    """
    before, last = SAMPLE.alias(), SAMPLE.alias()
    at_the_edge = _latest_known(session, before, before.c.at <= start)
    newest = _latest_known(session, last)
    energy = session.c.energy_kwh
    fallen_since = sa.case((energy < newest, newest), else_=0.0)
    return sa.case(
        (energy.is_(None), sa.null()),
        (session.c.energy_changed_at <= start, sa.literal(0.0)),
        else_=energy - at_the_edge + _resets(start, session) + fallen_since,
    )


def _resets(start: ColumnElement[Any], session: FromClause) -> ColumnElement[Any]:
    """What the counter showed before each fall between two samples of which the later one is in the window."""
    now, before, between = SAMPLE.alias(), SAMPLE.alias(), SAMPLE.alias()
    of_both = (now.c.session_id == session.c.id, before.c.session_id == now.c.session_id, before.c.at < now.c.at)
    neighbours = ~sa.exists().where(
        between.c.session_id == now.c.session_id,
        between.c.at > before.c.at,
        between.c.at < now.c.at,
        between.c.energy_kwh.is_not(None),
    ).correlate(now, before)
    fell = sa.select(sa.func.coalesce(sa.func.sum(before.c.energy_kwh), 0.0)).where(
        *of_both, now.c.at > start, now.c.energy_kwh < before.c.energy_kwh, neighbours
    )
    return fell.select_from(now, before).correlate(session).scalar_subquery()


def _latest_known(session: FromClause, sample: FromClause, *when: ColumnElement[bool]) -> ColumnElement[Any]:
    known = sa.select(sample.c.energy_kwh).where(
        sample.c.session_id == session.c.id, sample.c.energy_kwh.is_not(None), *when
    )
    return known.order_by(sample.c.at.desc()).limit(1).correlate(session).scalar_subquery()


class _Uptime:
    """Up time over up and down time, or down time alone: down where either the status or the connection says so, up
    where both do. Time of which `where` is false is neither. Of a charger, a location or the network, all of its
    connectors count together.
    """

    def __init__(self, node: Windowed, start: ColumnElement[Any], say: Say, scope: Scope) -> None:
        self.node, self.start, self.say = node, start, say
        self.outer = scope.tables[node.of]
        self.connector = self.outer if node.of == "connector" else CONNECTOR.alias()
        self.scope = Scope({**scope.tables, "connector": self.connector})
        self.sources: list[FromClause] = [] if node.of == "connector" else [self.connector]
        here = [] if node.of == "connector" else [self.connector.c[f"{node.of}_id"] == self.outer.c.id]
        self.here: list[ColumnElement[bool]] = [*here, self.connector.c.gone_at.is_(None)] if here else []

    def value(self) -> ColumnElement[Any]:
        status, online = INTERVAL.alias(), INTERVAL.alias()
        of_status, of_online = self._of("connector.status", status), self._of("charger.online", online)
        is_up = [*of_status, status.c.value.not_in(_DOWN)]
        is_down = [*of_status, status.c.value.in_(_DOWN)]
        is_online, is_offline = [*of_online, online.c.value == "true"], [*of_online, online.c.value == "false"]
        down = self._seconds(is_down, status) + self._seconds(is_offline, online)
        down -= self._seconds([*is_down, *is_offline], status, online)
        if self.node.name == "downtime":
            return sa.case((self.outer.c.id.is_not(None), down))
        up = self._seconds([*is_up, *is_online], status, online)
        return up / sa.func.nullif(up + down, 0.0)

    def _seconds(self, conditions: list[ColumnElement[bool]], *spans: FromClause) -> ColumnElement[Any]:
        """How long all of the spans lasted together within the window, but for the time in which nothing was seen of
        the connector: in gaps of polling, and where it could not be read.
        """
        counted, is_counted = self._counted()
        conditions, together = [*conditions, *is_counted], [*spans, *counted]
        stale, here = INTERVAL.alias(), self.connector.c.id
        is_stale = [stale.c.thing == "connector", stale.c.thing_id == here, stale.c.field == STALE]
        unseen = self._polled([*conditions, *is_stale], [*together, stale])
        if self.node.of == "connector":
            ever = sa.exists().where(*is_stale, sa.or_(stale.c.valid_to.is_(None), stale.c.valid_to > self.start))
            unseen = sa.case((ever, unseen), else_=0.0)
        return self._polled(conditions, together) - unseen

    def _polled(self, conditions: list[ColumnElement[bool]], spans: list[FromClause]) -> ColumnElement[Any]:
        """How long all of the spans lasted together within the window, the gaps in polling left out."""
        gap = GAP.alias()
        in_gaps = self._overlap([*conditions, gap.c.resource == "chargers"], [*spans, gap])
        return self._overlap(conditions, spans) - in_gaps

    def _of(self, key: str, interval: FromClause) -> list[ColumnElement[bool]]:
        """What makes a row of `interval` one of a field of the connector, of its charger or its location."""
        spec = FIELDS[key]
        name = "id" if spec.thing == "connector" else f"{spec.thing}_id"
        thing_id = self.connector.c[name]
        return [interval.c.thing == spec.thing, interval.c.thing_id == thing_id, interval.c.field == spec.interval]

    def _counted(self) -> tuple[list[FromClause], list[ColumnElement[bool]]]:
        """The intervals in which time counts: all but those of which `where` is false; none where there is none."""
        if self.node.where is None:
            return [], []
        (key,) = fields_of(self.node.where)
        interval = INTERVAL.alias()
        then = kept_value(FIELDS[key], interval)
        counts = self.say(self.node.where, lambda one: then if one == key else self.scope(one))
        return [interval], [*self._of(key, interval), sa.or_(counts.is_(None), counts)]

    def _overlap(self, conditions: list[ColumnElement[bool]], spans: list[FromClause]) -> ColumnElement[Any]:
        began = greatest(self.start, *(span.c.valid_from for span in spans))
        ended = least(NOW, *(sa.func.coalesce(span.c.valid_to, NOW) for span in spans))
        total = sa.func.coalesce(sa.func.sum(seconds_between(began, ended)), 0.0)
        sources = [*self.sources, *spans]
        source: FromClause = sources[0]
        for one in sources[1:]:
            source = source.join(one, sa.true())
        in_window = [sa.or_(span.c.valid_to.is_(None), span.c.valid_to > self.start) for span in spans]
        found = sa.select(total).select_from(source).where(*self.here, *conditions, *in_window, began < ended)
        return found.correlate(self.outer).scalar_subquery()


_DOWN = ("Faulted", "Unavailable")


def local_clocks(zones: Iterable[str], now: datetime, default_zone: str | None = None) -> str:
    """What the weekly clock of each zone shows at `now`: JSON of the seconds since its Monday 00:00.

    `default_zone` is that of locations which name none, or one that there is not; without it their local time is
    unknown.
    """
    clocks = {}
    for name, zone in _known_zones(zones, default_zone):
        local = now.astimezone(zone)
        clocks[name] = local.weekday() * _DAY + local.hour * 3600 + local.minute * 60 + local.second
    return json.dumps(clocks)


def zone_offsets(zones: Iterable[str], first: datetime, last: datetime, default_zone: str | None = None) -> str:
    """How far the clock of each zone is ahead of UTC from `first` to `last`: JSON as `storage.sql.week_clock` takes it.

    Names are as in `local_clocks`. A zone that changes its clocks in between is told of several times.
    """
    told: list[dict[str, str | int]] = []
    for name, zone in _known_zones(zones, default_zone):
        moment = first.replace(minute=0, second=0, microsecond=0)
        while moment <= last:
            offset, begins = _offset(moment, zone), moment
            while moment <= last and _offset(moment, zone) == offset:
                moment += _ZONE_STEP
            while _offset(moment - _ZONE_FINE, zone) != offset:
                moment -= _ZONE_FINE
            spans = {"from": int(begins.timestamp()), "until": int(moment.timestamp()), "offset": offset}
            told.append({"zone": name, **spans})
    return json.dumps(told)


_ZONE_STEP, _ZONE_FINE = timedelta(hours=12), timedelta(minutes=15)  # clocks change on whole quarters of an hour


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    ahead = moment.astimezone(zone).utcoffset()
    assert ahead is not None  # noqa: S101 - every zone has one
    return int(ahead.total_seconds())


def _known_zones(zones: Iterable[str], default_zone: str | None) -> list[tuple[str, ZoneInfo]]:
    """Each name with its zone, the empty name being that of locations without one; what has none is left out."""
    otherwise = None if default_zone is None else _zone(default_zone)
    found = [(name, _zone(name) or otherwise) for name in dict.fromkeys(["", *zones])]
    return [(name, zone) for name, zone in found if zone is not None]


def zones_of_locations(connection: Connection, default_zone: str | None) -> Callable[[str | None], ZoneInfo]:
    """Gives the zone of a location by its id: the default one, else UTC, where it names none that there is."""
    named = {row.id: row.timezone for row in connection.execute(sa.select(LOCATION.c.id, LOCATION.c.timezone))}
    otherwise = _zone(default_zone or "UTC") or ZoneInfo("UTC")
    return lambda location_id: _zone(named.get(location_id or "") or "") or otherwise


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # not found, or no key at all: ZoneInfoNotFoundError is a KeyError
        return None


def compile_local_time(node: LocalTime, at: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    """The weekday at the location, or whether it is within hours there: now, or `at` another moment.

    Unknown where the location itself is.
    """
    zone = sa.case((LOCATION.c.id.is_not(None), sa.func.coalesce(LOCATION.c.timezone, "")))
    clock: ColumnElement[Any] = json_number(CLOCKS, zone) if at is None else week_clock(OFFSETS, zone, at)
    if node.name == "weekday":
        return sa.case(*((clock < (day + 1) * _DAY, name) for day, name in enumerate(WEEKDAYS)))
    begin, end = (_seconds(text) for text in node.text.split("-"))
    days = range(5 if node.name == "business_hours" else 7)
    spans = [(begin, end)] if begin < end else [(0, end), (begin, _DAY)]
    return sa.or_(*(sa.and_(clock >= day * _DAY + a, clock < day * _DAY + b) for day in days for a, b in spans))


def _seconds(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60
