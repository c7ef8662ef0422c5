"""A running stand-in workspace for each test, with a clock that the test moves."""

from collections.abc import AsyncIterator

import pytest

from sandbox.slack import HandClock, SlackServer, SlackWorkspace
from storage.engine import Database
from tests.bot.service.delivery.bench import Bench
from tests.bot.service.delivery.site import Site, site_on
from tests.notify.records import T0


@pytest.fixture
def clock() -> HandClock:
    return HandClock(T0.timestamp())


@pytest.fixture
async def server(clock: HandClock) -> AsyncIterator[SlackServer]:
    async with SlackServer(SlackWorkspace(clock=clock, rate_limited=False)) as running:
        yield running


@pytest.fixture
async def bench(server: SlackServer, clock: HandClock, sqlite: Database) -> Bench:
    return Bench(server, clock, sqlite)


@pytest.fixture
async def site(sqlite: Database, tongue: str) -> AsyncIterator[Site]:
    async with site_on(sqlite, tongue) as running:
        yield running
