"""Without the history scope a lost answer may make two cards: a click in the lost one is learnt from, and acts once."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from notify.text.action_ids import ActionId
from sandbox.slack import Message
from storage.schema import OUTBOX
from tests.bot.house import FAULTED, House


async def lost_card(house: House) -> Message:
    """A card that stands though Slack's answer was lost, in a channel whose history the app may not read."""
    house.workspace.scopes = tuple(scope for scope in house.workspace.scopes if "history" not in scope)
    house.workspace.faults.lose_next_answer("chat.postMessage")
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(_waits, house):
            await house.workspace.next_change(0.05)
    return card


def _waits(house: House) -> bool:
    with house.running.database.read() as connection:
        waits = connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.uncertain, OUTBOX.c.claimed_by.is_(None)))
        return waits.first() is not None


@pytest.mark.parametrize("with_metadata", [True, False])
async def test_a_click_in_a_copy_marks_it_and_shows_on_the_card(closed_house: House, with_metadata: bool) -> None:
    """The click comes as soon as both stand, so it may be heard before the answer that tells where the second does."""
    house = closed_house
    copy = await lost_card(house)
    house.clock.ahead += timedelta(seconds=10)
    channel = house.workspace.channel("#ev-alerts")
    card = await house.wait_for(lambda: next((one for one in channel.messages[1:] if "faulted" in one.text), None))
    if not with_metadata:
        copy.metadata = None
    await house.click("ole", copy, ActionId.ACKNOWLEDGE_INCIDENT)
    await house.wait_for(lambda: "earlier copy" in copy.text.lower())
    await house.wait_for(lambda: "acknowledged" in card.plain().lower())
    assert "actions" not in [block["type"] for block in copy.blocks]


async def test_a_click_in_a_card_whose_answer_was_lost_keeps_it_and_no_second_one_is_posted(
    closed_house: House,
) -> None:
    house = closed_house
    card = await lost_card(house)
    await house.click("ole", card, ActionId.ACKNOWLEDGE_INCIDENT)
    await house.wait_for(lambda: "acknowledged" in card.plain().lower())
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(OUTBOX.c.message_ts, OUTBOX.c.uncertain)).all()
    assert rows == [(card.ts, False)]
    assert [one for one in house.workspace.channel("#ev-alerts").messages if "faulted" in one.text] == [card]
