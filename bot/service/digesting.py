"""The digests that are due, enqueued once a slot, and those that late sessions correct.

When a slot is due and what it says is known to `notify.digests`; nothing is sent here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.service.jobs import CORRECTION, DIGEST, Jobs, note_broken
from bot.service.poll_plan import MOST_SKEW
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from rules.documents.document import Rule
from storage.ahead import AHEAD
from storage.health import Pace, load_pace


def enqueue_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Enqueue the digests that are due at `now`; each slot once. One that fails holds up no other."""

    def enqueue(connection: Connection, rule: Rule) -> list[DigestEnqueued]:
        pace = load_pace(connection) if jobs.paces is None else jobs.paces.whole(now)
        return enqueue_due_digests(connection, [rule], jobs.routing(_surely(pace, now)))

    return _of_each(jobs, DIGEST, enqueue, now)


def _surely(pace: Pace, now: datetime) -> datetime:
    """The moment that EOSVOLT's clock has come to as well: a slot is claimed once, and not by a clock that is ahead."""
    behind = pace.clock_skew if pace.clock_skew is not None else timedelta(0)
    return now + behind if -MOST_SKEW <= behind < -AHEAD else now


def correct_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Edit the digests of the last two days whose sessions came late or were corrected. None holds up another."""

    def refresh(connection: Connection, rule: Rule) -> list[DigestEnqueued]:
        return refresh_digests(connection, [rule], jobs.routing(now))

    return _of_each(jobs, CORRECTION, refresh, now)


def _of_each(
    jobs: Jobs, what: str, make: Callable[[Connection, Rule], list[DigestEnqueued]], now: datetime
) -> list[DigestEnqueued]:
    """What is made of each digest, in a transaction of its own; which of them fail is noted."""
    made: list[DigestEnqueued] = []
    failed: dict[str, Exception] = {}
    for rule in jobs.rules.digests:
        try:
            with jobs.database.write() as connection:
                made += make(connection, rule)
        except Exception as error:
            failed[rule.name] = error
    note_broken(jobs, what, failed, now, [rule.name for rule in jobs.rules.digests])
    return made
