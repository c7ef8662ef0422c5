"""A storm in the channel: one roll-up whose button acknowledges every alert of it."""

import re

from tests.bot.house import FAULTED, House


async def test_one_click_acknowledges_all_of_a_storm(closed_house: House) -> None:
    house = closed_house
    for number in range(4):
        house.break_connector(house.free(number))
    await house.start(FAULTED | {"group_by": ["connector"]})
    card = await house.card_of_an_alert()
    counted = re.search(r"(\d+) connectors were already so", card.plain())
    assert counted is not None
    assert int(counted[1]) >= 4
    assert len(house.workspace.channel("#ev-alerts").messages) == 1
    await house.click("vera", card, "acknowledge_incident")
    assert "you are viewer" in (await house.next_whisper("vera", 0)).plain()
    await house.click("ole", card, "acknowledge_incident")
    assert f"Acknowledged: {counted[1]} alerts" in (await house.next_whisper("ole", 0)).plain()
    await house.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in card.plain())
    assert "acknowledge_incident" not in str(card.all_blocks)
