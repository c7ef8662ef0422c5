"""The digests that are due, enqueued once a slot, and those that late sessions correct.

When a slot is due and what it says is known to `notify.digests`; nothing is sent here.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.service.jobs import CORRECTION, DIGEST, Jobs, note_broken
from bot.service.polling.poll_plan import MOST_SKEW
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from notify.digests.slots import slots_to_refresh
from storage.ahead import AHEAD
from storage.health import Pace, load_pace


def enqueue_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Enqueue the digests that are due at `now`; each slot once. One that fails holds up no other."""
    rules = {rule.name: rule for rule in jobs.rules.digests}

    def enqueue(connection: Connection, name: str) -> list[DigestEnqueued]:
        pace = load_pace(connection) if jobs.paces is None else jobs.paces.whole(now)
        return enqueue_due_digests(connection, [rules[name]], jobs.routing(_surely(pace, now)))

    return _of_each(jobs, DIGEST, list(rules), enqueue, now)


def _surely(pace: Pace, now: datetime) -> datetime:
    """The moment that EOSVOLT's clock has come to as well: a slot is claimed once, and not by a clock that is ahead."""
    behind = pace.clock_skew if pace.clock_skew is not None else timedelta(0)
    return now + behind if -MOST_SKEW <= behind < -AHEAD else now


def correct_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Edit the digests of the last two days whose sessions came late or were corrected. None holds up another.

    Those of rules that were switched off or removed since are corrected too.
    """
    with jobs.database.read() as connection:
        spoke = [row.rule_id for row in slots_to_refresh(connection, now)]
    # one that failed before is tried again, or it would be called broken for good
    names = dict.fromkeys([*spoke, *(rule.name for rule in jobs.rules.digests), *jobs.broken.get(CORRECTION, {})])

    def refresh(connection: Connection, name: str) -> list[DigestEnqueued]:
        return refresh_digests(connection, [name], jobs.routing(now))

    return _of_each(jobs, CORRECTION, list(names), refresh, now)


def _of_each(
    jobs: Jobs,
    what: str,
    names: Sequence[str],
    make: Callable[[Connection, str], list[DigestEnqueued]],
    now: datetime,
) -> list[DigestEnqueued]:
    """What is made of each digest, in a transaction of its own; which of them fail is noted."""
    made: list[DigestEnqueued] = []
    failed: dict[str, Exception] = {}
    for name in names:
        try:
            with jobs.database.write() as connection:
                made += make(connection, name)
        except Exception as error:
            failed[name] = error
    note_broken(jobs, what, failed, now, names)
    return made
