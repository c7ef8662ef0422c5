"""Without the history scope a lost answer makes two cards: a click in the older one marks it, and acts once."""

import pytest

from notify.text.action_ids import ActionId
from tests.bot.house import FAULTED, House


@pytest.mark.parametrize("with_metadata", [True, False])
async def test_a_click_in_a_copy_marks_it_and_shows_on_the_card(closed_house: House, with_metadata: bool) -> None:
    house = closed_house
    house.workspace.scopes = tuple(scope for scope in house.workspace.scopes if "history" not in scope)
    house.workspace.faults.lose_next_answer("chat.postMessage")
    house.break_connector(house.free())
    await house.start(FAULTED)
    copy = await house.card_of_an_alert()
    channel = house.workspace.channel("#ev-alerts")
    card = await house.wait_for(lambda: next((one for one in channel.messages[1:] if "firing" in one.text), None))
    if not with_metadata:
        copy.metadata = None
    await house.click("ole", copy, ActionId.ACKNOWLEDGE_INCIDENT)
    await house.wait_for(lambda: "earlier copy" in copy.text.lower())
    await house.wait_for(lambda: "acknowledged" in card.text)
    assert "actions" not in [block["type"] for block in copy.blocks]
