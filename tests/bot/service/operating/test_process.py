"""A process that is told to stop stops, also while a thread of it waits for a database that does not answer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.service.operating import process
from bot.service.operating.process import end_threads


async def test_threads_that_are_done_end_with_the_process() -> None:
    left: list[int] = []
    threads = ThreadPoolExecutor(2)
    await asyncio.get_running_loop().run_in_executor(threads, int)
    await end_threads(threads, 0, left.append)
    assert left == []


async def test_a_thread_that_hangs_does_not_hold_the_process_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "THREADS_WITHIN", 0.05)
    left: list[int] = []
    threads, answer = ThreadPoolExecutor(2), threading.Event()
    waits = asyncio.get_running_loop().run_in_executor(threads, answer.wait)
    await end_threads(threads, 0, left.append)
    assert left == [0]
    answer.set()
    await waits


async def test_a_start_that_does_not_let_go_does_not_hold_a_stop_up() -> None:
    stopping, told, freed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def start() -> None:
        stopping.set()
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                told.set()

    await process._start(start(), stopping, within=0.05)
    assert told.is_set()
    freed.set()


async def test_what_a_start_fails_with_is_told() -> None:
    async def start() -> None:
        raise ValueError("no such database")

    with pytest.raises(ValueError, match="no such database"):
        await process._start(start(), asyncio.Event())
