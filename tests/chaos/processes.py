"""The services under test, each a process of its own that may be killed, frozen and started again."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PLACES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/local/lib/faketime").glob("*MT.so.1")]
FAKETIME = {"FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

WORDS = 6000
AT_WORK = b'"event": "at work"'


@dataclass(slots=True)
class Life:
    """One life of a service, from its start to its end."""

    pid: int
    ended: asyncio.Task[int]


@dataclass(slots=True)
class Replica:
    """One service. `log` takes what it says. `before` are words that its command is run by, such as a namespace's.

    Its `own_clock` can be stepped; one without reads the machine's, at a third of the work.
    """

    log: Path
    environment: Mapping[str, str]
    clock: Path  # where its clock stands, as libfaketime reads it
    port: int = 0  # where it answers who asks how it is
    before: tuple[str, ...] = ()
    own_clock: bool = bool(PLACES)
    nursery: asyncio.subprocess.Process | None = None
    life: Life | None = None
    frozen: bool = False
    starts: int = 0
    _said: int = 0  # how much its log held before this life

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        return self.life.pid if self.life is not None and not self.life.ended.done() else None

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid is not None:
            return
        nursery = await self._nursery()
        assert nursery.stdin is not None
        self.step(0)
        self._said = self.log.stat().st_size
        nursery.stdin.write(b"start\n")
        pid = int(await _said(nursery, "born"))
        self.life = Life(pid, asyncio.create_task(_end_of(nursery)))
        self.frozen = False
        self.starts += 1

    async def _nursery(self) -> asyncio.subprocess.Process:
        if self.nursery is None:
            faked = {}
            if self.own_clock:
                self.step(0)
                faked = {"LD_PRELOAD": str(PLACES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.clock), **FAKETIME}
            pipe = asyncio.subprocess.PIPE
            words = [*self.before, sys.executable, "-m", "tests.chaos.nursery"]
            with self.log.open("ab") as out:
                self.nursery = await asyncio.create_subprocess_exec(
                    *words,
                    cwd=self.log.parent,
                    env={**self.environment, **faked},
                    stdin=pipe,
                    stdout=pipe,
                    stderr=out,
                )
            await _said(self.nursery, "ready")
        return self.nursery

    async def at_work(self, seconds: float) -> bool:
        """Whether this life has come to its work, waited for so long."""
        until = asyncio.get_running_loop().time() + seconds
        while not (told := AT_WORK in self.log.read_bytes()[self._said :]):
            if self.pid is None or asyncio.get_running_loop().time() >= until:
                break
            await asyncio.sleep(0.05)
        return told and self.pid is not None

    async def worked(self, seconds: float, at_most: float) -> None:
        """Wait until it has had so many more seconds of a processor, but no longer than `at_most`."""
        loop = asyncio.get_running_loop()
        until, begun = loop.time() + at_most, self._worked()
        while self.pid is not None and self._worked() < begun + seconds and loop.time() < until:  # noqa: ASYNC110 # /proc tells nobody
            await asyncio.sleep(0.05)

    def _worked(self) -> float:
        """For how many seconds a processor was at work for it."""
        try:
            told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended, or there is no such file on this system
            return float("inf")
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

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
        if self.own_clock:
            self.clock.write_text(f"{seconds:+d}\n")

    async def ended(self) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        return await self.life.ended if self.life is not None else 0

    async def stop(self) -> int:
        """Stop it as a system does: SIGTERM, and SIGKILL after half a minute; its exit code.

        What is killed then says before where its threads stand, in its log.
        """
        self.wake()
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                return await asyncio.shield(self.ended())
        except TimeoutError:
            self.send(signal.SIGUSR1)
            await asyncio.sleep(1)
            await self.kill()
            return await self.ended()

    def last_words(self) -> str:
        """The end of what it has said in this life."""
        return self.log.read_bytes()[self._said :].decode(errors="replace")[-WORDS:]

    async def leave(self) -> None:
        """End it and its nursery for good."""
        self.wake()
        await self.kill()
        if self.nursery is not None:
            with contextlib.suppress(ProcessLookupError):
                self.nursery.kill()
            await self.nursery.wait()
            self.nursery = None


async def _said(nursery: asyncio.subprocess.Process, word: str) -> str:
    assert nursery.stdout is not None
    line = (await nursery.stdout.readline()).decode().split()
    assert line[:1] == [word], f"{line or 'nothing'} was said, not {word}: the service's log says more"
    return line[1] if len(line) > 1 else ""


async def _end_of(nursery: asyncio.subprocess.Process) -> int:
    return int(await _said(nursery, "ended"))


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service: its settings, and what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LOG_FORMAT": "json", **settings}
