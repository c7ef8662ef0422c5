"""The jobs: what the service does every minute, each a function of `now`.

Network first, then the database: no call is made inside a transaction. A job that is killed anywhere is simply run
again. Nothing here schedules: the ticker in `bot.service.app`, the replay and the tests all call these same functions.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.service.pace import pace_after
from commands.automations.tries import plan_tries, tell_recovered
from eosvolt.client import EosvoltClient
from eosvolt.errors import Forbidden, NotFound, RateLimited
from eosvolt.models import SESSION_STATUSES, ChargerReading, Fetched
from notify.alert_cards.card import enqueue_alert_messages, refresh_alert_cards
from notify.alert_cards.roll_ups import BUDGET
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from notify.events import enqueue_event_messages
from notify.routing import Manner
from rules.actions.automations import Mode
from rules.actions.command_kinds import COMMANDS_PER_DAY
from rules.alerts.evaluate import evaluate_rule, look_ahead, rules_to_evaluate
from rules.alerts.events import CompiledEventRule, Event, evaluate_events, event_rules_to_evaluate
from rules.alerts.query import CompiledRule
from rules.documents.document import Rule
from rules.documents.speech_plan import PLAIN, SpeechPlan
from rules.lifecycle import Transition
from rules.matching.learning import BACKFILL
from rules.registry.store import RulesInForce, is_in_force, load_rules, sync_rules
from storage.engine import Database
from storage.health import (
    CLEANED,
    FAILED,
    GOOD,
    PAUSED,
    RETRIED,
    WHOLE_API,
    Counted,
    Pace,
    load_pace,
    record_counts,
    store_pace,
)
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
PRICES = "prices"
"""Asked for location by location, by `bot.service.price_polls`."""

ONE_DAY = timedelta(days=1)
MOST_SKEW = ONE_DAY
"""A clock that is said to be further off is not believed when asking for changes."""


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
        if resource == PRICES:
            return self.sweep_interval
        return self.interval * (self.polls_per_location_poll if resource == "locations" else 1)

    @property
    def sweep_interval(self) -> timedelta:
        """The time between two full sweeps."""
        return self.interval * self.polls_per_sweep

    def asks_again(self, state: PollState, now: datetime) -> bool:
        """Whether to ask anew for rows set aside: at each sweep's time for a day, and then once a day."""
        if state.unread_at is None:
            return False
        before = state.swept_at or state.unread_at
        if now - before < self.sweep_interval:
            return False
        age = now - state.unread_at
        return age < ONE_DAY or age // ONE_DAY != (before - state.unread_at) // ONE_DAY


@dataclass(slots=True)
class Jobs:
    """What the jobs work with. `run` runs a function that uses the database: in a thread, or at once in a replay."""

    database: Database
    client: EosvoltClient
    plan: PollPlan = field(default_factory=PollPlan)
    default_zone: str = "UTC"
    alert_channel: str | None = None
    card_budget: int = BUDGET
    automations: Mode = Mode.DRY_RUN  # unless somebody has switched them
    commands_per_day: int = COMMANDS_PER_DAY
    price_approval: str | None = None  # the channel that is asked about changes of prices
    rules: RulesInForce = field(default_factory=lambda: RulesInForce((), (), {}))
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    polls: dict[str, PollState] | None = None  # as stored; None: read them anew
    pace: Pace = field(default_factory=Pace)  # as stored, read with the polls
    absent: dict[str, datetime] = field(default_factory=dict)  # resources that the account lacks, since when
    recorded: dict[str, dict[str, int]] = field(default_factory=dict)  # by resource and id: what was last recorded

    def channels(self) -> Mapping[str, Sequence[str]]:
        """Where each rule speaks: its own channels, else the alert channel."""
        fallback = (self.alert_channel,) if self.alert_channel else ()
        return {name: rule.notify or fallback for name, rule in self.rules.documents.items()}

    def manner(self) -> Manner:
        """How the rules in force speak."""
        return Manner(self.rules.plan, self.rules.documents, self.default_zone)


async def run_inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function here and now, where nobody else waits for the event loop (replay, backtests)."""
    return function(*arguments)


def use_rules(jobs: Jobs, rules: Sequence[Rule], now: datetime, plan: SpeechPlan = PLAIN) -> list[Transition]:
    """Make these the rules in force, and how they speak; the alerts of a rule that is gone end, and their messages say
    so.
    """
    with jobs.database.write() as connection:
        before = {**load_rules(connection).documents}
        transitions = sync_rules(connection, rules, now, plan)
        jobs.rules = load_rules(connection)
        fallback = (jobs.alert_channel,) if jobs.alert_channel else ()
        channels = {name: rule.notify or fallback for name, rule in before.items()}
        enqueue_alert_messages(connection, transitions, channels=channels, now=now, manner=jobs.manner())
    return transitions


def take_up_rules(jobs: Jobs) -> None:
    """Read the rules in force again, because somebody changed one in Slack."""
    with jobs.database.read() as connection:
        jobs.rules = load_rules(connection)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll."""

    resource: str
    fetched: Fetched[Any]
    state: PollState | None  # before this poll
    sweep: bool
    since: datetime | None  # only what changed from then on was asked for


