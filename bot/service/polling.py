"""Asks EOSVOLT for what is due, one resource after the other, and has the answers recorded.

Network first, then the database: no call is made inside a transaction. A poll that is killed anywhere is simply made
again.
"""

import asyncio
import re
from datetime import datetime
from typing import Any

import structlog

from bot.service.jobs import Jobs, put_right
from bot.service.pace import pace_after
from bot.service.poll_plan import RESOURCES, is_due, is_sweep, since_of
from bot.service.recording import Answer, record_answers
from eosvolt.errors import Forbidden, NotFound, RateLimited
from eosvolt.models import Fetched
from rules.matching.learning import BACKFILL
from storage.ahead import is_ahead
from storage.engine import Database
from storage.health import (
    Pace,
    load_pace,
)
from storage.polls import (
    PollState,
    poll_states,
)

log = structlog.get_logger()


async def poll(jobs: Jobs, now: datetime) -> frozenset[str]:
    """Poll every resource that is due at `now` and record what it said; the resources that are fresh, if any was good.

    1. See how far each resource is, and whether the API lets itself be polled at all yet.
    2. Fetch each, the one not asked for longest first: a full sweep when one is due, else what changed since the last
       good poll. After a 429 nothing more is asked.
    3. Record the answers in slices; the last one says which polls were good, and at which pace to go on.
    """
    if jobs.polls is None:
        jobs.polls, jobs.pace = await jobs.run(_poll_states, jobs.database)
    if any(is_ahead(state.attempted_at, now) for state in jobs.polls.values()):
        await jobs.run(put_right, jobs, now)
        jobs.polls, jobs.pace = await jobs.run(_poll_states, jobs.database)
    before, pace = jobs.polls, jobs.pace
    if pace.not_before is not None and now < pace.not_before:
        return frozenset()
    due = [resource for resource in RESOURCES if is_due(jobs.plan, jobs.absent, resource, before.get(resource), now)]
    due.sort(key=lambda resource: (resource in before, before[resource].attempted_at if resource in before else now))
    ticks = asyncio.get_running_loop().time
    began = ticks()
    answers: list[Answer] = []
    for resource in due:
        answers.append(await _ask(jobs, resource, before.get(resource), now))
        if isinstance(answers[-1].fetched.error, RateLimited):
            break
    fetched = [answer.fetched for answer in answers]
    jobs.pace = pace_after(pace, fetched, now, jobs.plan.interval, ticks() - began)
    jobs.polls = None  # what is written is not known until it is
    after: dict[str, PollState] = before | await jobs.run(record_answers, jobs, answers, now, pace)
    jobs.polls = after
    _tell_pace(pace, jobs.pace)
    if not any(one.complete for one in fetched):
        return frozenset()
    unasked = frozenset(due[len(answers) :])
    return frozenset(n for n, state in after.items() if state.good_at == state.attempted_at and n not in unasked)


async def _ask(jobs: Jobs, resource: str, state: PollState | None, now: datetime) -> Answer:
    sweep = is_sweep(jobs.plan, resource, state, now)
    since = since_of(jobs.plan, jobs.pace, resource, state, now, sweep=sweep)
    fetched = await _fetch(jobs, resource, since, now)
    _note_failure(jobs, resource, fetched, state, now)
    return Answer(resource, fetched, state, sweep, since)


def _tell_pace(before: Pace, after: Pace) -> None:
    """Say once that polling is slower, and once that it is as fast as before."""
    if before.slowness == 1 < after.slowness:
        log.warning("EOSVOLT asks for fewer calls: polling more slowly", not_before=str(after.not_before))
    if after.slowness == 1 < before.slowness:
        log.info("polling at full pace again", slowed_at=str(before.slowed_at))


def _poll_states(database: Database) -> tuple[dict[str, PollState], Pace]:
    with database.read() as connection:
        return poll_states(connection), load_pace(connection)


def _note_failure(jobs: Jobs, resource: str, fetched: Fetched[Any], state: PollState | None, now: datetime) -> None:
    """Say once for each cause that polls fail; a resource that the account lacks is then left alone for a while."""
    error = fetched.error
    if isinstance(error, Forbidden | NotFound):
        if resource not in jobs.absent:
            log.warning("resource switched off", resource=resource, error=str(error))
        jobs.absent[resource] = now
        return
    jobs.absent.pop(resource, None)
    if error is not None and (state is None or not state.failures or _kind(str(error)) != _kind(state.error or "")):
        log.warning("poll failed", resource=resource, error=str(error), rows=len(fetched.rows))


def _kind(error: str) -> str:
    """An error's text without its numbers, by which a cause is told from another."""
    return re.sub(r"\d+", "#", error)


async def _fetch(jobs: Jobs, resource: str, since: datetime | None, now: datetime) -> Fetched[Any]:
    if resource == "locations":
        return await jobs.client.fetch_locations()
    if resource == "chargers":
        return await jobs.client.fetch_chargers(updated_since=since)
    if since is None:
        return await jobs.client.fetch_sessions(started_from=now - BACKFILL)
    return await jobs.client.fetch_sessions(updated_since=since)
