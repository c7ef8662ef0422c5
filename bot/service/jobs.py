"""What the jobs work with, and the rules that they hold to: one value that lives as long as the service.

Each job is a function of it and of `now`, in a module of its own; the ticker, the replay and the tests call the same.
Nothing here polls, evaluates or schedules.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.service.polling.pace import Paces
from bot.service.polling.poll_plan import PollPlan
from bot.service.ticker import Step, cause_of
from eosvolt.client import EosvoltClient
from eosvolt.models import Rest
from notify.alert_cards.card import enqueue_alert_messages
from notify.routing import BUDGET, Routing
from rules.actions.automations import Mode
from rules.actions.command_kinds import COMMANDS_PER_DAY
from rules.documents.document import Rule
from rules.documents.speech_plan import PLAIN, SpeechPlan
from rules.lifecycle import Transition
from rules.registry.store import RulesInForce, made_ready, read_rules, stored_rules, sync_rules
from storage.ahead import bring_down_service
from storage.engine import Database
from storage.health import bring_down_pace
from storage.polls import PollState
from storage.recording.places import ListPlace

log = structlog.get_logger()


@dataclass(slots=True)
class News:
    """What was recorded and waits to be evaluated: the moment of the poll among those that began last.

    Polls go on side by side and end in any order: evaluation goes by the order in which they began, and never back.
    """

    _turns: int = 0
    _newest: int = 0
    _at: datetime | None = None
    _waits: bool = False

    def begin(self) -> int:
        """The turn of a poll that begins."""
        self._turns += 1
        return self._turns

    def note(self, turn: int, now: datetime) -> None:
        """Note that a poll which began in that turn, at `now`, was good and is recorded."""
        if turn > self._newest:
            self._newest, self._at = turn, now
        self._waits = True

    def again(self) -> None:
        """What was taken was not evaluated to the end."""
        self._waits = True

    def take(self) -> datetime | None:
        """The moment at which to evaluate what came since the last call; None where nothing did."""
        at, self._waits = self._at if self._waits else None, False
        return at


RULE, DIGEST, CORRECTION, STEPS, SPEAKING = "rule", "digest", "correction", "steps", "speaking"
"""What may fail of one rule while others go on: the kind of trouble by which it is told."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that fails of one rule: since when, and why in a few words."""

    since: datetime
    error: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A list that is not read to its end yet: where it stands, and what the client goes on with.

    `stuck`: the last go did not get on, for another reason than a limit of calls.
    """

    place: ListPlace
    rest: Rest
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Unended:
    """A list of everything that takes long, or had no end: since when, and what is said of it."""

    since: datetime
    told: str


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
    outsiders_hear: bool = False  # guests and people of other workspaces may look
    price_approval: str | None = None  # the channel that is asked about changes of prices
    rules: RulesInForce = field(default_factory=lambda: RulesInForce((), (), {}))
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    polls: dict[str, PollState] | None = None  # as stored; None: read them anew
    paces: Paces | None = None  # as stored; None: read them first
    absent: dict[str, datetime] = field(default_factory=dict)  # resources that the account lacks, since when
    recorded: dict[str, dict[str, int]] = field(default_factory=dict)  # by resource and id: what was last recorded
    lists: dict[str, UnderWay | None] = field(default_factory=dict)  # by resource; absent: read the stored place first
    unended: dict[str, Unended] = field(default_factory=dict)  # by resource
    news: News = field(default_factory=News)
    broken: dict[str, dict[str, Broken]] = field(default_factory=dict)  # by what fails, and by the rule's name
    named: set[str] = field(default_factory=set)  # resources whose stored ids are known to be those of the contract
    anew: set[str] = field(default_factory=set)  # resources whose whole list is wanted to tell which id is which
    homes: frozenset[str] | None = None  # locations that are drivers' homes; None: read them first
    places: set[str] = field(default_factory=set)  # ids of locations that chargers have named

    def routing(self, now: datetime) -> Routing:
        """How what is said in a job's run at `now` is heard."""
        return Routing(
            now,
            self.usual_channels(self.rules.documents),
            self.rules.plan,
            self.rules.documents,
            self.default_zone,
            self.card_budget,
            outsiders_hear=self.outsiders_hear,
        )

    def usual_channels(self, rules: Mapping[str, Rule]) -> dict[str, Sequence[str]]:
        """Where each of these rules speaks where no route is asked: its own channels, else the alert channel."""
        fallback = (self.alert_channel,) if self.alert_channel else ()
        return {name: rule.notify or fallback for name, rule in rules.items()}


