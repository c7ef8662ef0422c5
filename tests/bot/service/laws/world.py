"""A whole service between two stand-in worlds, minute by minute: what can go wrong with any of them can be switched on.

The true time, the API's world and Slack's side go on whatever the service believes. Nothing here knows what should be
said: that is read off the API's world by the test.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from slack_sdk.web.async_client import AsyncWebClient

from bot.service import evaluating, jobs
from bot.service.delivering.delivery import Delivery
from bot.service.delivering.pace import Pace
from bot.service.delivering.workers import begin_deliveries
from bot.service.jobs import Jobs, run_inline
from bot.service.polling import polls
from bot.service.polling.poll_plan import PollPlan
from bot.service.speaking import speak
from bot.service.ticker import Step
from bot.service.watching.pages import Wellness
from bot.service.watching.watchdog import Watchdog
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from rules.documents.document import rule_from_document
from sandbox.eosvolt.api import create_api
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import HandClock, Message, SlackServer, SlackWorkspace
from storage.engine import Database
from tests.bot.service.hostile.fleet import CONTRACT, START, Wire

MINUTE = timedelta(minutes=1)
ALERTS, OTHERS, OPS = "#ev-alerts", "#ev-daily", "#ev-ops"
OF_CONNECTORS: dict[str, Any] = {"for_each": "connector", "group_by": ["connector"], "notify": [ALERTS]}
RULES: tuple[dict[str, Any], ...] = (
    {"name": "faulted", "when": 'connector.status == "Faulted"', "severity": "critical", **OF_CONNECTORS},
    {"name": "out-of-service", "when": 'connector.status == "Unavailable"', **OF_CONNECTORS},
    {
        "name": "offline",
        "for_each": "charger",
        "when": "not charger.online",
        "severity": "info",
        "group_by": ["charger"],
        "notify": [OTHERS],
    },
)
NAMES = tuple(rule["name"] for rule in RULES)
STATUSES = {"faulted": "Faulted", "out-of-service": "Unavailable"}
FREE_NEARBY = re.compile("(?:free on the same|nearest free:) [^`]*`[^`]*`")
"""What a card says of another connector, of which it is no alert."""


@dataclass
class World:
    """The service and what surrounds it. `put` is how far the service's clock is off the true time."""

    database: Database
    server: SlackServer
    slack_clock: HandClock
    source: FleetSource
    wire: Wire
    client: EosvoltClient
    token: Path
    true: datetime = START
    put: timedelta = timedelta()
    stands_still: bool = False
    listens: bool = False
    told: set[str] = field(default_factory=set)
    work: Jobs = field(init=False)
    delivery: Delivery = field(init=False)
    watchdog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        self.start()
        jobs.use_rules(self.work, [rule_from_document(rule, "law.yaml") for rule in RULES], self.now)

    @property
    def now(self) -> datetime:
        """What the service's clock says."""
        return self.true + self.put

    def start(self) -> None:
        """Begin as after a restart: nothing is known but what the database holds."""
        plan = PollPlan(polls_per_sweep=10, polls_per_location_poll=15)
        self.work = Jobs(self.database, self.client, plan, run=run_inline, alert_channel=OPS, card_budget=1000)
        slack = AsyncWebClient(token=self.server.workspace.bot_token, base_url=self.server.api_url)
        pace = Pace(timedelta(), 10_000)
        self.delivery = Delivery(self.database, slack, "one", fallback_channel=OPS, pace=pace)
        self.watchdog = Watchdog(self.work, self.now, dict, self._alive)
        with suppress(sa.exc.OperationalError):
            jobs.take_up_rules(self.work)

    async def _alive(self) -> bool:
        return True

    @property
    def hanging(self) -> tuple[str, ...]:
        """The ids of the channels whose answers never come."""
        return tuple(self.server.workspace.faults.hanging)

    def put_clock(self, to: timedelta) -> None:
        """Put the service's clock so far off the true time; the ticker sees the step."""
        by, self.put = to - self.put, to
        self.watchdog.note_step(Step(self.now, by))

    async def minute(self, happen: Callable[["World"], None] | None = None) -> None:
        """Let a minute pass: the world goes on, then every job of the service runs once, as its ticker runs them."""
        self.true += MINUTE
        self.slack_clock.advance(MINUTE.total_seconds())
        if not self.stands_still:
            self.source.advance_to(self.true)
        if happen is not None:
            happen(self)
        for channel in self.hanging:  # no call is waited for so long
            self.server.workspace.faults.give_up(channel)
        for job in (self._poll, self._remind, self._deliver, self._watch, self._deliver):
            with suppress(sa.exc.OperationalError, ExceptionGroup):  # the ticker logs it and runs the job again later
                await job()
        if self.listens:
            await self._note_what_is_told()

    async def minutes(self, count: int, happen: Callable[["World"], None] | None = None) -> None:
        for _ in range(count):
            await self.minute(happen)

    async def _poll(self) -> None:
        fresh = await polls.poll(self.work, self.now)
        if fresh:
            evaluating.evaluate(self.work, self.now, fresh)

    async def _remind(self) -> None:
        speak(self.work, self.now)

    async def _deliver(self) -> None:
        await begin_deliveries(self.delivery, self.now)
        hanging = {*self.hanging, ALERTS} if self.hanging else set()  # before its id is known its worker has its name
        others = [task for channel, task in self.delivery.at_work.items() if channel not in hanging]
        if others:
            await asyncio.wait(others)

    async def _watch(self) -> None:
        await self.watchdog.watch(self.now)

    async def _note_what_is_told(self) -> None:
        """Note what troubles are told now, in Slack's side or on the health page."""
        self.told = {title_of(message) for message in self.messages(OPS) if _tells_of_trouble(message)}
        wellness = Wellness(self.database, self.watchdog, lambda: self.now, lambda: True, self._alive)
        well, facts = await wellness.health()
        if not well:
            self.told |= {f"healthz: {fact}" for fact in facts.get("troubles", [facts["status"]])}

    def messages(self, channel: str) -> list[Message]:
        """The messages that stand in a channel by themselves, in no thread."""
        found = self.server.workspace.channel(channel).messages
        return [message for message in found if not message.deleted and message.thread_ts in {None, message.ts}]

    def true_now(self, rules: Collection[str] = NAMES) -> list[tuple[str, str]]:
        """Of which of these rules what is so in the API's own world."""
        world = self.source.world
        plugs = [(name, plug["status"]) for name, (_, plug) in world.connectors.items()]
        found = [(rule, name) for rule, status in STATUSES.items() for name, told in plugs if told == status]
        found += [("offline", name) for name, charger in world.chargers.rows.items() if not charger.fields["online"]]
        return sorted(pair for pair in found if pair[0] in rules)

    def said_now(self, rules: Collection[str] = NAMES) -> list[tuple[str, str]]:
        """Of which of these rules cards say that what fires, each as often as one says it.

        What spoke elsewhere while its channel refused it stays there to its end, and may stand at home as well.
        """
        at_home = [*self._said_in(ALERTS, rules), *self._said_in(OTHERS, rules)]
        return sorted([*at_home, *(pair for pair in self._said_in(OPS, rules) if pair not in at_home)])

    def _said_in(self, channel: str, rules: Collection[str]) -> list[tuple[str, str]]:
        world = self.source.world
        subjects = {rule: world.chargers.rows if rule == "offline" else world.connectors for rule in rules}
        return [
            (rule, name)
            for message in self.messages(channel)
            if "Resolved" not in title_of(message)
            for rule, names in subjects.items()
            if rule_of(message) == rule
            for name in names
            if f"`{name}`" in FREE_NEARBY.sub("", json.dumps(message.all_blocks))
        ]

    def force(self, name: str, status: str) -> None:
        """Break or mend a connector."""
        code = "InternalError" if status == "Faulted" else None
        self.source.force_connector(name, {"status": status, "errorCode": code}, self.true)


