"""What a poll brought, written down: rows in slices, then in one transaction how it went and the pace to go on at.

Good or bad, what came is kept. Nothing here asks EOSVOLT anything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.service.jobs import Jobs
from bot.service.poll_plan import PollPlan
from eosvolt.models import SESSION_STATUSES, ChargerReading, Fetched
from rules.matching.learning import BACKFILL
from storage.health import (
    CLEANED,
    FAILED,
    GOOD,
    PAUSED,
    RETRIED,
    WHOLE_API,
    Counted,
    Pace,
    record_counts,
    store_pace,
)
from storage.polls import (
    PollState,
    after_bad_poll,
    after_good_poll,
    known_ids,
    record_set_aside,
    store_poll_states,
)
from storage.record import SLICE_ROWS, record_readings, slices
from storage.recording.reading_rows import Observation


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll."""

    resource: str
    fetched: Fetched[Any]
    state: PollState | None  # before this poll
    sweep: bool
    since: datetime | None  # only what changed from then on was asked for


def record_answers(
    jobs: Jobs, answers: Sequence[Answer], now: datetime, pace_before: Pace | None = None
) -> dict[str, PollState]:
    """Record a poll's answers in slices; good or bad, what they brought is kept.

    The polls are finished in the last slice, together: whoever is killed before it polls the same again.
    """
    told, jobs.recorded = jobs.recorded, {}  # what is in the database is not known until all is written
    rest: list[tuple[Sequence[Any], Observation]] = []
    for answer in answers:
        floor = answer.state.good_at if answer.state else None
        observation = Observation(now, floor, jobs.plan.tag_key, jobs.plan.plain_tags)
        sessions = answer.resource == "sessions"  # they come and go: nothing is remembered of them
        news = list(answer.fetched.rows) if sessions else _news(answer, told.setdefault(answer.resource, {}))
        for rows in slices(news):
            if len(rows) < SLICE_ROWS:
                rest.append((rows, observation))
            else:
                with jobs.database.write() as connection:
                    record_readings(connection, rows, observation)
    with jobs.database.write() as connection:
        for rows, observation in rest:
            record_readings(connection, rows, observation)
        for answer in answers:
            record_set_aside(connection, answer.fetched.set_aside, now)
        states = [
            _finished(connection, answer, jobs.plan, (pace_before or jobs.pace).slowness, now) for answer in answers
        ]
        store_poll_states(connection, states)
        record_counts(connection, [*_counted(answers), *_counted_pause(jobs.pace, pace_before)], now)
        if jobs.pace != pace_before:
            store_pace(connection, jobs.pace)
    jobs.recorded = told
    return {state.resource: state for state in states}


def _news(answer: Answer, told: dict[str, int]) -> list[Any]:
    """The readings that say something else than the last one recorded of the same thing; notes them as recorded.

    A heartbeat's age grows though the reading is the same, so a charger with one is always news. What a sweep does
    not name is forgotten: if it comes back, it is news.
    """
    news = []
    named: dict[str, int] = {}
    for reading in answer.fetched.rows:
        named[reading.id] = hash(reading)
        if told.get(reading.id) != named[reading.id] or getattr(reading, "last_heartbeat", None) is not None:
            news.append(reading)
    if answer.sweep:
        told.clear()
    told.update(named)
    return news


def _finished(connection: Connection, answer: Answer, plan: PollPlan, slowness: int, now: datetime) -> PollState:
    resource, fetched, state = answer.resource, answer.fetched, answer.state
    if not fetched.complete:
        bad = after_bad_poll(resource, now, str(fetched.error), state=state)
        # a failed second look at old sessions has had its turn: it may not stand in the way of new ones
        return replace(bad, swept_at=now) if answer.sweep and bad.swept_at and resource == "sessions" else bad
    whole_sweep = answer.sweep and not fetched.shortfall
    seen = _seen(fetched, known_ids(connection, resource, fetched.set_aside)) if whole_sweep else None
    # what we were slow about by ourselves is no gap; what the API had us wait beyond that is
    interval = plan.interval_of(resource) * slowness
    good = after_good_poll(connection, resource, now, interval, state=state, seen=seen)
    good = _with_shortfall(good, answer, now)
    if not _is_doubtful(answer):
        whole = good.unread_since is None or answer.since is None or answer.since <= good.unread_since
        return replace(good, unread_since=None, unread_at=None) if answer.sweep and whole else good
    earliest = max(now - BACKFILL, min(answer.since or now - BACKFILL, good.unread_since or now))
    return replace(good, unread_since=earliest, unread_at=good.unread_at or now)


def _with_shortfall(good: PollState, answer: Answer, now: datetime) -> PollState:
    """A good poll whose list never reached its total keeps that as its error, until a sweep is whole."""
    state, shortfall = answer.state, answer.fetched.shortfall
    if shortfall:
        return replace(good, error=shortfall, swept_at=now if answer.sweep else good.swept_at)
    if not answer.sweep and state is not None and not state.failures:
        return replace(good, error=state.error)
    return good


def _is_doubtful(answer: Answer) -> bool:
    """Whether what came should be asked for again though it was complete: rows set aside, text cleaned, odd statuses.

    A charger's next full sweep comes anyway; a session that does not change never comes by itself again.
    """
    fetched = answer.fetched
    if fetched.set_aside or fetched.cleaned:
        return True
    return answer.resource == "sessions" and any(row.status not in SESSION_STATUSES for row in fetched.rows)


def _counted(answers: Sequence[Answer]) -> list[Counted]:
    """What there is to count of a poll: each resource good or failed, and what was repeated."""
    counts: list[Counted] = []
    for answer in answers:
        error = answer.fetched.error
        counts.append(Counted(answer.resource, GOOD) if error is None else Counted(answer.resource, FAILED, error.kind))
        if answer.fetched.cleaned:
            counts.append(Counted(answer.resource, CLEANED, count=answer.fetched.cleaned))
        retries = Counter(answer.fetched.retries)
        counts += [Counted(answer.resource, RETRIED, kind, count) for kind, count in retries.items()]
    return counts


def _counted_pause(pace: Pace, before: Pace | None) -> list[Counted]:
    if before is None or pace.not_before is None or pace.not_before == before.not_before:
        return []
    return [Counted(WHOLE_API, PAUSED)]


def _seen(fetched: Fetched[Any], known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    seen = {table: set(ids) for table, ids in known.items()}
    for reading in fetched.rows:
        if isinstance(reading, ChargerReading):
            seen.setdefault("charger", set()).add(reading.id)
            seen.setdefault("connector", set()).update(connector.id for connector in reading.connectors)
        else:
            seen.setdefault("location", set()).add(reading.id)
    return seen
