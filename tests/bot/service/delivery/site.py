"""The stand-in EOSVOLT API with a small living fleet, and the service's jobs, on one clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from bot.service.commanding import run_commands
from bot.service.jobs import Jobs
from bot.service.polling.poll_plan import PollPlan
from bot.service.polling.polls import poll
from commands.outcomes.sending import wants_faster_polls
from commands.requests.enqueue import Enqueued, enqueue_command
from eosvolt.client import EosvoltClient
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import Application, InProcessTransport
from sandbox.fleet.fleet import FleetSource
from storage.engine import Database
from storage.schema import COMMAND
from tests.eosvolt.accounts import at_once, contract_of, spoken
from tests.sandbox.neutral import NOON, Hand, free_connector


class Gate:
    """Where commands wait on their way to the API until they are let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self._arrived = asyncio.Semaphore(0)

    async def wait(self) -> None:
        self._arrived.release()
        await self.let_go.wait()

    async def reached(self, times: int) -> None:
        """Return once so many more commands have come here."""
        for _ in range(times):
            await asyncio.wait_for(self._arrived.acquire(), 30)


class Link(httpx.AsyncBaseTransport):
    """The way to the API; a test takes the connection away, or the answers to commands, or holds them up."""

    def __init__(self, api: Application) -> None:
        self.app, self.api = api, InProcessTransport(api)
        self.refuse_posts = 0
        self.lose_answers = 0
        self.gate: Gate | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Gate]:
        """Commands wait within the block, until its gate lets them go."""
        self.gate = Gate()
        try:
            yield self.gate
        finally:
            self.gate.let_go.set()
            self.gate = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET" and self.refuse_posts:
            self.refuse_posts -= 1
            raise httpx.ConnectError("refused", request=request)
        if request.method != "GET" and self.gate is not None:
            await self.gate.wait()
        answer = await self.api.handle_async_request(request)
        if request.method != "GET" and self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadTimeout("lost", request=request)
        return answer


@dataclass
class Site:
    """A small living fleet, its API, and the service's jobs, on one clock."""

    api: Api
    link: Link
    jobs: Jobs
    clock: Hand = field(default_factory=Hand)
    tongue: str = "plain"

    @property
    def posts(self) -> list[str]:
        return [command.path for command in self.api.commands]

    def free(self) -> str:
        return free_connector(self.api.source)

    async def tick(self, seconds: float = 20) -> None:
        """Some time passes; then a poll, and what commands make of it."""
        self.clock.after(seconds=seconds)
        await poll(self.jobs, self.clock.now)
        await run_commands(self.jobs, self.clock.now)

    async def poll(self) -> None:
        await poll(self.jobs, self.clock.now)

    async def run(self) -> int:
        return await run_commands(self.jobs, self.clock.now)

    def ask(self, kind: str, nonce: str = "n", channel: str = "C1", **target: Any) -> Enqueued:
        with self.jobs.database.write() as connection:
            asked = enqueue_command(
                connection, kind=kind, nonce=nonce, user="U0ADA00001", channel=channel, now=self.clock.now, **target
            )
        assert asked.is_new, asked
        return asked

    def command(self, nonce: str = "n") -> Any:
        with self.jobs.database.read() as connection:
            return connection.execute(sa.select(COMMAND).where(COMMAND.c.nonce == nonce)).one()

    def waits(self) -> bool:
        with self.jobs.database.read() as connection:
            return wants_faster_polls(connection, self.clock.now)

    async def until(self, *states: str, ticks: int = 30, nonce: str = "n") -> Any:
        """Tick until the command is in one of these states; its row."""
        for _ in range(ticks):
            if self.command(nonce).state in states:
                break
            await self.tick()
        assert self.command(nonce).state in states, self.command(nonce)
        return self.command(nonce)


@asynccontextmanager
async def site_on(database: Database, account: str = "plain") -> AsyncIterator[Site]:
    """A site whose state was polled once, recorded in `database`; `account` is how its API speaks."""
    clock = Hand()
    api = create_api(FleetSource(4, 3, NOON), clock=clock)
    link = Link(spoken(api, account))
    token = TokenSource.from_text("sandbox-token")
    async with EosvoltClient(
        "http://sandbox", token, contract_of(account), transport=link, attempts=1, clock=clock, pause=at_once
    ) as client:
        jobs = Jobs(database, client, PollPlan(interval=timedelta(seconds=20)))
        await poll(jobs, clock.now)
        yield Site(api, link, jobs, clock, account)
