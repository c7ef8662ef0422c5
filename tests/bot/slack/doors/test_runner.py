"""Slack is told at once of an acknowledgement, which stands; listeners are known until they end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.slack.doors.answering import Answering
from bot.slack.doors.bolt_app import build_app
from bot.slack.doors.identity import Identity
from bot.slack.doors.runner import Runner
from bot.slack.web_client import WebClient

WITHIN = 20
ADDRESS = "https://slack.invalid/api/"

Listener = Callable[[AsyncAck], Awaitable[Any]]


def app_with(listener: Listener) -> tuple[AsyncApp, Runner]:
    slack = WebClient("xoxb-nobody", ADDRESS)
    app = build_app(slack, Identity(slack), ADDRESS, Answering())

    @app.command("/charge")
    async def on_charge(ack: AsyncAck, context: AsyncBoltContext) -> None:
        assert context.ack is ack
        await listener(ack)

    @app.event("app_mention")
    async def on_mention(ack: AsyncAck) -> None:
        await listener(ack)

    return app, Runner(app)


def typed(number: int = 0) -> AsyncBoltRequest:
    body = {"command": "/charge", "trigger_id": f"t{number}", "user_id": "U1", "team_id": "T1", "text": "status"}
    return AsyncBoltRequest(body=body, mode="socket_mode")


def mentioned() -> AsyncBoltRequest:
    event = {"type": "app_mention", "user": "U1", "channel": "C1", "text": "status", "ts": "1.1"}
    body = {"type": "event_callback", "event_id": "E1", "team_id": "T1", "event": event}
    return AsyncBoltRequest(body=json.dumps(body), mode="http", headers={"content-type": ["application/json"]})


async def dispatched(app: AsyncApp, request: AsyncBoltRequest) -> BoltResponse:
    return await asyncio.wait_for(app.async_dispatch(request), WITHIN)


async def test_slack_is_told_without_a_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    async def late(ack: AsyncAck) -> None:
        await asyncio.to_thread(lambda: None)
        await ack("written down")

    app, _ = app_with(late)
    monkeypatch.setattr(asyncio, "sleep", noted)
    answer = await dispatched(app, typed())
    assert (answer.status, answer.body) == (200, "written down")
    assert slept == []


async def test_an_acknowledgement_stands_whatever_comes_after_it() -> None:
    async def breaks(ack: AsyncAck) -> None:
        await ack("it came")
        await ack("it came once more")
        raise LookupError

    app, _ = app_with(breaks)
    answer = await dispatched(app, typed())
    assert (answer.status, answer.body) == (200, "it came")


async def test_one_that_breaks_before_it_is_told_to_slack_at_once() -> None:
    async def breaks(_: AsyncAck) -> None:
        raise LookupError

    app, _ = app_with(breaks)
    assert (await dispatched(app, typed())).status == 500


async def test_one_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: AsyncAck) -> None:
        await asyncio.Event().wait()

    app, runner = app_with(hangs)
    for listener in app._async_listeners:
        monkeypatch.setattr(listener, "ack_timeout", 0.01)
    assert (await dispatched(app, typed())).status == 404
    assert await runner.end(0.0) == 1


async def test_an_event_is_acknowledged_before_its_listener_begins() -> None:
    go_on = asyncio.Event()

    async def waits(_: AsyncAck) -> None:
        await go_on.wait()

    app, runner = app_with(waits)
    assert (await dispatched(app, mentioned())).status == 200
    go_on.set()
    assert await runner.end(WITHIN) == 0


async def test_those_that_are_done_in_time_end_and_the_others_are_cut_off_and_counted() -> None:
    ended, number = list[str](), [0]

    async def answers(ack: AsyncAck) -> None:
        await ack()
        number[0] += 1
        own = number[0]
        try:
            if own % 2 == 0:
                await asyncio.Event().wait()
            ended.append("answered")
        except asyncio.CancelledError:
            ended.append("cut off")
            raise

    app, runner = app_with(answers)
    for one in range(10):
        assert (await dispatched(app, typed(one))).status == 200
    assert await runner.end(0.1) == 5
    assert sorted(ended) == ["answered"] * 5 + ["cut off"] * 5
    assert await runner.end(0.1) == 0
