"""One clock for all services on one PostgreSQL: the server's, carried on by each machine's monotonic time.

Claims, turns and what is due are moments that one process writes and another reads: where machines' clocks differ by
minutes, what one is sending would look abandoned to another. No step of a machine's own clock moves this one. It asks
nobody by itself: whoever renews the lease lets it look.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from storage.engine import Database, normalise_url

log = structlog.get_logger()

LEAST = 0.5
"""A look that differs by fewer seconds moves nothing: the way to the server takes as long."""

TOLD = 2.0
"""From so many seconds on it is told that a machine's clock is not the server's."""

FIRST_LOOK_SECONDS = 5.0
_SERVERS = sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))


def _ticks() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them so."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SharedClock:
    """Tells the server's time once it has looked at it, until then `wall`'s."""

    def __init__(self, wall: Callable[[], datetime], ticks: Callable[[], float] = _ticks) -> None:
        self._wall = wall
        self._ticks = ticks
        self._apart: float | None = None  # the server's seconds since 1970, less ours

    def __call__(self) -> datetime:
        """The moment."""
        return self._wall() if self._apart is None else datetime.fromtimestamp(self._apart + self._ticks(), UTC)

    def look(self, connection: Connection) -> None:
        """Go by the server's clock as it is now."""
        before = self._ticks()
        told: datetime = connection.execute(_SERVERS).scalar_one()
        self.note(told, before, self._ticks())

    def note(self, told: datetime, before: float, after: float) -> None:
        """Take what the server told between two moments of ours; what the way there may account for moves nothing."""
        apart = told.timestamp() - (before + after) / 2
        if self._apart is not None and abs(apart - self._apart) <= max((after - before) / 2, LEAST):
            return
        self._apart = apart
        off = (self._wall() - self()).total_seconds()
        if abs(off) > TOLD:
            log.warning("this machine's clock is not the database's, which counts", seconds_ahead=round(off, 1))


async def clock_of(database_url: str, wall: Callable[[], datetime]) -> Callable[[], datetime]:
    """The clock of a service: PostgreSQL's where it works on one, this machine's on SQLite.

    A server that does not answer now is looked at when the lease is renewed.
    """
    if not normalise_url(database_url).startswith("postgresql"):
        return wall
    clock = SharedClock(wall)
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await asyncio.to_thread(_first_look, clock, database_url)
    except Exception as error:
        log.info("the database's clock is not known yet", error=type(error).__name__)
    return clock


def _first_look(clock: SharedClock, database_url: str) -> None:
    database = Database(database_url)
    try:
        with database.read() as connection:
            clock.look(connection)
    finally:
        database.close()
