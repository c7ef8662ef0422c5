"""Commands against the stand-in EOSVOLT API: accepted at most once whatever becomes of answers, then seen to work."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bot.commanding import run_commands
from bot.jobs import Jobs, PollPlan, poll
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from notify.commands import COMMANDS, Enqueued, enqueue_command, wants_faster_polls
from sandbox.api import Api, create_api
from sandbox.fleet import FleetSource
from sandbox.in_process import InProcessTransport
from storage.engine import Database
from tests.sandbox.neutral import NOON, Hand, free_connector


class Link(httpx.AsyncBaseTransport):
    """The way to the API; a test takes the connection away, or the answers to commands."""

    def __init__(self, api: Api) -> None:
        self.api = InProcessTransport(api)
        self.refuse_posts = 0
        self.lose_answers = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and self.refuse_posts:
            self.refuse_posts -= 1
            raise httpx.ConnectError("refused", request=request)
        answer = await self.api.handle_async_request(request)
        if request.method == "POST" and self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadTimeout("lost", request=request)
        return answer


@dataclass
class Site:
    """A small living fleet, its API, and the service's jobs, on one clock."""

    api: Api
    link: Link
    jobs: Jobs
    clock: Hand = field(default_factory=Hand)

    @property
    def posts(self) -> list[str]:
        return [command.path for command in self.api.commands]

    def free(self) -> str:
        return free_connector(self.api.source)

    async def tick(self, seconds: float = 20) -> None:
        """Some time passes; then a poll, and what commands make of it."""
        self.clock.after(seconds=seconds)
        await poll(self.jobs, self.clock.now)
        await run_commands(self.jobs, self.clock.now)

    async def run(self) -> int:
        return await run_commands(self.jobs, self.clock.now)

    def ask(self, kind: str, nonce: str = "n", **target: Any) -> Enqueued:
        with self.jobs.database.write() as connection:
            asked = enqueue_command(
                connection, kind=kind, nonce=nonce, user="U0ADA00001", channel="C1", now=self.clock.now, **target
            )
        assert asked.is_new, asked
        return asked

    def command(self, nonce: str = "n") -> Any:
        with self.jobs.database.read() as connection:
            return connection.execute(sa.select(COMMANDS).where(COMMANDS.c.nonce == nonce)).one()

    def waits(self) -> bool:
        with self.jobs.database.read() as connection:
            return wants_faster_polls(connection, self.clock.now)

    async def until(self, *states: str, ticks: int = 30, nonce: str = "n") -> Any:
        """Tick until the command is in one of these states; its row."""
        for _ in range(ticks):
            if self.command(nonce).state in states:
                break
            await self.tick()
        assert self.command(nonce).state in states, self.command(nonce)
        return self.command(nonce)


@pytest.fixture
async def site(sqlite: Database) -> AsyncIterator[Site]:
    clock = Hand()
    api = create_api(FleetSource(4, 3, NOON), clock=clock)
    link = Link(api)
    token = TokenSource.from_text("sandbox-token")
    async with EosvoltClient(
        "http://sandbox", token, load_contract(), transport=link, attempts=1, clock=clock
    ) as client:
        jobs = Jobs(sqlite, client, PollPlan(interval=timedelta(seconds=20)))
        await poll(jobs, clock.now)
        yield Site(api, link, jobs, clock)


async def test_a_session_is_started_seen_charging_stopped_and_seen_to_end(site: Site) -> None:
    connector_id = site.free()
    site.ask("start_session", connector_id=connector_id)
    assert await site.run() == 1
    assert (site.command().state, site.waits()) == ("succeeded", True)
    started = await site.until("verified")
    assert (started.connector_id, site.waits()) == (connector_id, False)
    site.ask("stop_session", "stop", session_id=started.session_id)
    await site.until("verified", nonce="stop")
    assert site.posts == ["/v1/sessions/start", "/v1/sessions/stop"]


async def test_a_start_whose_answer_is_lost_is_accepted_once_and_seen(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.lose_answers = 1
    await site.run()
    assert site.command().state == "unknown"
    command = await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]
    assert command.session_id in site.api.source.world.sessions.rows


async def test_a_stop_whose_answer_is_lost_is_accepted_once_and_seen(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    started = await site.until("verified")
    site.ask("stop_session", "stop", connector_id=started.connector_id)
    site.link.lose_answers = 1
    await site.until("verified", nonce="stop")
    assert site.posts == ["/v1/sessions/start", "/v1/sessions/stop"]


async def test_after_the_platforms_own_time_out_nothing_is_repeated(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.faults.commands_unknown = 1
    await site.run()
    assert site.command().state == "unknown"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_a_request_lost_before_the_api_ends_as_not_verified_and_is_not_sent_again(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.faults.answers_503 = 1
    await site.run()
    assert site.command().state == "unknown"
    command = await site.until("not_verified")
    assert "the connector is Available; it was not sent again" in command.outcome
    assert site.posts == []


async def test_a_409_is_explained_in_words(site: Site) -> None:
    connector_id = site.free()
    charger_id = connector_id.rpartition(".")[0]
    site.ask("start_session", connector_id=connector_id)
    site.api.source.force_online(charger_id, False, site.clock.now)  # since the last poll, so only EOSVOLT knows
    await site.run()
    command = site.command()
    assert (command.state, command.error_code) == ("failed", "charger_offline")
    assert command.outcome.startswith("the charger is offline: start it again when it is back")
    assert site.posts == []


async def test_without_a_connection_a_command_is_tried_again_and_accepted_once(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.refuse_posts = 3
    await site.run()
    assert site.command().state == "requested"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_without_a_connection_for_long_a_command_expires_and_is_never_sent(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.refuse_posts = 1000
    await site.until("expired")
    site.link.refuse_posts = 0
    for _ in range(3):
        await site.tick(60)
    assert site.posts == []


async def test_a_refused_token_sends_nothing_until_it_is_mended(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.token = "another"
    await site.run()
    assert (site.command().state, site.command().error_code is None) == ("requested", False)
    site.api.token = "sandbox-token"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_two_tickers_at_once_send_a_command_once(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    assert sum(await asyncio.gather(site.run(), site.run(), site.run())) == 1
    assert site.posts == ["/v1/sessions/start"]


async def test_a_stuck_command_of_a_dead_process_becomes_unknown_by_itself(site: Site) -> None:
    class VanishError(BaseException):
        pass

    def vanish(point: str) -> None:
        if point == "after_call":
            raise VanishError

    site.ask("start_session", connector_id=site.free())
    with pytest.raises(VanishError):
        await run_commands(site.jobs, site.clock.now, crash_at=vanish)
    assert site.command().state == "sending"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]