async def poll(jobs: Jobs, now: datetime) -> frozenset[str]:
    """Poll every resource that is due at `now` and record what it said; the resources that are fresh, if any was good.

    1. See how far each resource is, and whether the API lets itself be polled at all yet.
    2. Fetch each, the one not asked for longest first: a full sweep when one is due, else what changed since the last
       good poll. After a 429 nothing more is asked.
    3. Record the answers in slices; the last one says which polls were good, and at which pace to go on.
    """
    if jobs.polls is None:
        jobs.polls, jobs.pace = await jobs.run(_poll_states, jobs.database)
    before, pace = jobs.polls, jobs.pace
    if pace.not_before is not None and now < pace.not_before:
        return frozenset()
    due = [resource for resource in RESOURCES if _is_due(jobs, resource, before.get(resource), now)]
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
    sweep = _is_sweep(jobs.plan, resource, state, now)
    since = _since(jobs, resource, state, now, sweep=sweep)
    fetched = await _fetch(jobs, resource, since, now)
    _note_failure(jobs, resource, fetched, state, now)
    return Answer(resource, fetched, state, sweep, since)


def _tell_pace(before: Pace, after: Pace) -> None:
    """Say once that polling is slower, and once that it is as fast as before."""
    if before.slowness == 1 < after.slowness:
        log.warning("EOSVOLT asks for fewer calls: polling more slowly", not_before=str(after.not_before))
    if after.slowness == 1 < before.slowness:
        log.info("polling at full pace again", slowed_at=str(before.slowed_at))


def evaluate(jobs: Jobs, now: datetime, fresh: Collection[str]) -> list[Transition | Event]:
    """Evaluate, at the `now` of a poll, every rule whose resources are fresh and for which something may move.

    What moved comes back, and the events that are announced. One transaction a rule: its transitions or events and
    the messages that tell them are written together. A rule that cannot be evaluated holds up no other: all are tried,
    then an ExceptionGroup tells of those that failed.
    """
    alerts = [rule for rule in jobs.rules.alerts if rule.resources <= frozenset(fresh)]
    events = [rule for rule in jobs.rules.events if rule.resources <= frozenset(fresh)]
    if not alerts and not events:
        return []
    with jobs.database.read() as connection:
        due: list[CompiledRule | CompiledEventRule] = [
            *rules_to_evaluate(connection, alerts, now),
            *(event_rules_to_evaluate(connection, events, now) if events else ()),
        ]
    channels = jobs.channels() if due else {}
    told: list[Transition | Event] = []
    failed: list[Exception] = []
    for rule in due:
        try:
            if isinstance(rule, CompiledEventRule):
                told += _announce(jobs, rule, channels, now)
            else:
                told += _evaluate_one(jobs, rule, channels, now)
        except Exception as error:
            error.add_note(f'while rule "{rule.id}" was evaluated')
            failed.append(error)
    if failed:
        raise ExceptionGroup("rules could not be evaluated", failed)
    return told


def _announce(jobs: Jobs, rule: CompiledEventRule, channels: Mapping[str, Sequence[str]], now: datetime) -> list[Event]:
    with jobs.database.write() as connection:
        if not is_in_force(connection, rule.id, rule.version):  # somebody changed it a moment ago
            return []
        events = evaluate_events(connection, rule, now)
        enqueue_event_messages(connection, events, channels=channels, now=now, manner=jobs.manner())
    return events


def _evaluate_one(
    jobs: Jobs, rule: CompiledRule, channels: Mapping[str, Sequence[str]], now: datetime
) -> list[Transition]:
    with jobs.database.read() as connection:
        ahead = look_ahead(connection, rule, now)
    with jobs.database.write() as connection:
        if not is_in_force(connection, rule.id, rule.version):
            return []
        evaluated = evaluate_rule(connection, rule, now, ahead)
        if evaluated.transitions:
            _tell(connection, jobs, evaluated.transitions, channels, jobs.manner(), jobs.card_budget, now)
        if evaluated.held_incidents:
            refresh_alert_cards(connection, evaluated.held_incidents, now)
    return evaluated.transitions


