"""A request is let through once, among as many as are remembered."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.slack.doors import bolt_app
from bot.slack.doors.answering import Answering
from bot.slack.doors.bolt_app import Gate


async def let_through(gate: Gate, trigger: str) -> bool:
    """Whether a request goes on to its listener."""
    gone_on = list[bool]()

    async def go_on() -> Any:
        gone_on.append(True)

    request = AsyncBoltRequest(body={"command": "/charge", "trigger_id": trigger}, mode="socket_mode")
    await gate.async_process(req=request, resp=BoltResponse(status=200), next=go_on)
    return gone_on == [True]


async def test_a_request_goes_on_once_until_as_many_came_after_it_as_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bolt_app, "REMEMBERED", 3)
    gate = Gate("https://slack.invalid/api/", Answering())
    assert [await let_through(gate, trigger) for trigger in "abcabc"] == [True] * 3 + [False] * 3
    assert await let_through(gate, "d"), "the fourth, for which the first is forgotten"
    assert [await let_through(gate, trigger) for trigger in "bcda"] == [False, False, False, True]
