"""Each lever of the demo's panel moves the world, and the service says so in Slack as it would of a real one."""

from datetime import timedelta
from typing import Any

import httpx

from bot.cli.demo import Demo, running_demo
from sandbox.slack import Message
from tests.bot.house import Clock, polled_anew


async def pull(demo: Demo, name: str, value: str | None = None) -> str:
    """Pull a lever with a choice, by default its first; what it tells."""
    async with httpx.AsyncClient() as client:
        levers = {one["name"]: one for one in (await client.get(f"{demo.page}/page/panel")).json()["levers"]}
        choices = levers[name]["choices"]
        chosen = value if value is not None else choices[0][0] if choices else ""
        answer = await client.post(f"{demo.page}/page/panel", json={"name": name, "value": chosen})
        assert answer.status_code == 200
        return str(answer.json()["told"])


async def test_levers_are_seen_in_slack() -> None:
    clock = Clock()
    async with running_demo(clock=clock, chargers=12) as demo:
        demo.workspace.rate_limited = False
        alerts, daily = demo.workspace.channel("#ev-alerts"), demo.workspace.channel("#ev-daily")
        await demo.workspace.wait_for(lambda: daily.messages)

        told = await pull(demo, "safety", demo.free)
        assert demo.free in told
        await polled_anew(demo.service)
        clock.ahead += timedelta(seconds=31)
        card = await demo.workspace.wait_for(lambda: _about(alerts.messages, demo.free))
        assert "`GroundFailure`" in card.plain()

        assert demo.free in await pull(demo, "repair", demo.free)
        assert demo.fleet.world.connectors[demo.free][1]["status"] == "Available"

        await move_the_stand_in(demo)

        before = len(daily.messages)
        assert "jumped" in await pull(demo, "digest")
        await polled_anew(demo.service)
        demo.service.ticker.wake("digests")
        await demo.workspace.wait_for(lambda: len(daily.messages) > before)


async def move_the_stand_in(demo: Demo) -> None:
    """Sites, sessions and the API itself."""
    site = demo.fleet.world.locations.ordered()[0].id
    mine = [row for row in demo.fleet.world.chargers if row.fields["locationId"] == site]
    assert "offline" in await pull(demo, "offline", site)
    assert [row.fields["online"] for row in mine] == [False] * len(mine)
    assert "online again" in await pull(demo, "online", site)
    assert [row.fields["online"] for row in mine] == [True] * len(mine)
    going_on = len(demo.fleet.world.open_sessions)
    assert "sessions have begun" in await pull(demo, "sessions")
    assert len(demo.fleet.world.open_sessions) > going_on
    for broken, mended in (("cut", "mend"), ("limit", "unlimit")):
        await pull(demo, broken)
        assert await answers_badly(demo)
        await pull(demo, mended)
        assert not await answers_badly(demo)
    assert "not to be had" in await pull(demo, "repair", "nowhere")


async def answers_badly(demo: Demo) -> bool:
    """Whether one of a few calls is refused with 429 or 503."""
    headers = {"Authorization": "Bearer sandbox-token"}
    async with httpx.AsyncClient(base_url=demo.eosvolt, headers=headers) as client:
        for _ in range(3):
            try:
                if (await client.get("/v1/chargers", params={"limit": 1})).status_code in {429, 503}:
                    return True
            except httpx.HTTPError:
                return True
    return False


def _about(messages: list[Message], connector: str) -> Any:
    return next((one for one in messages if f"`{connector}`" in one.plain() and "Safety" in one.plain()), None)
