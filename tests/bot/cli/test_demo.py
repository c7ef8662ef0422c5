"""The demo does its main job in process, by the real pipeline: cards, digest, start, acknowledgement, repair."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from bot.cli.demo import (
    DIGEST_ZONE,
    Demo,
    demo_rules,
    demo_settings,
    digest_schedule,
    running_demo,
    what_to_try,
)
from rules.documents.reader import DIGESTS
from rules.documents.schedules import next_moment
from sandbox.eosvolt.server import PortInUseError, listen
from sandbox.slack import SlackServer, SlackWorkspace
from tests.bot.house import Clock, polled_anew

RULE = "out of order for over"


async def test_the_demo_does_its_main_job_and_the_terminal_says_where_to_look() -> None:
    clock = Clock()
    async with running_demo(clock=clock) as demo:
        workspace = demo.workspace
        workspace.rate_limited = False
        alerts, daily, ops = (workspace.channel(name) for name in ("#ev-alerts", "#ev-daily", "#ev-ops"))

        digest = await workspace.wait_for(lambda: daily.messages[0] if daily.messages else None)
        assert "Sessions on" in digest.plain()
        clock.ahead += timedelta(seconds=31)
        card = await workspace.wait_for(
            lambda: next(
                (m for m in alerts.messages if demo.faulted in m.plain() and RULE in m.plain() and m.bot_id), None
            )
        )
        assert "`GroundFailure`" in card.plain()

        await workspace.slash("ada", "#ev-ops", "/charge", "status")
        told = await workspace.wait_for(lambda: workspace.ephemerals("ada"))
        assert "alerts firing" in told[0].plain()

        await workspace.slash("ole", "#ev-ops", "/charge", f"start {demo.free}")
        preview = (await workspace.wait_for(lambda: workspace.ephemerals("ole")))[0]
        await workspace.click("ole", preview, "confirm_command")
        started = await workspace.wait_for(lambda: ops.messages[0] if ops.messages else None)
        await workspace.wait_for(lambda: demo.fleet.connectors[demo.free].session_id)
        clock.ahead += timedelta(seconds=15)
        await polled_anew(demo.service)
        await workspace.wait_for(lambda: "*Charging" in started.plain())

        await workspace.click("ole", card, "acknowledge_incident")
        await workspace.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in card.plain())

        await repair_all_at_the_place_of(demo, card.plain())
        for _ in range(3):  # in steps without a gap, which would not count towards the 30 s
            await polled_anew(demo.service)
            clock.ahead += timedelta(seconds=20)
        await workspace.wait_for(lambda: "Resolved: " in card.plain())
        says_where_to_look_and_how_to_repair(demo)


async def repair_all_at_the_place_of(demo: Demo, card: str) -> None:
    async with httpx.AsyncClient() as client:
        for connector in demo.fleet.world.connectors:
            if f"`{connector}`" in card:
                url = f"{demo.eosvolt}/__sandbox__/connectors/{connector}"
                assert (await client.post(url, json={"status": "Available"})).status_code == 200


def says_where_to_look_and_how_to_repair(demo: Demo) -> None:
    """Whether the terminal does."""
    said = "\n".join(what_to_try(demo))
    assert demo.page in said
    assert demo.repair in said
    assert demo.repair.startswith(f"curl -X POST {demo.eosvolt}/__sandbox__/connectors/{demo.faulted}")


async def test_a_page_port_in_use_is_one_clear_error() -> None:
    taken = listen("127.0.0.1", 0)
    try:
        with pytest.raises(PortInUseError, match="choose another port"):
            async with running_demo(port=taken.getsockname()[1]):
                pass
    finally:
        taken.close()


def test_the_demo_uses_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SLACK_BOT_TOKEN",
        "EOSVOLT_TOKEN",
        "CHARGEHAND_ADMINS",
        "SLACK_APP_TOKEN",
        "PORT",
        "EOSVOLT_BASE_URL",
    ):
        monkeypatch.setenv(name, "1")
    settings = demo_settings("http://127.0.0.1:1", SlackServer(SlackWorkspace()), "sqlite:///demo.db")
    assert settings.secret("SLACK_BOT_TOKEN") == "xoxb-sandbox"
    assert settings.secret("EOSVOLT_TOKEN") == "sandbox-token"
    assert (settings.port, settings.chargehand_admins, settings.slack_signing_secret) == (None, (), None)


def test_digests_take_turns_so_that_none_says_the_same_twice_in_a_row() -> None:
    for minute in (0, 7, 59):
        begun = datetime(2026, 3, 4, 8, minute, 30, tzinfo=UTC)
        digests = [rule for rule in demo_rules(begun) if rule.kind == "digest"]
        assert {rule.digest for rule in digests} == set(DIGESTS)
        at = begun.replace(second=0) - timedelta(seconds=1)
        said = []
        for _ in range(15):
            coming = {rule.digest: next_moment(rule.schedule or "", DIGEST_ZONE, at) for rule in digests}
            first = min(moment for moment in coming.values() if moment is not None)
            assert next_moment(digest_schedule(begun), DIGEST_ZONE, at) == first
            said.append([kind for kind, moment in coming.items() if moment == first])
            at = first
        assert said[0] == ["sessions"]  # in the minute at which the demo begins
        assert all(len(kinds) == 1 for kinds in said)
        assert all(one != other for one, other in pairwise(said))
