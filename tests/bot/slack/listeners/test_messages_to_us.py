"""Mentions anywhere in a message, and the messages tab: both answer as /charge does."""

import pytest

from bot.slack.listeners.events import asked_of_us
from tests.bot.house import House


async def answered(house: House, said: str, person: str = "vera") -> str:
    """What is answered to a message in the thread of its own."""
    asked = await house.workspace.say(person, "#ev-ops", said)
    channel = house.workspace.channel("#ev-ops")
    thread = await house.wait_for(lambda: t if len(t := channel.thread(asked.ts)) > 1 else None)
    return str(thread[1].plain())


@pytest.mark.parametrize(
    "said",
    [
        "hey <@{bot}> status",
        "<@{bot}> Status.",
        "<@{bot}>: `status`",
        "status <@{bot}>",
        "STATUS, <@{bot}>",
        "<@{bot}> /charge status",
    ],
)
async def test_a_mention_is_understood_anywhere_and_in_any_case(house: House, said: str) -> None:
    assert "connectors" in await answered(house, said.format(bot=house.workspace.team.bot_user))


async def test_a_person_who_is_mentioned_is_not_taken_for_us(house: House) -> None:
    await house.workspace.mention("ada", "#ev-ops", "revoke <@U0OLE00002>")
    assert "They are operator by CHARGEHAND_OPERATORS" in (await house.next_whisper("ada", 0)).plain()


async def test_the_messages_tab_answers_and_acts_as_the_command_does(house: House) -> None:
    direct = house.workspace.direct_channel("U0OLE00002")

    async def told(text: str, number: int) -> str:
        await house.workspace.say("ole", direct.id, text)
        found = await house.wait_for(lambda: [m for m in direct.messages if m.user != "U0OLE00002"][number:])
        return str(found[0].plain())

    assert "connectors" in await told("status", 0)
    assert "What you can say" in await told("Help", 1)
    assert "before you confirm" in await told(f"start {house.free()}", 2)
    preview = [m for m in direct.messages if m.user != "U0OLE00002"][2]
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: house.api.commands)
    await house.workspace.say("ole", direct.id, "zebra")  # whose answer may come before the command's card or after it
    await house.wait_for(lambda: any("There is no word" in str(message.plain()) for message in direct.messages))


def test_a_mention_with_a_label_and_one_of_somebody_else_are_told_apart() -> None:
    assert asked_of_us("status, <@U0CHARGE01|Chargehand>", "U0CHARGE01") == "status"
    assert asked_of_us("<@U0CHARGE01> grant <@U0OLE00002> admin", "U0CHARGE01") == "grant <@U0OLE00002> admin"
    assert asked_of_us("<@U0OLE00002> look: <@U0CHARGE01> /Charge status", "U0CHARGE01") == "status"
    assert asked_of_us("status", "U0CHARGE01") == "status"
    assert asked_of_us("", "U0CHARGE01") == ""
