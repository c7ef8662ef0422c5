"""The real service between the two stand-ins, with a clock that tests push ahead: every test here uses it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.service.app import Service, build
from bot.service.polling import polls
from bot.service.polling.pace import OFTEN
from bot.service.polling.poll_plan import RESOURCES
from bot.service.polling.rounds import poll_job
from bot.settings import Settings
from rules.documents.document import rule_from_document
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import Message, SlackServer, SlackWorkspace, View
from storage.engine import Database
from storage.migrate import upgrade
from storage.polls import poll_states
from tests.eosvolt.accounts import file_of, spoken

TOO_BUSY = "Nothing was done: the database was too busy"
TOKEN = "sandbox-token"
CALM = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
FAULTED = {
    "name": "connector-faulted",
    "description": "A connector has been out of order for half an hour",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "for": "30m",
    "severity": "critical",
    "notify": ["#ev-alerts"],
}

UNHURRIED = 2.5  # seconds: within the three that Slack gives a click
WRITTEN_WITHIN = 2.3  # seconds: with its commit within the same three


@dataclass
class Clock:
    """A Wednesday morning on which nothing of the fleet breaks for two hours, and what a test has added to it.

    The living fleet's story depends on when it begins: with wall time each run would tell another one.
    """

    ahead: timedelta = field(default_factory=timedelta)
    begun: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return CALM + timedelta(seconds=time.monotonic() - self.begun) + self.ahead


@dataclass
class House:
    """Everything that one test needs; `start` and `stop` may be called again, as a restart."""

    clock: Clock
    workspace: SlackWorkspace
    server: SlackServer
    fleet: FleetSource
    api: Api
    eosvolt: str
    database_url: str
    http: bool = False
    interval: float = 1
    service: Service | None = None
    contract: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)  # to the settings

    @property
    def running(self) -> Service:
        assert self.service is not None
        return self.service

    def settings(self, **changes: Any) -> Settings:
        own = self.workspace
        values: dict[str, Any] = {
            "eosvolt_base_url": self.eosvolt,
            "eosvolt_token": SecretStr(TOKEN),
            "slack_bot_token": SecretStr(own.bot_token),
            "slack_app_token": None if self.http else SecretStr(own.app_token),
            "slack_signing_secret": SecretStr(own.signing_secret) if self.http else None,
            "slack_api_url": self.server.api_url,
            "port": 0 if self.http else None,
            "database_url": self.database_url,
            "chargehand_contract": self.contract,
            "chargehand_rules": (),
            "chargehand_timezone": "Europe/Copenhagen",
            "chargehand_poll_interval": self.interval,
            "chargehand_operators": ("@oncall",),
            "chargehand_admins": (),
            "chargehand_workspace_admins": True,
            "chargehand_alert_channel": "#ev-alerts",
        }
        return Settings(_env_file=None, **(values | self.changes | changes))  # type: ignore[call-arg]  # mypy does not see the name

    async def start(self, *rules: dict[str, Any], polled: bool = True) -> Service:
        """Start the service; with `polled` EOSVOLT was read once before."""
        self.service = build(self.settings(), clock=self.clock, host="127.0.0.1")
        self.service.responder.permissions.click_seconds = UNHURRIED  # a test's machine may be slow
        self.service.responder.intents.write_seconds = WRITTEN_WITHIN
        if polled:
            upgrade(self.service.database)
            await polls.poll(self.service.jobs, self.clock())
        await self.service.start([rule_from_document(rule, "test") for rule in rules])
        if self.http:
            assert self.service.http is not None
            self.workspace.link.request_url = f"http://127.0.0.1:{self.service.http.port}/slack/events"
        return self.service

    async def stop(self) -> None:
        if self.service is not None:
            self.workspace.link.request_url = None
            await self.service.stop()
            self.service = None

    async def ask(self, text: str, user: str = "ada", channel: str = "#ev-ops", tries: int = 5) -> Message:
        """Type `/charge text`; the answer. Who is told that the machine was too busy tries again, as it says."""
        before = len(self.workspace.ephemerals(user))
        outcome = await self.workspace.slash(user, channel, "/charge", text)
        assert outcome.ok, outcome.error
        told = await self.next_whisper(user, before)
        return await self.ask(text, user, channel, tries - 1) if tries > 1 and TOO_BUSY in told.plain() else told

    async def click(self, user: str, message: Message | View, action_id: str, value: Any = None) -> None:
        outcome = await self.workspace.click(user, message, action_id, value)
        assert outcome.ok, outcome.error

    async def next_whisper(self, user: str, before: int) -> Message:
        """What this person is told next; `before` is how much it was told already."""
        told = await self.workspace.wait_for(lambda: self.workspace.ephemerals(user)[before:])
        return told[0]

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.workspace.wait_for(predicate)

    def free(self, number: int = 0) -> str:
        """The id of a connector that is free, on a charger that is online."""
        return self._connectors("Available")[number]

    def _connectors(self, status: str) -> list[str]:
        return [
            connector["id"]
            for charger in self.fleet.world.chargers
            if charger.fields["online"]
            for connector in charger.fields["connectors"]
            if connector["status"] == status
        ]

    def break_connector(self, connector_id: str, ago: timedelta = timedelta(minutes=40)) -> None:
        told = {"status": "Faulted", "errorCode": "GroundFailure"}
        self.fleet.force_connector(connector_id, told, self.clock() - ago)

    async def card_of_an_alert(self) -> Message:
        """The first alert card, with the wait for its group passed."""
        service = self.running
        wake_polls(service)
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(_has_card, service):
                await self.workspace.next_change(0.05)
        self.clock.ahead += timedelta(seconds=31)
        channel = self.workspace.channel("#ev-alerts")
        card: Message = await self.workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
        return card


async def polled_anew(service: Service) -> None:
    """Return once a poll that began from now on has been recorded."""
    now, ticker, ran = service.clock(), service.ticker, asyncio.Event()
    note = ticker._on_run

    def note_run(job: str, seconds: float) -> None:
        note(job, seconds)
        ran.set()

    ticker._on_run = note_run
    try:
        wake_polls(service)
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(_all_polled, service, now):
                await ran.wait()
                ran.clear()
    finally:
        ticker._on_run = note


def wake_polls(service: Service) -> None:
    """Have everything polled soon."""
    for resource in RESOURCES:
        service.ticker.wake(poll_job(resource))


def _all_polled(service: Service, since: datetime) -> bool:
    """Whether all that is polled all the time was asked for since then."""
    with service.database.read() as connection:
        states = poll_states(connection)
    return all(name in states and states[name].attempted_at >= since for name in OFTEN)


def _has_card(service: Service) -> bool:
    with service.database.read() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one())


def _lay_out(database_url: str) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    if database_url.startswith("sqlite:///") and not path.exists():
        path.write_bytes(migrated())


@cache
def migrated() -> bytes:
    """A SQLite file that was brought to the newest revision."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chargehand.db"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()
        return path.read_bytes()


@asynccontextmanager
async def open_house(
    database_url: str, *, http: bool = False, chargers: int = 14, past: bool = False, tongue: str = "plain"
) -> AsyncIterator[House]:
    """The two stand-ins, ready for a service; the service that still runs at the end is stopped.

    `past`: EOSVOLT also knows the sessions of the five weeks before. `tongue` is the account that it speaks as. A
    SQLite file that is not there yet is one that was migrated before: to do so takes longer than most tests.
    """
    _lay_out(database_url)
    clock = Clock()
    workspace = SlackWorkspace(rate_limited=False)
    fleet = FleetSource(chargers, 7, clock())
    if not past:
        fleet.world.set_past(0, tuple)
    api = create_api(fleet, clock=clock, token=TOKEN)
    async with AsyncExitStack() as stack:
        eosvolt = await stack.enter_async_context(serving(spoken(api, tongue)))
        server = await stack.enter_async_context(SlackServer(workspace))
        house = House(clock, workspace, server, fleet, api, eosvolt, database_url, http)
        house.contract = file_of(tongue)
        stack.push_async_callback(house.stop)
        yield house
