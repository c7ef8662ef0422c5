"""The stage on which a command's lives are lived: EOSVOLT, whose answers go wrong as told, and Slack; on one clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.service.jobs import Jobs, run_inline
from bot.service.polling.poll_plan import PollPlan
from bot.service.polling.polls import poll
from eosvolt.client import EosvoltClient
from eosvolt.tokens import TokenSource
from notify.render import render_message
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import Application, InProcessTransport
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import SlackServer, SlackWorkspace
from storage.engine import Database
from storage.schema import COMMAND, OUTBOX
from tests.bot.service.delivery.lives import OPS, Fate, Life, go_on
from tests.conftest import sqlite_copy
from tests.eosvolt.accounts import contract_of, spoken
from tests.sandbox.neutral import NOON, Hand, free_connector

ENDED = {"verified", "not_verified", "unverifiable", "failed", "expired"}
KINDS: dict[str, dict[str, Any]] = {
    "start_session": {},
    "stop_session": {},
    "reset_soft": {"approve_within": timedelta(minutes=30)},
    "reset_hard": {},
    "unlock": {},
    "disable": {},
    "enable": {"approve_within": timedelta(minutes=30)},
}
"""Each kind of command, and what its button says beside its target."""


@dataclass
class World:
    """What outlives the service: EOSVOLT with its clock, and what it does to the answer of a command."""

    clock: Hand = field(default_factory=Hand)
    tongue: str = "plain"
    api: Api = field(init=False)
    app: Application = field(init=False)
    answers: str = "as it is"

    def __post_init__(self) -> None:
        self.begin()

    def seconds(self) -> float:
        """The moment as Slack tells it."""
        return self.clock.now.timestamp()

    def begin(self) -> None:
        self.clock.now = NOON
        self.api = create_api(FleetSource(4, 3, NOON), clock=self.clock)
        self.app = spoken(self.api, self.tongue)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/later":
            self.clock.after(seconds=40)
            await answer(send, 200, self.clock.now.isoformat().encode())
        elif scope["type"] != "http" or scope["method"] == "GET":
            await self.app(scope, receive, send)
        else:
            answers, self.answers = self.answers, "as it is"
            await self._command(answers, scope, receive, send)

    async def _command(self, answers: str, scope: Any, receive: Any, send: Any) -> None:
        """One command, and the answer to it gone wrong; the next one is answered as it is."""
        if answers in {"500", "429", "409"}:
            told = {"code": "charger_offline", "message": "no"} if answers == "409" else {}
            wait = [(b"retry-after", b"15")] if answers == "429" else []
            await answer(send, int(answers), str(told).replace("'", '"').encode(), wait)
            return
        if answers == "504 though done":
            self.api.faults.commands_unknown = 1
        kept: list[Any] = []

        async def keep(message: Any) -> None:
            kept.append(message)

        await self.app(scope, receive, keep)
        if answers == "500 though done":
            await answer(send, 500, b"")
            return
        if answers == "lost":
            while (await receive())["type"] != "http.disconnect":  # until whoever called gives up, or is killed
                pass
            return
        if answers == "in pieces":
            head, body = kept
            half = len(body["body"]) // 2
            kept = [
                head,
                {**body, "body": body["body"][:half], "more_body": True},
                {**body, "body": body["body"][half:]},
            ]
        if answers == "cut off":
            kept = [{**kept[0], "headers": [(b"content-length", b"9999")]}, {**kept[1], "more_body": True}]
        for message in kept:
            await send(message)


async def answer(send: Any, status: int, body: bytes, headers: Any = ()) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Stage:
    """EOSVOLT, Slack and a database, on which one life after another is lived."""

    world: World
    eosvolt: str
    slack: SlackServer
    template: Path
    folder: Path
    database: Database | None = None
    lives: int = 0

    async def begin(self, kind: str, answers: str, url: str | None = None) -> Life:
        """A new fleet, an empty database that has seen it once, and a button for something that can be done."""
        self.lives += 1
        self.world.begin()
        self.slack.workspace.channel(OPS).messages.clear()
        folder = self.folder / str(self.lives)
        folder.mkdir()
        self.database = Database(url or sqlite_copy(self.template, folder), durable=False)
        button = {"kind": kind, "nonce": "pressed", **KINDS[kind], **await self._prepare(kind)}
        self.world.api.commands.clear()
        self.world.answers = answers
        token = self.slack.workspace.bot_token
        seconds = 0.5 if answers == "lost" else 20  # a slow machine is no lost answer
        return Life(
            self.database.url,
            self.eosvolt,
            self.slack.api_url,
            token,
            button,
            folder / "note",
            seconds,
            tongue=self.world.tongue,
        )

    async def _prepare(self, kind: str) -> dict[str, Any]:
        """Have the fleet polled once, in a state in which this can be asked for; what it is asked of."""
        assert self.database is not None
        token, transport = TokenSource.from_text("sandbox-token"), InProcessTransport(self.world.app)
        connector_id = free_connector(self.world.api.source)
        target = {"connector_id": connector_id}
        charger_id = connector_id.rpartition(".")[0]
        async with EosvoltClient(
            "http://sandbox", token, contract_of(self.world.tongue), transport=transport, attempts=1
        ) as client:
            if kind == "stop_session":
                started = await client.post_session_start(connector_id)
                assert started is not None
                target = {"session_id": started.id}
                self.world.clock.after(minutes=2)
            if kind == "enable":
                await client.post_availability(charger_id, False, connector_id)
            await poll(Jobs(self.database, client, PollPlan(), run=run_inline), self.world.clock.now)
        return {"charger_id": charger_id} if kind.startswith("reset") else target

    async def end(self, life: Life) -> str:
        """Let the service live on, and see that the command was accepted at most once and what its card says."""
        await go_on(life, Fate())
        assert self.database is not None
        with self.database.read() as connection:
            command = connection.execute(sa.select(COMMAND)).one()
            item = connection.execute(sa.select(OUTBOX)).one()
            said = render_message(connection, item, self.world.clock.now)
        self.database.close()
        accepted = [one.path for one in self.world.api.commands]
        assert len(accepted) <= 1, accepted
        assert command.state in ENDED, command
        assert command.outcome, command
        if command.state == "verified":
            assert accepted, command
        (card,) = [message for message in self.slack.workspace.channel(OPS).messages if not message.deleted]
        assert (card.text, item.shown_version) == (said.text, item.version)
        return str(command.state)


@asynccontextmanager
async def staged(template: Path, folder: Path, tongue: str = "plain") -> AsyncIterator[Stage]:
    world = World(tongue=tongue)
    workspace = SlackWorkspace(clock=world.seconds, rate_limited=False)
    async with SlackServer(workspace) as slack, serving(world) as address:
        yield Stage(world, address, slack, template, folder)
