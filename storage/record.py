"""Writes down what a poll said, and when each thing changed: one upsert a kind of thing, then set-based history.

Recording the same poll twice changes nothing; pages may be split anywhere. No network, no clock, no opinion about
rules: what changed is marked with a new `changed_seq`, and whoever evaluates reads from there.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from eosvolt.models import ChargerReading, LocationReading, SessionReading
from storage.dialects import Bulk, Insert, greatest, insert
from storage.prepared import Prepared
from storage.schema import CHARGER, CONNECTOR, COUNTER, INTERVAL, LOCATION, SAMPLE, SESSION

Row = dict[str, Any]
Readings = Sequence[LocationReading] | Sequence[ChargerReading] | Sequence[SessionReading]
T = TypeVar("T")

SLICE_ROWS = 500
"""How many readings one transaction records: well under 50 ms, so that a click never waits long behind a sweep."""

SAMPLE_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a thing's columns are recorded.

    `moments` maps a column that tells when a value last changed to the columns whose change moves it; `passive`
    columns are stored with a change but are none by themselves; `history` maps a field kept in Interval to the
    column that dates it.
    """

    thing: str
    table: Table
    moments: Mapping[str, tuple[str, ...]]
    passive: frozenset[str]
    history: Mapping[str, str]

    @property
    def has_gone(self) -> bool:
        return "gone_at" in self.table.c


RECORDED = {
    "location": Recorded("location", LOCATION, {}, frozenset({"extra"}), {"price": "price_changed_at"}),
    "charger": Recorded(
        "charger",
        CHARGER,
        {"online_changed_at": ("online",)},
        frozenset({"extra", "last_heartbeat"}),  # rules read the heartbeat's age, which is compared
        {"online": "online_changed_at"},
    ),
    "connector": Recorded(
        "connector",
        CONNECTOR,
        {
            "status_changed_at": ("status", "status_raw"),
            "error_code_changed_at": ("error_code",),
            "power_changed_at": ("power_kw",),
        },
        frozenset({"extra"}),
        {"status": "status_changed_at", "error_code": "error_code_changed_at"},
    ),
    "session": Recorded(
        "session",
        SESSION,
        {"status_changed_at": ("status",), "energy_changed_at": ("energy_kwh",)},
        frozenset({"extra"}),
        {},
    ),
}
UNTOLD = frozenset({"gone_at", "sampled_at", "previous_location_id", "price"})
KEPT = UNTOLD | {"id", "price_changed_at", "first_seen_at", "changed_at", "changed_seq", "missed_sweeps"}


@dataclass(frozen=True, slots=True)
class Observation:
    """The circumstances of a poll.

    `now` is the poll's moment, `floor` that of the good poll before it: a change that this poll saw first cannot be
    older. `tag_key` keys the HMAC that id tags are stored as; without it they are not stored, `plain_tags` keeps them.
    """

    now: datetime
    floor: datetime | None = None
    tag_key: bytes | None = None
    plain_tags: bool = False


def record_readings(connection: Connection, readings: Readings, observation: Observation) -> bool:
    """Record one slice of readings of one resource in the caller's transaction; true if anything changed."""
    if not readings:
        return False
    seq = next_seq(connection)
    rows: dict[str, list[Row]] = {}
    for reading in readings:
        for thing, row in rows_of(reading, observation):
            rows.setdefault(thing, []).append(row)
    changed = [_upsert(connection, RECORDED[thing], things, seq, observation) for thing, things in rows.items()]
    if not any(changed):
        return False
    store_seq(connection, seq)
    return True


def slices(readings: Sequence[T], size: int = SLICE_ROWS) -> Iterable[Sequence[T]]:
    """The readings in transactions' worth."""
    for start in range(0, len(readings), size):
        yield readings[start : start + size]


_LOCKED_SEQ = Prepared(sa.select(COUNTER.c.value).where(COUNTER.c.name == "changed").with_for_update())
_STORE_SEQ = Prepared(sa.update(COUNTER).where(COUNTER.c.name == "changed").values(value=sa.bindparam("seq")))


