"""What the service has kept of the past, read back as the polls that would have told it.

Fields are kept as intervals, sessions as rows with samples of their energy, holes as gaps; a poll or two that failed
are not kept, and count as good. A field whose history is not kept has none here, and nothing makes one up.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from eosvolt.models import ChargerReading, ConnectorReading, LocationReading, SessionReading
from rules.language.fields import FIELDS
from rules.trials.powers import POWER, changes_of, read_powers
from rules.trials.whereabouts import Thing, Whereabouts, read_whereabouts
from storage.dialects import AnyRow
from storage.polls import poll_states
from storage.record import PENDING
from storage.recording.things import STALE
from storage.schema import CHARGER, CONNECTOR, GAP, INTERVAL, LOCATION, SAMPLE, SESSION

NEVER_CHANGE = frozenset({"connector.id", "charger.id", "location.id", "session.id"})
OF_SESSIONS = frozenset(
    f"session.{name}"
    for name in (
        "status",
        "status_raw",
        "type",
        "energy",
        "duration",
        "currency",
        "id_tag",
        "fail_reason",
        "stop_reason",
    )
)
"""Fields of a session that its row, its times and its samples tell for any moment of it."""

AS_NOW = {
    **{f"charger.{name}": ("charger", name) for name in ("name", "vendor", "model", "serial", "labels")},
    "connector.type": ("connector", "type"),
    "connector.max_power": ("connector", "max_power_kw"),
}
"""What describes a charger or a connector, with its column: no history is kept of it, and it is taken as it is now."""

POWER_KEY = "connector.power"
"""Its history is kept apart, and only while a rule looks at a power over a time."""

_OF_LOCATIONS = frozenset(key for key, spec in FIELDS.items() if spec.thing == "location")


def has_history(key: str) -> bool:
    """Whether the value that a field of the catalogue had at any moment is known, or taken to be what it is now."""
    described = key in NEVER_CHANGE or key in AS_NOW or key in _OF_LOCATIONS
    return described or key in OF_SESSIONS or key == POWER_KEY or FIELDS[key].interval is not None


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on, a field of a thing had a value; `at` may lie before the time that is read."""

    at: datetime
    thing: str
    thing_id: str
    field: str
    value: str | None


@dataclass(slots=True)
class Kept:
    """Everything kept of the things of a fleet in (since, until], and how it stood at `since`.

    `past` are the rows of intervals that ended before, as far back as was asked for, and of all in which a connector
    could not be read. `began` is when each resource was
    first polled well: windows are learning before that, and before a thing came into sight.
    """

    since: datetime
    locations: list[LocationReading]
    chargers: dict[str, AnyRow]
    connectors: dict[str, AnyRow]
    before: list[Change]  # the last value at or before `since`
    changes: list[Change]  # in time order
    gaps: list[tuple[datetime, datetime]]  # of the resources asked for, joined where they overlap
    sessions: dict[str, AnyRow]
    samples: dict[str, list[tuple[datetime, float | None]]] = field(default_factory=dict)
    past: list[dict[str, Any]] = field(default_factory=list)
    began: dict[str, datetime] = field(default_factory=dict)
    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    powers: list[dict[str, Any]] = field(default_factory=list)

    def description(self, key: str, thing: str, thing_id: str) -> Any:
        """A field of AS_NOW, of a connector or charger or of the charger above it; a list as JSON."""
        of, column = AS_NOW[key]
        row = {"connector": self.connectors, "charger": self.chargers}[thing].get(thing_id)
        if row is not None and (thing, of) == ("connector", "charger"):
            row = self.chargers.get(row.charger_id)
        value = None if row is None else getattr(row, column)
        return json.dumps(value) if isinstance(value, list) else value