def _tells_of_trouble(message: Message) -> bool:
    """Whether a message tells of something that is wrong with the service now."""
    shown = json.dumps(message.all_blocks)
    return "Since <!date" in shown and "Good again" not in shown and rule_of(message) is None


def rule_of(message: Message) -> str | None:
    """The rule that a card names beside its words; None where a message is no card of one of ours."""
    beside = [told.get("text") for block in message.all_blocks for told in block.get("elements", ())]
    return next((rule for rule in NAMES if rule in beside), None)


def title_of(message: Message) -> str:
    """The header of a message, empty where it has none."""
    headers = (block["text"]["text"] for block in message.blocks if block["type"] == "header")
    return next(headers, "")


@asynccontextmanager
async def world_on(database: Database, folder: Path) -> AsyncIterator[World]:
    """A world at peace, its service just started."""
    clock = HandClock(START.timestamp())
    source = FleetSource(3, 5, START)
    made: list[World] = []
    override, token = folder / "site.toml", folder / "token"
    override.write_text(CONTRACT)
    token.write_text("sandbox-token")
    wire = Wire(create_api(source, clock=lambda: made[0].true if made else START))
    client = EosvoltClient(
        "http://sandbox",
        TokenSource.from_file(token),
        load_contract(override),
        transport=wire,
        attempts=1,
        clock=lambda: made[0].now if made else START,
    )
    async with client, SlackServer(SlackWorkspace(clock=clock, rate_limited=False)) as server:
        made.append(World(database, server, clock, source, wire, client, token))
        yield made[0]
