"""A worker a channel: each claims and sends what its channel may take now, and holds up no other.

A worker ends when nothing may go at the moment; the next tick begins another. Which message goes next is decided by
the claim, how fast by the pace.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from bot.service.delivering.delivery import LEASE, Delivery, Moment, moment_of
from bot.service.delivering.posting import send_claimed
from bot.service.delivering.probing import move_what_waits, probe
from notify.claims import Lanes, claim_next, due_channels
from storage.sharing.turns import leave_turns, take_turns


async def deliver(delivery: Delivery, now: datetime) -> int:
    """Send everything that is due at `now` and that the pace lets out; how many messages were posted or edited."""
    begun = await begin_deliveries(delivery, now)
    if not begun:
        return 0
    await asyncio.wait(begun)
    _forget_ended(delivery)
    return sum(task.result() for task in begun)


async def begin_deliveries(delivery: Delivery, now: datetime) -> list[asyncio.Task[int]]:
    """Begin a worker for each channel that is due and has none, and return at once; the workers that were begun.

    Raises what a worker raised that has ended since.
    """
    ended = _forget_ended(delivery)
    failed = [error for task in ended if (error := task.exception()) is not None]
    moment = moment_of(now)
    probes, channels = await delivery.run(_look_around, delivery, now)
    begun = [_begin(delivery, delivery.names.known(name), probe(delivery, name, moment)) for name in probes]
    by_channel: dict[str, list[str]] = {}
    for name in channels:
        by_channel.setdefault(delivery.names.known(name), []).append(name)
    begun += [_begin(delivery, known, _work(delivery, known, names, moment)) for known, names in by_channel.items()]
    if failed:
        raise failed[0] if len(failed) == 1 else BaseExceptionGroup("deliveries failed", failed)
    return [task for task in begun if task is not None]


async def end_deliveries(delivery: Delivery, seconds: float) -> None:
    """Let the workers come to the end of what they send, but not for longer than this; a claim outlives its worker."""
    tasks = list(delivery.at_work.values())
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    delivery.at_work.clear()


def leave_channels(delivery: Delivery, now: datetime) -> None:
    """Let other processes deliver at once where this one did."""
    with delivery.database.write() as connection:
        leave_turns(connection, delivery.worker, now)


def _begin(delivery: Delivery, channel: str, work: Any) -> asyncio.Task[int] | None:
    if channel in delivery.at_work:
        work.close()
        return None
    task: asyncio.Task[int] = asyncio.create_task(work, name=f"deliveries to {channel}")
    delivery.at_work[channel] = task
    return task


def _forget_ended(delivery: Delivery) -> list[asyncio.Task[int]]:
    ended = {channel: task for channel, task in delivery.at_work.items() if task.done()}
    for channel in ended:
        del delivery.at_work[channel]
    return list(ended.values())


def _look_around(delivery: Delivery, now: datetime) -> tuple[list[str], list[str]]:
    probes = move_what_waits(delivery, now)
    with delivery.database.read() as connection:
        return probes, due_channels(connection, now)


async def _work(delivery: Delivery, channel: str, names: Sequence[str], moment: Moment) -> int:
    """Send what is due in one channel, by each of its names, until nothing may go; how many messages stand."""
    sent = 0
    while (lanes := delivery.pace.lanes(channel, moment.now)).any_open:
        item: Row[Any] | None = await delivery.run(_claim, delivery, names, lanes, moment.now)
        if item is None:
            break
        sent += await send_claimed(delivery, item, moment)
    wait = delivery.pace.until_post(channel, moment.now).total_seconds()
    if wait > 0:
        delivery.again(wait)
    return sent


def _claim(delivery: Delivery, names: Sequence[str], lanes: Lanes, now: datetime) -> Row[Any] | None:
    with delivery.database.write() as connection:
        posted = take_turns(connection, names, delivery.worker, now)
        if posted is False:  # another process delivers there
            return None
        if isinstance(posted, datetime) and now - posted < delivery.pace.post_gap:
            lanes = replace(lanes, posts=False)
        return claim_next(connection, delivery.worker, now, LEASE, channels=names, lanes=lanes)
