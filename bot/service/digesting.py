"""The digests that are due, enqueued once a slot, and those that late sessions correct.

When a slot is due and what it says is known to `notify.digests`; nothing is sent here.
"""

from datetime import datetime, timedelta

from bot.service.jobs import Jobs
from bot.service.poll_plan import MOST_SKEW
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from storage.ahead import AHEAD
from storage.health import Pace, load_pace


def enqueue_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Enqueue the digests that are due at `now`; each slot once."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        pace = load_pace(connection) if jobs.paces is None else jobs.paces.whole(now)
        return enqueue_due_digests(connection, jobs.rules.digests, jobs.routing(_surely(pace, now)))


def _surely(pace: Pace, now: datetime) -> datetime:
    """The moment that EOSVOLT's clock has come to as well: a slot is claimed once, and not by a clock that is ahead."""
    behind = pace.clock_skew if pace.clock_skew is not None else timedelta(0)
    return now + behind if -MOST_SKEW <= behind < -AHEAD else now


def correct_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Edit the digests of the last two days whose sessions came late or were corrected."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        return refresh_digests(connection, jobs.rules.digests, jobs.routing(now))
