"""What a poll brought, written down: rows in slices, then in one transaction how it went and the pace to go on at.

Good or bad, what came is kept. Nothing here asks EOSVOLT anything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot.service.jobs import Jobs, UnderWay
from bot.service.polling.poll_plan import PollPlan
from bot.service.recording.answered import Answer
from bot.service.recording.homes import known_homes, relabel
from bot.service.recording.new_ids import under_new_ids
from eosvolt.errors import RateLimited
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
    record_counts,
    store_pace,
)
from storage.polls import (
    SWEPT,
    PollState,
    after_bad_poll,
    after_good_poll,
    known_ids,
    poll_states,
    record_missing,
    record_set_aside,
    store_poll_states,
    unknown_locations,
    want_sweep,
)
from storage.record import SLICE_ROWS, record_heartbeats, record_readings, slices
from storage.recording.doubts import NOTHING_ODD, Judged, judge_sweep
from storage.recording.identity import without_ambiguous
from storage.recording.places import store_place
from storage.recording.reading_rows import Observation
from storage.recording.staleness import mark_stale, record_unreadable

HEARTBEATS_A_SLICE = 5_000
"""How many heartbeats one transaction records: they touch little."""

POLLS_PER_DOUBTED_SWEEP = 5
"""How often a sweep that is doubted is made again."""


def record_answers(jobs: Jobs, answers: Sequence[Answer], now: datetime) -> dict[str, PollState]:
    """Record the answers of polls in slices; good or bad, what they brought is kept.

    The polls are finished in the last slice, together: whoever is killed before it polls the same again. Answers of
    several resources may be recorded side by side.
    """
    # what is in the database of a resource is not known until all of it is written
    told = {answer.resource: jobs.recorded.pop(answer.resource, {}) for answer in answers}
    homes, moved_in = known_homes(jobs, answers)
    answers = _unambiguous(jobs, under_new_ids(jobs, answers, now), told, homes)
    rest: list[tuple[Sequence[Any], Observation]] = []
    for answer in answers:
        observation = Observation(now, _floor(answer, now), jobs.plan.tag_key, jobs.plan.plain_tags, homes)
        sessions = answer.resource == "sessions"  # they come and go: nothing is remembered of them
        came = list(_came(answer))
        news, beating = (came, []) if sessions else _news(answer, told[answer.resource], homes)
        for some in slices(beating, HEARTBEATS_A_SLICE):
            with jobs.database.write() as connection:
                record_heartbeats(connection, some, observation)
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
            record_unreadable(connection, answer.fetched, now)
        states = [_finished(connection, answer, jobs.plan, now) for answer in answers]
        store_poll_states(connection, states)
        lists = {answer.resource: _left(answer) for answer in answers if not answer.between}
        for answer in answers:
            if answer.resource in lists and (answer.goes_on or answer.fetched.rest is not None):
                left = lists[answer.resource]
                store_place(connection, answer.resource, left.place if left is not None else None)
        record_counts(connection, [*_counted(answers), *_counted_pauses(answers)], now)
        for resource, pace in {name: pace for answer in answers for name, pace in answer.paces.items()}.items():
            store_pace(connection, pace, resource)
        wanted = _locations_wanted(jobs, connection, answers, now)
        if moved_in:
            wanted += relabel(connection, answers, now)
    jobs.recorded |= told
    jobs.lists |= lists
    jobs.homes = homes
    return {state.resource: state for state in (*states, *wanted)}


def _locations_wanted(jobs: Jobs, connection: Connection, answers: Sequence[Answer], now: datetime) -> list[PollState]:
    """Have the locations asked for now where a charger names one that is not known, once each; how they stand then."""
    chargers = [row for one in answers if one.resource == "chargers" for row in one.fetched.rows]
    named = {row.location_id for row in chargers if row.location_id is not None}
    new = named - jobs.places
    jobs.places |= new
    if not new or "locations" in jobs.absent or any(one.resource == "locations" for one in answers):
        return []
    state = poll_states(connection).get("locations")
    if state is None or not unknown_locations(connection, new):
        return []
    want_sweep(connection, "locations", now)
    return [replace(state, sweep_due_at=now)]


def _unambiguous(
    jobs: Jobs, answers: Sequence[Answer], told: Mapping[str, Mapping[str, int]], homes: frozenset[str]
) -> list[Answer]:
    """The answers without what is told under an id that means two things."""
    vetted = []
    with jobs.database.read() as connection:
        for answer in answers:
            is_news = partial(_is_news, told.get(answer.resource, {}), homes)
            fetched = without_ambiguous(connection, answer.fetched, is_news, whole=answer.is_whole)
            vetted.append(replace(answer, fetched=fetched))
    return vetted


def _is_news(told: Mapping[str, int], homes: frozenset[str], reading: Any) -> bool:
    return told.get(reading.id) != _fingerprint(reading, homes)


def _fingerprint(reading: Any, homes: frozenset[str]) -> int:
    """What a reading says, in a number: a charger's labels also say whether its location is a home.

    When a charger was heard last counts for nothing, whether it ever tells that does.
    """
    if not isinstance(reading, ChargerReading):
        return hash(reading)
    return hash((reading, reading.last_heartbeat is None, reading.location_id in homes))


def _news(answer: Answer, told: dict[str, int], homes: frozenset[str]) -> tuple[list[Any], list[ChargerReading]]:
    """The readings that say something else than the last one recorded of the same thing; notes them as recorded.

    Beside them the chargers that only tell a heartbeat: it grows older though the reading is the same. What a sweep
    does not name is forgotten: if it comes back, it is news.
    """
    news, beating = [], []
    named: dict[str, int] = {}
    for reading in _came(answer):
        named[reading.id] = _fingerprint(reading, homes)
        if told.get(reading.id) != named[reading.id]:
            news.append(reading)
        elif isinstance(reading, ChargerReading) and reading.last_heartbeat is not None:
            beating.append(reading)
    if answer.is_whole:
        known = told if answer.goes_on else {}
        kept = {reading.id: known[reading.id] for reading in answer.fetched.rows if reading.id in known}
        told.clear()
        told.update(kept)
    told.update(named)
    for aside in answer.fetched.set_aside:  # it is stale now, and news when it can be read again
        told.pop(aside.key or "", None)
        told.pop(aside.parent or "", None)
        if aside.resource == "connector" and aside.parent is None:
            told.clear()
    return news, beating


def _came(answer: Answer) -> Iterator[Any]:
    """The readings that came with this poll, and not with an earlier one of the same list."""
    new = answer.fetched.new
    return (reading for reading in answer.fetched.rows if new is None or reading.id in new)


def _left(answer: Answer) -> UnderWay | None:
    """The list as the next poll finds it, None where that begins another one."""
    rest = answer.fetched.rest
    if rest is None:
        return None
    stuck = not isinstance(answer.fetched.error, RateLimited | None)
    return UnderWay(replace(answer.place, bookmark=rest.bookmark), rest, stuck)


def _floor(answer: Answer, now: datetime) -> datetime | None:
    """The poll before this one that was good, behind which no change is dated."""
    state = answer.state
    if state is None or state.good_at != now:
        return None if state is None else state.good_at
    return state.previous_good_at  # what changed was asked for a moment ago


def _finished(connection: Connection, answer: Answer, plan: PollPlan, now: datetime) -> PollState:
    resource, fetched, state = answer.resource, answer.fetched, answer.state
    if not fetched.complete:
        bad = after_bad_poll(resource, now, _said(fetched), state=state)
        if state is not None and state.good_at == now and isinstance(fetched.error, RateLimited | None):
            bad = state  # what changed was read a moment ago, and the rest of the list is on its way
        if fetched.rest is not None:
            return _asked_again(bad, answer, now) if _is_doubtful(answer) else bad
        # a failed second look at old sessions has had its turn: it may not stand in the way of new ones
        return replace(bad, swept_at=now) if answer.sweep and bad.swept_at and resource == "sessions" else bad
    seen, judged = _judged_sweep(connection, answer, now) if answer.is_whole else (None, NOTHING_ODD)
    # what we were slow about by ourselves is no gap; what the API had us wait beyond that is
    interval = plan.interval_of(resource) * answer.slowness
    began_at = min(answer.place.began_at, now)  # what changed since then is asked for next
    good = after_good_poll(connection, resource, now, interval, state=state, seen=seen, began_at=began_at)
    if state is not None and state.good_at == now:  # by what changed; of the list, the first page is older
        good = replace(good, attempted_at=now, good_at=now, previous_good_at=state.previous_good_at)
    if judged.believed:
        for table in SWEPT[resource]:
            record_missing(connection, table, (seen or {}).get(table.name, set()), now)
    good = replace(_with_shortfall(good, answer, began_at), sweep_due_at=_sweep_due(good, answer, judged, plan, now))
    if not _is_doubtful(answer):
        whole = good.unread_since is None or answer.since is None or answer.since <= good.unread_since
        of_it = answer.goes_on and good.unread_at is not None and good.unread_at >= began_at
        return replace(good, unread_since=None, unread_at=None) if answer.sweep and whole and not of_it else good
    return _asked_again(good, answer, now)


def _asked_again(state: PollState, answer: Answer, now: datetime) -> PollState:
    """How polling stands where some of what came is to be asked for again."""
    earliest = max(now - BACKFILL, min(answer.since or now - BACKFILL, state.unread_since or now))
    return replace(state, unread_since=earliest, unread_at=state.unread_at or now)


def _said(fetched: Fetched[Any]) -> str:
    """Why a list is not read to its end."""
    told = fetched.rest.told if fetched.rest is not None else "not read to its end yet"
    return told if fetched.error is None else f"{fetched.error}{f' ({told})' if fetched.rest is not None else ''}"


def _judged_sweep(connection: Connection, answer: Answer, now: datetime) -> tuple[dict[str, set[str]], Judged]:
    """What a full sweep cannot call missing, and what to make of it; what is there but was not read is stale."""
    resource, fetched = answer.resource, answer.fetched
    read = _seen(fetched, {})
    kept = known_ids(connection, resource, fetched.set_aside)
    tables = SWEPT[resource]
    seen = {table.name: read.get(table.name, set()) | kept.get(table.name, set()) for table in tables}
    judged = judge_sweep(connection, resource, tables, seen, now)
    for name, ids in judged.doubted.items():
        seen[name] = seen[name] | ids
    mark_stale(connection, {name: ids - read.get(name, set()) for name, ids in seen.items()}, now)
    return seen, judged


def _sweep_due(good: PollState, answer: Answer, judged: Judged, plan: PollPlan, now: datetime) -> datetime | None:
    """When the next full sweep is wanted before its time: soon after one that is doubted, and where a thing may have
    moved, which only a sweep can tell.
    """
    if judged.doubted:
        return now + plan.interval * (1 if judged.is_first else POLLS_PER_DOUBTED_SWEEP)
    moved = any(row.field == "id" and row.resource in {"charger", "connector"} for row in answer.fetched.set_aside)
    if answer.sweep or not moved or good.sweep_due_at is not None:
        return good.sweep_due_at
    last = good.swept_at or now
    return max(now, last + plan.interval * POLLS_PER_DOUBTED_SWEEP)


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
    if fetched.set_aside or fetched.unread or fetched.cleaned:
        return True
    return answer.resource == "sessions" and any(row.status not in SESSION_STATUSES for row in fetched.rows)


def _counted(answers: Sequence[Answer]) -> list[Counted]:
    """What there is to count of a poll: each resource good or failed, and what was repeated."""
    counts: list[Counted] = []
    for answer in answers:
        error = answer.fetched.error
        if error is not None:
            counts.append(Counted(answer.resource, FAILED, error.kind))
        elif answer.fetched.complete:
            counts.append(Counted(answer.resource, GOOD))
        if answer.fetched.cleaned:
            counts.append(Counted(answer.resource, CLEANED, count=answer.fetched.cleaned))
        retries = Counter(answer.fetched.retries)
        counts += [Counted(answer.resource, RETRIED, kind, count) for kind, count in retries.items()]
    return counts


def _counted_pauses(answers: Sequence[Answer]) -> list[Counted]:
    paces = (answer.paces.get(answer.resource) for answer in answers)
    pauses = sum(pace is not None and pace.not_before is not None for pace in paces)
    return [Counted(WHOLE_API, PAUSED, count=pauses)] if pauses else []


def _seen(fetched: Fetched[Any], known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    seen = {table: set(ids) for table, ids in known.items()}
    for reading in fetched.rows:
        if isinstance(reading, ChargerReading):
            seen.setdefault("charger", set()).add(reading.id)
            seen.setdefault("connector", set()).update(connector.id for connector in reading.connectors)
        else:
            seen.setdefault("location", set()).add(reading.id)
    return seen
