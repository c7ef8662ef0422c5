"""Carries out commands: claims each, calls EOSVOLT once, writes the answer down, and looks at what came of it.

No call is made inside a transaction, and none is repeated unless it provably did not run. It does not poll: verdicts
come from whatever the polls recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from bot.faults import CrashAt, never_crash
from bot.jobs import Jobs
from eosvolt.client import EosvoltClient
from eosvolt.errors import EosvoltError
from notify import commands
from notify.commands import CommandKind, CommandState
from storage.engine import Database

log = structlog.get_logger()

Told = dict[str, str | None]

ABANDONED_AFTER = timedelta(minutes=2)
"""A command that has been sending for so long lost its process: no call to EOSVOLT takes half of it."""


async def run_commands(jobs: Jobs, now: datetime, *, crash_at: CrashAt = never_crash) -> int:
    """Send what is due, and judge what was sent by the polls since; how many commands moved on.

    1. What a dead process left as sending is unknown; requests that are too old expire; outcomes are looked at.
    2. Each command that is due is marked as sending, then sent once; the answer is written down.
    Call it after each poll and each click, and `notify.commands.recover_commands` once before, after a start.
    """
    moved: int = await jobs.run(_look, jobs.database, now)
    while (command := await jobs.run(_claim, jobs.database, now)) is not None:
        await _carry_out(jobs, command, now, crash_at)
        moved += 1
    return moved


async def _carry_out(jobs: Jobs, command: Row[Any], now: datetime, crash_at: CrashAt) -> None:
    started = asyncio.get_running_loop().time()
    told: Told = {}
    error: EosvoltError | None = None
    crash_at("before_call")
    try:
        told = await CALLS[command.kind](jobs.client, command)
    except EosvoltError as failed:
        error = failed
    except Exception as broken:
        log.exception("command broke", command=command.id)
        error = EosvoltError(f"{type(broken).__name__}: {broken}")
    crash_at("after_call")
    # only a poll that begins after the answer can show what came of it
    answered_at = now + timedelta(seconds=asyncio.get_running_loop().time() - started)
    crash_at("before_mark")
    state = await jobs.run(_mark, jobs.database, command, answered_at, told, error)
    crash_at("after_mark")
    log.info("command sent", command=command.id, kind=command.kind, state=state, error=str(error) if error else None)


async def _start(client: EosvoltClient, command: Row[Any]) -> Told:
    return {"session_id": (await client.post_session_start(command.connector_id)).id}


async def _stop(client: EosvoltClient, command: Row[Any]) -> Told:
    await client.post_session_stop(command.session_id)
    return {}


async def _reset(client: EosvoltClient, command: Row[Any]) -> Told:
    kind = "Soft" if command.kind == CommandKind.RESET_SOFT else "Hard"
    return {"answer": (await client.post_reset(command.charger_id, kind)).status}


async def _unlock(client: EosvoltClient, command: Row[Any]) -> Told:
    return {"answer": (await client.post_unlock(command.charger_id, command.connector_id)).status}


async def _availability(client: EosvoltClient, command: Row[Any]) -> Told:
    operative = command.kind == CommandKind.ENABLE
    return {"answer": (await client.post_availability(command.charger_id, operative, command.connector_id)).status}


CALLS: Mapping[str, Callable[[EosvoltClient, Row[Any]], Awaitable[Told]]] = {
    CommandKind.START_SESSION.value: _start,
    CommandKind.STOP_SESSION.value: _stop,
    CommandKind.RESET_SOFT.value: _reset,
    CommandKind.RESET_HARD.value: _reset,
    CommandKind.UNLOCK.value: _unlock,
    CommandKind.ENABLE.value: _availability,
    CommandKind.DISABLE.value: _availability,
}
"""The one call of each kind; what it gives back goes to `notify.commands.mark_command_answer`."""


def _look(database: Database, now: datetime) -> int:
    with database.write() as connection:
        lost = commands.recover_commands(connection, now, older_than=ABANDONED_AFTER)
        return lost + commands.expire_commands(connection, now) + commands.verify_commands(connection, now)


def _claim(database: Database, now: datetime) -> Row[Any] | None:
    with database.write() as connection:
        return commands.claim_next_command(connection, now)


def _mark(
    database: Database, command: Row[Any], now: datetime, told: Told, error: EosvoltError | None
) -> CommandState | None:
    with database.write() as connection:
        return commands.mark_command_answer(connection, command, now, **told, error=error)
