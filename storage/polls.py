"""How polling stands: which poll was good, where nothing was seen, and what vanished from the answers.

A poll is good when it was complete. Two good polls more than three intervals apart leave a gap behind, written down
with its own `changed_seq`, so that a rule which comes to it later still sees it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from eosvolt.models import SetAside
from storage.ahead import bring_down_world, by_now, done, is_ahead
from storage.dialects import Insert, insert
from storage.prepared import Prepared
from storage.record import close_intervals, next_seq, store_seq
from storage.recording.moves import note_ends
from storage.recording.powers import note_powers
from storage.recording.things import RECORDED, ids_there, news_at
from storage.schema import CHARGER, CONNECTOR, GAP, LOCATION, POLL, SET_ASIDE

GAP_INTERVALS = 3
GONE_AFTER_SWEEPS = 2
CHUNK = 500  # ids in one IN list


@dataclass(frozen=True, slots=True)
class PollState:
    """What is known of a resource's polling; a resource that was never polled has none."""

    resource: str
    attempted_at: datetime
    good_at: datetime | None
    previous_good_at: datetime | None
    swept_at: datetime | None
    failures: int
    error: str | None
    unread_since: datetime | None = None
    unread_at: datetime | None = None
    first_good_at: datetime | None = None
    sweep_due_at: datetime | None = None


_STATE_NAMES = tuple(item.name for item in fields(PollState))
_POLL_STATES = Prepared(sa.select(*(POLL.c[name] for name in _STATE_NAMES)))


def poll_states(connection: Connection, now: datetime | None = None) -> dict[str, PollState]:
    """Every resource's state, by its name: as stored, or as it is `known_at` a moment."""
    states = (PollState(*row) for row in _POLL_STATES.all(connection))
    return {state.resource: state if now is None else known_at(state, now) for state in states}


def known_at(state: PollState, now: datetime) -> PollState:
    """What a state comes to at `now`: a poll that lies ahead of it, by a clock that was wrong, was never made."""
    if not _has_ahead(state, now):
        return state
    return replace(
        state,
        attempted_at=min(state.attempted_at, now),
        good_at=done(state.good_at, now),
        previous_good_at=done(state.previous_good_at, now),
        first_good_at=done(state.first_good_at, now),
        swept_at=done(state.swept_at, now),
        unread_since=by_now(state.unread_since, now),
        unread_at=by_now(state.unread_at, now),
        sweep_due_at=by_now(state.sweep_due_at, now),  # planned by that clock: counted anew
    )


def _has_ahead(state: PollState, now: datetime) -> bool:
    polled = (state.attempted_at, state.good_at, state.previous_good_at, state.first_good_at, state.swept_at)
    return any(is_ahead(moment, now) for moment in (*polled, state.unread_since, state.unread_at))


def after_good_poll(
    connection: Connection,
    resource: str,
    now: datetime,
    interval: timedelta,
    *,
    state: PollState | None,
    seen: Mapping[str, set[str]] | None = None,
    began_at: datetime | None = None,
) -> PollState:
    """The resource's state after the complete poll of `now`; writes down a gap before it and what has vanished.

    `began_at` is when its first page was asked for, where that was at an earlier poll: so old is what it shows.

    `interval` is the time between two polls at the pace in force, our own slowness included and Retry-After not.
    `state` is the one before this poll. `seen` holds, for a full sweep, the ids it named by table, those of rows set
    aside included; None is an incremental poll, from which nothing can be missing. Twice is as once.
    """
    if state is not None and _has_ahead(state, now):
        state = known_at(state, now)
        seq = next_seq(connection)
        bring_down_world(connection, now, seq)
        store_seq(connection, seq)
    before = state.good_at if state else None
    at = began_at or now
    if seen is not None and (state is None or state.swept_at != at):
        for table in SWEPT[resource]:
            record_missing(connection, table, seen.get(table.name, set()), now)
    if before is not None and at - before > GAP_INTERVALS * interval:
        seq = next_seq(connection)
        gap = {"resource": resource, "valid_from": before, "valid_to": at, "changed_seq": seq}
        connection.execute(sa.insert(GAP).values(**gap))
        store_seq(connection, seq)
    return PollState(
        resource,
        attempted_at=at,
        good_at=at,
        previous_good_at=state.previous_good_at if state and before == at else before,
        swept_at=at if seen is not None else state.swept_at if state else None,
        failures=0,
        error=None,
        unread_since=state.unread_since if state else None,
        unread_at=state.unread_at if state else None,
        first_good_at=(state.first_good_at if state else None) or now,
        sweep_due_at=state.sweep_due_at if state and seen is None else None,
    )


def after_bad_poll(resource: str, now: datetime, error: str, *, state: PollState | None) -> PollState:
    """The resource's state after the poll of `now` failed, wholly or in part; what it did bring is recorded anyway."""
    if state is None:
        return PollState(resource, now, None, None, None, failures=1, error=error)
    return replace(state, attempted_at=now, failures=state.failures + 1, error=error)


