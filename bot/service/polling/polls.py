"""Asks EOSVOLT for what is due, each resource at a pace of its own, and has the answers recorded.

Network first, then the database: no call is made inside a transaction. A poll that is killed anywhere is simply made
again. It evaluates nothing.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.service.jobs import Jobs, UnderWay, Unended, put_right
from bot.service.polling.pace import Paces
from bot.service.polling.poll_plan import RESOURCES, fresh_resources, is_due, is_lacking, is_sweep, since_of
from bot.service.recording.answered import Answer
from bot.service.recording.answers import record_answers
from eosvolt.errors import TooMuch
from eosvolt.models import Fetched
from rules.matching.learning import BACKFILL
from storage.ahead import is_ahead
from storage.engine import Database
from storage.health import Pace, load_paces
from storage.polls import PollState, poll_states
from storage.recording.places import ListPlace, list_place

log = structlog.get_logger()


async def poll(jobs: Jobs, now: datetime) -> frozenset[str]:
    """Poll every resource that is due at `now`, one after the other; the resources that are fresh, if any was good.

    Replays and tests call this; the service polls each resource by itself (`poll_resource`).
    1. See how far each resource is, and which let themselves be polled at all yet.
    2. Fetch each, the one not asked for longest first: a full sweep when one is due, else what changed since the last
       good poll. What answers 429 stops no other; two of them stop the rest.
    3. Record the answers in slices; the last one says which polls were good, and at which pace to go on.
    """
    paces = await paces_of(jobs)
    if jobs.polls is None:
        jobs.polls = await jobs.run(_poll_states, jobs.database)
    if _is_any_ahead(jobs.polls, now):
        await jobs.run(put_right, jobs, now)
        paces, jobs.polls = await paces_of(jobs), await jobs.run(_poll_states, jobs.database)
    before = jobs.polls
    due = [resource for resource in RESOURCES if is_due(jobs.plan, jobs.absent, resource, before.get(resource), now)]
    due.sort(key=lambda resource: (resource in before, before[resource].attempted_at if resource in before else now))
    changes = [await _ask_between(jobs, paces, resource, before.get(resource), now) for resource in due]
    between = [answer for answer in changes if answer is not None]
    if between:
        jobs.polls = None
        before = before | await jobs.run(record_answers, jobs, between, now)
    answers = [
        await _ask(jobs, paces, resource, before.get(resource), now)
        for resource in due
        if not paces.is_paused(resource, now)
    ]
    if not answers:
        return frozenset()
    jobs.polls = None  # what is written is not known until it is
    after: dict[str, PollState] = before | await jobs.run(record_answers, jobs, answers, now)
    if "locations" not in due and is_due(jobs.plan, jobs.absent, "locations", after.get("locations"), now):
        named = await _ask(jobs, paces, "locations", after.get("locations"), now)  # a charger names one that is new
        after |= await jobs.run(record_answers, jobs, [named], now)
    jobs.polls = after
    if not any(answer.fetched.complete for answer in (*between, *answers)):
        return frozenset()
    unasked = frozenset(due) - {answer.resource for answer in (*between, *answers)}
    return fresh(jobs, after, now) - unasked


async def poll_resource(jobs: Jobs, resource: str, now: datetime) -> bool:
    """Poll one resource if it is due at `now` and lets itself be polled, and record what it said; whether that is good.

    Several resources may be polled side by side. What is good is noted in `jobs.news`.
    """
    turn = jobs.news.begin()
    paces = await paces_of(jobs)
    states: dict[str, PollState] = await jobs.run(_poll_states, jobs.database)
    if _is_any_ahead(states, now):
        await jobs.run(put_right, jobs, now)
        paces, states = await paces_of(jobs), await jobs.run(_poll_states, jobs.database)
    state = states.get(resource)
    if paces.is_paused(resource, now) or not is_due(jobs.plan, jobs.absent, resource, state, now):
        return False
    changes = await _ask_between(jobs, paces, resource, state, now)
    if changes is not None:
        state = (await jobs.run(record_answers, jobs, [changes], now))[resource]
        if changes.fetched.complete:
            jobs.news.note(turn, now)
        if paces.is_paused(resource, now):
            return changes.fetched.complete
    answer = await _ask(jobs, paces, resource, state, now)
    await jobs.run(record_answers, jobs, [answer], now)
    if answer.fetched.complete:
        jobs.news.note(turn, now)
    return answer.fetched.complete or (changes is not None and changes.fetched.complete)


def _is_any_ahead(states: Mapping[str, PollState], now: datetime) -> bool:
    """Whether a clock that was wrong dated what was polled ahead of now."""
    return any(is_ahead(state.attempted_at, now) for state in states.values())


def fresh(jobs: Jobs, states: Mapping[str, PollState], now: datetime) -> frozenset[str]:
    """What rules may go by at `now`, by how polling stands."""
    paces = jobs.paces or Paces(jobs.plan.interval)
    return fresh_resources(jobs.plan, states, {name: paces.in_force(name, now).slowness for name in states}, now)


async def paces_of(jobs: Jobs) -> Paces:
    """The paces of all resources, read from the database at first."""
    if jobs.paces is None:
        stored = await jobs.run(_stored_paces, jobs.database)
        jobs.paces = jobs.paces or Paces(jobs.plan.interval, stored)  # somebody may have been quicker
    return jobs.paces


async def _ask_between(
    jobs: Jobs, paces: Paces, resource: str, state: PollState | None, now: datetime
) -> Answer | None:
    """Ask for what changed while a list of everything takes several polls; None where that is not so, or not yet.

    Of a list that does not get on, nothing is asked beside it: that it fails is to be seen.
    """
    left = await _under_way(jobs, resource, now)
    if left is None or left.stuck or not left.place.is_sweep or state is None or state.good_at is None:
        return None
    if resource == "locations" or paces.is_paused(resource, now):
        return None
    pace = paces.in_force(resource, now)
    skew = paces.whole(now).clock_skew
    since = since_of(jobs.plan, replace(pace, clock_skew=skew), resource, state, now, sweep=False)
    place = ListPlace(resource, now, since, False, None)
    return await _asked(jobs, paces, place, state, now, between=True)


async def _ask(jobs: Jobs, paces: Paces, resource: str, state: PollState | None, now: datetime) -> Answer:
    """Ask for a resource: go on with its list where that was left, else begin it."""
    pace = paces.in_force(resource, now)
    left = await _under_way(jobs, resource, now)
    jobs.lists.pop(resource, None)  # where it stands is not known until what comes now is recorded
    if left is None:
        sweep = is_sweep(jobs.plan, resource, state, now)
        skew = paces.whole(now).clock_skew
        since = since_of(jobs.plan, replace(pace, clock_skew=skew), resource, state, now, sweep=sweep)
        place = ListPlace(resource, now, None if sweep and resource in jobs.anew else since, sweep, None)
    else:
        place = left.place
    return await _asked(jobs, paces, place, state, now, left)


async def _asked(  # noqa: PLR0917 - a question and its circumstances
    jobs: Jobs,
    paces: Paces,
    place: ListPlace,
    state: PollState | None,
    now: datetime,
    left: UnderWay | None = None,
    *,
    between: bool = False,
) -> Answer:
    """What the API says to a list that begins, or goes on where it was left, and the pace that follows from it."""
    resource, pace = place.resource, paces.in_force(place.resource, now)
    ticks = asyncio.get_running_loop().time
    began = ticks()
    fetched = await (_begin(jobs, place) if left is None else jobs.client.go_on(left.rest))
    changed = paces.note(resource, fetched, now, ticks() - began)
    _note_failure(jobs, resource, fetched, state, now)
    _tell_pace(resource, pace, paces.in_force(resource, now))
    _tell_list(place, fetched, now)
    _note_length(jobs, place, fetched, now)
    return Answer(place, fetched, state, pace.slowness, changed, goes_on=left is not None, between=between)


def _tell_pace(resource: str, before: Pace, after: Pace) -> None:
    """Say once that polling is slower, and once that it is as fast as before."""
    if before.slowness == 1 < after.slowness:
        log.warning(
            "EOSVOLT asks for fewer calls: polling more slowly", resource=resource, not_before=str(after.not_before)
        )
    if after.slowness == 1 < before.slowness:
        log.info("polling at full pace again", resource=resource, slowed_at=str(before.slowed_at))


def _poll_states(database: Database) -> dict[str, PollState]:
    with database.read() as connection:
        return poll_states(connection)


def _stored_paces(database: Database) -> dict[str, Pace]:
    with database.read() as connection:
        return load_paces(connection)


def _note_failure(jobs: Jobs, resource: str, fetched: Fetched[Any], state: PollState | None, now: datetime) -> None:
    """Say once for each cause that polls fail; a resource that the account lacks is then left alone for a while."""
    error = fetched.error
    if is_lacking(error, state):
        if resource not in jobs.absent:
            log.warning("resource switched off", resource=resource, error=str(error))
        jobs.absent[resource] = now
        return
    jobs.absent.pop(resource, None)
    known = state is not None and state.failures and _kind(state.error or "").startswith(_kind(str(error)))
    if error is not None and not known:
        log.warning("poll failed", resource=resource, error=str(error), rows=len(fetched.rows))


def _kind(error: str) -> str:
    """An error's text without its numbers, by which a cause is told from another."""
    return re.sub(r"\d+", "#", error)


