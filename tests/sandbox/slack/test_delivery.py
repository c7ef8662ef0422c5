"""Envelopes and requests reach the app as Slack sends them: once, signed, in time, and events again when unanswered."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from sandbox.slack import HandClock, SlackServer, SlackWorkspace
from tests.sandbox.slack.app import client_of, in_http_mode, in_socket_mode

Json = dict[str, Any]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(time.time())


@pytest.fixture
async def workspace(clock: HandClock) -> SlackWorkspace:
    return SlackWorkspace(clock=clock, rate_limited=False)


@asynccontextmanager
async def websocket(server: SlackServer) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A bare connection that has been greeted and acknowledges nothing by itself."""
    client = client_of(server)
    address = (await client.apps_connections_open(app_token=server.workspace.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        hello = await socket.receive_json()
        assert hello["type"] == "hello"
        yield socket


async def acknowledge(socket: aiohttp.ClientWebSocketResponse, envelope: Json) -> None:
    await socket.send_json({"envelope_id": envelope["envelope_id"]})


async def attempted(workspace: SlackWorkspace, times: int) -> None:
    await workspace.wait_for(lambda: len(workspace.deliveries[0].attempts) == times)


async def test_what_is_repeated_on_the_way_comes_twice_and_counts_once(
    server: SlackServer, workspace: SlackWorkspace
) -> None:
    workspace.link.repeats = 1
    async with websocket(server) as socket:
        typing = asyncio.create_task(workspace.slash("ole", "#ev-ops", "/charge", "status"))
        seen = [await socket.receive_json(), await socket.receive_json()]
        for envelope in seen:
            await acknowledge(socket, envelope)
        assert (await typing).ok
        assert seen[0]["payload"] == seen[1]["payload"]
        assert len(workspace.deliveries[0].attempts) == 1
        assert workspace.link.repeats == 0


async def test_an_unacknowledged_event_comes_again_three_times(
    server: SlackServer, workspace: SlackWorkspace, clock: HandClock
) -> None:
    async with websocket(server) as socket:
        await workspace.mention("ole", "#ev-ops", "status")
        delivery = workspace.deliveries[0]
        seen = [await socket.receive_json()]
        for done, delay in enumerate((0, 60, 300), start=1):
            clock.advance(3)
            await attempted(workspace, done)
            clock.advance(delay)
            seen.append(await socket.receive_json())
        clock.advance(3)
        await attempted(workspace, 4)
    assert [e["retry_attempt"] for e in seen] == [0, 1, 2, 3]
    assert [e["retry_reason"] for e in seen] == ["", "timeout", "timeout", "timeout"]
    assert len({e["payload"]["event_id"] for e in seen}) == 1
    assert len({e["envelope_id"] for e in seen}) == 4
    assert not delivery.acknowledged


async def test_an_acknowledged_event_does_not_come_again(
    server: SlackServer, workspace: SlackWorkspace, clock: HandClock
) -> None:
    async with websocket(server) as socket:
        await workspace.mention("ole", "#ev-ops", "status")
        await acknowledge(socket, await socket.receive_json())
        await workspace.wait_for(lambda: workspace.deliveries[0].acknowledged)
        clock.advance(1000)
        await workspace.mention("ole", "#ev-ops", "again")
        second = await socket.receive_json()
    assert second["payload"]["event"]["text"].endswith("again")
    assert len(workspace.deliveries[0].attempts) == 1


async def test_a_command_without_an_answer_fails_visibly_and_is_not_sent_again(
    server: SlackServer, workspace: SlackWorkspace, clock: HandClock
) -> None:
    async with in_socket_mode(server) as heard:
        # The app never acknowledges this one; the clock moves as soon as the app has it.
        command = asyncio.ensure_future(workspace.slash("ole", "#ev-ops", "/charge", "silence"))
        await workspace.wait_for(lambda: heard.bodies)
        clock.advance(3)
        outcome = await command
        assert outcome.error == "operation_timeout"
        assert workspace.ephemerals("ole")[0].text == '/charge failed with the error "operation_timeout"'
        assert len(workspace.deliveries[0].attempts) == 1


async def test_a_command_without_any_connection_fails_at_once(workspace: SlackWorkspace) -> None:
    assert (await workspace.slash("ole", "#ev-ops", "/charge", "status")).error == "dispatch_failed"


async def test_each_event_goes_to_one_connection_only(server: SlackServer, workspace: SlackWorkspace) -> None:
    async with websocket(server) as one, websocket(server) as other:
        texts = []
        for number in range(4):
            await workspace.mention("ole", "#ev-ops", str(number))
            socket = one if number % 2 == 0 else other
            envelope = await socket.receive_json()
            texts.append(envelope["payload"]["event"]["text"])
            await acknowledge(socket, envelope)
    assert [t[-1] for t in texts] == ["0", "1", "2", "3"]
    assert [len(d.attempts) for d in workspace.deliveries] == [1, 1, 1, 1]


async def test_the_eleventh_connection_is_turned_away(server: SlackServer) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(websocket(server))
        address = (await client_of(server).apps_connections_open(app_token=server.workspace.app_token))["url"]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        socket = await stack.enter_async_context(session.ws_connect(address))
        assert await socket.receive_json() == {"type": "disconnect", "reason": "too_many_websockets"}


async def test_a_websocket_address_works_once(server: SlackServer) -> None:
    address = (await client_of(server).apps_connections_open(app_token=server.workspace.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)


@pytest.mark.parametrize("trouble", ["kick", "refresh", "silence"])
async def test_bolt_comes_back_after_its_connection_is_lost(
    server: SlackServer, workspace: SlackWorkspace, trouble: str
) -> None:
    async with in_socket_mode(server, ping_interval=1.0 if trouble == "silence" else 20.0):
        before = workspace.link.connections[0]
        if trouble == "kick":
            await workspace.link.kick()
        elif trouble == "refresh":
            await workspace.link.ask_to_refresh()
        else:
            workspace.link.silence()
        await workspace.wait_for(lambda: [c.number for c in workspace.link.connections if c is not before])
        await workspace.wait_for(lambda: before not in workspace.link.connections)
        assert (await workspace.slash("ole", "#ev-ops", "/charge", "now")).ok


async def test_a_request_with_a_wrong_signature_is_refused(server: SlackServer, workspace: SlackWorkspace) -> None:
    async with in_http_mode(server) as heard:
        workspace.signing_secret = "another"
        assert (await workspace.slash("ole", "#ev-ops", "/charge", "status")).error == "dispatch_failed"
    assert heard.bodies == []


@pytest.mark.parametrize(("age", "error"), [(290, None), (301, "dispatch_failed")])
async def test_a_request_older_than_five_minutes_is_refused(age: int, error: str | None) -> None:
    workspace = SlackWorkspace(clock=HandClock(time.time() - age))
    async with SlackServer(workspace) as server, in_http_mode(server):
        assert (await workspace.slash("ole", "#ev-ops", "/charge", "now")).error == error


async def listening(workspace: SlackWorkspace, take: Callable[[web.Request], Awaitable[web.Response]]) -> web.AppRunner:
    """An app in HTTP mode that takes what Slack sends; its end is the caller's."""
    app = web.Application()
    app.router.add_post("/slack/events", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    workspace.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    return runner


async def test_requests_are_signed_and_events_retried_with_their_reason(
    workspace: SlackWorkspace, clock: HandClock, server: SlackServer
) -> None:
    seen: list[tuple[dict[str, str], Json]] = []
    verifier = SignatureVerifier(workspace.signing_secret)

    async def take(request: web.Request) -> web.Response:
        body = await request.text()
        assert verifier.is_valid_request(body, dict(request.headers))
        seen.append((dict(request.headers), json.loads(body)))
        return web.Response(status=200 if len(seen) == 2 else 500)

    runner = await listening(workspace, take)
    await workspace.mention("ole", "#ev-ops", "status")
    await workspace.wait_for(lambda: workspace.deliveries[0].acknowledged)
    await workspace.link.close()
    await runner.cleanup()
    assert "X-Slack-Retry-Num" not in seen[0][0]
    assert seen[1][0]["X-Slack-Retry-Num"] == "1"
    assert seen[1][0]["X-Slack-Retry-Reason"] == "http_error"
    assert seen[0][1]["event_id"] == seen[1][1]["event_id"]


async def test_what_comes_after_the_close_is_sent_to_nobody(workspace: SlackWorkspace) -> None:
    seen: list[str] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.text())
        return web.Response()

    runner = await listening(workspace, take)
    assert (await workspace.slash("ole", "#ev-ops", "/charge", "status")).ok
    await workspace.link.close()
    assert not (await workspace.slash("ole", "#ev-ops", "/charge", "status")).ok
    await workspace.mention("ole", "#ev-ops", "status")
    await runner.cleanup()
    assert len(seen) == 1


async def test_two_connections_of_one_app_share_its_work(server: SlackServer, workspace: SlackWorkspace) -> None:
    async with in_socket_mode(server) as one, in_socket_mode(server) as other:
        for _ in range(4):
            assert (await workspace.slash("ole", "#ev-ops", "/charge", "now")).ok
        assert (len(one.bodies), len(other.bodies)) == (2, 2)


async def test_only_subscribed_events_are_sent(
    server: SlackServer, workspace: SlackWorkspace, clock: HandClock
) -> None:
    await workspace.say("ole", "#ev-ops", "just talking")
    await workspace.join("ole", "#general")
    assert workspace.deliveries == []
    workspace.subscriptions = frozenset({"message", "member_joined_channel", "channel_archive"})
    await workspace.say("ole", "#ev-ops", "just talking")
    await workspace.join(workspace.team.bot_user, "#general", inviter="ole")
    workspace.archive("#ev-daily")
    kinds = [d.payload["event"]["type"] for d in workspace.deliveries]
    assert kinds == ["message", "member_joined_channel", "channel_archive"]
