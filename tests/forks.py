"""Processes that a test may kill, each forked in milliseconds from one process that has imported everything before.

A fork is a process of its own in every way that matters here: SIGKILL ends it at once, and what it had not written
down is gone. It is forked from Python's own fork server, which has one thread and no event loop.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from typing import Any

KILLED = -signal.SIGKILL
LONGEST_SECONDS = 60

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", "tests.delivery.service", "tests.replay.service", "tests.delivery.warm"])


def kill_myself(*_: Any, **__: Any) -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def running(target: Callable[..., None], *told: Any) -> AsyncIterator[ForkServerProcess]:
    """`target(*told)` as a process of its own; one that still runs at the end of the block is killed."""
    process = _started(target, *told)
    try:
        yield process
    finally:
        if process.exitcode is None:
            process.kill()
        await asyncio.to_thread(process.join)
        process.close()


async def run(target: Callable[..., None], *told: Any) -> int:
    """Run `target(*told)` as a process to its end; its exit code, KILLED where it was killed."""
    async with running(target, *told) as process:
        return await ended(process)


async def ended(process: ForkServerProcess) -> int:
    """Wait until the process has ended; its exit code."""
    await asyncio.to_thread(process.join, LONGEST_SECONDS)
    assert process.exitcode is not None, f"it still runs after {LONGEST_SECONDS} seconds"
    return process.exitcode


def run_and_wait(target: Callable[..., None], *told: Any) -> int:
    """As `run`, for a test that is not asynchronous."""
    process = _started(target, *told)
    process.join(LONGEST_SECONDS)
    code = process.exitcode
    process.kill()
    process.join()
    process.close()
    assert code is not None, f"it still runs after {LONGEST_SECONDS} seconds"
    return code


def _started(target: Callable[..., None], *told: Any) -> ForkServerProcess:
    process = _CONTEXT.Process(target=_quietly, args=(target, *told), daemon=True)
    process.start()
    return process


def _quietly(target: Callable[..., None], *told: Any) -> None:
    """Run `target` with nothing on standard output, where the service logs."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    target(*told)
