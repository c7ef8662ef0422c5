"""Processes that a test may kill, each forked in milliseconds from one process that has imported everything before.

A fork is a process of its own in every way that matters here: SIGKILL ends it at once, and what it had not written
down is gone. It is forked from Python's own fork server, which has one thread and no event loop.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.cli import main

KILLED = -signal.SIGKILL
LONGEST_SECONDS = 60

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *(
            "pytest",
            "tests.bot.service.delivery.service",
            "tests.bot.cli.replay.service",
            "tests.bot.service.delivery.warm",
        ),
        *(
            "bot.cli.main",
            "bot.service.app",
            "bot.cli.doctor",
            "bot.cli.replay",
            "bot.trials.rehearsal",
            "storage.migrate",
            "sandbox.recordings",
        ),
    ]
)


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


@dataclass(frozen=True)
class Done:
    """What a run of the command line left."""

    code: int
    out: str
    err: str


def command_line(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Done:
    """Run `chargehand` in a folder with only this environment, as a process of its own without a terminal."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        code = run_and_wait(_command_line, list(arguments), cwd, dict(environment), out, err)
        return Done(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _command_line(arguments: list[str], cwd: Path, environment: dict[str, str], out: Path, err: Path) -> None:
    for path, number in ((Path(os.devnull), 0), (out, 1), (err, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["chargehand", *arguments]
    main.main()


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
