"""Writes down what a poll said, and when each thing changed: one upsert a kind of thing, then set-based history.

Recording the same poll twice changes nothing; pages may be split anywhere. No network, no clock, no opinion about
rules: what changed is marked with a new `changed_seq`, and whoever evaluates reads from there.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from eosvolt.models import NO_ERROR, ChargerReading, LocationReading, SessionReading
from storage.dialects import Insert, greatest, insert, least
from storage.prepared import Prepared
from storage.recording.moves import note_moves
from storage.recording.powers import note_powers
from storage.recording.reading_rows import Observation, Row, heartbeat_of, rows_of
from storage.recording.samples import sample_energies
from storage.recording.things import KEPT, RECORDED, STALE, UNTOLD, Recorded, news_at
from storage.schema import CONNECTOR, COUNTER, INTERVAL

Readings = Sequence[LocationReading] | Sequence[ChargerReading] | Sequence[SessionReading]
T = TypeVar("T")

SLICE_ROWS = 500
"""How many readings one transaction records: well under 50 ms, so that a click never waits long behind a sweep."""


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


def record_heartbeats(connection: Connection, readings: Sequence[ChargerReading], observation: Observation) -> bool:
    """Record the heartbeats of chargers of which nothing else is new, in the caller's transaction; true if any is."""
    seq = next_seq(connection)
    common = {"changed_seq": seq, "changed_at": observation.now, "floor": observation.floor or _LONG_AGO}
    rows = [{"id": reading.id, **heartbeat_of(reading, observation), **common} for reading in readings]
    changed = bool(_UPDATE_HEARTBEATS.run_many(connection, rows))
    if changed:
        store_seq(connection, seq)
    return changed


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


def _upsert(connection: Connection, recorded: Recorded, rows: list[Row], seq: int, observation: Observation) -> bool:
    common = {**news_at(recorded.table, seq), "missed_sweeps": 0, "floor": observation.floor or _LONG_AGO, **_WORDS}
    written = [{**row, **common} for row in rows]
    _upserting(recorded.thing).run_many(connection, written)
    if recorded.thing == "charger":
        _UPDATE_HEARTBEATS.run_many(connection, written)
    if _any_changed(recorded.thing).first(connection, {"seq": seq}) is None:
        return False
    for field, dated in recorded.history.items():
        close_intervals(connection, recorded, field, dated, seq)
        open_intervals(connection, recorded, field, dated, seq)
    note_moves(connection, recorded.thing, seq)
    if recorded.thing == "connector":
        note_powers(connection, seq, observation.now)
        _CLOSE_STALE.run(connection, {"seq": seq, "now": observation.now})
    if recorded.thing == "session":
        sample_energies(connection, seq, observation.now)
    return True


_CLOSE_STALE = Prepared(
    sa.update(INTERVAL)
    .where(INTERVAL.c.thing == "connector", INTERVAL.c.field == STALE, INTERVAL.c.valid_to.is_(None))
    .where(
        INTERVAL.c.thing_id.in_(
            sa.select(CONNECTOR.c.id).where(
                CONNECTOR.c.changed_seq == sa.bindparam("seq"), CONNECTOR.c.stale_since.is_(None)
            )
        )
    )
    .values(valid_to=greatest(INTERVAL.c.valid_from, sa.bindparam("now", type_=INTERVAL.c.valid_to.type)))
)
"""A connector that is read again is no longer stale."""


@cache
def _any_changed(thing: str) -> Prepared:
    table = RECORDED[thing].table
    return Prepared(sa.select(table.c.id).where(table.c.changed_seq == sa.bindparam("seq")).limit(1))


PENDING = "Pending"
_WORDS = {"faulted": "Faulted", "no_error": NO_ERROR}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def _upserting(thing: str) -> Prepared:
    recorded = RECORDED[thing]
    return Prepared(lambda connection: _upsert_statement(insert(connection, recorded.table), recorded))


def _update_alone(recorded: Recorded) -> sa.Update:
    """Write what changes by itself where nothing else of the row did: no index but that of `changed_seq` is touched."""
    table = recorded.table
    new = {name: sa.bindparam(name, type_=table.c[name].type) for name in recorded.alone}
    changed = sa.or_(*(table.c[name].is_distinct_from(new[name]) for name in sorted(recorded.alone - recorded.passive)))
    moments = {
        moment: _dated(table.c[moment], sa.bindparam(moment, type_=table.c[moment].type), sa.bindparam("changed_at"))
        for moment, sources in recorded.moments.items()
        if recorded.alone.issuperset(sources)
    }
    this = table.c.id == sa.bindparam("id")
    return sa.update(table).where(this, changed).values({**new, **moments, "changed_seq": sa.bindparam("changed_seq")})


