"""The services under test, each a process of its own that may be killed, frozen and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PLACES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/local/lib/faketime").glob("*MT.so.1")]
FAKETIME = {"FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
RUN = "from bot.cli.main import main; main()"


@dataclass(slots=True)
class Replica:
    """One service. `log` takes what it says."""

    log: Path
    environment: Mapping[str, str]
    clock: Path  # where its clock stands, as libfaketime reads it
    process: asyncio.subprocess.Process | None = None
    frozen: bool = False
    starts: int = 0

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is not None and self.process.returncode is None:
            return
        faked = {}
        if PLACES:
            self.step(0)
            faked = {"LD_PRELOAD": str(PLACES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.clock), **FAKETIME}
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                RUN,
                "run",
                cwd=self.log.parent,
                env={**self.environment, **faked},
                stdout=out,
                stderr=out,
            )
        self.frozen = False
        self.starts += 1

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        self.send(signal.SIGKILL)
        await self.ended()

    def freeze(self) -> None:
        """Let it stand still."""
        self.frozen = True
        self.send(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.frozen = False
        self.send(signal.SIGCONT)

    def step(self, seconds: int) -> None:
        """Put its clock so far from the machine's."""
        self.clock.write_text(f"{seconds:+d}\n")

    async def ended(self) -> None:
        """Wait for its end."""
        if self.process is not None:
            await self.process.wait()

    async def stop(self) -> int:
        """Stop it as a system does: SIGTERM, and SIGKILL after half a minute; its exit code."""
        self.wake()
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                await self.ended()
        except TimeoutError:
            await self.kill()
        assert self.process is not None
        return self.process.returncode or 0


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service: its settings, and what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LOG_FORMAT": "json", **settings}
