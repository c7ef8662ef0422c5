"""Long outages, one after the other, and a table of what was seen in each; exits 1 where something was lost or doubled.

python -m tests.chaos.outages --pause 300
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg

from tests.bot import house
from tests.chaos.looking import Pages, leader_of, led_since, named, pages_of, told_of
from tests.chaos.ports import HOST_SIDE, Namespace, namespace, relayed
from tests.chaos.processes import Replica
from tests.chaos.servers import Server, servers
from tests.chaos.world import World, now
from tests.databases import server_binaries

LEADS_WITHIN = 15.0
QUIET_SECONDS = 300.0
HEAD = ("Outage", "Another leads after", "Told after", "Slowest `/healthz`", "SIGTERM took", "Lost, doubled or wrong")
DATABASE = "chargehand"


@dataclass(frozen=True, slots=True)
class Seen:
    """From when on somebody else could lead, who could not, and how long a service took to stop meanwhile."""

    since: datetime
    not_by: Replica | None = None
    stop_seconds: float | None = None


@dataclass
class Scene:
    """The world, its two servers, and the network in which the first service lives, where there is one."""

    world: World
    primary: Server
    standby: Server
    network: Namespace | None
    pause: float
    wrong: list[str] = field(default_factory=list)


Outage = Callable[[Scene, Pages], Coroutine[None, None, Seen]]


async def stopped(scene: Scene, pages: Pages) -> Seen:
    """The leader stands still, and wakes up."""
    leader = await leader_of(scene.world)
    pages.leave_out(leader)
    leader.freeze()
    begun = now()
    await asyncio.sleep(scene.pause)
    leader.wake()
    await asyncio.sleep(15)  # in which it could go on with what it was about to do
    return Seen(begun, leader)


async def cut_off(scene: Scene, pages: Pages) -> Seen:
    """The cable of the leader's network is pulled, and put in again."""
    assert scene.network is not None
    first, *others = scene.world.replicas
    for other in others:
        await other.stop()
    await led_since(scene.world, now(), others[0], QUIET_SECONDS)
    assert await leader_of(scene.world) is first, "it is the leader that is cut off"
    await scene.world.start()
    for other in others:
        await other.at_work(QUIET_SECONDS)
    pages.leave_out(first)
    scene.network.cut()
    begun = now()
    await asyncio.sleep(60)
    scene.network.heal()
    await asyncio.sleep(15)
    return Seen(begun, first)


async def frozen(scene: Scene, pages: Pages) -> Seen:
    """PostgreSQL stands still; a service is told to stop meanwhile."""
    scene.primary.freeze()
    await asyncio.sleep(30)
    took = await stop_one(scene, pages)
    scene.primary.thaw()
    return Seen(now(), None, took)


async def killed(scene: Scene, pages: Pages) -> Seen:
    """PostgreSQL is killed, and started again; a service is told to stop meanwhile."""
    scene.primary.kill()
    took = await stop_one(scene, pages)
    await asyncio.sleep(5)
    await asyncio.to_thread(scene.primary.start)
    return Seen(now(), None, took)


async def failed_over(scene: Scene, _pages: Pages) -> Seen:
    """The primary is killed for good, and the standby promoted."""
    scene.primary.kill()
    await asyncio.sleep(5)
    await asyncio.to_thread(scene.standby.promote)
    return Seen(now())


async def stop_one(scene: Scene, pages: Pages) -> float:
    """Tell one to stop; how many seconds it took."""
    last = scene.world.replicas[-1]
    pages.leave_out(last)
    begun = asyncio.get_running_loop().time()
    await last.stop()
    return asyncio.get_running_loop().time() - begun


