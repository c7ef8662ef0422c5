"""When a digest is due: the slots of a schedule (cron, or plain words for it) in a time zone.

A slot is named by its local time with offset, so that the repeated hour of autumn has two names. Nothing here reads a
clock or a database, or knows what a digest says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from rules.documents.plain_schedules import cron_of
from rules.documents.windows import LONGEST_SINCE, YESTERDAY, Period, catch_up, window_of

WAIT_AT_MOST = timedelta(minutes=30)
LATE_AFTER = WAIT_AT_MOST + timedelta(minutes=5)  # a slot that only waited for its poll is not late
SETTLE = timedelta(minutes=2)
REFRESH_FOR = timedelta(hours=48)
SESSIONS = "sessions"


@dataclass(frozen=True, slots=True)
class Slot:
    """One moment at which a schedule speaks, and the period that it speaks about, with its bounds in its own zone.

    `local` is the ISO 8601 local time with its offset. `late`: it was missed and is being caught up.
    """

    zone: str
    local: str
    at: datetime
    window_from: datetime
    window_to: datetime
    period: Period
    late: bool = False


def slots_due(
    schedule: str,
    zone: str,
    after: datetime,
    now: datetime,
    *,
    window_name: str = YESTERDAY,
    since: datetime | None = None,
) -> list[Slot]:
    """The slots of a schedule in (after, now], oldest first, at most one of them a missed one.

    Slots older than a day (a week, where the window is longer than a day) are forgotten, and of the missed ones (more
    than 35 minutes old) only the newest is kept. `since` is where "since the last one" begins, None before the first.
    Daylight saving follows Debian's cron: a job at a fixed time inside the skipped hour runs at its end, one inside
    the repeated hour runs once, at the first; a job with `*` in its hours or minutes follows elapsed time.
    """
    start = max(after, now - catch_up(window_name))
    moments = list(takewhile(lambda at: at <= now, _moments(schedule, zone, start)))
    missed = [at for at in moments if now - at > LATE_AFTER]
    due = missed[-1:] + moments[len(missed) :]
    return [replace(slot_at(schedule, zone, at, window_name, since), late=now - at > LATE_AFTER) for at in due]


def slot_at(schedule: str, zone: str, at: datetime, window_name: str, since: datetime | None = None) -> Slot:
    """A digest's slot at a moment, whether its schedule speaks then or not."""
    begin = since if since is not None else _moment_before(schedule, zone, at)
    period = window_of(window_name, zone, at, begin)
    local = at.astimezone(ZoneInfo(zone)).isoformat()
    return Slot(zone, local, at, *period.bounds(zone), period)


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


def _moments(schedule: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every moment after one at which a schedule speaks, in UTC, growing."""
    latest = after
    try:
        # from an hour before: inside a repeated hour cronsim forgets which of the two it stands in
        for moment in CronSim(cron_of(schedule), (after - timedelta(hours=1)).astimezone(ZoneInfo(zone))):
            at = moment.astimezone(UTC)
            # two fixed times inside the skipped hour both land on its end: that is one slot
            if at > latest:
                latest = at
                yield at
    except CronSimError as error:
        raise ValueError(f'schedule "{schedule}": {error}') from error


@lru_cache(maxsize=1024)
def _moment_before(schedule: str, zone: str, at: datetime) -> datetime | None:
    """When a schedule spoke last before a moment, None if not within what "since the last one" can tell about."""
    earlier = None
    for moment in takewhile(lambda moment: moment < at, _moments(schedule, zone, at - LONGEST_SINCE)):
        earlier = moment
    return earlier
