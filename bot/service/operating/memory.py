"""Gives memory that nobody uses back to the system, and keeps what is free in one place, where all threads find it.

glibc gives each thread an arena of its own and keeps what was freed in it: a sweep or a storm of alerts would stand in
the memory of the process for good. Where there is no glibc nothing is done. It frees nothing that anybody holds.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

GIVE_BACK_EVERY = timedelta(minutes=1)
WORTH_IT = 16 << 20
"""Bytes by which the process must have grown: to look through all that is free takes milliseconds."""

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def share_one_arena() -> None:
    """Let all threads allocate from one arena, from now on: most of their time one of them runs anyway."""
    mallopt = of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)


@dataclass(slots=True)
class Memory:
    """What is given back when; `least` is what the process held at the least since the last time, in bytes."""

    least: int = 0

    def give_back(self) -> bool:
        """Give free pages back to the system if the process has grown since the last time; whether that was done."""
        held = resident()
        self.least = min(self.least or held, held)
        if held - self.least < WORTH_IT or (trim := of_glibc("malloc_trim")) is None:
            return False
        trim(0)
        self.least = resident()
        return True

    async def run(self, _now: datetime) -> None:
        """Give back what is free, away from the event loop: a job of the service."""
        await asyncio.to_thread(self.give_back)


def resident() -> int:
    """How many bytes of this process are in memory; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def of_glibc(name: str) -> Callable[..., Any] | None:
    """A function of glibc, None where the C library is another one."""
    try:
        libc = ctypes.CDLL(None)
        found: Callable[..., Any] = getattr(libc, name)
        return found if hasattr(libc, "gnu_get_libc_version") else None
    except (AttributeError, OSError, TypeError):
        return None