def read_kept(
    connection: Connection,
    keys: Collection[str],
    resources: Collection[str],
    *,
    since: datetime,
    until: datetime,
    lookback: timedelta,
) -> Kept:
    """Read what is kept of the fields `keys` in (since, until], and `lookback` before that for windows.

    Sessions are read where `resources` names them.
    """
    fields = {(FIELDS[key].thing, FIELDS[key].interval) for key in keys if FIELDS[key].interval is not None}
    before, changes = _changes(connection, fields, since, until)
    powers = read_powers(connection, since - lookback, until) if POWER_KEY in keys else []
    told = [Change(*one) for one in changes_of(powers, since)]
    before += [item for item in told if item.at <= since]
    changes = sorted([*changes, *(item for item in told if item.at > since)], key=lambda item: item.at)
    ended = sa.or_(SESSION.c.ended_at.is_(None), SESSION.c.ended_at > since - lookback)
    overlaps = sa.and_(SESSION.c.started_at <= until, ended)
    sessions = connection.execute(sa.select(SESSION).where(overlaps)).all() if "sessions" in resources else []
    samples: dict[str, list[tuple[datetime, float | None]]] = defaultdict(list)
    if sessions:
        of_these = sa.select(SESSION.c.id).where(overlaps)
        statement = sa.select(SAMPLE).where(SAMPLE.c.session_id.in_(of_these), SAMPLE.c.at <= until)
        for row in connection.execute(statement.order_by(SAMPLE.c.at)):
            samples[row.session_id].append((row.at, row.energy_kwh))
    locations = connection.execute(sa.select(LOCATION)).all()
    polls = poll_states(connection).items()
    return Kept(
        since=since,
        locations=[_location(row) for row in locations],
        chargers={row.id: row for row in connection.execute(sa.select(CHARGER))},
        connectors={row.id: row for row in connection.execute(sa.select(CONNECTOR))},
        before=before,
        changes=changes,
        gaps=_gaps(connection, resources, since, until),
        sessions={row.id: row for row in sessions},
        samples=samples,
        past=[*_past(connection, fields, since, lookback), *_stale(connection, since - lookback, until)],
        began={resource: state.first_good_at for resource, state in polls if state.first_good_at is not None},
        powers=powers,
        whereabouts=read_whereabouts(connection, since - lookback),
    )