def next_seq(connection: Connection) -> int:
    """The `changed_seq` of this transaction; PostgreSQL holds the counter's row until it ends."""
    value = _LOCKED_SEQ.scalar(connection)
    if value is None:
        connection.execute(insert(connection, COUNTER).values(name="changed", value=0).on_conflict_do_nothing())
        return next_seq(connection)
    return int(value) + 1


def store_seq(connection: Connection, seq: int) -> None:
    """Say that `changed_seq` has come to `seq`; left out where a transaction changed nothing."""
    _STORE_SEQ.run(connection, {"seq": seq})


def rows_of(
    reading: LocationReading | ChargerReading | SessionReading, observation: Observation
) -> list[tuple[str, Row]]:
    """The rows, by thing, that one reading says: a charger's reading says its connectors' too."""
    if isinstance(reading, ChargerReading):
        connectors = [
            ("connector", _connector_row(reading, index, observation)) for index in range(len(reading.connectors))
        ]
        return [("charger", _charger_row(reading, observation)), *connectors]
    if isinstance(reading, LocationReading):
        return [("location", _location_row(reading, observation))]
    return [("session", _session_row(reading, observation))]


def _upper(moment: datetime | None, now: datetime) -> datetime:
    return now if moment is None else min(moment, now)


def _base(reading: Any, now: datetime) -> Row:
    return {"id": reading.id, "extra": reading.extra, "first_seen_at": now, "changed_at": now}


def _location_row(reading: LocationReading, observation: Observation) -> Row:
    return {
        **_base(reading, observation.now),
        "name": reading.name,
        "type": reading.type,
        "address": reading.address,
        "timezone": reading.timezone,
        "currency": reading.currency,
        "support_contact": reading.support_contact,
        "blocking_fee_interval_minutes": reading.blocking_fee_interval_minutes,
        "price_changed_at": observation.now,
    }


def _charger_row(reading: ChargerReading, observation: Observation) -> Row:
    now = observation.now
    beat = reading.last_heartbeat
    return {
        **_base(reading, now),
        "location_id": reading.location_id,
        "name": reading.name,
        "vendor": reading.vendor,
        "model": reading.model,
        "firmware": reading.firmware,
        "serial": reading.serial,
        "online": reading.online,
        "online_changed_at": now,
        "last_heartbeat": beat,
        "heartbeat_interval_s": reading.heartbeat_interval_seconds,
        "heartbeat_age_s": None if beat is None else max(0.0, (now - beat).total_seconds()),
        "labels": list(reading.labels),
    }


def _connector_row(charger: ChargerReading, index: int, observation: Observation) -> Row:
    now = observation.now
    reading = charger.connectors[index]
    dated = _upper(reading.status_changed_at, now)
    return {
        **_base(reading, now),
        "charger_id": charger.id,
        "location_id": charger.location_id,
        "status": reading.status,
        "status_raw": reading.status_raw,
        "status_changed_at": dated,
        "error_code": reading.error_code,
        "error_code_changed_at": now,
        "vendor_error_code": reading.vendor_error_code,
        "power_kw": reading.power_kw,
        "power_changed_at": now,
        "max_power_kw": reading.max_power_kw,
        "type": reading.type,
    }


def _session_row(reading: SessionReading, observation: Observation) -> Row:
    now = observation.now
    return {
        **_base(reading, now),
        "connector_id": reading.connector_id,
        "charger_id": reading.charger_id,
        "location_id": reading.location_id,
        "status": reading.status,
        "status_changed_at": _upper(reading.ended_at or reading.started_at, now),
        "type": reading.type,
        "fail_reason": reading.fail_reason,
        "started_at": reading.started_at,
        "ended_at": reading.ended_at,
        "energy_kwh": reading.energy_kwh,
        "energy_changed_at": now,
        "cost": reading.cost,
        "currency": reading.currency,
        "id_tag": _stored_tag(reading.id_tag, observation),
        "stop_reason": reading.stop_reason,
    }


