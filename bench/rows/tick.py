"""One tick of the service with a large fleet, through its own client over HTTP, the stand-ins on the other core.

Four steps: decode (the calls and what they say as readings), record, evaluate, say (what time makes due, and the
messages that the pace lets out at once). The service's jobs are called as its rounds call them; its ticker is not run.
"""

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bench.house import WrongWorldError
from bench.measuring import Stopwatch, peak_memory
from bench.rows.slash_command import settings_for
from bench.sandboxes import Sandboxes, sandboxes
from bench.sizes import Size
from bench.world import MINUTE, T0, Fleet, alerts, rules
from bot.service import evaluating
from bot.service.app import Service, build
from bot.service.delivering.workers import deliver
from bot.service.jobs import use_rules
from bot.service.operating.memory import Memory
from bot.service.polling import polls
from bot.service.speaking import speak
from eosvolt.client import EosvoltClient
from eosvolt.models import ChargerReading, Fetched, LocationReading, SessionReading
from rules.documents.document import rule_from_document
from storage.migrate import upgrade

T = TypeVar("T")
UNSEEN = timedelta(hours=2)
"""After so long the service sweeps again."""


class TimedClient(EosvoltClient):
    """The service's client, which knows how long its lists took: by the wall clock, and of the processor."""

    wall = cpu = 0.0

    async def _timed(self, work: Awaitable[T]) -> T:
        wall, cpu = time.perf_counter(), time.process_time()
        result = await work
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return result

    async def fetch_locations(self) -> Fetched[LocationReading]:
        """As the client does."""
        return await self._timed(super().fetch_locations())

    async def fetch_chargers(self, updated_since: datetime | None = None) -> Fetched[ChargerReading]:
        """As the client does."""
        return await self._timed(super().fetch_chargers(updated_since))

    async def fetch_sessions(self, *words: Any, **more: Any) -> Fetched[SessionReading]:
        """As the client does."""
        return await self._timed(super().fetch_sessions(*words, **more))

    async def go_on(self, rest: object) -> Fetched[Any]:
        """As the client does."""
        return await self._timed(super().go_on(rest))


class Ticks:
    """The service, its client and what is expected of it."""

    def __init__(self, watch: Stopwatch, service: Service, client: TimedClient) -> None:
        self._watch, self._service, self._client, self._memory = watch, service, client, Memory()

    async def tick(self, name: str, now: datetime, moves: int) -> None:
        """Poll what is due, evaluate and say; raises WrongWorldError where another number of alerts moves."""
        await self._poll(name, now)
        jobs = self._service.jobs
        fresh = frozenset({"locations", "chargers", "sessions"})
        moved = self._watch.time(f"{name} evaluate", lambda: evaluating.evaluate(jobs, now, fresh))
        if len(moved) != moves:
            raise WrongWorldError(f"{len(moved)} transitions where {moves} must come")
        wall, cpu = time.perf_counter(), time.process_time()
        speak(jobs, now)
        await deliver(self._service.delivery, now)
        self._watch.note(f"{name} say", time.perf_counter() - wall, cpu=time.process_time() - cpu)
        await self._memory.run(now)

    async def _poll(self, name: str, now: datetime) -> None:
        client = self._client
        client.wall = client.cpu = 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        while "chargers" not in await polls.poll(self._service.jobs, now):  # a long list takes several polls
            if time.perf_counter() - wall > 120:
                raise WrongWorldError("the chargers were not read to their end")
        took, used = time.perf_counter() - wall, time.process_time() - cpu
        self._watch.note(f"{name} decode", client.wall, cpu=client.cpu)
        self._watch.note(f"{name} record", took - client.wall, cpu=used - client.cpu)


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """A first sweep, then ticks at which one connector in a hundred has changed, then a sweep again."""
    with sandboxes(size.connectors, T0 - timedelta(hours=1)) as world:
        asyncio.run(_ticks(watch, f"sqlite:///{folder}/tick.db", world, size))
    watch.note("service memory", peak_memory(), "MB")


async def _ticks(watch: Stopwatch, database_url: str, world: Sandboxes, size: Size) -> None:
    moment = [T0]
    settings = settings_for(world.addresses, database_url)
    service = build(settings, clock=lambda: moment[0], host="127.0.0.1")
    upgrade(service.database)
    client = TimedClient(world.addresses.eosvolt, settings.token_source(), settings.contract(), clock=lambda: moment[0])
    await service.jobs.client.aclose()
    service.jobs.client = client
    given = [rule_from_document(rule, "bench") for rule in rules(size.connectors, size.rules)]
    use_rules(service.jobs, given, T0)
    ticks, turned = Ticks(watch, service, client), size.connectors // 100
    try:
        for number, (name, turn, moves) in enumerate(story(size)):
            moment[0] = T0 + (UNSEEN if name == "sweep" else number * MINUTE)
            world.turn(Fleet(size.connectors, turn, turned), moment[0])
            await ticks.tick(name, moment[0], moves)
    finally:
        await client.aclose()
        service.database.close()


def story(size: Size) -> list[tuple[str, int, int]]:
    """The ticks by name, to which turn the fleet has come, and how many alerts move.

    At every second one the fleet has turned, else it rests; at the sweep in the end it stands as it stood.
    """
    turned = size.connectors // 100
    whole = alerts(Fleet(size.connectors), size.rules)
    there = [alerts(Fleet(size.connectors, turn, turned), size.rules, turned) for turn in range(size.laps + 1)]
    ticks = [("first sweep", 0, whole), ("rest", 0, whole)]
    for turn in range(1, size.laps + 1):
        ticks += [("tick", turn, there[turn - 1] + there[turn]), ("rest", turn, there[turn])]
    return [*ticks, ("sweep", size.laps, 0)]
