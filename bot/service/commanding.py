"""Carries out commands: claims each, calls EOSVOLT once, writes the answer down, and looks at what came of it.

Chargers are spoken to side by side, each by one command at a time. No call is made inside a transaction, and none is
repeated unless it provably did not run. It does not poll: verdicts come from whatever the polls recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from bot.kill_points import CrashAt, never_crash
from bot.service.jobs import Jobs
from commands.outcomes import sending
from commands.requests.price_checks import judge_price_change, put_off, waiting_price_changes
from commands.requests.prices import agrees, as_details, as_words
from commands.requests.routes import route_of
from eosvolt.client import EosvoltClient
from eosvolt.errors import Conflict, EosvoltError, Forbidden
from eosvolt.exchange import SEND_BY
from eosvolt.models import PricingReading
from rules.actions.command_kinds import OWN, CommandKind, CommandState
from storage.ahead import bring_down_commands
from storage.engine import Database
from storage.health import record_switched_off, record_switched_on

log = structlog.get_logger()

Told = dict[str, str | None]


class NothingSentError(Exception):
    """What EOSVOLT tells now leaves nothing to send; its text says why, for people."""


ABANDONED_AFTER = timedelta(minutes=2)
"""A command that has been sending for so long lost its process: no call to EOSVOLT takes half of it."""


CALL_WITHIN = 60.0
"""Seconds after its claim in which a command's call may begin: well before it is held for abandoned."""

AT_ONCE = 16
"""How many calls are under way together: one that hangs holds up its own charger alone."""


async def run_commands(jobs: Jobs, now: datetime, *, crash_at: CrashAt = never_crash) -> int:
    """Send what is due, and judge what was sent by the polls since; how many commands moved on.

    It waits until every call has ended, for replays and tests: the service lets `Commanding` go on beside its ticks.
    """
    work = Commanding(jobs, crash_at)
    return await work.run(now) + await work.finish(now)


@dataclass(slots=True)
class Commanding:
    """The calls of one process that are under way, each in a task of its own."""

    jobs: Jobs
    crash_at: CrashAt = never_crash
    _calls: dict[str, asyncio.Task[int]] = field(default_factory=dict, init=False)  # by the command's id

    async def recover(self, now: datetime) -> int:
        """After a start: what was being sent at the last stop may have run, so it is unknown; how many there were."""
        lost: int = await self.jobs.run(_recover, self.jobs.database, now)
        return lost

    async def run(self, now: datetime) -> int:
        """Judge what was sent, begin to send what is due, and wait for no answer; how many commands moved on.

        1. What a dead process left as sending is unknown; requests that are too old expire; outcomes are looked at.
        2. Each command that is due is marked as sending, then sent once: stops first, one at a time a charger.
        3. Prices that were changed are read back, because no poll tells of them.
        Raises what a call that has ended meanwhile raised: an ExceptionGroup.
        """
        ended = self._let_go()
        moved: int = await self.jobs.run(_look, self.jobs.database, now)
        moved += await self._begin(now)
        for command in await self.jobs.run(_sent_prices, self.jobs.database, now):
            if command.id not in self._calls:
                self._call(command, _read_back(self.jobs, command, now))
        return moved + _moved_by(ended)

    async def finish(self, now: datetime) -> int:
        """Wait until no call is under way and none is due; how many commands moved on meanwhile."""
        moved = 0
        while self._calls:
            await asyncio.wait(self._calls.values(), return_when=asyncio.FIRST_COMPLETED)
            ended = self._let_go()
            moved += await self._begin(now) + _moved_by(ended)
        return moved

    async def stop(self, seconds: float) -> None:
        """Give the calls so long to end, then cut them off: what they did is unknown at the next start."""
        if not self._calls:
            return
        _, late = await asyncio.wait(self._calls.values(), timeout=seconds)
        for call in late:
            log.warning("a command is cut off", command=call.get_name())
            call.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        self._calls.clear()

    async def _begin(self, now: datetime) -> int:
        """Claim what is due and begin to send it; how many were claimed."""
        begun = 0
        while len(self._calls) < AT_ONCE:
            by = asyncio.get_running_loop().time() + CALL_WITHIN
            command = await self.jobs.run(_claim, self.jobs.database, now)
            if command is None:
                break
            self._call(command, _carry_out(self.jobs, command, now, by, self.crash_at))
            begun += 1
        return begun

    def _call(self, command: Row[Any], work: Coroutine[Any, Any, int]) -> None:
        self._calls[command.id] = asyncio.create_task(work, name=command.id)

    def _let_go(self) -> list[asyncio.Task[int]]:
        """The calls that have ended, which are under way no more."""
        ended = {key: call for key, call in self._calls.items() if call.done()}
        for key in ended:
            del self._calls[key]
        return list(ended.values())


