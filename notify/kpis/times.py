"""The KPIs of time: utilisation, uptime, availability, mean time to repair, overstay; each one query.

What was not observed (gaps in polling, connectors that could not be read, unknown statuses, the time before a connector
was first seen and after it was gone) counts neither way. Stretches that overlap count once. A thing of which nothing
was observed is not in an answer.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.kpis.impossible import POSSIBLE
from notify.kpis.scope import MOMENT, NETWORK_KEY, By, Scope, key_of, with_location
from storage.dialects import greatest, least, unindexed
from storage.recording.things import STALE
from storage.schema import CONNECTOR, GAP, INTERVAL, LOCATION, POLL, SESSION
from storage.sql import seconds_between, shifted

DIGITS = 6
DOWN = ("Faulted", "Unavailable")
LOOK_BACK = timedelta(days=31)
"""How far before the period an outage that ended in it is followed back."""

LONGEST_SESSION = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Stood:
    """For how long the connectors of one thing were up, down and free, in seconds."""

    up: float
    down: float
    free: float

    @property
    def uptime(self) -> float | None:
        """The share of the observed time in which they were up."""
        return round(self.up / (self.up + self.down), DIGITS) if self.up + self.down > 0 else None

    @property
    def availability(self) -> float | None:
        """The share of the observed time in which they were free."""
        return round(self.free / (self.up + self.down), DIGITS) if self.up + self.down > 0 else None


def stood(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, Stood]:
    """How long the connectors of each thing were up, down, and free: Available with their charger online."""
    present = _present(scope)
    spans = _spans(present, greatest(INTERVAL.c.valid_from, present.c.begin))
    kinds = {"up": ("down", "unknown", "gap"), "down": ("down", "gap"), "gap": ("gap",), "free": None}
    sets = sa.union_all(
        *(
            sa.select(sa.literal(name, sa.String).label("which"), spans).where(
                sa.true() if wanted is None else spans.c.kind.in_(wanted)
            )
            for name, wanted in kinds.items()
        )
    ).subquery("sets")
    covered = _covered(sets)
    parts = [sa.func.sum(covered.c.seconds).filter(covered.c.which == name).label(name) for name in kinds]
    per = sa.select(covered.c.id, *parts).group_by(covered.c.id).subquery("per")
    key = _key(present, by)
    whole = seconds_between(present.c.begin, present.c.over)
    up, down, gap, free = (sa.func.coalesce(per.c[name], 0.0) for name in kinds)
    statement = (
        sa.select(
            key.label("key"),
            sa.func.sum(whole - up).label("up"),
            sa.func.sum(down - gap).label("down"),
            sa.func.sum(whole - free).label("free"),
        )
        .select_from(present.outerjoin(per, per.c.id == present.c.id))
        .where(key.is_not(None))
        .group_by(key)
    )
    return {row.key: Stood(row.up, row.down, row.free) for row in connection.execute(statement)}


def uptime(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float | None]:
    """The share of the observed time in which connectors were up: neither out of order nor with an offline charger."""
    return {key: one.uptime for key, one in stood(connection, scope, by).items()}


def availability(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float | None]:
    """The share of the observed time in which connectors were free: Available, with their charger online."""
    return {key: one.availability for key, one in stood(connection, scope, by).items()}


def time_to_repair(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float]:
    """How long the outages that ended in the period had lasted on average, in seconds; without any: not in it.

    An outage is a stretch without a break in which a connector is out of order or its charger offline. One that began
    more than 31 days before the period counts from then.
    """
    present = _present(scope, back=LOOK_BACK)
    spans = _spans(present, greatest(INTERVAL.c.valid_from, present.c.begin))
    down = sa.select(spans.c.id, spans.c.begin, spans.c.until, _until_now(spans, spans.c.id).label("before"))
    down = down.where(spans.c.kind == "down")
    marked = down.subquery("marked")
    opens = sa.case((sa.or_(marked.c.before.is_(None), marked.c.begin > marked.c.before), 1), else_=0)
    order = (marked.c.begin, marked.c.until)
    number = sa.func.sum(opens).over(partition_by=marked.c.id, order_by=order, rows=(None, 0)).label("number")
    numbered = sa.select(marked.c.id, marked.c.begin, marked.c.until, number).subquery("numbered")
    outages = (
        sa.select(
            numbered.c.id, sa.func.min(numbered.c.begin).label("begin"), sa.func.max(numbered.c.until).label("until")
        )
        .group_by(numbered.c.id, numbered.c.number)
        .subquery("outages")
    )
    key = _key(present, by)
    statement = (
        sa.select(key.label("key"), sa.func.avg(seconds_between(outages.c.begin, outages.c.until)).label("value"))
        .select_from(outages.join(present, present.c.id == outages.c.id))
        # what reaches to the end is not repaired yet
        .where(outages.c.until >= present.c.start, outages.c.until < present.c.over, key.is_not(None))
        .group_by(key)
    )
    return {row.key: round(float(row.value), DIGITS) for row in connection.execute(statement)}


def overstay(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float]:
    """For how long connectors stood in Finishing beyond their location's blocking-fee interval, in seconds.

    Where a location tells no such interval nothing is overstayed.
    """
    present = _present(scope)
    key = _key(present, by)
    allowed = present.c.allowed_minutes
    begin = greatest(shifted(INTERVAL.c.valid_from, allowed * 60.0), present.c.begin)
    until = least(sa.func.coalesce(INTERVAL.c.valid_to, present.c.over), present.c.over)
    lasted = sa.case((until > begin, seconds_between(begin, until)), else_=0.0)
    of_status = (INTERVAL.c.thing == "connector", INTERVAL.c.field == "status", INTERVAL.c.thing_id == present.c.id)
    statement = (
        sa.select(key.label("key"), sa.func.sum(lasted).label("value"))
        .select_from(present.join(INTERVAL, sa.and_(*of_status, *_overlaps(present))))
        .where(allowed.is_not(None), INTERVAL.c.value == "Finishing", key.is_not(None))
        .group_by(key)
    )
    return {row.key: round(row.value, DIGITS) for row in connection.execute(statement)}


def utilisation(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float | None]:
    """The share of the connectors' time in which a session was open; None where there were no connectors.

    A connector that was there at the first poll counts as having been there before, as its sessions do. A session that
    goes on beyond the period and began more than two days before is none that uses anything, nor is an impossible one.
    """
    within = _seconds_used(scope, by).where(*_ended_in(scope), POSSIBLE)
    return _shares(connection, sa.union_all(_there(scope, by), within, _beyond(scope, by)))


def utilisation_beside(connection: Connection, scope: Scope, used: float) -> float | None:
    """The utilisation of all, where `used` holds the seconds of the sessions that ended before the period's end."""
    at_the_end = (SESSION.c.ended_at == scope.end, SESSION.c.ended_at >= scope.first_end)
    known = _row_of(sa.literal(NETWORK_KEY, sa.String), sa.literal(used, sa.Float), sa.literal(0.0, sa.Float))
    parts = (_there(scope, By.NETWORK), sa.select(*known), *_beyond_for_all(connection, scope))
    last = _seconds_used(scope, By.NETWORK).where(*at_the_end, POSSIBLE)
    return _shares(connection, sa.union_all(*parts, last)).get(NETWORK_KEY)


