"""What acts on Chargehand itself is shown before it is done, and told to the channels that it concerns, once."""

import asyncio
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from sandbox.slack import Message
from storage.schema import ALERT, SILENCE
from tests.bot.house import FAULTED, House, polled_anew
from tests.bot.slack.charge.acting.test_automations import HEALING
from tests.bot.slack.charge.confirming import confirmed

SAFE: dict[str, Any] = {
    "name": "ground-fault",
    "for_each": "connector",
    "when": 'connector.error_code == "GroundFailure"',
    "severity": "critical",
    "safety": True,
    "labels": {"team": "safety"},
    "notify": ["#ev-ops"],
}


@pytest.fixture
async def ruled(closed_house: House) -> House:
    """The service at work with a rule over connectors and one of safety that speaks in another channel."""
    at_once = {key: value for key, value in FAULTED.items() if key != "for"}
    await closed_house.start(at_once, SAFE)
    return closed_house


def lines(house: House, channel: str, what: str) -> list[Message]:
    return [message for message in house.workspace.channel(channel).messages if what in message.plain()]


async def firing(house: House, rule: str, number: int = 1) -> None:
    """Return once at least so many alerts of a rule fire."""
    statement = sa.select(sa.func.count()).where(ALERT.c.rule_id == rule, ALERT.c.state == "firing")
    async with asyncio.timeout(60):
        while True:
            await polled_anew(house.running)
            with house.running.database.read() as connection:
                if connection.execute(statement).scalar_one() >= number:
                    return


def silences(house: House) -> int:
    with house.running.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(SILENCE)).scalar_one())


@pytest.mark.parametrize("about", ["rule=ground-fault", "team=safety", "{broken}"])
async def test_a_silence_of_safety_is_shown_first_and_told_where_it_would_have_spoken(ruled: House, about: str) -> None:
    house, broken = ruled, ruled.free()
    if about == "{broken}":
        house.break_connector(broken)
        await firing(house, "ground-fault")
    said = f"silence {about.format(broken=broken)} for 2h Known <!channel> leak"
    preview = await house.ask(said, "ole")
    assert "*It covers alerts of safety (`ground-fault`)" in preview.plain()
    assert silences(house) == 0
    await house.click("ole", preview, "confirm_words")
    await house.wait_for(lambda: "is in force" in preview.plain())
    (told,) = await house.wait_for(lambda: lines(house, "#ev-ops", "silenced"))
    assert "<@U0OLE00002> silenced" in told.plain()
    assert "*It covers alerts of safety" in told.plain()
    assert "Known" in told.plain()
    assert "<!channel>" not in str(told.blocks)
    assert silences(house) == 1


async def test_a_silence_of_more_than_ten_alerts_is_shown_first(ruled: House) -> None:
    house = ruled
    said = "silence rule=connector-faulted for 2h Known"
    for connector in list(house.fleet.connectors)[:12]:
        told = {"status": "Faulted", "errorCode": "InternalError"}
        house.fleet.force_connector(connector, told, house.clock())
    await firing(house, "connector-faulted", 11)
    preview = await house.ask(said, "ole")
    number = int(preview.plain().split("It concerns ")[1].split(" ")[0])
    assert number > 10
    assert silences(house) == 0
    await house.click("ole", preview, "confirm_words")
    (line,) = await house.wait_for(lambda: lines(house, "#ev-alerts", "silenced"))
    assert f"{number} alerts that fire now are quiet" in line.plain()


async def test_a_small_silence_is_made_at_once_and_told_to_nobody(ruled: House) -> None:
    answer = (await ruled.ask("silence rule=connector-faulted for 2h Known", "ole")).plain()
    assert "is in force" in answer
    assert silences(ruled) == 1
    assert lines(ruled, "#ev-alerts", "silenced") == []


async def test_automations_are_switched_on_after_a_preview_and_their_channels_are_told(closed_house: House) -> None:
    house = closed_house
    await house.start(HEALING, SAFE)
    preview = await house.ask("automations on")
    assert "`self-healing`: soft reset" in preview.plain()
    assert "Automations are *dry-run*" in (await house.ask("automations")).plain()
    await house.click("ada", preview, "confirm_words")
    (told,) = await house.wait_for(lambda: lines(house, "#ev-alerts", "switched automations"))
    assert "<@U0ADA00001> switched automations from dry-run to on: rules act by themselves" in told.plain()
    await house.ask("automations off")
    await house.wait_for(lambda: lines(house, "#ev-alerts", "from on to off"))
    assert lines(house, "#ev-ops", "switched automations") == [], "no rule that acts speaks there"


async def test_a_rule_switched_off_or_deleted_is_told_where_it_spoke(ruled: House) -> None:
    house = ruled
    added = await house.ask("rules add name: hot; for_each: charger; when: charger.online; notify: #ev-ops")
    await house.click("ada", added, "confirm_rule")
    await house.wait_for(lambda: "before you confirm" not in added.plain())
    for said, told in (("off", "switched off the rule `hot`"), ("delete", "deleted the rule `hot`")):
        preview = await house.ask(f"rules {said} hot")
        await house.click("ada", preview, "confirm_rule")
        (line,) = await house.wait_for(partial(lines, house, "#ev-ops", told))
        assert "<@U0ADA00001>" in line.plain()


async def test_a_preview_by_mention_is_for_one_person_alone(ruled: House) -> None:
    await ruled.workspace.mention("ole", "#ev-ops", "silence rule=ground-fault for 2h Known")
    preview = await ruled.next_whisper("ole", 0)
    assert "before you confirm" in preview.plain()
    assert lines(ruled, "#ev-ops", "before you confirm") == []


async def test_the_confirmed_words_are_those_that_were_shown(ruled: House) -> None:
    answer = await confirmed(ruled, "silence rule=ground-fault for 2h “Known” &amp;amp; &lt;b&gt; leak.")
    assert "is in force" in answer.plain()
    with ruled.running.database.read() as connection:
        assert connection.execute(sa.select(SILENCE.c.reason)).scalar_one() == "Known &amp; <b> leak"
