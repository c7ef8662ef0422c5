"""The jobs: what the service does every minute, each a function of `now`.

Network first, then the database: no call is made inside a transaction. A job that is killed anywhere is simply run
again. Nothing here schedules: the ticker in `bot.app`, the replay and the tests all call these same functions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from eosvolt.client import EosvoltClient
from eosvolt.errors import Forbidden, NotFound
from eosvolt.models import ChargerReading, Fetched
from notify.alerts import enqueue_alert_messages, refresh_alert_cards
from notify.digests import DigestEnqueued, enqueue_due_digests, refresh_digests
from rules.compile import CompiledRule
from rules.document import Rule
from rules.evaluate import evaluate_rule, rules_to_evaluate
from rules.lifecycle import Transition
from rules.store import RulesInForce, load_rules, sync_rules
from storage.engine import Database
from storage.polls import (
    PollState,
    after_bad_poll,
    after_good_poll,
    known_ids,
    poll_states,
    record_set_aside,
    store_poll_states,
)
from storage.record import SLICE_ROWS, Observation, record_readings, slices

log = structlog.get_logger()

RESOURCES = ("locations", "chargers", "sessions")
BACKFILL = timedelta(days=35)
"""How far back the first poll of sessions reads: digests compare with the same weekday of weeks before."""


@dataclass(frozen=True, slots=True)
class PollPlan:
    """How often what is polled. `overlap` is how far an incremental poll reaches back behind the last good one."""

    interval: timedelta = timedelta(seconds=60)
    polls_per_sweep: int = 60
    polls_per_location_poll: int = 360
    polls_per_try: int = 60  # how often a resource that the account lacks is tried again
    overlap: timedelta = timedelta(seconds=30)
    tag_key: bytes | None = None
    plain_tags: bool = False

    def interval_of(self, resource: str) -> timedelta:
        """The time between two polls of a resource, by which gaps in it are told."""
        return self.interval * (self.polls_per_location_poll if resource == "locations" else 1)


@dataclass(slots=True)
class Jobs:
    """What the jobs work with. `run` runs a function that uses the database: in a thread, or at once in a replay."""

    database: Database
    client: EosvoltClient
    plan: PollPlan = field(default_factory=PollPlan)
    default_zone: str = "UTC"
    alert_channel: str | None = None
    rules: RulesInForce = field(default_factory=lambda: RulesInForce((), (), {}))
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    clock_skew: timedelta | None = None  # EOSVOLT's clock minus ours, as last measured
    polls: dict[str, PollState] | None = None  # as stored; None: read them anew
    absent: dict[str, datetime] = field(default_factory=dict)  # resources that the account lacks, since when
    recorded: dict[str, dict[str, int]] = field(default_factory=dict)  # by resource and id: what was last recorded

    def channels(self) -> Mapping[str, Sequence[str]]:
        """Where each rule speaks: its own channels, else the alert channel."""
        fallback = (self.alert_channel,) if self.alert_channel else ()
        return {name: rule.notify or fallback for name, rule in self.rules.documents.items()}


async def run_inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function here and now, where nobody else waits for the event loop (replay, backtests)."""
    return function(*arguments)


