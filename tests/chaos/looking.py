"""Looks at services from outside while something is wrong: how slowly they answer, who leads, what is said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import sqlalchemy as sa

from tests.chaos.processes import Replica
from tests.chaos.world import CHANNEL, World, now

ANSWER_SECONDS = 60.0


@dataclass
class Pages:
    """The slowest answer of `/healthz` of the services that are asked, in seconds."""

    asked: list[Replica]
    slowest: float = 0.0

    def leave_out(self, replica: Replica) -> None:
        """Ask one no more, because it stands still, is out of reach or was told to stop."""
        if replica in self.asked:
            self.asked.remove(replica)

    async def look(self) -> None:
        """Ask all of them over and over, each by itself: one that hangs keeps none from being asked."""
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            await asyncio.gather(*(self._look_at(client, replica) for replica in list(self.asked)))

    async def _look_at(self, client: httpx.AsyncClient, replica: Replica) -> None:
        loop = asyncio.get_running_loop()
        while replica in self.asked:
            begun = loop.time()
            with contextlib.suppress(httpx.HTTPError):  # it starts, or is stopped, or hangs
                await client.get(f"http://127.0.0.1:{replica.port}/healthz")
            if replica in self.asked:
                self.slowest = max(self.slowest, loop.time() - begun)
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def pages_of(replicas: Sequence[Replica]) -> AsyncIterator[Pages]:
    """Their pages, asked once a second in the background."""
    pages = Pages(list(replicas))
    task = asyncio.create_task(pages.look())
    try:
        yield pages
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def ask(world: World, question: Callable[[sa.Connection], Any]) -> Any:
    """An answer of the database, as soon as it gives one."""

    def once() -> Any:
        with world.database.read() as connection:
            return question(connection)

    while True:
        try:
            return await asyncio.to_thread(once)
        except sa.exc.DatabaseError:
            await asyncio.sleep(0.5)


async def leader_of(world: World) -> Replica:
    """Who wrote last what only the leader writes."""
    last = "SELECT writer FROM chaos.writer ORDER BY at DESC LIMIT 1"
    writer = await ask(world, lambda connection: connection.exec_driver_sql(last).scalar_one())
    return world.replicas[int(str(writer).removeprefix("service-"))]


async def led_since(world: World, moment: datetime, not_by: Replica | None, seconds: float) -> float:
    """After how many seconds from a moment another one led or wrote what the leader writes; infinity: not so soon."""
    but = f"service-{world.replicas.index(not_by)}" if not_by is not None else ""
    values = {"moment": moment, "but": but}
    while True:
        at = await ask(world, lambda connection: connection.execute(_FIRST, values).scalar_one())
        if at is not None:
            return float((at - moment).total_seconds())
        if (now() - moment).total_seconds() > seconds:
            return float("inf")
        await asyncio.sleep(0.3)


_FIRST = sa.text("""
SELECT min(at) FROM (
  SELECT began_at AS at FROM lease_term UNION ALL SELECT at FROM chaos.writer WHERE writer <> :but
) AS signs WHERE at > :moment
""")


def named(world: World, connector: str) -> bool:
    """Whether a message of the channel names a connector."""
    return any(connector in one.plain() for one in world.house.workspace.channel(CHANNEL).messages)


async def told_of(world: World, connector: str) -> datetime:
    """When a message first named a connector in the channel."""
    while not named(world, connector):
        await world.house.workspace.next_change(1)
    return now()
