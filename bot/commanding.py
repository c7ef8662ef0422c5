"""Carries out commands: claims each, calls EOSVOLT once, writes the answer down, and looks at what came of it.

No call is made inside a transaction, and none is repeated unless it provably did not run. It does not poll: verdicts
come from whatever the polls recorded.
"""

import asyncio
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
    session_id, error = None, None
    crash_at("before_call")
    try:
        session_id = await _call(jobs.client, command)
    except EosvoltError as failed:
        error = failed
    except Exception as broken:
        log.exception("command broke", command=command.id)
        error = EosvoltError(f"{type(broken).__name__}: {broken}")
    crash_at("after_call")
    # only a poll that begins after the answer can show what came of it
    answered_at = now + timedelta(seconds=asyncio.get_running_loop().time() - started)
    crash_at("before_mark")
    state = await jobs.run(_mark, jobs.database, command, answered_at, session_id, error)
    crash_at("after_mark")
    log.info("command sent", command=command.id, kind=command.kind, state=state, error=str(error) if error else None)


async def _call(client: EosvoltClient, command: Row[Any]) -> str | None:
    if command.kind == CommandKind.START_SESSION:
        return (await client.post_session_start(command.connector_id)).id
    await client.post_session_stop(command.session_id)
    return None


def _look(database: Database, now: datetime) -> int:
    with database.write() as connection:
        lost = commands.recover_commands(connection, now, older_than=ABANDONED_AFTER)
        return lost + commands.expire_commands(connection, now) + commands.verify_commands(connection, now)


def _claim(database: Database, now: datetime) -> Row[Any] | None:
    with database.write() as connection:
        return commands.claim_next_command(connection, now)


def _mark(
    database: Database, command: Row[Any], now: datetime, session_id: str | None, error: EosvoltError | None
) -> CommandState | None:
    with database.write() as connection:
        return commands.mark_command_answer(connection, command, now, session_id=session_id, error=error)
