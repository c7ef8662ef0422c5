"""Faults happen exactly where a test orders them, and what they leave behind is what Slack would leave."""

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import HandClock, SlackServer, SlackWorkspace
from sandbox.slack.workspace.faults import Faults
from tests.conftest import ROOT
from tests.sandbox.slack.app import client_of

ALERTS = "C0ALERTS01"


async def test_a_lost_answer_leaves_the_message_and_its_metadata(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    workspace.faults.lose_next_answer("chat.postMessage")
    metadata = {"event_type": "outbox", "event_payload": {"id": "17"}}
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=ALERTS, text="once", metadata=metadata)
    history = await client.conversations_history(channel=ALERTS, include_all_metadata=True)
    assert [m["metadata"]["event_payload"]["id"] for m in history["messages"]] == ["17"]


async def test_slack_sdk_left_alone_posts_twice_after_a_lost_answer(
    server: SlackServer, workspace: SlackWorkspace
) -> None:
    # Its default handler repeats a call whose connection broke: who must not double turns `retry_handlers` off.
    workspace.faults.lose_next_answer("chat.postMessage")
    client = AsyncWebClient(token=workspace.bot_token, base_url=server.api_url)
    await client.chat_postMessage(channel=ALERTS, text="once?")
    assert len(workspace.channel(ALERTS).messages) == 2


async def test_a_dropped_request_leaves_nothing(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    workspace.faults.drop_next_request("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=ALERTS, text="never")
    assert workspace.channel(ALERTS).messages == []
    assert (await client.chat_postMessage(channel=ALERTS, text="now"))["ok"]


async def test_a_refusal_is_used_up_by_its_calls(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    workspace.faults.refuse_next("chat.postMessage", "channel_not_found", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="channel_not_found"):
            await client.chat_postMessage(channel=ALERTS, text="x")
    assert (await client.chat_postMessage(channel=ALERTS, text="x"))["ok"]


async def test_a_limit_says_when_to_come_again(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    workspace.faults.limit_next("*", retry_after=30)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ALERTS, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "30"


@pytest.mark.parametrize(("after_acting", "left"), [(False, 0), (True, 1)])
async def test_a_server_error_before_or_after_acting(
    client: AsyncWebClient, workspace: SlackWorkspace, after_acting: bool, left: int
) -> None:
    workspace.faults.fail_next("chat.postMessage", 503, after_acting=after_acting)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ALERTS, text="x")
    assert caught.value.response.status_code == 503
    assert len(workspace.channel(ALERTS).messages) == left


async def test_a_delayed_answer_comes_by_the_stand_in_s_clock() -> None:
    clock = HandClock()
    workspace = SlackWorkspace(clock=clock)
    workspace.faults.delay_next_answer("chat.postMessage", 20)
    async with SlackServer(workspace) as server:
        call = asyncio.ensure_future(client_of(server).chat_postMessage(channel=ALERTS, text="x"))
        await workspace.wait_for(lambda: workspace.channel(ALERTS).messages)
        assert not call.done()
        clock.advance(20)
        assert (await call)["ok"]


async def test_a_call_can_be_held_before_and_after_it_acts(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    before = workspace.faults.hold_next_request("chat.postMessage")
    after = workspace.faults.hold_next_answer("chat.postMessage")
    first = asyncio.ensure_future(client.chat_postMessage(channel=ALERTS, text="first"))
    await before.reached()
    assert workspace.channel(ALERTS).messages == []
    second = asyncio.ensure_future(client.chat_postMessage(channel=ALERTS, text="second"))
    await after.reached()
    assert [m.text for m in workspace.channel(ALERTS).messages] == ["second"]
    assert not second.done()
    before.release()
    after.release()
    assert (await first)["ok"]
    assert (await second)["ok"]


@pytest.mark.parametrize(("acted", "left"), [(False, 0), (True, 1)])
async def test_a_client_that_dies_while_its_call_is_held_leaves_what_was_done_by_then(
    client: AsyncWebClient, workspace: SlackWorkspace, acted: bool, left: int
) -> None:
    method = "chat.postMessage"
    hold = workspace.faults.hold_next_answer(method) if acted else workspace.faults.hold_next_request(method)
    call = asyncio.ensure_future(client.chat_postMessage(channel=ALERTS, text="x"))
    await hold.reached()
    call.cancel()
    await hold.abandoned()
    hold.release()
    await client.auth_test()
    assert len(workspace.channel(ALERTS).messages) == left


async def test_a_channel_may_hang_by_itself_until_its_client_gives_up_or_it_answers_again(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    workspace.faults.hang(ALERTS)
    for end in (workspace.faults.give_up, workspace.faults.answer_again):
        hold = workspace.faults.hanging[ALERTS]
        call = asyncio.ensure_future(client.chat_postMessage(channel=ALERTS, text="x"))
        await hold.reached()
        await client.chat_postMessage(channel="C0OPS00003", text="beside it")
        end(ALERTS)
        with pytest.raises(aiohttp.ClientError):
            await call
    workspace.faults.hang(ALERTS)
    workspace.faults.give_up(ALERTS)
    workspace.faults.answer_again(ALERTS)
    await client.chat_postMessage(channel=ALERTS, text="x")
    assert len(workspace.channel(ALERTS).messages) == 3


async def test_a_response_url_can_be_lost_too(workspace: SlackWorkspace, socket_app: object) -> None:
    workspace.faults.fail_next("response_url", 500)
    await workspace.slash("ole", "#ev-ops", "/charge", "six")
    await workspace.wait_for(lambda: len(workspace.ephemerals("ole")) == 5)
    assert workspace.ephemerals("ole")[0].text == "answer 1"


@pytest.mark.parametrize("text", ["", "null", "[]", "<html>gateway</html>"])
async def test_an_answer_may_be_no_json_object_and_nothing_was_done(
    client: AsyncWebClient, server: SlackServer, workspace: SlackWorkspace, text: str
) -> None:
    workspace.faults.answer_next("chat.postMessage", text)
    headers = {"Authorization": f"Bearer {workspace.bot_token}"}
    url, said = f"{server.api_url}chat.postMessage", {"channel": ALERTS, "text": "x"}
    async with aiohttp.ClientSession(headers=headers) as plain, plain.post(url, data=said) as answer:
        assert (answer.status, await answer.text()) == (200, text)
    assert workspace.channel(ALERTS).messages == []


def test_every_order_of_a_fault_is_tried_here() -> None:
    orders = [name for name in vars(Faults) if not name.startswith("_") and name != "take"]
    tried = (ROOT / "tests" / "sandbox" / "slack" / "test_faults.py").read_text()
    assert [order for order in orders if f".faults.{order}(" not in tried] == []