def _shares(connection: Connection, parts: sa.CompoundSelect[Any]) -> dict[str, float | None]:
    rows = parts.subquery("rows")
    statement = (
        sa.select(rows.c.key, sa.func.sum(rows.c.used).label("used"), sa.func.sum(rows.c.there).label("there"))
        .where(rows.c.key.is_not(None))
        .group_by(rows.c.key)
    )
    return {
        row.key: round(min(1.0, (row.used or 0.0) / row.there), DIGITS) if row.there else None
        for row in connection.execute(statement)
    }


def _row_of(
    key: ColumnElement[str], used: ColumnElement[float], there: ColumnElement[float]
) -> tuple[ColumnElement[Any], ...]:
    return key.label("key"), used.label("used"), there.label("there")


def _there(scope: Scope, by: By) -> sa.Select[Any]:
    """How long each connector was there, in seconds, by what it counts for."""
    first = sa.select(POLL.c.first_good_at).where(POLL.c.resource == "chargers").scalar_subquery()
    start, end = scope.start, scope.end
    seen = sa.or_(CONNECTOR.c.first_seen_at < end, CONNECTOR.c.first_seen_at <= first)
    still = sa.or_(CONNECTOR.c.gone_at.is_(None), CONNECTOR.c.gone_at > start)
    there = _row_of(key_of(by, CONNECTOR), sa.literal(0.0, sa.Float), seconds_between(start, end))
    return sa.select(*there).select_from(with_location(CONNECTOR)).where(scope.of(CONNECTOR), seen, still)