def note_broken(jobs: Jobs, what: str, failed: Mapping[str, Exception], now: datetime, tried: Collection[str]) -> None:
    """Keep of which of the rules that were `tried` this fails, since when and why; say each cause once.

    Where all of several fail, it is not for the rules to be mended: raises an ExceptionGroup.
    """
    if len(failed) == len(tried) > 1:
        raise ExceptionGroup(f"{what} fails of every rule", list(failed.values()))
    before = jobs.broken.get(what, {})
    broken = {name: known for name, known in before.items() if name not in tried}
    for name, error in failed.items():
        cause, known = cause_of(error), before.get(name)
        if known is None or known.error != cause:
            log.error("one rule fails, and the others go on", what=what, rule=name, error=cause, exc_info=error)
        broken[name] = Broken(known.since if known is not None else now, cause)
    rest = {kind: rules for kind, rules in jobs.broken.items() if kind != what}
    jobs.broken = {**rest, what: broken} if broken else rest


def mute_rules(jobs: Jobs) -> tuple[str, ...]:
    """The rules in force that can be heard nowhere: neither they, nor a route, nor the settings name a channel."""
    routed = jobs.rules.plan.routes
    mute = (name for name, channels in jobs.usual_channels(jobs.rules.documents).items() if not channels)
    return tuple(sorted(name for name in mute if not routed or jobs.rules.documents[name].schedule))


async def run_inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function here and now, where nobody else waits for the event loop (replay, backtests)."""
    return function(*arguments)


def put_right(jobs: Jobs, now: datetime) -> None:
    """Let nothing of the service be dated ahead of `now` by a clock that was wrong; what polls read is for the next."""
    with jobs.database.write() as connection:
        found = bring_down_service(connection, now)
        found = bring_down_pace(connection, now) or found
    if found:
        jobs.polls = jobs.paces = None  # read them anew
        log.warning("the clock was ahead: what it dated is counted from now on", now=str(now))


async def clock_was_put(jobs: Jobs, step: Step) -> None:
    """Keep what is remembered in memory as long ago as it was, by the clock as it is now."""
    if step.by < timedelta(0):
        await jobs.run(put_right, jobs, step.at)
    jobs.absent = {resource: since + step.by for resource, since in jobs.absent.items()}
    if jobs.paces is not None:
        jobs.paces.clock_was_put(step.by)


def forget(jobs: Jobs) -> None:
    """Forget what is remembered of the database: another process has written to it since."""
    jobs.polls = jobs.paces = None
    jobs.recorded.clear()
    jobs.places.clear()
    jobs.absent.clear()


def use_rules(jobs: Jobs, rules: Sequence[Rule], now: datetime, plan: SpeechPlan = PLAIN) -> list[Transition]:
    """Make these the rules in force, and how they speak; the alerts of a rule that is gone end, and their messages say
    so.
    """
    with jobs.database.write() as connection:
        before = jobs.usual_channels(stored_rules(connection))
        transitions = sync_rules(connection, rules, now, plan)
        stored = read_rules(connection)
        # what ends is told where the rules before spoke
        routing = replace(jobs.routing(now), usual=before, plan=stored.plan, rules=stored.documents)
        enqueue_alert_messages(connection, transitions, routing)
    jobs.rules, jobs.broken = made_ready(stored, jobs.default_zone), {}
    return transitions


def take_up_rules(jobs: Jobs) -> None:
    """Read the rules in force again, because somebody changed one in Slack."""
    with jobs.database.read() as connection:
        stored = read_rules(connection)
    jobs.rules, jobs.broken = made_ready(stored, jobs.default_zone), {}
