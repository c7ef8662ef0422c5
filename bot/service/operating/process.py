"""The service as a process: its logs from the first line on, its signals, its start and its stop.

It composes nothing; `bot.service.app` does.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

import structlog

from bot.logs import configure_logs
from bot.service.app import build
from bot.setting_doubts import misspelt, odd_names, wide_files
from bot.settings import Settings

log = structlog.get_logger()


async def run_service(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT; SIGHUP reads the rules again."""
    configure_logs(settings)
    for doubt in (*misspelt(), *wide_files(), *odd_names(settings)):
        log.warning("a setting is doubtful", doubt=doubt)
    service = build(settings)
    stopping = asyncio.Event()
    with _signals({signal.SIGTERM: stopping.set, signal.SIGINT: stopping.set, signal.SIGHUP: service.reload}):
        try:
            await service.start()
            await stopping.wait()
        finally:
            await service.stop()


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