def _seconds_used(scope: Scope, by: By) -> sa.Select[Any]:
    """How long each session used a connector, in seconds, by what it counts for."""
    began = greatest(SESSION.c.started_at, scope.start)
    ended = least(sa.func.coalesce(SESSION.c.ended_at, scope.end), scope.end)
    used = _row_of(key_of(by, SESSION), seconds_between(began, ended), sa.literal(0.0, sa.Float))
    # what asks for these says by which index they are found
    begun = (unindexed(SESSION.c.started_at < scope.end), SESSION.c.status.is_distinct_from("Pending"))
    return sa.select(*used).select_from(with_location(SESSION)).where(scope.of(SESSION), *begun)


def _ended_in(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    earliest = sa.literal(scope.outer[0], type_=MOMENT)
    return SESSION.c.ended_at > scope.start, SESSION.c.ended_at <= scope.end, SESSION.c.ended_at > earliest


def _beyond(scope: Scope, by: By) -> sa.Select[Any]:
    """The use by those that go on beyond the period."""
    return _seconds_used(scope, by).where(sa.or_(*_goes_on(scope)), *_begun(scope), POSSIBLE)


def _beyond_for_all(connection: Connection, scope: Scope) -> list[sa.Select[Any]]:
    """`_beyond` of the whole network; found by what ended since, where that took less time than the period."""
    last = connection.execute(sa.select(sa.func.max(SESSION.c.ended_at, type_=MOMENT))).scalar()
    since, until = scope.outer
    if last is None or last - scope.first_end > until - since:
        return [_beyond(scope, By.NETWORK)]
    begun = [unindexed(condition) for condition in _begun(scope)]
    after = SESSION.c.ended_at > sa.literal(scope.first_end, type_=MOMENT)
    ended, open_ = _goes_on(scope)
    return [_seconds_used(scope, By.NETWORK).where(*part, *begun, POSSIBLE) for part in ((ended, after), (open_,))]


def _goes_on(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That a session ended after the period, or has not ended."""
    return SESSION.c.ended_at > scope.end, SESSION.c.ended_at.is_(None)


def _begun(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    """That a session began in the period, or not long before."""
    return (
        SESSION.c.started_at > shifted(scope.start, -LONGEST_SESSION.total_seconds()),
        SESSION.c.started_at > sa.literal(scope.outer[0] - LONGEST_SESSION, type_=MOMENT),
        SESSION.c.started_at < sa.literal(scope.outer[1], type_=MOMENT),
    )


def _present(scope: Scope, back: timedelta = timedelta()) -> sa.CTE:
    """Each connector with the stretch of the period in which it was known, `back` before it too."""
    begins = shifted(scope.start, -back.total_seconds()) if back else scope.start
    begin = greatest(begins, CONNECTOR.c.first_seen_at)
    over = least(scope.end, sa.func.coalesce(CONNECTOR.c.gone_at, scope.end))
    return (
        sa.select(
            CONNECTOR.c.id,
            CONNECTOR.c.charger_id,
            CONNECTOR.c.location_id,
            begin.label("begin"),
            over.label("over"),
            scope.start.label("start"),
            LOCATION.c.blocking_fee_interval_minutes.label("allowed_minutes"),
        )
        .select_from(with_location(CONNECTOR))
        .where(scope.of(CONNECTOR), begin < over)
        .cte("present")
    )


def _key(present: sa.CTE, by: By) -> ColumnElement[Any]:
    if by is By.NETWORK:
        return sa.literal("", sa.String)
    return present.c.id if by is By.CONNECTOR else present.c[f"{by}_id"]


def _spans(present: sa.CTE, begin: ColumnElement[Any]) -> sa.CTE:
    """The stretches in which a connector was not Available, or its charger not online, or nothing was seen."""
    until = least(sa.func.coalesce(INTERVAL.c.valid_to, present.c.over), present.c.over)
    parts = []
    for thing, field, name in (("connector", "status", "id"), ("charger", "online", "charger_id")):
        is_down = INTERVAL.c.value.in_(DOWN) if field == "status" else INTERVAL.c.value == "false"
        fine = "Available" if field == "status" else "true"
        kind = sa.case((INTERVAL.c.value.is_(None), "unknown"), (is_down, "down"), else_="busy")
        mine = (INTERVAL.c.thing == thing, INTERVAL.c.field == field, INTERVAL.c.thing_id == present.c[name])
        parts.append(
            sa.select(present.c.id, kind.label("kind"), begin.label("begin"), until.label("until"))
            .select_from(present.join(INTERVAL, sa.and_(*mine, *_overlaps(present))))
            .where(INTERVAL.c.value.is_distinct_from(fine))
        )
    unseen = sa.select(
        present.c.id,
        sa.literal("gap", sa.String),
        greatest(GAP.c.valid_from, present.c.begin),
        least(GAP.c.valid_to, present.c.over),
    )
    overlap = (GAP.c.resource == "chargers", GAP.c.valid_from < present.c.over, GAP.c.valid_to > present.c.begin)
    parts.append(unseen.select_from(present.join(GAP, sa.and_(*overlap))))
    stale = (INTERVAL.c.thing == "connector", INTERVAL.c.field == STALE, INTERVAL.c.thing_id == present.c.id)
    unread = sa.select(present.c.id, sa.literal("gap", sa.String), begin, until)
    parts.append(unread.select_from(present.join(INTERVAL, sa.and_(*stale, *_overlaps(present)))))
    return sa.union_all(*parts).cte("spans")


def _overlaps(present: sa.CTE) -> tuple[ColumnElement[bool], ...]:
    """Whether an interval of a thing has a part in the stretch; of earlier history only the last row is read."""
    earlier = INTERVAL.alias("earlier")
    same = (getattr(earlier.c, name) == INTERVAL.c[name] for name in ("thing", "thing_id", "field"))
    last = (
        sa.select(sa.func.max(earlier.c.valid_from))
        .where(*same, earlier.c.valid_from <= present.c.begin)
        .correlate(INTERVAL, present)
        .scalar_subquery()
    )
    ended = sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > present.c.begin)
    since = INTERVAL.c.valid_from >= sa.func.coalesce(last, INTERVAL.c.valid_from)
    return (INTERVAL.c.valid_from < present.c.over, ended, since)


def _until_now(rows: Any, *partition: ColumnElement[Any]) -> ColumnElement[Any]:
    """Of stretches in order, until when the ones before reach."""
    order = (rows.c.begin, rows.c.until)
    return sa.func.max(rows.c.until).over(partition_by=partition, order_by=order, rows=(None, -1))


def _covered(sets: Any) -> Any:
    """Each stretch with the seconds that it adds to those before it of the same set."""
    before = _until_now(sets, sets.c.which, sets.c.id).label("before")
    marked = sa.select(sets.c.which, sets.c.id, sets.c.begin, sets.c.until, before).subquery("stretches")
    alone = sa.or_(marked.c.before.is_(None), marked.c.before <= marked.c.begin)
    adds = sa.case(
        (alone, seconds_between(marked.c.begin, marked.c.until)),
        (marked.c.until > marked.c.before, seconds_between(marked.c.before, marked.c.until)),
        else_=0.0,
    )
    return sa.select(marked.c.which, marked.c.id, adds.label("seconds")).subquery("covered")