def _dated(old: ColumnElement[Any], told: ColumnElement[Any], now: ColumnElement[Any]) -> ColumnElement[Any]:
    """When a value changed that is told to have changed at a moment: not before the last good poll saw the old one.

    Never after this poll: what a clock that was ahead has written holds no later change up.
    """
    floor = sa.bindparam("floor", type_=old.type)
    return greatest(told, least(floor, now), least(old, now))


def _upsert_statement(statement: Insert, recorded: Recorded) -> Insert:
    """The upsert of one kind of thing: writes only the rows in which something other than passive columns changed."""
    table = recorded.table
    new = statement.excluded
    facts = [column.name for column in table.c if column.name not in KEPT and column.name not in recorded.moments]
    returned = table.c.gone_at.is_not(None) if recorded.has_gone else sa.false()
    told: dict[str, Any] = {name: new[name] for name in facts}
    if "code_missing_since" in table.c:
        told |= _standing_code(table, new, returned)
    values = told | {"changed_at": new.changed_at, "changed_seq": new.changed_seq, "stale_since": sa.null()}
    is_new = sa.or_(returned, table.c.stale_since.is_not(None))
    if recorded.has_gone:
        values |= {"gone_at": sa.null(), "missed_sweeps": new.missed_sweeps}
        # one that comes back is at first sight again: what was before it went is not its history now
        values["first_seen_at"] = sa.case((returned, new.first_seen_at), else_=table.c.first_seen_at)
    for moment, sources in recorded.moments.items():
        moved = sa.or_(*(table.c[name].is_distinct_from(told[name]) for name in sources))
        dated = _dated(table.c[moment], new[moment], new.changed_at)
        values[moment] = sa.case((returned, new[moment]), (moved, dated), else_=table.c[moment])
    if "price" in table.c:  # asked for by itself: unknown again until then
        values["price"] = sa.case((returned, sa.null()), else_=table.c.price)
        values["price_changed_at"] = sa.case((returned, new.price_changed_at), else_=table.c.price_changed_at)
    for name, of in recorded.previous.items():
        values[name] = table.c[of]
    if "pending_until" in table.c:
        begins = sa.and_(table.c.status == PENDING, new.status.is_distinct_from(PENDING))
        values["pending_until"] = sa.case((begins, new.changed_at), else_=table.c.pending_until)
    compared = [name for name in told if name not in recorded.passive]
    differs = {name: table.c[name].is_distinct_from(told[name]) for name in compared}
    if recorded.restless:
        news = [differs[name] for name in compared if name not in recorded.restless]
        values["news_seq"] = sa.case((sa.or_(is_new, *news), new.news_seq), else_=table.c.news_seq)
    written = [differs[name] for name in compared if name not in recorded.alone]
    inserted: dict[str, Any] = {name: sa.bindparam(name) for name in _inserted(table)}
    return statement.values(inserted).on_conflict_do_update(
        index_elements=[table.c.id], set_=values, where=sa.or_(is_new, *written)
    )


def _standing_code(table: Table, new: Any, returned: ColumnElement[bool]) -> dict[str, Any]:
    """The error code, and since when it is no longer told: while a fault lasts, its last code stands against none."""
    faulted, no_error = sa.bindparam("faulted", type_=sa.String), sa.bindparam("no_error", type_=sa.String)
    untold = sa.or_(new.error_code.is_(None), new.error_code == no_error)
    had_one = sa.and_(table.c.error_code.is_not(None), table.c.error_code != no_error)
    stands = sa.and_(sa.not_(returned), new.status == faulted, table.c.status == faulted, untold, had_one)
    since = sa.func.coalesce(table.c.code_missing_since, new.changed_at)
    return {
        "error_code": sa.case((stands, table.c.error_code), else_=new.error_code),
        "code_missing_since": sa.case((stands, since), else_=sa.null()),
    }


def _inserted(table: Table) -> list[str]:
    return [c.name for c in table.c if c.name not in UNTOLD]


_UPDATE_HEARTBEATS = Prepared(_update_alone(RECORDED["charger"]))


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
    # asked of each row by itself: joined, PostgreSQL reads all intervals for each until it knows how many there are
    has_open = sa.select(INTERVAL.c.id).where(still_open, INTERVAL.c.thing_id == table.c.id).limit(1).scalar_subquery()
    opened = sa.select(sa.literal(recorded.thing), table.c.id, sa.literal(field), value, table.c[dated]).where(
        table.c.changed_seq == seq, table.c.gone_at.is_(None), has_open.is_(None)
    )
    open_ = sa.insert(INTERVAL).from_select(["thing", "thing_id", "field", "value", "valid_from"], opened)
    return Prepared(close), Prepared(open_)


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, sa.Boolean):
        return sa.case((column.is_(sa.true()), "true"), (column.is_(sa.false()), "false"), else_=sa.null())
    return column