def tell_of_rule(
    jobs: Jobs, connection: Connection, rule: Rule, transitions: Sequence[Transition], now: datetime
) -> None:
    """Tell, in the caller's transaction, what a change of a rule moved."""
    fallback = (jobs.alert_channel,) if jobs.alert_channel else ()
    manner = Manner(jobs.rules.plan, {**jobs.rules.documents, rule.name: rule}, jobs.default_zone)
    channels = {rule.name: rule.notify or fallback}
    _tell(connection, jobs, transitions, channels, manner, jobs.card_budget, now)


def _tell(  # noqa: PLR0917 - what a message depends on
    connection: Connection,
    jobs: Jobs,
    transitions: Sequence[Transition],
    channels: Mapping[str, Sequence[str]],
    manner: Manner,
    budget: int,
    now: datetime,
) -> None:
    # what is tried first is planned first: it may hold the messages back
    told = plan_tries(connection, manner.rules, transitions, jobs.automations, now)
    enqueue_alert_messages(connection, told, channels=channels, now=now, budget=budget, manner=manner)
    tell_recovered(connection, told, channels=channels, now=now, manner=manner)


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
        states = [_finished(connection, answer, jobs.plan, now) for answer in answers]
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


def _finished(connection: Connection, answer: Answer, plan: PollPlan, now: datetime) -> PollState:
    resource, fetched, state = answer.resource, answer.fetched, answer.state
    if not fetched.complete:
        bad = after_bad_poll(resource, now, str(fetched.error), state=state)
        # a failed second look at old sessions has had its turn: it may not stand in the way of new ones
        return replace(bad, swept_at=now) if answer.sweep and bad.swept_at and resource == "sessions" else bad
    seen = _seen(fetched, known_ids(connection, resource, fetched.set_aside)) if answer.sweep else None
    good = after_good_poll(connection, resource, now, plan.interval_of(resource), state=state, seen=seen)
    if not _is_doubtful(answer):
        whole = good.unread_since is None or answer.since is None or answer.since <= good.unread_since
        return replace(good, unread_since=None, unread_at=None) if answer.sweep and whole else good
    earliest = max(now - BACKFILL, min(answer.since or now - BACKFILL, good.unread_since or now))
    return replace(good, unread_since=earliest, unread_at=good.unread_at or now)


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


def _poll_states(database: Database) -> tuple[dict[str, PollState], Pace]:
    with database.read() as connection:
        return poll_states(connection), load_pace(connection)


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
    return now - state.good_at >= plan.interval_of(resource) or plan.asks_again(state, now)


def _is_sweep(plan: PollPlan, resource: str, state: PollState | None, now: datetime) -> bool:
    if resource == "locations" or state is None or state.good_at is None:
        return True
    return state.swept_at is None or now - state.swept_at >= plan.sweep_interval


def _since(jobs: Jobs, resource: str, state: PollState | None, now: datetime, *, sweep: bool) -> datetime | None:
    """From when on to ask for changes; None asks for everything.

    EOSVOLT's clock counts: where it is behind ours, its stamps are earlier. A sweep of sessions reads what changed
    since the sweep before the last one, because a row can come late though its stamp is early; and those set aside.
    """
    if resource == "locations" or state is None or state.good_at is None or (sweep and resource != "sessions"):
        return None
    behind = min(jobs.pace.clock_skew, timedelta(0)) if jobs.pace.clock_skew is not None else -timedelta(minutes=2)
    since = state.good_at - jobs.plan.overlap + max(-MOST_SKEW, behind)
    if sweep and state.swept_at is not None:
        since = min(since, state.swept_at - jobs.plan.sweep_interval)
        if state.unread_since is not None and jobs.plan.asks_again(state, now):
            since = min(since, state.unread_since)
    return since


async def _fetch(jobs: Jobs, resource: str, since: datetime | None, now: datetime) -> Fetched[Any]:
    if resource == "locations":
        return await jobs.client.fetch_locations()
    if resource == "chargers":
        return await jobs.client.fetch_chargers(updated_since=since)
    if since is None:
        return await jobs.client.fetch_sessions(started_from=now - BACKFILL)
    return await jobs.client.fetch_sessions(updated_since=since)


def _seen(fetched: Fetched[Any], known: Mapping[str, set[str]]) -> dict[str, set[str]]:
    seen = {table: set(ids) for table, ids in known.items()}
    for reading in fetched.rows:
        if isinstance(reading, ChargerReading):
            seen.setdefault("charger", set()).add(reading.id)
            seen.setdefault("connector", set()).update(connector.id for connector in reading.connectors)
        else:
            seen.setdefault("location", set()).add(reading.id)
    return seen
