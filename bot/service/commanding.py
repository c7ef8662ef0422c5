"""Carries out commands: claims each, calls EOSVOLT once, writes the answer down, and looks at what came of it.

No call is made inside a transaction, and none is repeated unless it provably did not run. It does not poll: verdicts
come from whatever the polls recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from bot.faults import CrashAt, never_crash
from bot.service.jobs import Jobs
from commands.outcomes import sending
from commands.requests.price_checks import judge_price_change, put_off, waiting_price_changes
from commands.requests.prices import agrees, as_details, as_words
from eosvolt.client import EosvoltClient
from eosvolt.errors import Conflict, EosvoltError, Forbidden
from eosvolt.models import PricingReading
from rules.actions.command_kinds import CommandKind, CommandState
from storage.engine import Database
from storage.health import record_switched_off, record_switched_on

log = structlog.get_logger()

Told = dict[str, str | None]


class NothingSentError(Exception):
    """What EOSVOLT tells now leaves nothing to send; its text says why, for people."""


ABANDONED_AFTER = timedelta(minutes=2)
"""A command that has been sending for so long lost its process: no call to EOSVOLT takes half of it."""


async def run_commands(jobs: Jobs, now: datetime, *, crash_at: CrashAt = never_crash) -> int:
    """Send what is due, and judge what was sent by the polls since; how many commands moved on.

    1. What a dead process left as sending is unknown; requests that are too old expire; outcomes are looked at.
    2. Each command that is due is marked as sending, then sent once; the answer is written down.
    Call it after each poll and each click, and `commands.outcomes.sending.recover_commands` once before, after a start.
    """
    moved: int = await jobs.run(_look, jobs.database, now)
    while (command := await jobs.run(_claim, jobs.database, now)) is not None:
        await _carry_out(jobs, command, now, crash_at)
        moved += 1
    return moved + await _read_back(jobs, now)


async def _read_back(jobs: Jobs, now: datetime) -> int:
    """Read the prices of each change that was sent, because no poll tells of them; how many changes ended by it."""
    ended = 0
    for command in await jobs.run(_sent_prices, jobs.database, now):
        told, error = None, None
        try:
            told = await jobs.client.fetch_price(command.location_id)
        except EosvoltError as failed:
            error = failed
        ended += await jobs.run(_mark_prices, jobs.database, command, now, told, error)
    return ended


def _sent_prices(database: Database, now: datetime) -> Sequence[Row[Any]]:
    with database.read() as connection:
        return waiting_price_changes(connection, now)


def _mark_prices(
    database: Database, command: Row[Any], now: datetime, told: PricingReading | None, error: EosvoltError | None
) -> bool:
    verdict = judge_price_change(command, now, told=told, error=error)
    with database.write() as connection:
        if verdict is None:
            put_off(connection, command, now)
            return False
        return sending.end_command(connection, command, *verdict, now)


async def _carry_out(jobs: Jobs, command: Row[Any], now: datetime, crash_at: CrashAt) -> None:
    started = asyncio.get_running_loop().time()
    told: Told = {}
    error: EosvoltError | None = None
    crash_at("before_call")
    try:
        told = await CALLS[command.kind](jobs.client, command)
    except NothingSentError as found:
        await jobs.run(_withdraw, jobs.database, command, now, str(found))
        log.info("command not needed", command=command.id, kind=command.kind, reason=str(found))
        return
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
    started = await client.post_session_start(command.connector_id)
    return {"session_id": started.id if started is not None else None}


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


async def _price(client: EosvoltClient, command: Row[Any]) -> Told:
    """Change prices, unless they are no longer those that the preview showed; a rule's change had none."""
    try:
        shown = await client.fetch_price(command.location_id)
    except EosvoltError as error:
        error.did_not_run = not error.refused  # nothing was sent as yet
        raise
    if "before" in command.details:
        if not agrees(as_details(shown), command.details["before"]):
            raise Conflict(code="prices_changed")
    else:
        needs_no_change(shown, command.details)
    await client.post_price(command.location_id, **as_words(command.details["changes"]))
    return {"answer": "Accepted"}


CALLS: Mapping[str, Callable[[EosvoltClient, Row[Any]], Awaitable[Told]]] = {
    CommandKind.START_SESSION.value: _start,
    CommandKind.STOP_SESSION.value: _stop,
    CommandKind.RESET_SOFT.value: _reset,
    CommandKind.RESET_HARD.value: _reset,
    CommandKind.UNLOCK.value: _unlock,
    CommandKind.ENABLE.value: _availability,
    CommandKind.DISABLE.value: _availability,
    CommandKind.CHANGE_PRICE.value: _price,
}
"""The one call of each kind; what it gives back goes to `commands.outcomes.sending.mark_command_answer`."""

ROUTES: Mapping[str, str] = {
    CommandKind.START_SESSION.value: "session_start",
    CommandKind.STOP_SESSION.value: "session_stop",
    CommandKind.RESET_SOFT.value: "charger_reset",
    CommandKind.RESET_HARD.value: "charger_reset",
    CommandKind.UNLOCK.value: "charger_unlock",
    CommandKind.ENABLE.value: "charger_availability",
    CommandKind.DISABLE.value: "charger_availability",
    CommandKind.CHANGE_PRICE.value: "pricing_change",
}
"""The contract's name of what each kind needs: a 403 switches it off for a while."""


def needs_no_change(told: PricingReading, details: Mapping[str, Any]) -> None:
    """Raise NothingSentError where prices are so already, or are in another unit than the change."""
    if told.unit != details["unit"]:
        unit = f"per {told.unit}" if told.unit else "in a unit that is not known"
        raise NothingSentError(f"the prices here are {unit}, not per {details['unit']}: nothing was sent")
    if agrees(as_details(told), details["changes"]):
        raise NothingSentError("the price is so already: nothing was sent")


def _look(database: Database, now: datetime) -> int:
    with database.write() as connection:
        lost = sending.recover_commands(connection, now, older_than=ABANDONED_AFTER)
        return lost + sending.expire_commands(connection, now) + sending.verify_commands(connection, now)


def _claim(database: Database, now: datetime) -> Row[Any] | None:
    with database.write() as connection:
        return sending.claim_next_command(connection, now)


def _withdraw(database: Database, command: Row[Any], now: datetime, reason: str) -> bool:
    with database.write() as connection:
        return sending.withdraw_command(connection, command, reason, now)


def _mark(
    database: Database, command: Row[Any], now: datetime, told: Told, error: EosvoltError | None
) -> CommandState | None:
    with database.write() as connection:
        if isinstance(error, Forbidden):
            record_switched_off(connection, ROUTES[command.kind], error.kind, now)
        elif error is None:
            record_switched_on(connection, ROUTES[command.kind])
        return sending.mark_command_answer(connection, command, now, **told, error=error)
