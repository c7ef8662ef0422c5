"""Runs one section of the measurements in a process of its own, so that none meets another's memory.

What goes wrong in one is told beside the others, and stops none; one that takes too long is ended with its children.
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from bench.measuring import Stopwatch, Told
from bench.sizes import Size
from bot.service.operating.collecting import collect_seldom
from bot.service.operating.memory import share_one_arena

PUT_AWAY_SECONDS = 20

Work = Callable[[Stopwatch, Path, Size], None]


class AbsentError(Exception):
    """A peer is not installed, or cannot run here; the text says which."""


@dataclass(frozen=True, slots=True)
class Section:
    """One piece of the measurements: what it does, and after how many seconds no new round is begun."""

    name: str
    work: Work
    seconds: float


def run_section(section: Section, size: Size, most: float) -> tuple[list[Told], str]:
    """Run a section to its end, or for `most` seconds; the laps that were told, and what went wrong, or nothing."""
    print(f"{section.name}", flush=True)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_alone, args=(section, size, sender))
    process.start()
    sender.close()
    try:
        told, trouble = _listen(receiver, time.monotonic() + most)
    finally:
        _end(process)
    if trouble:
        print(f"    not measured to the end: {trouble}", flush=True)
    return told, trouble


def _listen(receiver: Connection, until: float) -> tuple[list[Told], str]:
    """What a section tells until its end, or until the moment by monotonic time."""
    told: list[Told] = []
    while receiver.poll(max(until - time.monotonic(), 0)):
        try:
            said = receiver.recv()
        except EOFError:
            return told, "its process ended by itself"
        if isinstance(said, str):
            return told, said
        told.append(said)
    return told, "it took too long, and was ended"


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """Let a section put away what it started, but not for long; then end what is left of its group."""
    process.join(1)
    process.terminate()
    process.join(PUT_AWAY_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()


def _alone(section: Section, size: Size, sender: Connection) -> None:
    """The section in its own process, which leads its own group, so that its children can be ended with it."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # the service's own lines would stand between the figures
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    collect_seldom()  # as the service does
    share_one_arena()
    trouble = ""
    try:
        with TemporaryDirectory(prefix="chargehand-bench-") as folder:
            section.work(Stopwatch(sender.send, section.seconds), Path(folder), size)
    except AbsentError as absent:
        trouble = str(absent)
    except Exception as error:
        traceback.print_exc()
        trouble = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    sender.send(trouble)
