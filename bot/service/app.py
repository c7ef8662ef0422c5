"""Puts the service together: database, EOSVOLT, Slack, the one table of jobs, and their start and stop.

`build` makes everything from the settings and connects to nothing; `Service.run` works until it is told to stop. No
other module decides what the process consists of.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.service import digesting, jobs
from bot.service.automating import automate
from bot.service.commanding import Commanding
from bot.service.delivering.delivery import Delivery
from bot.service.delivering.seeking import seek_all_copies
from bot.service.delivering.workers import begin_deliveries, end_deliveries, leave_channels
from bot.service.greeting import greet
from bot.service.jobs import Jobs
from bot.service.operating.heartbeat import Heartbeat
from bot.service.operating.keeping import Keeping
from bot.service.operating.leading import RENEW_EVERY, Leading
from bot.service.operating.memory import GIVE_BACK_EVERY, Memory
from bot.service.operating.metrics import Metrics
from bot.service.operating.shared_clock import SharedClock
from bot.service.parts import (
    Later,
    delivery_of,
    heartbeat_of,
    jobs_of,
    permissions_of,
    responder_of,
    watchdog_of,
)
from bot.service.polling.price_polls import PricePolls
from bot.service.polling.rounds import Rounds
from bot.service.rule_files import RuleKeeper
from bot.service.speaking import speak
from bot.service.ticker import STOP_SECONDS, Job, Step, Ticker
from bot.service.watching.pages import Wellness
from bot.service.watching.watchdog import Watchdog
from bot.setting_doubts import nobody_may_act
from bot.settings import Settings
from bot.slack.doors.answering import Answering
from bot.slack.doors.bolt_app import build_app
from bot.slack.doors.http_door import HttpDoor
from bot.slack.doors.identity import Identity
from bot.slack.doors.runner import Runner
from bot.slack.doors.socket_door import SocketDoor
from bot.slack.listeners import register
from bot.slack.listeners.home import refresh_homes
from bot.slack.listeners.responder import Responder
from bot.slack.web_client import WebClient
from eosvolt.client import EosvoltClient
from rules.documents.document import Rule
from storage.engine import Database
from storage.migrate import upgrade
from storage.sharing.occupied import Occupation

log = structlog.get_logger()

DELIVER_EVERY = timedelta(seconds=1)
HOMES_EVERY = timedelta(minutes=1)
DIGESTS_EVERY = timedelta(minutes=1)
CORRECTIONS_EVERY = timedelta(minutes=10)
COPIES_EVERY = timedelta(hours=1)
REMINDERS_EVERY = timedelta(seconds=15)  # so late a reminder is at most
ANSWERS_SECONDS = 3.0  # so long a stop waits for answers that are being made
COMMANDS_EVERY = timedelta(seconds=5)
WATCH_EVERY = timedelta(seconds=30)
RULE_FILES_EVERY = timedelta(seconds=5)
KEEP_EVERY = timedelta(minutes=15)
HEARTBEAT_EVERY = timedelta(minutes=1)


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


@dataclass
class Service:
    """The whole process. `clock` is read by the ticker and the listeners, once for each piece of work."""

    settings: Settings
    clock: Callable[[], datetime]
    database: Database
    client: EosvoltClient
    slack: AsyncWebClient
    identity: Identity
    jobs: Jobs
    delivery: Delivery
    app: AsyncApp
    answering: Answering
    socket: SocketDoor | None
    ticker: Ticker
    responder: Responder
    watchdog: Watchdog
    rounds: Rounds
    commanding: Commanding
    wellness: Wellness
    rules: RuleKeeper
    keeping: Keeping
    metrics: Metrics
    heartbeat: Heartbeat | None
    occupation: Occupation
    leading: Leading
    http: HttpDoor | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    listening: Runner = field(init=False)

    def __post_init__(self) -> None:
        self.listening = Runner(self.app)

    async def start(self, rules: Sequence[Rule] | None = None, rules_since: datetime | None = None) -> None:
        """Start working: tables, rules, Slack, jobs, in this order.

        Raises SettingsError, OccupiedError, RuleErrors and database errors for what a person must mend. `rules` are
        given where they come from no file; `rules_since` is then the moment from which they hold.
        """
        self.occupation.take()
        before, after = await asyncio.to_thread(upgrade, self.database)
        if before != after:
            log.info("database upgraded", revision=after)
        if await asyncio.to_thread(self.database.protect):
            log.warning("the database's file could be read by others; now it is its owner's alone (mode 0600)")
        if rules is None and not self.settings.chargehand_rules:
            log.warning("CHARGEHAND_RULES names no rules: commands work, nothing alerts and no digest comes")
        if nobody := nobody_may_act(self.settings):
            log.error("nobody may act", mend=nobody)
        now = self.clock()
        if await self.leading.seek():
            async with self.leading.kept():
                await asyncio.to_thread(jobs.put_right, self.jobs, now)
                await self.rules.begin(rules, rules_since or now)
            await asyncio.to_thread(self._greet, now)
        else:
            log.info("another process leads: this one serves Slack, delivers and sends commands")
            await self.rules.follow(rules)
        lost = await self.commanding.recover(now)
        if lost:
            log.warning("commands were being sent at the last stop; their outcome is unknown", commands=lost)
        await self.identity.learn()
        if self.http is not None:
            await self.http.open()
        if self.socket is not None:
            await self.socket.open()
        self.ticker.start()
        self.ready.set()
        log.info("at work", slack="Socket Mode" if self.socket else "HTTP mode", port=self.http and self.http.port)

    def _greet(self, now: datetime) -> None:
        own, rules = self.settings, len(self.jobs.rules.documents)
        if greet(self.database, own.chargehand_admins, own.chargehand_alert_channel, rules, now):
            log.info("a new installation: the first admin named is told the next steps")

    async def stop(self) -> None:
        """Stop: no new work from Slack, let running jobs end, close everything. A stop at any instant loses nothing."""
        for door in (self.socket, self.http):
            if door is not None:
                await door.close()
        if cut := await self.listening.end(ANSWERS_SECONDS):
            log.warning("requests were being answered at the stop and are cut off", requests=cut)
        for task in tuple(self.responder.office.work):
            task.cancel()
        await asyncio.gather(*self.responder.office.work, return_exceptions=True)
        await self.ticker.stop()
        await self.leading.stop()
        await self.commanding.stop(STOP_SECONDS)
        await end_deliveries(self.delivery, STOP_SECONDS)
        if self.leading.shared:
            with contextlib.suppress(Exception):  # the turns end by themselves
                async with asyncio.timeout(STOP_SECONDS):
                    await asyncio.to_thread(leave_channels, self.delivery, self.clock())
        await self.client.aclose()
        await self.answering.close()
        self.database.close()
        self.occupation.leave()
        log.info("stopped")

    def reload(self) -> None:
        """Have the rule files read again, soon."""
        self.ticker.wake("reload")

    async def take_over(self, now: datetime) -> None:
        """Begin to lead: what the one before has written since is read anew."""
        await asyncio.to_thread(jobs.put_right, self.jobs, now)
        jobs.forget(self.jobs)
        await self.rules.take_over(now)

    async def reload_rules(self, now: datetime) -> None:
        """Read the rule files again; broken ones change nothing, and the admins are told what is wrong with them."""
        await self.rules.reload(now)
        self.ticker.wake("watchdog")

    async def look_at_rule_files(self, now: datetime) -> None:
        """Read the rule files again where they changed."""
        if await self.rules.look(now):
            self.ticker.wake("watchdog")

    async def remind(self, now: datetime) -> None:
        """Let alerts speak whose time has come: repeats, escalations, silences that end."""
        async with self.rules.lock:
            if await asyncio.to_thread(speak, self.jobs, now):
                self.ticker.wake("deliver")

    async def send_commands(self, now: datetime) -> None:
        """Let rules act, then send the commands that are due, and judge those that were sent.

        What keeps rules from acting keeps no person's command back: it is raised afterwards.
        """
        failed: Exception | None = None
        acted = 0
        async with self.rules.lock:
            try:
                acted = await asyncio.to_thread(automate, self.jobs, now)
            except Exception as error:
                failed = error
        if await self.commanding.run(now) or acted:
            self.ticker.wake("deliver")
        await self.rounds.hurry(now)
        if failed is not None:
            raise failed

    async def say_digests(self, now: datetime) -> None:
        """Enqueue the digests that are due."""
        async with self.rules.lock:
            if await asyncio.to_thread(digesting.enqueue_digests, self.jobs, now):
                self.ticker.wake("deliver")

    async def correct_digests(self, now: datetime) -> None:
        """Edit digests whose sessions came late."""
        async with self.rules.lock:
            if await asyncio.to_thread(digesting.correct_digests, self.jobs, now):
                self.ticker.wake("deliver")

    async def deliver(self, now: datetime) -> None:
        """Send what is due; a channel that is slow holds up neither this job nor another channel."""
        await begin_deliveries(self.delivery, now)

    async def seek_copies(self, now: datetime) -> None:
        """Look for copies of messages whose channel's history could not be read before."""
        if await seek_all_copies(self.delivery, now):
            self.ticker.wake("deliver")

    async def clock_was_put(self, step: Step) -> None:
        """Go by the clock as it is now, before any job does."""
        self.watchdog.note_step(step)
        await jobs.clock_was_put(self.jobs, step)

    async def watch(self, now: datetime) -> None:
        """Look whether the service itself is well, and tell what is not."""
        if any(step.by < timedelta() for step in self.watchdog.steps):  # what was under way may have ended since
            await asyncio.to_thread(jobs.put_right, self.jobs, now)
        told = await self.watchdog.watch(now)
        if told.raised or told.ended:
            self.ticker.wake("deliver")

    def table(self) -> list[Job]:
        """The one table of jobs: what runs how often; each may also be woken."""
        beat = [Job("heartbeat", self.heartbeat.beat, HEARTBEAT_EVERY, alone=True)] if self.heartbeat else []
        shared = [
            Job("lease", self.leading.renew, RENEW_EVERY, alone=True),
            Job("stored rules", self.rules.look_at_stored, RULE_FILES_EVERY),
        ]
        of_the_leader = [
            *self.rounds.table(),
            Job("reminders", self.remind, REMINDERS_EVERY),
            Job("digests", self.say_digests, DIGESTS_EVERY),
            Job("corrections", self.correct_digests, CORRECTIONS_EVERY),
            Job("watchdog", self.watch, WATCH_EVERY, alone=True),
            Job("reload", self.reload_rules),
            Job("rule files", self.look_at_rule_files, RULE_FILES_EVERY),
            Job("copies", self.seek_copies, COPIES_EVERY, at_once=False),
            Job("keeping", self.keeping.run, KEEP_EVERY, at_once=False),
        ]
        for job in of_the_leader:
            job.run = self.leading.led(job.run)
        return [
            *beat,
            *(shared if self.leading.shared else ()),
            *of_the_leader,
            Job("deliver", self.deliver, DELIVER_EVERY),
            Job("commands", self.send_commands, COMMANDS_EVERY),
            Job("home tabs", partial(refresh_homes, self.responder), HOMES_EVERY, at_once=False),
            Job("memory", Memory().run, GIVE_BACK_EVERY, at_once=False),
        ]

    async def slack_alive(self) -> bool:
        """Whether Slack can reach us in Socket Mode; in HTTP mode only deliveries tell."""
        return await self.socket.is_alive() if self.socket is not None else True

    async def slack_link(self) -> str:
        """How the connection to Slack stands, in words."""
        if self.socket is None:
            return "HTTP mode: Slack calls Chargehand"
        return "Socket Mode: connected" if await self.socket.is_alive() else "Socket Mode: not connected"


