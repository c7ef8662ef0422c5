"""The digests that are due, enqueued once a slot, and those that late sessions correct.

When a slot is due and what it says is known to `notify.digests`; nothing is sent here.
"""

from datetime import datetime

from bot.service.jobs import Jobs
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests


def enqueue_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Enqueue the digests that are due at `now`; each slot once."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        return enqueue_due_digests(connection, jobs.rules.digests, jobs.routing(now))


def correct_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Edit the digests of the last two days whose sessions came late or were corrected."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        return refresh_digests(connection, jobs.rules.digests, jobs.routing(now))