def _stored_tag(tag: str | None, observation: Observation) -> str | None:
    if tag is None or observation.plain_tags:
        return tag
    if observation.tag_key is None:
        return None
    return hmac.new(observation.tag_key, tag.encode(), sha256).hexdigest()


def _upsert(connection: Connection, recorded: Recorded, rows: list[Row], seq: int, observation: Observation) -> bool:
    common = {"changed_seq": seq, "missed_sweeps": 0, "floor": observation.floor or _LONG_AGO}
    _bulk_upsert(connection, recorded).run(connection, [{**row, **common} for row in rows])
    if _any_changed(recorded.thing).first(connection, {"seq": seq}) is None:
        return False
    for field, dated in recorded.history.items():
        close_intervals(connection, recorded, field, dated, seq)
        open_intervals(connection, recorded, field, dated, seq)
    if recorded.thing == "charger":
        _TOUCH_LEFT_LOCATIONS.run(connection, {"seq": seq})
    if recorded.thing == "session":
        _sample_sessions(connection, seq, observation.now)
    return True


_LEFT = sa.select(CHARGER.c.previous_location_id).where(
    CHARGER.c.changed_seq == sa.bindparam("seq"), CHARGER.c.previous_location_id != CHARGER.c.location_id
)
_TOUCH_LEFT_LOCATIONS = Prepared(
    sa.update(LOCATION).where(LOCATION.c.id.in_(_LEFT)).values(changed_seq=sa.bindparam("seq"))
)
"""A charger that moves is a change of the location that it left too, of whose chargers another share may be true."""


@cache
def _any_changed(thing: str) -> Prepared:
    table = RECORDED[thing].table
    return Prepared(sa.select(table.c.id).where(table.c.changed_seq == sa.bindparam("seq")).limit(1))


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_BULK: dict[tuple[str, str], Bulk] = {}


def _bulk_upsert(connection: Connection, recorded: Recorded) -> Bulk:
    key = (connection.dialect.name, recorded.thing)
    if key not in _BULK:
        _BULK[key] = Bulk(_upsert_statement(insert(connection, recorded.table), recorded), connection.dialect)
    return _BULK[key]


def _upsert_statement(statement: Insert, recorded: Recorded) -> Insert:
    """The upsert of one kind of thing: writes only the rows in which something other than passive columns changed."""
    table = recorded.table
    new = statement.excluded
    facts = [column.name for column in table.c if column.name not in KEPT and column.name not in recorded.moments]
    returned = table.c.gone_at.is_not(None) if recorded.has_gone else sa.false()
    values: dict[str, Any] = {name: new[name] for name in facts}
    values |= {"changed_at": new.changed_at, "changed_seq": new.changed_seq}
    if recorded.has_gone:
        values |= {"gone_at": sa.null(), "missed_sweeps": new.missed_sweeps}
        # one that comes back is at first sight again: what was before it went is not its history now
        values["first_seen_at"] = sa.case((returned, new.first_seen_at), else_=table.c.first_seen_at)
    floor = sa.bindparam("floor", type_=table.c.changed_at.type)
    for moment, sources in recorded.moments.items():
        moved = sa.or_(*(table.c[name].is_distinct_from(new[name]) for name in sources))
        dated: ColumnElement[Any] = greatest(new[moment], floor, table.c[moment])
        values[moment] = sa.case((returned, new[moment]), (moved, dated), else_=table.c[moment])
    if "price" in table.c:  # asked for by itself: unknown again until then
        values["price"] = sa.case((returned, sa.null()), else_=table.c.price)
        values["price_changed_at"] = sa.case((returned, new.price_changed_at), else_=table.c.price_changed_at)
    if "previous_location_id" in table.c:
        values["previous_location_id"] = table.c.location_id
    differs = [table.c[name].is_distinct_from(new[name]) for name in facts if name not in recorded.passive]
    inserted: dict[str, Any] = {name: sa.bindparam(name) for name in _inserted(table)}
    return statement.values(inserted).on_conflict_do_update(
        index_elements=[table.c.id], set_=values, where=sa.or_(returned, *differs)
    )


