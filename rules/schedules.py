"""When a digest is due: slots of a cron schedule in a time zone, and the claim that makes each slot count once.

A slot is named by its local time with offset, so that the repeated hour of autumn has two names. Nothing here reads a
clock, asks the network or knows what a digest says.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from cronsim import CronSim, CronSimError
from sqlalchemy import Connection, Row

from storage.dialects import insert
from storage.schema import DIGEST_SLOT, POLL

CATCH_UP = timedelta(days=1)
WAIT_AT_MOST = timedelta(minutes=30)
LATE_AFTER = WAIT_AT_MOST + timedelta(minutes=5)  # a slot that only waited for its poll is not late
SETTLE = timedelta(minutes=2)
REFRESH_FOR = timedelta(hours=48)
SESSIONS = "sessions"
WINDOWS = ("yesterday",)


@dataclass(frozen=True, slots=True)
class Slot:
    """One moment at which a schedule speaks, and the window (half open, UTC) that it speaks about.

    `local` is the ISO 8601 local time with its offset. `late`: it was missed and is being caught up.
    """

    zone: str
    local: str
    at: datetime
    window_from: datetime
    window_to: datetime
    late: bool = False


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The first instant of a local day and of the next one, in UTC: 23, 24 or 25 hours apart, by the zone's rules.

    Where midnight itself is skipped (Cairo, Santiago), the day begins at the instant of the change.
    """
    tz = ZoneInfo(zone)
    start, end = (datetime.combine(each, time(), tzinfo=tz).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    return start, end


def window(name: str, zone: str, at: datetime) -> tuple[datetime, datetime]:
    """What a named window covers for a slot at `at` (aware) in a zone, as UTC instants; an unknown name is an error."""
    if name == "yesterday":
        return day_bounds(at.astimezone(ZoneInfo(zone)).date() - timedelta(days=1), zone)
    raise ValueError(f'unknown window "{name}"; known: {", ".join(WINDOWS)}')


def slots_due(
    schedule: str, zone: str, after: datetime, now: datetime, *, window_name: str = "yesterday"
) -> list[Slot]:
    """The slots of a five-field cron schedule in (after, now], oldest first, at most one of them a missed one.

    Slots older than a day are forgotten, and of the missed ones (more than 35 minutes old) only the newest is kept.
    Daylight saving follows Debian's cron: a job at a fixed time inside the skipped hour runs at its end, one inside
    the repeated hour runs once, at the first; a job with `*` in its hours or minutes follows elapsed time.
    """
    start = max(after, now - CATCH_UP)
    moments = list(takewhile(lambda at: at <= now, _moments(schedule, zone, start)))
    missed = [at for at in moments if now - at > LATE_AFTER]
    return [_slot(at, zone, window_name, now) for at in missed[-1:] + moments[len(missed) :]]


@lru_cache(maxsize=1024)
def usable_zone(name: str | None, otherwise: str) -> str:
    """The zone of this name, or the other one where there is none: the API's name for a zone may be any text."""
    try:
        ZoneInfo(name or "")
    except (OSError, ValueError, KeyError):  # a folder, a path, an unknown name
        return otherwise
    return str(name)


@lru_cache(maxsize=4096)
def next_moment(schedule: str, zone: str, after: datetime) -> datetime | None:
    """When a schedule speaks next after a moment (UTC), or None if never; asked every minute, so remembered."""
    return next(_moments(schedule, zone, after), None)


def is_ready(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Whether a slot need wait no longer: a good session poll began after its window settled, or 30 minutes passed."""
    if now - slot.at >= WAIT_AT_MOST:
        return True
    complete = complete_to(connection)
    return complete is not None and complete >= slot.window_to + SETTLE


def complete_to(connection: Connection) -> datetime | None:
    """The moment up to which sessions are known: the last good poll of them, or None before the first."""
    found: datetime | None = connection.execute(
        sa.select(POLL.c.good_at).where(POLL.c.resource == SESSIONS)
    ).scalar_one_or_none()
    return found


def last_slots(connection: Connection, rule_ids: Collection[str]) -> dict[tuple[str, str], datetime]:
    """When the newest claimed slot of each of these rules and each zone was due, by rule id and zone."""
    newest = (
        sa.select(DIGEST_SLOT.c.rule_id, DIGEST_SLOT.c.zone, sa.func.max(DIGEST_SLOT.c.slot_at).label("at"))
        .where(DIGEST_SLOT.c.rule_id.in_(rule_ids))
        .group_by(DIGEST_SLOT.c.rule_id, DIGEST_SLOT.c.zone)
    )
    return {(row.rule_id, row.zone): row.at for row in connection.execute(newest)}


def claim_slot(connection: Connection, rule_id: str, slot: Slot, facts: Mapping[str, Any], now: datetime) -> bool:
    """Claim a slot for the caller's transaction; False where it was claimed before. `facts`: what is being said."""
    claimed = connection.execute(
        insert(connection, DIGEST_SLOT)
        .values(
            rule_id=rule_id,
            zone=slot.zone,
            slot=slot.local,
            slot_at=slot.at,
            window_from=slot.window_from,
            window_to=slot.window_to,
            enqueued_at=now,
            facts=dict(facts),
        )
        .on_conflict_do_nothing()
        .returning(DIGEST_SLOT.c.slot)
    )
    return claimed.first() is not None


def slots_to_refresh(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The claimed slots of the last 48 hours, oldest first: late sessions may still edit what they said."""
    return list(
        connection.execute(
            sa.select(DIGEST_SLOT)
            .where(DIGEST_SLOT.c.slot_at > now - REFRESH_FOR, DIGEST_SLOT.c.enqueued_at.is_not(None))
            .order_by(DIGEST_SLOT.c.slot_at, DIGEST_SLOT.c.rule_id, DIGEST_SLOT.c.zone)
        )
    )


def _moments(schedule: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every moment after one at which a schedule speaks, in UTC, growing."""
    latest = after
    try:
        # from an hour before: inside a repeated hour cronsim forgets which of the two it stands in
        for moment in CronSim(schedule, (after - timedelta(hours=1)).astimezone(ZoneInfo(zone))):
            at = moment.astimezone(UTC)
            # two fixed times inside the skipped hour both land on its end: that is one slot
            if at > latest:
                latest = at
                yield at
    except CronSimError as error:
        raise ValueError(f'schedule "{schedule}": {error}') from error


def _slot(at: datetime, zone: str, window_name: str, now: datetime) -> Slot:
    window_from, window_to = window(window_name, zone, at)
    local = at.astimezone(ZoneInfo(zone)).isoformat()
    return Slot(zone, local, at, window_from, window_to, late=now - at > LATE_AFTER)
