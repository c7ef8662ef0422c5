"""The service as a process: its logs from the first line on, its signals, its start and its stop.

It composes nothing; `bot.service.app` does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from bot.logs import configure_logs
from bot.service.app import build, utc_now
from bot.service.operating.shared_clock import clock_of
from bot.setting_doubts import misspelt, odd_names, wide_files
from bot.settings import Settings

log = structlog.get_logger()


STOP_WITHIN = 15.0
"""Seconds after which a stop that hangs is ended: what was under way is safe, as it is when the process is killed.

Half of what systems give before they kill, because a busy machine hears of a stop late.
"""

START_ENDS_WITHIN = 5.0
"""Seconds that a start has to let go once it is told to."""

THREADS_WITHIN = 2.0
THREADS = 24
"""How many pieces of work wait for the database side by side."""


async def run_service(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT; SIGHUP reads the rules again.

    A stop comes to its end also where a database hangs that threads wait for.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="work")
    asyncio.get_running_loop().set_default_executor(threads)
    code = 1
    try:
        await _run(settings)
        code = 0
    finally:
        await end_threads(threads, code)


async def end_threads(threads: ThreadPoolExecutor, code: int, leave: Callable[[int], object] = os._exit) -> None:
    """Let the threads end; where one hangs, leave the process without it."""
    threads.shutdown(wait=False, cancel_futures=True)
    until = time.monotonic() + THREADS_WITHIN
    while any(thread.is_alive() for thread in threads._threads):
        if time.monotonic() > until:
            log.warning("something waits for the database without an answer; the process ends all the same")
            logging.shutdown()
            leave(code)
            return
        await asyncio.sleep(0.02)


async def _run(settings: Settings) -> None:
    configure_logs(settings)
    for doubt in (*misspelt(), *wide_files(), *odd_names(settings)):
        log.warning("a setting is doubtful", doubt=doubt)
    service = build(settings, clock=await clock_of(settings.database_url, utc_now))
    stopping = asyncio.Event()
    with _signals({signal.SIGTERM: stopping.set, signal.SIGINT: stopping.set, signal.SIGHUP: service.reload}):
        try:
            await _start(service.start(), stopping)
            await stopping.wait()
        finally:
            try:
                async with asyncio.timeout(STOP_WITHIN):
                    await service.stop()
            except TimeoutError:
                log.warning("the service did not stop in time and is cut off")


async def _start(start: Coroutine[Any, Any, None], stopping: asyncio.Event, within: float = START_ENDS_WITHIN) -> None:
    """Come to work, unless a stop comes first: a start may wait for Slack or a database, and a stop waits for neither.

    Raises what the start raises.
    """
    starting, stopped = asyncio.create_task(start), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not starting.done():
            log.info("told to stop before it was at work")
            starting.cancel()
    await asyncio.wait({starting}, timeout=within)
    if starting.done() and not starting.cancelled():
        starting.result()


@contextlib.contextmanager
def _signals(wanted: dict[signal.Signals, Callable[[], None]]) -> Any:
    loop = asyncio.get_running_loop()
    for number, act in wanted.items():
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
