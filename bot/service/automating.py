"""What rules do by themselves, as one job: each step that is due is decided or looked at, in a transaction of its own.

It calls nothing outside: a step makes a command, which is sent like those of people. A kill between two steps loses
nothing, because what is due is in the database.
"""

from datetime import datetime

from bot.service.jobs import STEPS, Jobs, note_broken
from commands.automations.advance import advance_try, due_tries
from commands.automations.facts import Automating
from commands.automations.tries import has_held_alerts, release_alerts


def automate(jobs: Jobs, now: datetime) -> int:
    """Move every step that can be moved at `now`; how many did, and how many alerts speak.

    1. Steps are looked at oldest first: what waits is decided, what was sent is verified. One that fails holds up no
       other, and its rule is noted.
    2. Alerts that still fire when their steps are over are let speak.
    Call it after each poll, and before commands are sent: it cancels those that should not be any more.
    """
    work = Automating(
        default=jobs.automations,
        interval=jobs.plan.interval,
        routing=jobs.routing(now),
        per_day=jobs.commands_per_day,
        price_approval=jobs.price_approval,
    )
    moved = 0
    failed: dict[str, Exception] = {}
    with jobs.database.read() as connection:
        due = due_tries(connection, now)
    for try_id, rule in due.items():
        try:
            with jobs.database.write() as connection:
                moved += advance_try(connection, try_id, work, now)
        except Exception as error:
            failed[rule] = error
    with jobs.database.read() as connection:
        waits = has_held_alerts(connection)
    if waits:
        with jobs.database.write() as connection:
            moved += release_alerts(connection, work, now)
    # a step that fails stays due, so whichever is not due does not fail
    note_broken(jobs, STEPS, failed, now, {*due.values(), *jobs.broken.get(STEPS, ())})
    return moved
