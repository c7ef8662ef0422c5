"""The whole service, in a process of its own, while the machine's clock is really stepped under it (libfaketime)."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from sandbox.eosvolt.server import serving
from tests.bot.house import House
from tests.bot.service.test_app import environment
from tests.conftest import ROOT

PLACES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/local/lib/faketime").glob("*MT.so.1")]
RULE = """
- name: faulted
  for_each: connector
  when: connector.status == "Faulted"
  group_by: [connector]
  severity: critical
  notify: ["#ev-alerts"]
"""
RUN = (
    "import asyncio; from bot.service.operating.process import run_service; "
    "from bot.settings import load_settings; "
    "asyncio.run(run_service(load_settings()))"
)


@dataclass
class Heard:
    """The stand-in API, and what it was asked about chargers: from when on changes were asked for, None for all."""

    api: Any
    since: list[datetime | None] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/v1/chargers":
            asked = parse_qs(scope["query_string"].decode()).get("updatedSince")
            self.since.append(datetime.fromisoformat(asked[0]) if asked else None)
            self.came.set()
        await self.api(scope, receive, send)


@dataclass
class Stepped:
    """A service whose clock is that of the house, and as much apart from it as a test says."""

    house: House
    heard: Heard
    file: Path
    process: asyncio.subprocess.Process | None = None
    apart: timedelta = timedelta()

    def step(self, apart: timedelta = timedelta()) -> None:
        self.apart = apart
        offset = self.house.clock() - datetime.now(UTC) + apart
        self.file.write_text(f"{round(offset.total_seconds()):+d}\n")

    async def polls(self, many: int) -> list[datetime | None]:
        """The next polls: each comes by monotonic time, so none may be as far away as the clock was put."""
        begun = len(self.heard.since)
        while len(self.heard.since) < begun + many:
            self.heard.came.clear()
            await asyncio.wait_for(self.heard.came.wait(), 120)
        return self.heard.since[begun:]

    def look_at_itself(self) -> None:
        """Have the watchdog look now: it does after the rules are read again, and else twice a minute."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    async def says(self, text: str) -> None:
        """Wait until the alert channel holds these words; the wait for an alert's group is over for both clocks."""
        channel = self.house.workspace.channel("#ev-alerts")

        def is_said() -> bool:
            return any(text in one.plain() for one in channel.messages)

        if is_said():
            return
        await self.polls(3)
        self.house.clock.ahead += timedelta(seconds=31)
        self.step(self.apart)
        await self.house.workspace.wait_for(is_said, 90)


@asynccontextmanager
async def stepped(house: House, folder: Path) -> AsyncIterator[Stepped]:
    if not PLACES:
        pytest.skip("libfaketime is absent: Debian's package libfaketime was not found")
    rules = folder / "rules.yaml"
    rules.write_text(RULE)
    heard = Heard(house.api)
    service = Stepped(house, heard, folder / "clock")
    service.step()
    async with serving(heard) as url:
        process = service.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN,
            cwd=ROOT,
            env={
                **environment(house, CHARGEHAND_RULES=str(rules), CHARGEHAND_ALERT_CHANNEL="#ev-alerts"),
                "EOSVOLT_BASE_URL": url,
                "LD_PRELOAD": str(PLACES[0]),
                "FAKETIME_TIMESTAMP_FILE": str(service.file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else each thread that waits for another spins meanwhile
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield service
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_clock_that_is_stepped_holds_up_no_job_and_no_alert_and_is_told(
    closed_house: House, tmp_path: Path
) -> None:
    async with stepped(closed_house, tmp_path) as service:
        house = service.house
        first, second, third = house.free(0), house.free(1), house.free(2)
        assert None in await service.polls(2)

        service.step(-timedelta(minutes=3))
        await service.polls(3)
        house.break_connector(first)
        service.look_at_itself()
        await service.says(first)
        await service.says("The clock was put back by 3 min")

        service.step(timedelta(days=30))
        await service.polls(4)
        service.step()
        asked = await service.polls(4)  # the first of them may have begun before, the second by the clock as it was
        assert None in asked, "everything is asked for again"
        assert all(since is None or since <= house.clock() + timedelta(minutes=2) for since in asked[2:])
        house.break_connector(second)
        await service.says(second)
        assert all(since is not None for since in await service.polls(2))  # and then what changed

        if os.environ.get("CI"):
            service.step(timedelta(hours=12))
            await service.polls(4)
            service.step()
            house.break_connector(third)
            await service.says(third)
