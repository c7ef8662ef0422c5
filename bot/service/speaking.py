"""What alerts say because time passed or quiet ended: silences, inhibition, repeats and escalations, as one job.

It moves no alert and posts nothing: it writes to the outbox, in one transaction, what is due at `now`.
"""

from datetime import datetime

from bot.service.jobs import Jobs
from notify.alert_cards.due_messages import speak_due


def speak(jobs: Jobs, now: datetime) -> int:
    """Let everything speak that is due at `now`; how many threads and cards have something new to show."""
    with jobs.database.write() as connection:
        return speak_due(connection, jobs.routing(now))
