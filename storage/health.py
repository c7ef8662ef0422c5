"""How well the polling goes: counts of what came of it, the pace the API allows, and one view over all that is kept.

It counts what it is told and reads what was stored; it judges nothing, and its only clock is the `now` it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.ahead import is_ahead
from storage.dialects import Insert, insert
from storage.polls import PollState, poll_states
from storage.prepared import Prepared
from storage.recording.doubts import Doubt, open_doubts
from storage.recording.sight import UnreadField, Unseen, unread_fields, unseen_things
from storage.schema import API, CONNECTOR, COUNT, POLL, SET_ASIDE

GOOD, FAILED, RETRIED, CLEANED, PAUSED = "good", "failed", "retried", "cleaned", "paused"
SWITCHED_OFF = "switched_off"
LACKING = ("forbidden", "not_found")
"""The kinds of fault by which the API says that an account has no such resource or action."""

ASK_AGAIN_AFTER = timedelta(hours=1)
"""How long it is told that the API refused something, and how long what polls itself leaves it alone."""

ASK_SOON = timedelta(minutes=1)
"""How soon something that the API refused is asked for again where a person asks for it."""

WHOLE_API = "api"
"""The resource under which is counted what concerns no single one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a resource lets itself be polled: once every `slowness` intervals, and not before `not_before`.

    `clock_skew` is EOSVOLT's clock minus ours, None until it was measured.
    """

    slowness: int = 1
    slowed_at: datetime | None = None
    not_before: datetime | None = None
    clock_skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Something happened `count` times; `reason` is a kind of fault, empty where nothing failed."""

    resource: str
    kind: str
    reason: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class ResourceHealth:
    """How one resource's polling went since the first poll, and how it stands.

    `failed` and `retried` count by kind of fault, `failures_in_a_row` since the last good poll. `data_age` is the time
    since the last good poll, None where there was none; `error` is the last failure's text while it lasts. `cleaned`
    counts answers that held characters which no database stores. It is polled once in `slowness` intervals, and not
    before `paused_until`, which lies in the future or is None.
    """

    resource: str
    good: int
    failed: Mapping[str, int]
    retried: Mapping[str, int]
    cleaned: int
    attempted_at: datetime
    good_at: datetime | None
    data_age: timedelta | None
    failures_in_a_row: int
    error: str | None
    slowness: int = 1
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetAsideHealth:
    """How many different rows of a resource were set aside for one field, when last, and one of the reasons in full.

    `resource` is location, charger, connector or session; `field` the API's name, empty where the row was none.
    """

    resource: str
    field: str
    rows: int
    last_at: datetime
    example: str


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """A resource or action that the account does not have: the contract's name, the kind of fault, when last seen.

    `polled`: a poll said so, and nobody's question.
    """

    name: str
    reason: str
    at: datetime
    polled: bool = False