def use_rules(jobs: Jobs, rules: Sequence[Rule], now: datetime) -> list[Transition]:
    """Make these the rules in force; the alerts of a rule that is gone end, and their messages say so."""
    with jobs.database.write() as connection:
        before = {**load_rules(connection).documents}
        transitions = sync_rules(connection, rules, now)
        jobs.rules = load_rules(connection)
        fallback = (jobs.alert_channel,) if jobs.alert_channel else ()
        channels = {name: rule.notify or fallback for name, rule in before.items()}
        enqueue_alert_messages(connection, transitions, channels=channels, now=now)
    return transitions


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll."""

    resource: str
    fetched: Fetched[Any]
    state: PollState | None  # before this poll
    sweep: bool


async def poll(jobs: Jobs, now: datetime) -> frozenset[str]:
    """Poll every resource that is due at `now` and record what it said; the resources that are fresh, if any was good.

    1. See how far each resource is.
    2. Fetch each: a full sweep when one is due, else what changed since the last good poll.
    3. Record the answers in slices; the last one says which polls were good.
    """
    if jobs.polls is None:
        jobs.polls = await jobs.run(_poll_states, jobs.database)
    answers = []
    for resource in RESOURCES:
        state = jobs.polls.get(resource)
        if not _is_due(jobs, resource, state, now):
            continue
        sweep = _is_sweep(jobs.plan, resource, state, now)
        fetched = await _fetch(jobs, resource, state, now, sweep=sweep)
        if fetched.clock_skew is not None:
            jobs.clock_skew = fetched.clock_skew
        _note_failure(jobs, resource, fetched, state, now)
        answers.append(Answer(resource, fetched, state, sweep))
    before, jobs.polls = jobs.polls, None  # what is written is not known until it is
    after: dict[str, PollState] = before | await jobs.run(record_answers, jobs, answers, now)
    jobs.polls = after
    if not any(answer.fetched.complete for answer in answers):
        return frozenset()
    return frozenset(name for name, state in after.items() if state.good_at == state.attempted_at)


def evaluate(jobs: Jobs, now: datetime, fresh: Collection[str]) -> list[Transition]:
    """Evaluate, at the `now` of a poll, every rule whose resources are fresh and for which something may move.

    One transaction a rule: its transitions and the messages that tell them are written together. A rule that cannot
    be evaluated holds up no other: all are tried, then an ExceptionGroup tells of those that failed.
    """
    rules = [rule for rule in jobs.rules.alerts if rule.resources <= frozenset(fresh)]
    if not rules:
        return []
    with jobs.database.read() as connection:
        due = rules_to_evaluate(connection, rules, now)
    channels = jobs.channels() if due else {}
    transitions: list[Transition] = []
    failed: list[Exception] = []
    for rule in due:
        try:
            transitions += _evaluate_one(jobs, rule, channels, now)
        except Exception as error:
            error.add_note(f'while rule "{rule.id}" was evaluated')
            failed.append(error)
    if failed:
        raise ExceptionGroup("rules could not be evaluated", failed)
    return transitions


def _evaluate_one(
    jobs: Jobs, rule: CompiledRule, channels: Mapping[str, Sequence[str]], now: datetime
) -> list[Transition]:
    with jobs.database.write() as connection:
        evaluated = evaluate_rule(connection, rule, now)
        if evaluated.transitions:
            enqueue_alert_messages(connection, evaluated.transitions, channels=channels, now=now)
        if evaluated.held_incidents:
            refresh_alert_cards(connection, evaluated.held_incidents, now)
    return evaluated.transitions


def enqueue_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Enqueue the digests that are due at `now`; each slot once."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        return enqueue_due_digests(
            connection, jobs.rules.digests, now, default_zone=jobs.default_zone, channels=jobs.channels()
        )


def correct_digests(jobs: Jobs, now: datetime) -> list[DigestEnqueued]:
    """Edit the digests of the last two days whose sessions came late or were corrected."""
    if not jobs.rules.digests:
        return []
    with jobs.database.write() as connection:
        return refresh_digests(
            connection, jobs.rules.digests, now, default_zone=jobs.default_zone, channels=jobs.channels()
        )


def record_answers(jobs: Jobs, answers: Sequence[Answer], now: datetime) -> dict[str, PollState]:
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
        states = [_finished(connection, answer, jobs.plan, now) for answer in answers]
        store_poll_states(connection, states)
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


def _finished(connection: Connection, answer: Answer, plan: PollPlan, now: datetime) -> PollState:
    resource, fetched, state = answer.resource, answer.fetched, answer.state
    if not fetched.complete:
        return after_bad_poll(resource, now, str(fetched.error), state=state)
    seen = _seen(fetched, known_ids(connection, resource, fetched.set_aside)) if answer.sweep else None
    return after_good_poll(connection, resource, now, plan.interval_of(resource), state=state, seen=seen)


def _poll_states(database: Database) -> dict[str, PollState]:
    with database.read() as connection:
        return poll_states(connection)


def _note_failure(jobs: Jobs, resource: str, fetched: Fetched[Any], state: PollState | None, now: datetime) -> None:
    """Say once that polls fail; a resource that the account lacks is then left alone for a while."""
    error = fetched.error
    if isinstance(error, Forbidden | NotFound):
        if resource not in jobs.absent:
            log.warning("resource switched off", resource=resource, error=str(error))
        jobs.absent[resource] = now
        return
    jobs.absent.pop(resource, None)
    if error is not None and (state is None or not state.failures):
        log.warning("poll failed", resource=resource, error=str(error), rows=len(fetched.rows))


def _is_due(jobs: Jobs, resource: str, state: PollState | None, now: datetime) -> bool:
    plan = jobs.plan
    if resource in jobs.absent:
        return now - jobs.absent[resource] >= plan.interval * plan.polls_per_try
    if resource != "locations" or state is None or state.good_at is None or state.good_at != state.attempted_at:
        return True
    return now - state.good_at >= plan.interval_of(resource)


def _is_sweep(plan: PollPlan, resource: str, state: PollState | None, now: datetime) -> bool:
    if resource == "locations" or state is None or state.good_at is None:
        return True
    if resource == "sessions":
        return False
    return state.swept_at is None or now - state.swept_at >= plan.interval * plan.polls_per_sweep


async def _fetch(jobs: Jobs, resource: str, state: PollState | None, now: datetime, *, sweep: bool) -> Fetched[Any]:
    if resource == "locations":
        return await jobs.client.fetch_locations()
    since = None if sweep or state is None or state.good_at is None else _since(jobs, state.good_at)
    if resource == "chargers":
        return await jobs.client.fetch_chargers(updated_since=since)
    if since is None:
        return await jobs.client.fetch_sessions(started_from=now - BACKFILL)
    return await jobs.client.fetch_sessions(updated_since=since)


def _since(jobs: Jobs, good_at: datetime) -> datetime:
    """From when on to ask for changes, on EOSVOLT's clock: where it is behind ours, its stamps are earlier."""
    if jobs.clock_skew is None:
        return good_at - jobs.plan.overlap - timedelta(minutes=2)
    return good_at - jobs.plan.overlap + min(jobs.clock_skew, timedelta(0))


def _seen(fetched: Fetched[Any], known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    seen = {table: set(ids) for table, ids in known.items()}
    for reading in fetched.rows:
        if isinstance(reading, ChargerReading):
            seen.setdefault("charger", set()).add(reading.id)
            seen.setdefault("connector", set()).update(connector.id for connector in reading.connectors)
        else:
            seen.setdefault("location", set()).add(reading.id)
    return seen
