"""Starting and stopping: preview, confirmation, one card that follows until it is verified; each click acts once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.slack.permissions import CLICK_LOOKUP_SECONDS
from sandbox.slack import Message
from tests.bot.house import FAULTED, House, open_house, polled_anew, wake_polls


def button(message: Message, action_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        element
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == action_id
    )
    return found


async def card_in(house: House, channel: str = "#ev-ops") -> Message:
    place = house.workspace.channel(channel) if channel.startswith("#") else house.workspace.direct_channel(channel)
    card: Message = await house.wait_for(lambda: place.messages[0] if place.messages else None)
    return card


def posts(house: House) -> list[str]:
    return [command.path for command in house.api.commands]


async def test_a_start_asks_is_requested_and_followed_until_it_charges(either_house: House) -> None:
    house = either_house
    connector = house.free()
    preview = await house.ask(f"start {connector}", "ole")
    assert posts(house) == []
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: "Requested by" in preview.plain())
    assert "confirm_command" not in str(preview.blocks)
    card = await card_in(house)
    await house.wait_for(lambda: house.fleet.connectors[connector].session_id)
    house.clock.ahead += timedelta(seconds=10)  # the driver's cable, in the living fleet
    await house.wait_for(lambda: "*Charging" in card.plain())
    assert house.workspace.channel("#ev-ops").messages == [card]
    assert len(posts(house)) == 1
    assert house.fleet.world.connectors[connector][1]["status"] == "Charging"


async def test_it_works_on_both_databases(database_url: str) -> None:
    async with open_house(database_url) as house:
        house.break_connector(house.free())
        await house.start(FAULTED)
        card = await house.card_of_an_alert()
        await house.click("ole", card, "acknowledge_incident")
        await house.wait_for(lambda: "Acknowledged by" in card.plain())
        for text in ("status", "locations", "chargers", f"charger {house.free()}", "sessions today"):
            assert "Chargehand has a fault" not in (await house.ask(text)).plain()
        connector = house.free()
        preview = await house.ask(f"start {connector}", "ole")
        await house.click("ole", preview, "confirm_command")
        command = await card_in(house)
        await house.wait_for(lambda: house.fleet.connectors[connector].session_id)
        house.clock.ahead += timedelta(seconds=10)
        await house.wait_for(lambda: "*Charging" in command.plain())


async def test_a_stop_ends_the_session_that_was_shown(house: House) -> None:
    connector = house.free()
    session = house.fleet.start_session(connector, None, house.clock())
    house.clock.ahead += timedelta(minutes=3)
    await polled_anew(house.running)
    preview = await house.ask(f"stop {connector}", "ole")
    assert session.id in preview.plain()
    await house.click("ole", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: "*Stopped" in card.plain())
    assert session.fields["stopReason"] == "Remote"
    assert len(posts(house)) == 1


async def test_cancel_sends_nothing(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole")
    await house.click("ole", preview, "cancel_command")
    await house.wait_for(lambda: "Cancelled" in preview.plain())
    assert "confirm_command" not in str(preview.blocks)
    assert posts(house) == []


async def test_one_person_clicking_twice_starts_once_and_is_told_so(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole")
    value = button(preview, "confirm_command")["value"]
    await asyncio.gather(*(house.click("ole", preview, "confirm_command", value) for _ in range(2)))
    await house.wait_for(
        lambda: "requested before, by <@U0OLE00002>" in preview.plain() or "Requested by" in preview.plain()
    )
    await card_in(house)
    await house.wait_for(lambda: posts(house))
    assert len(posts(house)) == 1
    assert len(house.workspace.channel("#ev-ops").messages) == 1


async def test_a_confirmation_from_before_a_restart_works_once(closed_house: House) -> None:
    house = closed_house
    await house.start()
    preview = await house.ask(f"start {house.free()}", "ole")
    await house.stop()
    await house.start()
    await house.click("ole", preview, "confirm_command")
    await card_in(house)
    await house.wait_for(lambda: posts(house))
    await house.wait_for(lambda: "Requested by" in preview.plain())


async def test_the_state_is_checked_again_at_the_click(house: House) -> None:
    connector = house.free()
    preview = await house.ask(f"start {connector}", "ole")
    house.break_connector(connector)
    await polled_anew(house.running)
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: "Nothing was sent, because things have changed" in preview.plain())
    assert posts(house) == []
    assert house.workspace.channel("#ev-ops").messages == []


async def test_the_rights_are_checked_again_at_the_click(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole")
    house.workspace.groups["S0ONCALL01"].users.clear()
    house.running.responder.permissions._remembered.clear()
    await house.click("ole", preview, "confirm_command")
    refusal = await house.next_whisper("ole", 1)
    assert "you are viewer" in refusal.plain()
    assert posts(house) == []


async def test_where_slack_does_not_tell_the_rights_in_time_nothing_is_sent(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole")
    house.running.responder.permissions._remembered.clear()
    house.running.responder.permissions.click_seconds = CLICK_LOOKUP_SECONDS
    hold = house.workspace.faults.hold_next_request("users.info")
    await house.click("ole", preview, "confirm_command")
    hold.release()
    refusal = await house.next_whisper("ole", 1)
    assert "Slack did not tell whether you have it" in refusal.plain()
    assert posts(house) == []


async def test_where_the_bot_is_no_member_the_card_goes_to_the_person(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole", "#general")
    assert json.loads(button(preview, "confirm_command")["value"])["channel"] == "U0OLE00002"
    await house.click("ole", preview, "confirm_command")
    await card_in(house, "U0OLE00002")
    assert house.workspace.channel("#general").messages == []


async def test_an_intent_that_cannot_be_written_in_time_fails_visibly_and_is_not_written_later(house: House) -> None:
    preview = await house.ask(f"start {house.free()}", "ole")
    house.running.responder.intents.write_seconds = 0.2
    with house.running.database.write():
        await house.click("ole", preview, "confirm_command")
        told = await house.next_whisper("ole", 1)
    assert "too busy" in told.plain()
    assert "confirm_command" in str(preview.blocks)
    await house.ask("status")
    assert posts(house) == []
    house.running.responder.intents.write_seconds = 2
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: len(posts(house)) == 1)


async def test_a_charger_that_cannot_start_says_why_and_what_can_be_done(house: House) -> None:
    connector = house.free()
    house.break_connector(connector)
    await polled_anew(house.running)
    refusal = await house.ask(f"start {connector}", "ole")
    assert "not possible to start" in refusal.plain()
    assert "/charge charger" in refusal.plain()
    assert "confirm_command" not in str(refusal.blocks)


@pytest.fixture
async def card(closed_house: House) -> Message:
    """The card of a connector that has been out of order for 40 minutes."""
    closed_house.break_connector(closed_house.free())
    await closed_house.start(FAULTED)
    return await closed_house.card_of_an_alert()


async def test_two_people_acknowledge_once_and_each_is_told(closed_house: House, card: Message) -> None:
    house = closed_house
    value = button(card, "acknowledge_incident")["value"]
    clicks = [house.click(user, card, "acknowledge_incident", value) for user in ("ole", "ada", "ole")]
    await asyncio.gather(*clicks)
    told = [await house.next_whisper("ada", 0), await house.next_whisper("ole", 0), await house.next_whisper("ole", 1)]
    firsts = [message for message in told if "Acknowledged: 1 alert" in message.plain()]
    others = [message for message in told if "Already acknowledged by" in message.plain()]
    assert (len(firsts), len(others)) == (1, 2)
    await house.wait_for(lambda: "Acknowledged by" in card.plain())
    assert "acknowledge_incident" not in str(card.all_blocks)
    assert _audit(house) == [("acknowledge", firsts[0].ephemeral_to, "acknowledged")]


async def test_acknowledge_works_on_a_card_from_before_a_restart(closed_house: House, card: Message) -> None:
    house = closed_house
    await house.stop()
    await house.start(FAULTED)
    await house.click("ole", card, "acknowledge_incident")
    await house.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in card.plain())


async def test_a_viewer_cannot_acknowledge(closed_house: House, card: Message) -> None:
    await closed_house.click("vera", card, "acknowledge_incident")
    assert "you are viewer" in (await closed_house.next_whisper("vera", 0)).plain()
    assert _audit(closed_house) == []


async def test_a_repaired_connector_resolves_its_card(closed_house: House, card: Message) -> None:
    house = closed_house
    broken = house.fleet.world.connectors
    faulted = next(i for i, (_, fields) in broken.items() if f"`{i}`" in card.plain())
    house.fleet.force_connector(faulted, {"status": "Available", "errorCode": None}, house.clock())
    wake_polls(house.running)
    await house.wait_for(lambda: "Resolved: " in card.plain())
    thread = house.workspace.channel("#ev-alerts")
    reply = (await house.wait_for(lambda: replies if len(replies := thread.thread(card.ts)) > 1 else None))[1]
    assert "Recovered" in reply.plain()
    assert "acknowledge_incident" not in str(card.all_blocks)


def _audit(house: House) -> list[tuple[str, str, str]]:
    with house.running.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT action, user, outcome FROM audit_entry").all()
    return [(row[0], row[1], row[2]) for row in rows]
