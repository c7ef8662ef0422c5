"""`make chaos`: makes chaos for as long as asked, then says what was done and what was found; exits 1 where it differs.

python -m tests.chaos --seconds 600 --database postgresql --replicas 3 --seed 1
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bot import house
from tests.chaos.acts import act
from tests.chaos.world import World, now
from tests.databases import server_binaries, temporary_database, temporary_server

LONGEST_GAP = 15.0
QUIET_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much chaos: for how long, on which database, how many services, and by which luck."""

    seconds: float
    database: str = "sqlite"
    replicas: int = 1
    seed: int = 1


@asynccontextmanager
async def world_of(wanted: Wanted) -> AsyncIterator[World]:
    """The stand-ins, the database and the services, not started yet; all is taken away at the end."""
    async with AsyncExitStack() as stack:
        stack.callback(setattr, house, "CALM", house.CALM)  # what others begin with stays as it is
        house.CALM = now()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chargehand-chaos-")))
        url = f"sqlite:///{folder / 'chargehand.db'}"
        if wanted.database == "postgresql":
            binaries = server_binaries()
            assert binaries is not None, "PostgreSQL's server binaries (initdb, pg_ctl) were not found"
            url = stack.enter_context(temporary_database(stack.enter_context(temporary_server(binaries))))
        made = World(await stack.enter_async_context(house.open_house(url)), folder)
        made.settle_in(wanted.replicas)
        try:
            yield made
        finally:
            for replica in made.replicas:
                replica.wake()
                await replica.kill()


async def make_chaos(world: World, wanted: Wanted) -> list[str]:
    """Make chaos, heal everything, and say what differs; empty where all was said once and right."""
    chance = random.Random(wanted.seed)
    await world.start()
    await world.quiet(QUIET_SECONDS)
    loop = asyncio.get_running_loop()
    until = loop.time() + wanted.seconds
    while loop.time() < until:
        await act(world, chance)
        await asyncio.sleep(chance.random() * 4)
    await world.start()
    found = await world.quiet(QUIET_SECONDS)
    if extra := world.commands():
        found.append(f"EOSVOLT took {extra} commands that nobody asked for")
    if wanted.database == "postgresql":
        found += [f"nobody led for {gap:.1f} s" for gap in world.gaps() if gap > LONGEST_GAP]
    return found


async def main(wanted: Wanted) -> int:
    """Run it and print what came of it; the exit code."""
    async with world_of(wanted) as world:
        found = await make_chaos(world, wanted)
        done = ", ".join(f"{times} {name}" for name, times in sorted(world.done.items()))
        print(f"{wanted.database}, {wanted.replicas} service(s), seed {wanted.seed}: {done}")
        if wanted.database == "postgresql":
            print(f"{len(world.gaps())} changes of the leader, the longest gap {max(world.gaps(), default=0):.1f} s")
        messages = len(world.house.workspace.channel("#ev-alerts").messages)
        print(f"{messages} messages in the channel, {len(found)} differences")
        for line in found:
            print(f"  {line}")
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    sys.exit(asyncio.run(main(Wanted(told.seconds, told.database, told.replicas, told.seed))))
