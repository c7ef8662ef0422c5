"""`make chaos`: makes chaos for as long as asked, then says what was done and what was found; exits 1 where it differs.

python -m tests.chaos --seconds 600 --database postgresql --replicas 3 --seed 1
python -m tests.chaos --kills 1000
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bot import house
from tests.chaos.acts import OF_THE_WORLD, act
from tests.chaos.disk import small_disk
from tests.chaos.world import World, now
from tests.databases import server_binaries, temporary_database, temporary_server

LONGEST_GAP = 15.0
QUIET_SECONDS = 600.0  # it ends as soon as it is quiet; a machine that others use is slow
DISK_MEGABYTES = {"sqlite": 350, "postgresql": 1000}  # with less than 200 free it would be told as a trouble
ENOUGH_TYPED = 10
ENOUGH_BROKEN = 10
MORE_KILLS = 10  # as often as among other chaos, where a number of them is asked for


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much chaos: for so many seconds, or kills, on which database, how many services, and by which luck.

    Services with clocks of their own can have these stepped, and cost a busy machine three times as much.
    """

    seconds: float
    database: str = "sqlite"
    replicas: int = 1
    seed: int = 1
    kills: int = 0
    own_clocks: bool = True


@asynccontextmanager
async def world_of(wanted: Wanted, server: str | None = None) -> AsyncIterator[World]:
    """The stand-ins, the database and the services, not started yet; all is taken away at the end.

    `server` is a PostgreSQL that runs already; without it the world has one of its own.
    """
    async with AsyncExitStack() as stack:
        stack.callback(setattr, house, "CALM", house.CALM)  # what others begin with stays as it is
        house.CALM = now()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chargehand-chaos-")))
        disk = stack.enter_context(small_disk(folder / "disk", DISK_MEGABYTES[wanted.database]))
        url = f"sqlite:///{folder / 'disk' / 'chargehand.db'}"
        if server is not None:
            url = stack.enter_context(temporary_database(server))
        elif wanted.database == "postgresql":
            binaries = server_binaries()
            assert binaries is not None, "PostgreSQL's server binaries (initdb, pg_ctl) were not found"
            os.chmod(folder, 0o755)  # the server is another user
            own = stack.enter_context(temporary_server(binaries, folder / "disk"))
            url = stack.enter_context(temporary_database(own))
        made = World(await stack.enter_async_context(house.open_house(url)), folder, disk)
        stack.callback(made.database.close)
        made.settle_in(wanted.replicas, wanted.own_clocks)
        try:
            yield made
        finally:
            if disk is not None:
                disk.free()
            for replica in made.replicas:
                await replica.leave()


async def make_chaos(world: World, wanted: Wanted, enough: asyncio.Event) -> list[str]:
    """Make chaos, heal everything, and say what differs; empty where all was said once and right."""
    chance = random.Random(wanted.seed)
    await world.start()
    await world.quiet(QUIET_SECONDS)
    if wanted.kills:
        await kill_often(world, chance, wanted.kills, enough)
    else:
        loop = asyncio.get_running_loop()
        until = loop.time() + wanted.seconds
        while loop.time() < until and not enough.is_set():
            if await act(world, chance) not in OF_THE_WORLD:
                await asyncio.sleep(chance.random() * 4)
    await world.people.leave()
    world.heal()
    await world.start()
    found = await world.quiet(QUIET_SECONDS)
    if wanted.database == "postgresql":
        found += [f"nobody led for {gap:.1f} s" for gap in world.gaps() if gap > LONGEST_GAP]
    people = world.people
    if people.typed >= ENOUGH_TYPED and not people.confirmed:
        found.append(f"{people.typed} commands were typed and none could be confirmed: nothing was proven of commands")
    if world.done["broken"] >= ENOUGH_BROKEN and not world.facts()["alerts"]:
        found.append("so many connectors broke and no service saw one broken: nothing was proven of alerts")
    return world.wrong + found


async def kill_often(world: World, chance: random.Random, kills: int, enough: asyncio.Event) -> None:
    """Make chaos in which kills come often."""
    while world.done["kills"] < kills and not enough.is_set():
        name = await act(world, chance, MORE_KILLS)
        if name not in OF_THE_WORLD:
            await asyncio.sleep(chance.choice([0.1, 0.2, 0.4, 0.8, 1.5, 6]))


async def main(wanted: Wanted) -> int:
    """Run it and print what came of it; the exit code. SIGTERM ends the chaos early, and what was done is compared."""
    began, enough = time.monotonic(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, enough.set)
    async with world_of(wanted) as world:
        found = await make_chaos(world, wanted, enough)
        minutes = (time.monotonic() - began) / 60
        print(f"{wanted.database}, {wanted.replicas} service(s), seed {wanted.seed}, {minutes:.0f} min", end="")
        print(f", load {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores")
        print("done: " + ", ".join(f"{times} {name}" for name, times in sorted(world.done.items())))
        print(f"{world.killed_at_work} of the kills met a service at work, the others its start")
        print("seen: " + ", ".join(f"{times} {name}" for name, times in world.facts().items()))
        if wanted.database == "postgresql":
            print(f"{len(world.gaps())} changes of the leader, the longest gap {max(world.gaps(), default=0):.1f} s")
        print(f"{len(found)} differences")
        for line in found:
            print(f"  {line}")
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0, help="end after so many kills, whatever time they take")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--machine-clock", action="store_true", help="step no clocks: the services cost a third then")
    told = parser.parse_args()
    wanted = Wanted(told.seconds, told.database, told.replicas, told.seed, told.kills, not told.machine_clock)
    sys.exit(asyncio.run(main(wanted)))