def _tell_list(place: ListPlace, fetched: Fetched[Any], now: datetime) -> None:
    """Say once that a list takes several polls, and once that it was read to its end."""
    if fetched.rest is not None and place.began_at == now:
        log.info("a list takes several polls", resource=place.resource, told=fetched.rest.told)
    if fetched.complete and place.began_at < now:
        log.info("a list was read to its end", resource=place.resource, began_at=str(place.began_at))


LONG_LIST = timedelta(hours=2)
"""From so long on it is told that a list of everything is not read to its end."""


def _note_length(jobs: Jobs, place: ListPlace, fetched: Fetched[Any], now: datetime) -> None:
    """Note a list of everything that takes long or that a limit ended, until one is read to its end."""
    before = jobs.unended.get(place.resource)
    if not place.is_sweep:
        return
    if fetched.complete:
        jobs.unended.pop(place.resource, None)
    elif isinstance(fetched.error, TooMuch) and fetched.rest is None:
        since = before.since if before is not None else now
        jobs.unended[place.resource] = Unended(since, str(fetched.error))
    elif fetched.rest is not None and before is None and now - place.began_at >= LONG_LIST:
        jobs.unended[place.resource] = Unended(place.began_at, fetched.rest.told)


async def _under_way(jobs: Jobs, resource: str, now: datetime) -> UnderWay | None:
    """The list of a resource that was left before its end, by this process or by one before it."""
    if resource not in jobs.lists:
        place: ListPlace | None = await jobs.run(_stored_place, jobs.database, resource, now)
        jobs.lists[resource] = None
        if place is not None and place.bookmark is not None:
            rest = jobs.client.pick_up(resource, _words(place), place.bookmark)
            jobs.lists[resource] = UnderWay(place, rest)
    left = jobs.lists[resource]
    return None if left is None or is_ahead(left.place.began_at, now) else left


def _stored_place(database: Database, resource: str, now: datetime) -> ListPlace | None:
    with database.read() as connection:
        return list_place(connection, resource, now)


def _words(place: ListPlace) -> dict[str, datetime | None]:
    """How a list is asked for."""
    if place.resource == "locations":
        return {}
    if place.resource == "sessions" and place.since is None:
        return {"started_from": place.began_at - BACKFILL}
    return {"updated_since": place.since}


async def _begin(jobs: Jobs, place: ListPlace) -> Fetched[Any]:
    if place.resource == "locations":
        return await jobs.client.fetch_locations()
    if place.resource == "chargers":
        return await jobs.client.fetch_chargers(place.since)
    words = _words(place)
    return await jobs.client.fetch_sessions(words.get("updated_since"), words.get("started_from"))