async def see(scene: Scene, name: str, outage: Outage) -> str:
    """Let an outage happen, and a connector break meanwhile; a line of the table."""
    world = scene.world
    await world.start()
    for replica in world.replicas:
        await replica.at_work(QUIET_SECONDS)
    scene.wrong += [f"before '{name}': {one}" for one in await world.quiet(QUIET_SECONDS)]
    async with pages_of(world.replicas) as pages:
        seeing = asyncio.create_task(outage(scene, pages))
        await asyncio.sleep(2)
        connector = next(one for one in world.connectors() if one not in world.broken() and not named(world, one))
        said = asyncio.create_task(told_of(world, connector))
        broken = now()
        world.house.fleet.force_connector(connector, {"status": "Faulted", "errorCode": "GroundFailure"}, broken)
        seen = await seeing
        led = await led_since(world, seen.since, seen.not_by, QUIET_SECONDS)
        told = await asyncio.wait_for(said, QUIET_SECONDS)
        slowest = pages.slowest
    await world.start()
    differences = await world.quiet(QUIET_SECONDS)
    scene.wrong += [f"after '{name}': {one}" for one in differences]
    if led > LEADS_WITHIN:
        scene.wrong.append(f"'{name}': nobody led for {led:.1f} s")
    after = (told - max(broken, seen.since)).total_seconds()
    stop = "" if seen.stop_seconds is None else f"{seen.stop_seconds:.0f} s"
    return f"| {name} | {led:.1f} s | {after:.0f} s | {slowest:.1f} s | {stop} | {len(differences)} |"


@asynccontextmanager
async def scene_of(pause: float) -> AsyncIterator[Scene]:
    """Three services on a PostgreSQL with a standby; the first in a network of its own, where this machine has one."""
    binaries = server_binaries()
    assert binaries is not None, "PostgreSQL's server binaries (initdb, pg_ctl) were not found"
    async with AsyncExitStack() as stack:
        stack.callback(setattr, house, "CALM", house.CALM)
        house.CALM = now()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chargehand-chaos-")))
        primary, standby = stack.enter_context(servers(binaries, 2))
        await asyncio.to_thread(make_pair, primary, standby)
        hosts = "".join(f"host=127.0.0.1:{one.port}&" for one in (primary, standby))
        url = f"postgresql+psycopg://chargehand@/{DATABASE}?{hosts}target_session_attrs=read-write"
        own = await stack.enter_async_context(house.open_house(url))
        network = stack.enter_context(namespace())
        world = World(own, folder)
        stack.callback(world.database.close)
        world.settle_in(3)
        if network is not None:
            first = world.replicas[0]
            first.before = network.words
            told = {name: text.replace("127.0.0.1", HOST_SIDE) for name, text in first.environment.items()}
            first.environment = {**told, "CHARGEHAND_ALLOW_HTTP": "true"}  # the stand-in is no other machine
            own.workspace.base_url = own.workspace.base_url.replace("127.0.0.1", HOST_SIDE)
            ports = [own.server.port, int(own.eosvolt.rpartition(":")[2]), primary.port, standby.port]
            for port in ports:
                await stack.enter_async_context(relayed(HOST_SIDE, port))
        try:
            yield Scene(world, primary, standby, network, pause)
        finally:
            for replica in world.replicas:
                await replica.leave()


def make_pair(primary: Server, standby: Server) -> None:
    """A primary with an empty database, and a standby that follows it."""
    primary.make()
    primary.start()
    with psycopg.connect(primary.connection, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    standby.copy(primary)
    standby.start()


async def main(pause: float, only: str) -> int:
    """See every outage whose name holds `only`, and print the table; the exit code."""
    async with scene_of(pause) as scene:
        outages: dict[str, Outage] = {
            f"The leader stands still (SIGSTOP) for {pause:.0f} s and wakes up": stopped,
            "The leader's network is cut for 60 s and healed": cut_off,
            "PostgreSQL stands still (SIGSTOP) for 30 s and more": frozen,
            "PostgreSQL is killed (SIGKILL) and started again": killed,
            "PostgreSQL is killed and a standby promoted": failed_over,
        }
        if scene.network is None:
            print("This machine makes no network namespace: that outage is left out.")
            outages = {name: one for name, one in outages.items() if one is not cut_off}
        print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
        for name, outage in outages.items():
            if only not in name:
                continue
            print(await see(scene, name, outage), flush=True)
        print(f"\nLoad {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores.")
        for line in scene.wrong:
            print(line)
    return 1 if scene.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outages", description=__doc__)
    parser.add_argument("--pause", type=float, default=300, help="for how many seconds the leader stands still")
    parser.add_argument("--only", default="", help="a part of the names of the outages that are wanted")
    told = parser.parse_args()
    sys.exit(asyncio.run(main(told.pause, told.only)))
