"""When a digest is due: the slots of a cron schedule in a time zone.

A slot is named by its local time with offset, so that the repeated hour of autumn has two names. Nothing here reads a
clock or a database, or knows what a digest says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

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
