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

START_SECONDS = 30.0
WORK_SECONDS = 12.0  # three polls: a service that is let be works little
SEEN_SECONDS = 20.0

Act = Callable[[World, random.Random], Awaitable[None]]


async def kill(world: World, chance: random.Random) -> None:
    """A service is killed and started again: at its start, after some work, or right after others have heard of it."""
    replica = chance.choice(world.replicas)
    instant = chance.random()
    if instant < 0.75:
        await replica.at_work(START_SECONDS)
    if instant < 0.35:
        await replica.worked(chance.choice([0, 0.05, 0.1, 0.2, 0.4, 0.8, 2]), WORK_SECONDS)
    elif instant < 0.75:
        await seen_outside(world, chance)
        await asyncio.sleep(chance.choice([0, 0, 0.003, 0.01, 0.03, 0.1, 0.5]))
    world.killed_at_work += await replica.at_work(0)
    await replica.kill()
    await replica.start()


async def seen_outside(world: World, chance: random.Random) -> None:
    """Wait until EOSVOLT is asked, Slack is called or a command is received, for which there is a reason now."""
    match chance.randrange(4):
        case 0:
            await world.seen(lambda: world.house.api.asked, SEEN_SECONDS)
        case 1 | 2:
            name = chance.choice(["broken", "mended"])
            await ACTS[name][0](world, chance)
            world.done[name] += 1
            await world.seen(world.written_to_slack, SEEN_SECONDS)
        case _:
            if world.people.ask(chance):
                world.done["commands asked for"] += 1
            await world.seen(lambda: len(world.house.api.received), SEEN_SECONDS)


async def stop(world: World, chance: random.Random) -> None:
    """A service is stopped as a deployment does it, and started again."""
    replica = chance.choice(world.replicas)
    code = await replica.stop()
    if code not in {0, 1, -signal.SIGTERM}:  # 1: before it was ready
        world.wrong.append(f"a service that was told to stop ended with {code}: {replica.last_words()}")
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


async def ask(world: World, chance: random.Random) -> None:
    """Somebody asks for something to be done at a charger, perhaps with two clicks."""
    world.people.ask(chance)


async def eosvolt_fails(world: World, chance: random.Random) -> None:
    """EOSVOLT answers 503, cuts its answers off, says HTML or 429, is late, or does not know what came of a command."""
    faults = world.house.api.faults
    match chance.randrange(6):
        case 0 | 1 | 2 as which:
            name = ("answers_503", "cut_off", "html")[which]
            setattr(faults, name, getattr(faults, name) + chance.randint(1, 4))
        case 3:
            faults.commands_unknown += 1
        case 4:
            faults.limited = dict.fromkeys(chance.sample(["chargers", "sessions", "reset", "start"], 2), 1)
            await asyncio.sleep(chance.random() * 3)
            faults.limited = {}
        case _:
            faults.delay_seconds = chance.random() * 4
            await asyncio.sleep(chance.random() * 4)
            faults.delay_seconds = 0


async def slack_fails(world: World, chance: random.Random) -> None:
    """Slack loses an answer, fails before or after acting, says to wait, answers late, or with half an answer."""
    faults = world.house.workspace.faults
    method = chance.choice(["chat.postMessage", "chat.update", "chat.postMessage", "chat.update", "response_url"])
    match chance.randrange(5):
        case 0:
            faults.lose_next_answer(method)
        case 1:
            faults.fail_next(method, status=chance.choice([500, 503]), after_acting=chance.random() < 0.5)
        case 2:
            faults.limit_next(method)
        case 3:
            faults.answer_next(method, '{"ok": tr')
        case _:
            faults.delay_next_answer(method, chance.random() * 3)


async def link_fails(world: World, chance: random.Random) -> None:
    """What Slack sends comes twice, or a connection is asked to come anew, is closed, or dies without a word."""
    link = world.house.workspace.link
    match chance.randrange(6):
        case 0:
            await link.ask_to_refresh()
        case 1:
            await link.kick()
        case 2:
            link.silence()
        case _:
            link.repeats += chance.randint(1, 3)


async def disk_is_full(world: World, chance: random.Random) -> None:
    """The disk of the database is full for a while; where there is none of its own, a file may not grow."""
    if world.disk is not None:
        with world.gone():
            await asyncio.to_thread(world.disk.fill)
            await asyncio.sleep(chance.random() * 8)
            world.disk.free()
        return
    pid = chance.choice(world.replicas).pid
    if pid is not None and not world.shared:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            await asyncio.sleep(chance.random() * 8)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def database_fails(world: World, chance: random.Random) -> None:
    """The database is cut off, or stands still for a while; a file is locked by somebody."""
    if not world.shared:
        with contextlib.suppress(sa.exc.OperationalError), world.database.engine.connect() as connection:
            connection.execution_options(begin="IMMEDIATE")
            with connection.begin():
                await asyncio.sleep(chance.random() * 8)
        return
    if chance.random() < 0.5:
        with contextlib.suppress(sa.exc.OperationalError):
            await asyncio.to_thread(_cut, world)
        return
    with world.gone():
        backends = await asyncio.to_thread(_backends, world)
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGSTOP)
        await asyncio.sleep(chance.random() * 8)
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGCONT)


_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def _backends(world: World) -> list[int]:
    with world.database.read() as connection:
        return list(connection.execute(sa.text(f"SELECT pid {_OTHERS}")).scalars())


def _cut(world: World) -> None:
    with world.database.read() as connection:
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {_OTHERS}"))


async def step_clock(world: World, chance: random.Random) -> None:
    """A service's clock is put forward or back for a while, by minutes."""
    replica = chance.choice(world.replicas)
    replica.step(chance.randint(-300, 300))
    await asyncio.sleep(chance.random() * 6)
    replica.step(0)


ACTS: dict[str, tuple[Act, int]] = {
    "kills": (kill, 4),
    "stops": (stop, 1),
    "freezes": (freeze, 2),
    "broken": (break_one, 4),
    "mended": (mend_one, 3),
    "EOSVOLT's faults": (eosvolt_fails, 2),
    "Slack's faults": (slack_fails, 3),
    "repeats and cuts of the link": (link_fails, 2),
    "commands asked for": (ask, 6),
    "faults of the database": (database_fails, 2),
    "full disks": (disk_is_full, 1),
    "steps of a clock": (step_clock, 1),
}
"""Every act with how often it comes beside the others."""


OF_THE_WORLD = {"broken", "mended", "commands asked for"}
"""What happens to the fleet or is asked of it: services are left no time to see it."""


async def act(world: World, chance: random.Random, kills: int = 1) -> str:
    """Do one of them, and tell which; kills come so many times as often as they stand in the table."""
    stepped = all(one.own_clock for one in world.replicas)
    names = [one for one in ACTS if stepped or one != "steps of a clock"]
    name = chance.choices(names, [ACTS[one][1] * (kills if one == "kills" else 1) for one in names])[0]
    await ACTS[name][0](world, chance)
    world.done[name] += 1
    return name