@dataclass(frozen=True, slots=True)
class PollHealth:
    """Everything that is known of the polling; `slowness` and `paused_until` are those of the slowest resource.

    `unknown_statuses` counts the connectors that stand at each status text outside OCPP's nine.
    """

    resources: tuple[ResourceHealth, ...]
    set_aside: tuple[SetAsideHealth, ...]
    unknown_statuses: Mapping[str, int]
    rate_limit_pauses: int
    slowness: int
    slowed_at: datetime | None
    paused_until: datetime | None
    clock_skew: timedelta | None
    switched_off: tuple[SwitchedOff, ...] = ()
    unread: tuple[UnreadField, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def poll_health(connection: Connection, now: datetime) -> PollHealth:
    """How the polling stands at `now`, from what is stored."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in connection.execute(sa.select(COUNT.c.resource, COUNT.c.kind, COUNT.c.reason, COUNT.c["count"])):
        resource, kind, reason, count = row
        counts.setdefault((resource, kind), {})[reason] = count
    paces = load_paces(connection)
    pace = _slowest(paces, now)
    return PollHealth(
        resources=tuple(
            _resource_health(state, counts, paces.get(name, Pace()), now)
            for name, state in sorted(poll_states(connection, now).items())
        ),
        set_aside=_set_aside(connection),
        unknown_statuses=_unknown_statuses(connection),
        rate_limit_pauses=sum(counts.get((WHOLE_API, PAUSED), {}).values()),
        slowness=pace.slowness,
        slowed_at=pace.slowed_at,
        paused_until=pace.not_before if pace.not_before is not None and pace.not_before > now else None,
        clock_skew=paces.get(WHOLE_API, Pace()).clock_skew,
        switched_off=switched_off(connection, now),
        unread=unread_fields(connection),
        unseen=unseen_things(connection),
        doubts=open_doubts(connection),
    )


def record_switched_off(connection: Connection, name: str, reason: str, now: datetime) -> None:
    """Note that the API says the account lacks a route of the contract; `reason` is one of LACKING."""
    record_counts(connection, [Counted(name, SWITCHED_OFF, reason)], now)


def record_switched_on(connection: Connection, name: str) -> None:
    """Note that the account has a route after all."""
    connection.execute(sa.delete(COUNT).where(COUNT.c.resource == name, COUNT.c.kind == SWITCHED_OFF))


_LACKING = Prepared(
    sa.select(COUNT)
    .where(sa.or_(COUNT.c.kind == SWITCHED_OFF, sa.and_(COUNT.c.kind == FAILED, COUNT.c.reason.in_(LACKING))))
    .order_by(COUNT.c.resource)
)


def switched_off(connection: Connection, now: datetime) -> tuple[SwitchedOff, ...]:
    """What the account lacks: polled resources as of their last poll, actions for ASK_AGAIN_AFTER since they failed."""
    failing = {name: state.attempted_at for name, state in poll_states(connection, now).items() if state.failures}
    rows = _LACKING.all(connection)
    return tuple(
        SwitchedOff(row.resource, row.reason, row.last_at, row.kind == FAILED)
        for row in rows
        if (
            not is_ahead(row.last_at, now) and now - row.last_at < ASK_AGAIN_AFTER
            if row.kind == SWITCHED_OFF
            else failing.get(row.resource) == row.last_at
        )
    )


def record_counts(connection: Connection, counts: Sequence[Counted], now: datetime) -> None:
    """Add to the counts; each entry of `counts` names another thing."""
    if not counts:
        return
    _COUNTING.run_many(
        connection,
        [
            {"resource": one.resource, "kind": one.kind, "reason": one.reason, "count": one.count, "last_at": now}
            for one in counts
        ],
    )


def _upserting_counts(connection: Connection) -> Insert:
    statement = insert(connection, COUNT)
    names = ("resource", "kind", "reason", "count", "last_at")
    return statement.values({name: sa.bindparam(name) for name in names}).on_conflict_do_update(
        index_elements=[COUNT.c.resource, COUNT.c.kind, COUNT.c.reason],
        set_={"count": COUNT.c["count"] + statement.excluded["count"], "last_at": statement.excluded.last_at},
    )


_COUNTING = Prepared(_upserting_counts)


def load_paces(connection: Connection) -> dict[str, Pace]:
    """The pace of each resource as it was last stored, by its name; that of the whole account stands at WHOLE_API."""
    return {
        row.api: Pace(
            row.slowness,
            row.slowed_at,
            row.not_before,
            None if row.clock_skew_s is None else timedelta(seconds=row.clock_skew_s),
        )
        for row in connection.execute(sa.select(API))
    }


def load_pace(connection: Connection) -> Pace:
    """The pace of the whole account as it was last stored; the full one where none was."""
    return load_paces(connection).get(WHOLE_API, Pace())


def store_pace(connection: Connection, pace: Pace, resource: str = WHOLE_API) -> None:
    """Write a pace down, so that a restart does not forget what the API asked for."""
    values = {
        "slowness": pace.slowness,
        "slowed_at": pace.slowed_at,
        "not_before": pace.not_before,
        "clock_skew_s": None if pace.clock_skew is None else pace.clock_skew.total_seconds(),
    }
    statement = insert(connection, API).values(api=resource, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[API.c.api], set_=values))


def bring_down_pace(connection: Connection, now: datetime) -> bool:
    """Count a pause anew from `now` that was asked for by a clock which was ahead; true if there was one.

    Whether such a clock also dated what it read is for the first good poll to see.
    """
    attempted: datetime | None = connection.execute(sa.select(sa.func.max(POLL.c.attempted_at))).scalar()
    if attempted is None or not is_ahead(attempted, now):
        return False
    for resource, pace in load_paces(connection).items():
        if pace.not_before is not None:
            wait = max(pace.not_before - attempted, timedelta(0))
            store_pace(connection, replace(pace, not_before=min(pace.not_before, now + wait)), resource)
    connection.execute(sa.update(POLL).where(POLL.c.attempted_at > now).values(attempted_at=now))
    return True


def _slowest(paces: Mapping[str, Pace], now: datetime) -> Pace:
    """The slowest of the paces, with the latest moment until which any resource is left alone."""
    slow = max(paces.values(), key=lambda pace: pace.slowness, default=Pace())
    until = [pace.not_before for pace in paces.values() if pace.not_before is not None and pace.not_before > now]
    return Pace(slow.slowness, slow.slowed_at, max(until, default=None))


def _resource_health(
    state: PollState, counts: Mapping[tuple[str, str], Mapping[str, int]], pace: Pace, now: datetime
) -> ResourceHealth:
    name = state.resource
    return ResourceHealth(
        resource=name,
        good=sum(counts.get((name, GOOD), {}).values()),
        failed=counts.get((name, FAILED), {}),
        retried=counts.get((name, RETRIED), {}),
        cleaned=sum(counts.get((name, CLEANED), {}).values()),
        attempted_at=state.attempted_at,
        good_at=state.good_at,
        data_age=None if state.good_at is None else now - state.good_at,
        failures_in_a_row=state.failures,
        error=state.error,
        slowness=pace.slowness,
        paused_until=pace.not_before if pace.not_before is not None and pace.not_before > now else None,
    )


def _unknown_statuses(connection: Connection) -> dict[str, int]:
    raw = CONNECTOR.c.status_raw
    there = sa.and_(CONNECTOR.c.status.is_(None), raw.is_not(None), CONNECTOR.c.gone_at.is_(None))
    rows = connection.execute(sa.select(raw, sa.func.count()).where(there).group_by(raw).order_by(raw))
    return {row[0]: row[1] for row in rows}


def _set_aside(connection: Connection) -> tuple[SetAsideHealth, ...]:
    columns = (SET_ASIDE.c.resource, SET_ASIDE.c.field)
    ids = sa.select(*columns, SET_ASIDE.c.key).distinct().subquery()
    rows = {
        (row.resource, row.field): row.rows
        for row in connection.execute(
            sa.select(ids.c.resource, ids.c.field, sa.func.count().label("rows")).group_by(ids.c.resource, ids.c.field)
        )
    }
    newest = sa.func.row_number().over(
        partition_by=columns, order_by=(SET_ASIDE.c.last_at.desc(), SET_ASIDE.c.key, SET_ASIDE.c.reason)
    )
    ranked = sa.select(*columns, SET_ASIDE.c.last_at, SET_ASIDE.c.reason, newest.label("place")).subquery()
    last = sa.select(ranked).where(ranked.c.place == 1).order_by(ranked.c.resource, ranked.c.field)
    return tuple(
        SetAsideHealth(row.resource, row.field, rows[row.resource, row.field], row.last_at, row.reason)
        for row in connection.execute(last)
    )