def build(settings: Settings, *, clock: Callable[[], datetime] = utc_now, host: str | None = None) -> Service:
    """Make the service from its settings; raises SettingsError where some are missing. Needs a running event loop.

    Socket Mode where SLACK_APP_TOKEN is set, else HTTP mode; `/healthz` wherever PORT is set.
    """
    settings.require("EOSVOLT_BASE_URL", "EOSVOLT_TOKEN", "SLACK_BOT_TOKEN")
    in_socket_mode = settings.slack_app_token is not None
    if not in_socket_mode:
        settings.require_door()
    slack = WebClient(settings.secret("SLACK_BOT_TOKEN"), settings.slack_api_url)
    identity, answering = Identity(slack), Answering(slack.proxy)
    app = build_app(slack, identity, settings.slack_api_url, answering)
    work, later = jobs_of(settings, clock), Later()
    permissions = permissions_of(settings, slack, identity, work.database)
    keeper = RuleKeeper(work, [Path(name) for name in settings.chargehand_rules])
    watchdog = watchdog_of(settings, work, permissions, keeper, later, clock())
    wellness = Wellness(work.database, watchdog, clock, later.has_workers, later.slack_alive)
    responder = responder_of(settings, work, slack, permissions, keeper, wellness, later, clock)
    register(app, responder)
    keeping = Keeping(work, settings.history_kept, settings.detail_kept)
    metrics = Metrics(work.database, clock, lambda: later.service.ticker.states, lambda: keeping.sizes, later.leads)
    service = later.service = Service(
        settings=settings,
        clock=clock,
        database=work.database,
        client=work.client,
        slack=slack,
        identity=identity,
        jobs=work,
        delivery=delivery_of(settings, work, slack, metrics, later),
        app=app,
        answering=answering,
        socket=SocketDoor(app, settings.secret("SLACK_APP_TOKEN")) if in_socket_mode else None,
        ticker=Ticker((), clock),
        responder=responder,
        watchdog=watchdog,
        wellness=wellness,
        rules=keeper,
        rounds=Rounds(work, PricePolls(work), keeper.lock, later.wake),
        commanding=Commanding(work),
        keeping=keeping,
        metrics=metrics,
        heartbeat=heartbeat_of(settings, wellness),
        occupation=Occupation(work.database.url),
        leading=Leading(work.database, later.take_over, clock.look if isinstance(clock, SharedClock) else None),
    )
    service.ticker = Ticker(service.table(), clock, service.clock_was_put, on_run=metrics.signals.note_run)
    if settings.port is not None:
        service.http = _http_door(service, settings.port, host or settings.host())
    return service


def _http_door(service: Service, port: int, host: str) -> HttpDoor:
    wellness, settings = service.wellness, service.settings
    pages = {"/healthz": wellness.health, "/livez": wellness.live, "/readyz": wellness.ready}
    app = service.app if service.socket is None else None
    secret = settings.secret("SLACK_SIGNING_SECRET") if app is not None else ""
    return HttpDoor(host, port, pages, app, secret, metrics=service.metrics.page, proxies=settings.chargehand_proxies)
