"""A service that dies at any step of a command: EOSVOLT accepts it at most once, and its outcome is always stated."""

import asyncio
from itertools import product
from typing import Any

import pytest

from bot.service.commanding import run_commands
from commands.outcomes.sending import recover_commands
from sandbox.eosvolt.server import serving
from tests.bot.service.delivery.service import serve_once
from tests.bot.service.delivery.site import Site
from tests.forks import KILLED, ended, run, running

POINTS = ("before_call", "after_call", "before_mark", "after_mark")
ENDED = ("verified", "not_verified", "failed", "expired")


class Died(BaseException):
    """The service is gone."""


class HeldApi:
    """The API with its POST held before or after it acts, until the one who asked is gone."""

    def __init__(self, site: Site, *, acts: bool) -> None:
        self.site, self.acts = site, acts
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        held = scope["type"] == "http" and scope["method"] != "GET" and not self.released.is_set()
        if not held:
            await self.site.link.app(scope, receive, send)
            return
        if self.acts:
            await self.site.link.app(scope, receive, keep)
        self.reached.set()
        await self.released.wait()


def told(site: Site, address: str, **more: Any) -> dict[str, Any]:
    where = {"database": site.jobs.database.url, "eosvolt": address, "token": "sandbox-token", "tongue": site.tongue}
    return {**where, "now": site.clock.now.isoformat(), **more}


async def ask(site: Site, kind: str) -> None:
    """A start on a free connector, or a stop of a session that charges."""
    site.ask("start_session", "first" if kind == "stop_session" else "n", connector_id=site.free())
    if kind == "stop_session":
        started = await site.until("verified", nonce="first")
        site.ask("stop_session", session_id=started.session_id)
        site.api.commands.clear()


@pytest.mark.parametrize("kind", ["start_session", "stop_session"])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_step_and_started_again(site: Site, kind: str, point: str) -> None:
    await ask(site, kind)
    async with serving(site.link.app) as address:
        assert await run(serve_once, told(site, address, crash_at=point)) == KILLED
        site.clock.after(seconds=20)
        assert await run(serve_once, told(site, address)) == 0
    assert len(site.posts) == (0 if point == "before_call" else 1)
    command = await site.until(*ENDED)
    assert len(site.posts) == (0 if point == "before_call" else 1)
    assert command.state == ("verified" if site.posts else "not_verified")
    assert command.outcome


@pytest.mark.parametrize("acts", [False, True], ids=["before EOSVOLT acted", "after EOSVOLT acted"])
async def test_killed_in_the_middle_of_the_call(site: Site, acts: bool) -> None:
    await ask(site, "start_session")
    held = HeldApi(site, acts=acts)
    async with serving(held) as address:
        async with running(serve_once, told(site, address)) as process:
            await asyncio.wait_for(held.reached.wait(), 30)
            process.kill()
            assert await ended(process) == KILLED
        held.released.set()
        assert await run(serve_once, told(site, address)) == 0
    command = await site.until(*ENDED)
    assert len(site.posts) == int(acts)
    assert command.state == ("verified" if acts else "not_verified")


@pytest.mark.parametrize("kind", ["start_session", "stop_session"])
@pytest.mark.parametrize("points", list(product(POINTS, repeat=2)), ids=str)
async def test_no_order_of_deaths_makes_eosvolt_accept_twice(site: Site, kind: str, points: tuple[str, ...]) -> None:
    await ask(site, kind)
    for point in points:

        def die(reached: str, at: str = point) -> None:
            if reached == at:
                raise Died

        with site.jobs.database.write() as connection:
            recover_commands(connection, site.clock.now)
        try:
            await run_commands(site.jobs, site.clock.now, crash_at=die)
        except Died:
            site.clock.after(seconds=5)
    with site.jobs.database.write() as connection:
        recover_commands(connection, site.clock.now)
    command = await site.until(*ENDED)
    assert len(site.posts) == (0 if points[0] == "before_call" else 1)
    assert command.state == ("verified" if site.posts else "not_verified")