def _moved_by(calls: Sequence[asyncio.Task[int]]) -> int:
    """How many commands ended by these calls; raises what they raised."""
    failed = [error for call in calls if (error := call.exception()) is not None]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise BaseExceptionGroup("commands could not be carried out", failed)
    return sum(call.result() for call in calls)


async def _read_back(jobs: Jobs, command: Row[Any], now: datetime) -> int:
    """Read the prices of a change that was sent; 1 where the change ended by it."""
    told, error = None, None
    try:
        told = await jobs.client.fetch_price(command.location_id)
    except EosvoltError as failed:
        error = failed
    ended: bool = await jobs.run(_mark_prices, jobs.database, command, now, told, error)
    return int(ended)


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


async def _carry_out(jobs: Jobs, command: Row[Any], now: datetime, by: float, crash_at: CrashAt) -> int:
    """Make a command's one call and write the answer down; 0, because it was counted when it was claimed.

    A process that was stopped on the way, and wakes up after `by`, makes no call: others hold it for lost by then.
    """
    SEND_BY.set(by)
    started = asyncio.get_running_loop().time()
    told: Told = {}
    error: EosvoltError | None = None
    crash_at("before_call")
    try:
        told = await CALLS.get(command.kind, _own)(jobs.client, command)
    except NothingSentError as found:
        await jobs.run(_withdraw, jobs.database, command, now, str(found))
        log.info("command not needed", command=command.id, kind=command.kind, reason=str(found))
        return 0
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
    return 0


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


async def _own(client: EosvoltClient, command: Row[Any]) -> Told:
    """Do a command of the account's own, if the contract still has it."""
    name = command.kind.removeprefix(OWN)
    if name not in client.own_commands:
        raise NothingSentError(f"the contract file has no command {name} any more: nothing was sent")
    return {"answer": (await client.post_own(name, command.charger_id, command.connector_id)).status}


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


def needs_no_change(told: PricingReading, details: Mapping[str, Any]) -> None:
    """Raise NothingSentError where prices are so already, or are in another unit than the change."""
    if told.unit != details["unit"]:
        unit = f"per {told.unit}" if told.unit else "in a unit that is not known"
        raise NothingSentError(f"the prices here are {unit}, not per {details['unit']}: nothing was sent")
    if agrees(as_details(told), details["changes"]):
        raise NothingSentError("the price is so already: nothing was sent")


def _recover(database: Database, now: datetime) -> int:
    # where several share a database, another may be making the call at this moment
    alone = database.engine.dialect.name == "sqlite"
    with database.write() as connection:
        return sending.recover_commands(connection, now, older_than=timedelta(0) if alone else ABANDONED_AFTER)


def _look(database: Database, now: datetime) -> int:
    with database.write() as connection:
        bring_down_commands(connection, now)
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
            record_switched_off(connection, route_of(command.kind), error.kind, now)
        elif error is None:
            record_switched_on(connection, route_of(command.kind))
        return sending.mark_command_answer(connection, command, now, **told, error=error)
