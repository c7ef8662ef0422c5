"""What chaos does, one act at a time, each healed by itself or by the next start."""

import asyncio
import contextlib
import os
import random
import resource
import signal
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from tests.chaos.world import World, now

Act = Callable[[World, random.Random], Awaitable[None]]


async def kill(world: World, chance: random.Random) -> None:
    """A service is killed at a random instant, and started again."""
    replica = chance.choice(world.replicas)
    await replica.kill()
    await replica.start()


async def stop(world: World, chance: random.Random) -> None:
    """A service is stopped as a deployment does it, and started again."""
    replica = chance.choice(world.replicas)
    assert await replica.stop() in {0, -signal.SIGTERM}, "it stops by itself"
    await replica.start()


async def freeze(world: World, chance: random.Random) -> None:
    """A service stands still for a while, longer than a lease lasts or shorter."""
    replica = chance.choice(world.replicas)
    replica.freeze()
    await asyncio.sleep(chance.choice([0.5, 3, 14]) if len(world.replicas) > 1 else 1)
    replica.wake()


async def break_one(world: World, chance: random.Random) -> None:
    """A connector breaks."""
    world.house.fleet.force_connector(
        chance.choice(world.connectors()), {"status": "Faulted", "errorCode": "GroundFailure"}, now()
    )


async def mend_one(world: World, chance: random.Random) -> None:
    """One that is broken works again."""
    if broken := sorted(world.broken()):
        world.house.fleet.force_connector(chance.choice(broken), {"status": "Available", "errorCode": "NoError"}, now())


async def eosvolt_fails(world: World, chance: random.Random) -> None:
    """EOSVOLT answers 503, cuts its answers off, or says HTML."""
    faults = world.house.api.faults
    name = chance.choice(["answers_503", "cut_off", "html"])
    setattr(faults, name, getattr(faults, name) + chance.randint(1, 4))


async def slack_fails(world: World, chance: random.Random) -> None:
    """Slack does what it was asked and loses the answer, fails, says to wait, or answers late."""
    faults, method = world.house.workspace.faults, chance.choice(["chat.postMessage", "chat.update"])
    match chance.randrange(4):
        case 0:
            faults.lose_next_answer(method)
        case 1:
            faults.fail_next(method, after_acting=chance.random() < 0.5)
        case 2:
            faults.limit_next(method)
        case _:
            faults.delay_next_answer(method, chance.random() * 3)


async def database_fails(world: World, chance: random.Random) -> None:
    """The database is cut off, or stands still for a while; a file is locked by somebody, or may not grow."""
    if world.database.engine.dialect.name == "postgresql":
        backends = await asyncio.to_thread(_backends, world)
        if chance.random() < 0.5:
            await asyncio.to_thread(_cut, world)
            return
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGSTOP)
        await asyncio.sleep(chance.random() * 8)
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGCONT)
    elif chance.random() < 0.5:
        with contextlib.suppress(sa.exc.OperationalError), world.database.engine.connect() as connection:
            connection.execution_options(begin="IMMEDIATE")
            with connection.begin():
                await asyncio.sleep(chance.random() * 8)
    else:
        process = chance.choice(world.replicas).process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # the disk is full
                await asyncio.sleep(chance.random() * 8)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def _backends(world: World) -> list[int]:
    with world.database.read() as connection:
        return list(connection.execute(sa.text(f"SELECT pid {_OTHERS}")).scalars())


def _cut(world: World) -> None:
    with world.database.read() as connection:
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {_OTHERS}"))


async def step_clock(world: World, chance: random.Random) -> None:
    """A service's clock is put forward or back for a while: by minutes where it is alone, by seconds beside others."""
    replica, most = chance.choice(world.replicas), 300 if len(world.replicas) == 1 else 20
    replica.step(chance.randint(-most, most))
    await asyncio.sleep(chance.random() * 6)
    replica.step(0)


ACTS: dict[str, tuple[Act, int]] = {
    "kills": (kill, 4),
    "stops": (stop, 1),
    "freezes": (freeze, 2),
    "broken": (break_one, 3),
    "mended": (mend_one, 3),
    "EOSVOLT's faults": (eosvolt_fails, 2),
    "Slack's faults": (slack_fails, 3),
    "faults of the database": (database_fails, 2),
    "steps of a clock": (step_clock, 1),
}
"""Every act with how often it comes beside the others."""


async def act(world: World, chance: random.Random) -> None:
    """Do one of them."""
    names = list(ACTS)
    name = chance.choices(names, [ACTS[one][1] for one in names])[0]
    await ACTS[name][0](world, chance)
    world.done[name] += 1
