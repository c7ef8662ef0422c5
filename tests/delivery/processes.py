"""Starting the service of `tests.delivery.service` as a real process, and seeing how it ended."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL


@asynccontextmanager
async def service(**told: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """The running process; one that still runs at the end of the block is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.delivery.service",
        json.dumps(told),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run_service(**told: Any) -> int:
    """Run the process to its end; its exit code, KILLED where it died at its point."""
    async with service(**told) as process:
        return await asyncio.wait_for(process.wait(), 60)