def _inserted(table: Table) -> list[str]:
    return [c.name for c in table.c if c.name not in UNTOLD]


def close_intervals(connection: Connection, recorded: Recorded, field: str, dated: str, seq: int) -> None:
    """End the open interval of each thing that changed at `seq`, if its value is another one or it is gone."""
    _history_statements(recorded.thing, field, dated)[0].run(connection, {"seq": seq})


def open_intervals(connection: Connection, recorded: Recorded, field: str, dated: str, seq: int) -> None:
    """Begin an interval of each thing that changed at `seq` and has no open one."""
    _history_statements(recorded.thing, field, dated)[1].run(connection, {"seq": seq})


@cache
def _history_statements(thing: str, field: str, dated: str) -> tuple[Prepared, Prepared]:
    recorded = RECORDED[thing]
    table = recorded.table
    seq = sa.bindparam("seq", type_=sa.Integer)
    value = _as_text(table.c[field])
    still_open = sa.and_(INTERVAL.c.thing == recorded.thing, INTERVAL.c.field == field, INTERVAL.c.valid_to.is_(None))
    of_interval = table.c.id == INTERVAL.c.thing_id
    ended_at = sa.select(sa.func.coalesce(table.c.gone_at, table.c[dated])).where(of_interval).scalar_subquery()
    changed = sa.select(table.c.id).where(
        table.c.changed_seq == seq,
        of_interval,
        sa.or_(value.is_distinct_from(INTERVAL.c.value), table.c.gone_at.is_not(None)),
    )
    close = (
        sa.update(INTERVAL)
        .where(still_open, INTERVAL.c.thing_id.in_(sa.select(table.c.id).where(table.c.changed_seq == seq)))
        .where(changed.exists())
        .values(valid_to=greatest(INTERVAL.c.valid_from, ended_at))
    )
    has_open = sa.select(INTERVAL.c.id).where(still_open, INTERVAL.c.thing_id == table.c.id).exists()
    opened = sa.select(sa.literal(recorded.thing), table.c.id, sa.literal(field), value, table.c[dated]).where(
        table.c.changed_seq == seq, table.c.gone_at.is_(None), ~has_open
    )
    open_ = sa.insert(INTERVAL).from_select(["thing", "thing_id", "field", "value", "valid_from"], opened)
    return Prepared(close), Prepared(open_)


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, sa.Boolean):
        return sa.case((column.is_(sa.true()), "true"), (column.is_(sa.false()), "false"), else_=sa.null())
    return column


def _sample_sessions(connection: Connection, seq: int, now: datetime) -> None:
    known = {"seq": seq, "now": now, "before": now - SAMPLE_EVERY}
    _INSERT_SAMPLES.run(connection, known)
    _NOTE_SAMPLED.run(connection, known)


_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=SAMPLE.c.at.type)
_TO_SAMPLE = sa.and_(
    SESSION.c.changed_seq == sa.bindparam("seq"),
    SESSION.c.ended_at.is_(None),
    sa.or_(SESSION.c.sampled_at.is_(None), SESSION.c.sampled_at <= sa.bindparam("before")),
)
_INSERT_SAMPLES = Prepared(
    lambda connection: (
        insert(connection, SAMPLE)
        .from_select(
            ["session_id", "at", "energy_kwh"], sa.select(SESSION.c.id, _NOW, SESSION.c.energy_kwh).where(_TO_SAMPLE)
        )
        .on_conflict_do_nothing(index_elements=["session_id", "at"])
    )
)
_NOTE_SAMPLED = Prepared(sa.update(SESSION).where(_TO_SAMPLE).values(sampled_at=_NOW))