def _past(
    connection: Connection, fields: Collection[tuple[str, str | None]], since: datetime, lookback: timedelta
) -> list[dict[str, Any]]:
    if not fields or not lookback:
        return []
    names = ("thing", "thing_id", "field", "value", "valid_from", "valid_to")
    statement = sa.select(*(INTERVAL.c[name] for name in names)).where(
        _of_fields(fields), INTERVAL.c.valid_to <= since, INTERVAL.c.valid_to > since - lookback
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _stale(connection: Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """When connectors could not be read: time that no window counts, wherever in the replay it lies."""
    interval = INTERVAL.c
    ended = sa.func.coalesce(interval.valid_to, sa.literal(until, type_=interval.valid_to.type))
    names = (interval.thing, interval.thing_id, interval.field, interval.value, interval.valid_from)
    statement = sa.select(*names, ended.label("valid_to")).where(
        *(interval.thing == "connector", interval.field == STALE, interval.valid_from < until),
        sa.or_(interval.valid_to.is_(None), interval.valid_to > since),
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _of_fields(fields: Collection[tuple[str, str | None]]) -> sa.ColumnElement[bool]:
    return sa.or_(*(sa.and_(INTERVAL.c.thing == thing, INTERVAL.c.field == name) for thing, name in fields))


def _changes(
    connection: Connection, fields: Collection[tuple[str, str | None]], since: datetime, until: datetime
) -> tuple[list[Change], list[Change]]:
    if not fields:
        return [], []
    statement = (
        sa.select(INTERVAL.c.valid_from, INTERVAL.c.thing, INTERVAL.c.thing_id, INTERVAL.c.field, INTERVAL.c.value)
        .where(
            _of_fields(fields),
            INTERVAL.c.valid_from <= until,
            sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > since),
        )
        .order_by(INTERVAL.c.valid_from, INTERVAL.c.id)
    )
    told = [Change(*row) for row in connection.execute(statement)]
    return [item for item in told if item.at <= since], [item for item in told if item.at > since]


def _gaps(
    connection: Connection, resources: Collection[str], since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    statement = sa.select(GAP.c.valid_from, GAP.c.valid_to).where(
        GAP.c.resource.in_(resources), GAP.c.valid_to > since, GAP.c.valid_from < until
    )
    joined: list[tuple[datetime, datetime]] = []
    for start, end in connection.execute(statement.order_by(GAP.c.valid_from)):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _location(row: AnyRow) -> LocationReading:
    return LocationReading(
        id=row.id,
        name=row.name,
        type=row.type,
        address=row.address,
        timezone=row.timezone,
        currency=row.currency,
        blocking_fee_interval_minutes=row.blocking_fee_interval_minutes,
    )


class Fleet:
    """The fleet as it stood at some moment: `tell` moves it on, `charger` and `session` say what a poll would read."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.values: dict[tuple[str, str, str], str | None] = {}
        self.dated: dict[tuple[str, str, str], datetime] = {}
        self.place: dict[Thing, str | None] = {}
        self.plugs: dict[str | None, set[str]] = defaultdict(set)
        self.known: set[tuple[str, str]] = set()

    def tell(self, change: Change) -> str | None:
        """Note a change; the charger whose reading it changes."""
        key = (change.thing, change.thing_id, change.field)
        self.values[key], self.dated[key] = change.value, change.at
        if change.thing == "location":
            return None
        return self.charger_of(change.thing, change.thing_id)

    def move(self, thing: str, thing_id: str, place: str | None) -> str | None:
        """A thing is elsewhere now; the charger whose reading says so."""
        if thing == "connector":
            self.plugs[self.place.get((thing, thing_id))].discard(thing_id)
            self.plugs[place].add(thing_id)
        self.place[thing, thing_id] = place
        return self.charger_of(thing, thing_id)

    def lose(self, thing: str, thing_id: str) -> None:
        """A thing vanished from the API's answers."""
        self.known.discard((thing, thing_id))

    def charger_of(self, thing: str, thing_id: str) -> str | None:
        """The charger that a charger or connector belongs to; None for what is not known any more."""
        if thing == "connector":
            return self.place.get((thing, thing_id))
        return thing_id if thing_id in self.kept.chargers else None

    def prices(self, location_ids: Collection[str]) -> list[tuple[str, str]]:
        """What a poll would read of the prices of these locations, where it is known."""
        told = [(one, self.values.get(("location", one, "price"))) for one in sorted(location_ids)]
        return [(one, text) for one, text in told if text is not None]

    def appear(self, thing: str, thing_id: str) -> str | None:
        """A thing came into sight; the charger whose reading says so."""
        self.known.add((thing, thing_id))
        return self.charger_of(thing, thing_id)

    def exist_at(self, moment: datetime) -> None:
        """Everything is where it was at `moment`, and there if it had been seen by then and was not gone."""
        whereabouts = self.kept.whereabouts
        self.known = {thing for thing, _ in whereabouts.there_at(moment)}
        for thing, thing_id in whereabouts.now:
            self.move(thing, thing_id, whereabouts.place_at((thing, thing_id), moment))

    def charger(self, charger_id: str) -> ChargerReading:
        """What a poll would read of a charger and its connectors."""
        row = self.kept.chargers[charger_id]
        online = self.values.get(("charger", charger_id, "online"))
        plugs = [name for name in sorted(self.plugs[charger_id]) if ("connector", name) in self.known]
        return ChargerReading(
            id=charger_id,
            location_id=self.place.get(("charger", charger_id)),
            name=row.name,
            vendor=row.vendor,
            model=row.model,
            serial=row.serial,
            online={"true": True, "false": False}.get(online or ""),
            labels=tuple(row.labels or ()),
            connectors=tuple(self._connector(name, charger_id) for name in plugs),
        )

    def _connector(self, connector_id: str, charger_id: str) -> ConnectorReading:
        row = self.kept.connectors[connector_id]
        status = self.values.get(("connector", connector_id, "status"))
        power = self.values.get(("connector", connector_id, POWER))
        return ConnectorReading(
            id=connector_id,
            charger_id=charger_id,
            status=status,
            status_raw=status,
            status_changed_at=self.dated.get(("connector", connector_id, "status")),
            error_code=self.values.get(("connector", connector_id, "error_code")),
            power_kw=None if power is None else float(power),
            type=row.type,
            max_power_kw=row.max_power_kw,
        )

    def session(self, session_id: str, now: datetime) -> SessionReading:
        """What a poll would read of a session at `now`."""
        row = self.kept.sessions[session_id]
        over = row.ended_at is not None and row.ended_at <= now
        sampled = [energy for at, energy in self.kept.samples.get(session_id, ()) if at <= now]
        return SessionReading(
            id=session_id,
            connector_id=row.connector_id,
            charger_id=row.charger_id,
            location_id=row.location_id,
            status=row.status if over else _status_while_open(row, now),
            type=row.type,
            fail_reason=row.fail_reason if over else None,
            stop_reason=row.stop_reason if over else None,
            started_at=row.started_at,
            ended_at=row.ended_at if over else None,
            energy_kwh=row.energy_kwh if over else (sampled[-1] if sampled else None),
            currency=row.currency,
            id_tag=row.id_tag,
        )


def _status_while_open(row: AnyRow, now: datetime) -> str | None:
    """The status that a session had at `now`, before its end."""
    if row.pending_until is not None and now < row.pending_until:
        return PENDING
    # of one that has ended the last status tells of the end
    return str(row.status) if row.ended_at is None and row.status is not None else "Active"


def session_moments(kept: Kept, session_id: str) -> Iterator[datetime]:
    """The moments at which a session's reading changes: when it came into sight, each sample, its end."""
    row = kept.sessions[session_id]
    yield max(row.started_at, row.first_seen_at)
    if row.pending_until is not None:
        yield row.pending_until
    yield from (at for at, _ in kept.samples.get(session_id, ()))
    if row.ended_at is not None:
        yield row.ended_at
