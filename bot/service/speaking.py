"""What alerts say because time passed or quiet ended: silences, inhibition, repeats and escalations, as one job.

It moves no alert and posts nothing: it writes to the outbox what is due at `now`, in one transaction, or where that
fails in one for each rule.
"""

from datetime import datetime

import structlog

from bot.service.jobs import SPEAKING, Jobs, note_broken
from bot.service.ticker import cause_of
from notify.alert_cards.due_messages import rules_with_alerts, speak_due

log = structlog.get_logger()


def speak(jobs: Jobs, now: datetime) -> int:
    """Let everything speak that is due at `now`; how many threads and cards have something new to show.

    Where it fails together each rule speaks by itself, so that one that fails keeps no other quiet, and is noted.
    """
    try:
        with jobs.database.write() as connection:
            spoken = speak_due(connection, jobs.routing(now))
    except Exception as error:
        if SPEAKING not in jobs.broken:
            log.warning("not all that is due can be said together: each rule speaks by itself", error=cause_of(error))
        return _speak_apart(jobs, now, error)
    note_broken(jobs, SPEAKING, {}, now, jobs.broken.get(SPEAKING, ()))
    return spoken


def _speak_apart(jobs: Jobs, now: datetime, why: Exception) -> int:
    with jobs.database.read() as connection:
        names = rules_with_alerts(connection)
    if not names:
        raise why
    spoken = 0
    failed: dict[str, Exception] = {}
    for name in names:
        try:
            with jobs.database.write() as connection:
                spoken += speak_due(connection, jobs.routing(now), name)
        except Exception as error:
            failed[name] = error
    note_broken(jobs, SPEAKING, failed, now, {*names, *jobs.broken.get(SPEAKING, ())})
    return spoken
