"""The whole life of a command in one process: the click, the call, the answer, the polls, the card; until SIGKILL.

The moments at which it may die are counted: before each statement that the database is given, before and after each
call to EOSVOLT and to Slack, and at the points that the service names. A process begins as the service does after a
restart, and the person presses the same button again.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import event

from bot.service.commanding import run_commands
from bot.service.delivering.delivery import Delivery
from bot.service.delivering.workers import deliver
from bot.service.jobs import Jobs, run_inline
from bot.service.polling.poll_plan import PollPlan
from bot.service.polling.polls import poll
from commands.outcomes.approvals import approve_command
from commands.outcomes.sending import recover_commands
from commands.requests.enqueue import enqueue_command
from eosvolt.client import EosvoltClient
from eosvolt.tokens import TokenSource
from storage.engine import Database
from storage.schema import COMMAND, OUTBOX
from tests.eosvolt.accounts import contract_of
from tests.forks import kill_myself

ADA, OLE, OPS = "U0ADA00001", "U0OLE00002", "C0OPS00003"

Reached = Callable[[str], None]


@dataclass(frozen=True)
class Life:
    """What a process is told: where everything is, and the button that was pressed."""

    database: str
    eosvolt: str
    slack: str
    slack_token: str
    button: dict[str, Any]
    note: Path  # where a process says at which moment it dies
    answer_seconds: float  # what is slower is a time-out
    tongue: str = "plain"
    ticks: int = 30


class Fate:
    """Notes the moments that a process reaches, and ends it at the one it is told."""

    def __init__(self, note: Path | None = None, dies_at: int | None = None) -> None:
        self.note, self.dies_at = note, dies_at
        self.reached: list[str] = []

    def __call__(self, moment: str) -> None:
        self.reached.append(moment)
        if len(self.reached) == self.dies_at and self.note is not None:
            self.note.write_text(moment)
            kill_myself()


class Watched(httpx.AsyncHTTPTransport):
    """The network, with a moment before each call, one when the answer begins and one when it is read."""

    def __init__(self, reached: Reached) -> None:
        super().__init__(verify=False)
        self.reached = reached

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self.reached(f"before {call}")
        response = await super().handle_async_request(request)
        self.reached(f"answered {call}")
        await response.aread()
        self.reached(f"after {call}")
        return response


def live(life: Life, dies_at: int) -> None:
    """Live, and die at a moment; a life that is over before it ends well."""
    asyncio.run(go_on(life, Fate(life.note, dies_at)))


async def go_on(life: Life, reached: Reached) -> None:
    """Start the service, press the button, and go on until the command has ended and its card says so."""
    database = Database(life.database, durable=False)
    watch(database, reached)
    token = TokenSource.from_text("sandbox-token")
    slack = AsyncWebClient(token=life.slack_token, base_url=life.slack)
    delivery = Delivery(
        database, slack, f"pid-{os.getpid()}", "#ev-ops", run=run_inline, crash_at=_at("slack", reached)
    )
    client = EosvoltClient(
        life.eosvolt,
        token,
        contract_of(life.tongue),
        transport=Watched(reached),
        attempts=1,
        timeout=life.answer_seconds,
    )
    async with client, httpx.AsyncClient(base_url=life.eosvolt, verify=False) as world:
        jobs = Jobs(database, client, PollPlan(), run=run_inline)
        now = await _later(world)
        with database.write() as connection:
            recover_commands(connection, now)
        with database.write() as connection:
            asked = enqueue_command(connection, user=ADA, channel=OPS, now=now, **life.button)
        if "approve_within" in life.button:
            with database.write() as connection:
                approve_command(connection, asked.command_id or "", OLE, now)
        for _ in range(life.ticks):
            await run_commands(jobs, now, crash_at=_at("command", reached))
            await deliver(delivery, now)
            if is_told(database):
                break
            now = await _later(world)
            await poll(jobs, now)
    database.close()


def watch(database: Database, reached: Reached) -> None:
    """Have each statement told before it is run; on PostgreSQL, the beginning and the end of each transaction."""
    if database.engine.dialect.name == "sqlite":
        event.listen(
            database.engine, "connect", lambda raw, _: raw.set_trace_callback(lambda sql: reached(_brief(sql)))
        )
        return
    event.listen(database.engine, "begin", lambda _: reached("BEGIN"))
    event.listen(database.engine, "commit", lambda _: reached("COMMIT"))
    event.listen(database.engine, "before_cursor_execute", lambda c, k, sql, *_: reached(_brief(sql)))


def is_told(database: Database) -> bool:
    """Whether the command has ended and its card shows it."""
    waits = sa.select(OUTBOX.c.id).where(OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.abandoned_at.is_(None))
    with database.read() as connection:
        if connection.execute(sa.select(COMMAND.c.id).where(COMMAND.c.ended_at.is_(None))).first() is not None:
            return False
        return connection.execute(waits).first() is None


def _at(where: str, reached: Reached) -> Reached:
    return lambda point: reached(f"{where} {point}")


async def _later(world: httpx.AsyncClient) -> datetime:
    """Let 40 seconds pass for everybody; the moment that they bring."""
    return datetime.fromisoformat((await world.get("/later")).text)


def _brief(sql: str) -> str:
    """A statement's kind and table: `UPDATE command`."""
    words = sql.split(maxsplit=12)
    for mark in ("FROM", "INTO", "UPDATE"):
        if mark in words[:-1]:
            return f"{words[0]} {words[words.index(mark) + 1].strip('(')}"
    return words[0]