def store_poll_states(connection: Connection, states: Sequence[PollState]) -> None:
    """Write down how polling stands: this finishes a poll."""
    _STORING.run_many(connection, [{name: getattr(state, name) for name in _STATE_NAMES} for state in states])


def _upserting_states(connection: Connection) -> Insert:
    statement = insert(connection, POLL)
    names = [column.name for column in POLL.c if column.name != "resource"]
    return statement.values({name: sa.bindparam(name) for name in ("resource", *names)}).on_conflict_do_update(
        index_elements=[POLL.c.resource], set_={name: statement.excluded[name] for name in names}
    )


_STORING = Prepared(_upserting_states)


def record_set_aside(connection: Connection, rows: Sequence[SetAside], now: datetime) -> None:
    """Keep the rows that could not be read, each with its reason, once."""
    if not rows:
        return
    statement = insert(connection, SET_ASIDE)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[SET_ASIDE.c.resource, SET_ASIDE.c.key, SET_ASIDE.c.reason],
            set_={name: statement.excluded[name] for name in ("row_json", "last_at", "field")},
        ),
        [
            {
                "resource": row.resource,
                "key": row.key or "",
                "reason": row.reason,
                "row_json": row.row_json,
                "first_at": now,
                "last_at": now,
                "field": row.field,
            }
            for row in rows
        ],
    )


def record_missing(connection: Connection, table: Table, seen: set[str], now: datetime) -> bool:
    """Count what a complete sweep did not show, and mark as gone what two in a row did not; true if anything went.

    Each call counts: call it once a sweep.
    """
    missing = [one for one in ids_there(connection, table) if one not in seen]
    missed = sa.select(table.c.id).where(table.c.gone_at.is_(None), table.c.missed_sweeps != 0)
    back = [one for one in connection.execute(missed).scalars() if one in seen]
    for ids in _chunks(back):
        connection.execute(sa.update(table).where(table.c.id.in_(ids)).values(missed_sweeps=0))
    if not missing:
        return False
    for ids in _chunks(missing):
        connection.execute(sa.update(table).where(table.c.id.in_(ids)).values(missed_sweeps=table.c.missed_sweeps + 1))
    seq = next_seq(connection)
    lost = sa.update(table).where(table.c.gone_at.is_(None), table.c.missed_sweeps >= GONE_AFTER_SWEEPS)
    lost = lost.values(gone_at=now, changed_at=now, **news_at(table, seq))
    gone = connection.execute(lost.returning(table.c.id)).all()
    if not gone:
        return False
    for recorded in RECORDED.values():
        if recorded.table is table:
            for field, dated in recorded.history.items():
                close_intervals(connection, recorded, field, dated, seq)
            note_ends(connection, recorded, seq)
    if table is CONNECTOR:
        note_powers(connection, seq, now)
    store_seq(connection, seq)
    return True


def known_ids(connection: Connection, resource: str, set_aside: Sequence[SetAside]) -> dict[str, set[str]]:
    """By table, the ids that a sweep cannot call missing, because a row that it set aside may be theirs.

    A charger that could not be read keeps its connectors, and so does one of which a connector had no readable id; any
    other row without one keeps everything.
    """
    if not set_aside:
        return {}
    nameless = [row for row in set_aside if row.key is None]
    keeps_all = any(row.parent is None for row in nameless)
    keys = {row.key for row in set_aside if row.key is not None}
    chargers = {row.key for row in set_aside if row.resource == "charger"} | {row.parent for row in nameless}
    kept: dict[str, set[str]] = {}
    for table in SWEPT[resource]:
        statement = sa.select(table.c.id)
        if not keeps_all:
            own = table.c.id.in_(keys)
            statement = statement.where(sa.or_(own, table.c.charger_id.in_(chargers)) if table is CONNECTOR else own)
        kept[table.name] = set(connection.execute(statement).scalars())
    return kept


def want_sweep(connection: Connection, resource: str, now: datetime) -> None:
    """Have a resource asked for in full at its next poll."""
    connection.execute(sa.update(POLL).where(POLL.c.resource == resource).values(sweep_due_at=now))


def unknown_locations(connection: Connection, ids: set[str]) -> set[str]:
    """Which of these location ids belong to no location that is there."""
    unknown = set(ids)
    for some in _chunks(sorted(ids)):
        known = sa.select(LOCATION.c.id).where(LOCATION.c.id.in_(some), LOCATION.c.gone_at.is_(None))
        unknown -= set(connection.execute(known).scalars())
    return unknown


SWEPT: dict[str, tuple[Table, ...]] = {"locations": (LOCATION,), "chargers": (CHARGER, CONNECTOR), "sessions": ()}
"""The tables whose rows a complete sweep of a resource must show. Sessions do not vanish: they end."""


def _chunks(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
