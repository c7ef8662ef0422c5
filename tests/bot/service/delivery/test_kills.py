"""A service killed with SIGKILL around a delivery leaves one message in the channel: never none, never two."""

from datetime import timedelta
from typing import Any

import pytest

from tests.bot.service.delivery.bench import Bench
from tests.bot.service.delivery.service import serve_once
from tests.forks import KILLED, ended, run, running

POINTS = ("claimed", "before_call", "after_call", "before_mark", "after_mark")


def told(bench: Bench, **more: Any) -> dict[str, Any]:
    return {
        "database": bench.database.url,
        "slack": bench.server.api_url,
        "token": bench.workspace.bot_token,
        "now": bench.now.isoformat(),
        **more,
    }


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_point_and_started_again_it_leaves_one_message(bench: Bench, point: str) -> None:
    bench.say()
    assert await run(serve_once, told(bench, crash_at=point)) == KILLED
    assert bench.item().shown_version == (1 if point == "after_mark" else 0)
    for seconds in (1, 120):
        bench.after(seconds)
        assert await run(serve_once, told(bench)) == 0
    (message,) = bench.messages()
    assert (bench.item().message_ts, bench.item().shown_version) == (message.ts, 1)


@pytest.mark.parametrize("acted", [False, True], ids=["before slack acted", "after slack acted"])
async def test_killed_in_the_middle_of_the_call_it_leaves_one_message(bench: Bench, acted: bool) -> None:
    bench.say()
    faults = bench.workspace.faults
    hold = faults.hold_next_answer("chat.postMessage") if acted else faults.hold_next_request("chat.postMessage")
    async with running(serve_once, told(bench)) as process:
        await hold.reached(30)
        process.kill()
        assert await ended(process) == KILLED
    assert len(bench.messages()) == int(acted)
    bench.after(120)
    assert await run(serve_once, told(bench)) == 0
    (message,) = bench.messages()
    assert bench.item().message_ts == message.ts


@pytest.mark.parametrize("by", [110, 300, -300])
@pytest.mark.parametrize("first", [False, True], ids=["after others", "the first of all"])
async def test_killed_while_its_clock_was_wrong_it_leaves_one_message(bench: Bench, by: int, *, first: bool) -> None:
    """Slack's own clock was right: by ours the message would be looked for since a moment after it was posted."""
    if not first:
        bench.say(key="before")
        await bench.deliver()
        bench.after(3600)
    bench.now += timedelta(seconds=by)
    bench.say()
    assert await run(serve_once, told(bench, crash_at="after_call")) == KILLED
    bench.now -= timedelta(seconds=by)
    for _ in range(3):
        bench.after(300)
        assert await run(serve_once, told(bench)) == 0
    assert len(bench.messages()) == (1 if first else 2)


async def test_killed_again_and_again_it_leaves_one_message(bench: Bench) -> None:
    bench.say()
    for point in ("before_call", "claimed", "after_call", "claimed", "before_mark"):
        await run(serve_once, told(bench, crash_at=point))
        bench.after(120)
    assert await run(serve_once, told(bench)) == 0
    assert len(bench.messages()) == bench.calls("chat.postMessage") == 1


async def test_killed_around_an_edit_it_shows_the_newest_version_once(bench: Bench) -> None:
    bench.say("old")
    await bench.deliver()
    for number, point in enumerate(("before_call", "after_call")):
        bench.say(f"new {number}")
        assert await run(serve_once, told(bench, crash_at=point)) == KILLED
        bench.after(120)
    assert await run(serve_once, told(bench)) == 0
    (message,) = bench.messages()
    assert "new 1" in message.text
    assert bench.item().shown_version == bench.item().version == 3
