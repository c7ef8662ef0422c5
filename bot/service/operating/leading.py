"""Who does what only one may do: poll, evaluate, remind, tell digests and troubles, prune. On SQLite this process does.

On PostgreSQL it is whoever has the lease; all others serve Slack, deliver and send commands. A job of the leader's runs
with a guard: each of its transactions that writes looks first whether this one still leads.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from storage.engine import GUARD, Database
from storage.sharing.leases import LENGTH, LeaseLostError, claim, give_up, hold

log = structlog.get_logger()

RENEW_EVERY = timedelta(seconds=3)

Run = Callable[[datetime], Awaitable[object]]


def _name() -> str:
    return f"service-{uuid.uuid4().hex[:12]}"


@dataclass(slots=True)
class Leading:
    """Whether this process leads. `on_begin` is awaited when it begins to, before any job of the leader's runs.

    `look` is shown the database each time that the lease is asked for.
    """

    database: Database
    on_begin: Run
    look: Callable[[Connection], None] | None = None
    holder: str = field(default_factory=_name)
    token: int | None = None
    _ready: bool = False  # what the leader works with is read anew
    _renewed: float = 0.0

    @property
    def shared(self) -> bool:
        """Whether others may work on the same database."""
        return self.database.engine.dialect.name == "postgresql"

    @property
    def leads(self) -> bool:
        """Whether this process leads, as far as it knows."""
        return not self.shared or self.token is not None

    async def seek(self) -> bool:
        """Take the lease if it is free, at the start; whether this process leads."""
        if self.shared:
            self._renewed = asyncio.get_running_loop().time()
            self.token = await asyncio.to_thread(self._claim)
        self._ready = True
        return self.leads

    async def renew(self, now: datetime) -> None:
        """Go on leading, or begin to where nobody leads; a lease that cannot be renewed is given up before its end."""
        loop = asyncio.get_running_loop()
        before, asked = self.token, loop.time()
        try:
            async with asyncio.timeout(LENGTH.total_seconds()):
                self.token = await asyncio.to_thread(self._claim)
            self._renewed = asked
        except Exception:  # the database does not answer, or a long transaction of the leader's holds the row
            if before is not None and loop.time() - self._renewed > LENGTH.total_seconds():
                self.token = None
                log.warning("the lease could not be renewed: this process leads no longer")
            raise
        if self.token is not None and self.token != before:
            log.info("this process leads", token=self.token)
            self._ready = False
        if self.token is not None and not self._ready:
            async with self.kept():
                await self._guarded(self.on_begin, now, self.token)
            self._ready = self.token is not None
        elif before is not None and self.token is None:
            log.warning("another process leads by now")

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the lease while what the leader works with is read: that may take longer than the lease holds."""
        keeping = asyncio.create_task(self._keep()) if self.shared else None
        try:
            yield
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self) -> None:
        while self.token is not None:
            await asyncio.sleep(RENEW_EVERY.total_seconds())
            asked = asyncio.get_running_loop().time()
            if await asyncio.to_thread(self._claim) != self.token:
                return  # the next renewal tells
            self._renewed = asked

    async def stop(self) -> None:
        """Let another one lead at once."""
        if self.token is not None:
            self.token = None
            try:
                async with asyncio.timeout(RENEW_EVERY.total_seconds()):
                    await asyncio.to_thread(self._give_up)
            except Exception as error:  # it ends by itself
                log.info("the lease ends by itself", error=type(error).__name__)

    def led(self, run: Run) -> Run:
        """The job as the leader runs it; it does nothing where another one leads."""
        return partial(self._run, run)

    async def _run(self, run: Run, now: datetime) -> None:
        if not self.shared:
            await run(now)
            return
        token = self.token
        if token is not None and self._ready:
            await self._guarded(run, now, token)

    async def _guarded(self, run: Run, now: datetime, token: int) -> None:
        before = GUARD.set(partial(hold, holder=self.holder, token=token))
        try:
            await run(now)
        except LeaseLostError:
            if self.token == token:
                self.token = None
            log.warning("another process leads by now: what this one began is left to it")
        finally:
            GUARD.reset(before)

    def _claim(self) -> int | None:
        with self.database.write() as connection:
            if self.look is not None:
                self.look(connection)
            return claim(connection, self.holder)

    def _give_up(self) -> None:
        with self.database.write() as connection:
            give_up(connection, self.holder)
