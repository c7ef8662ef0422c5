"""Reset, unlock, enable, disable and approval in Slack: preview, confirmation, one card; each click acts once."""

import asyncio
from datetime import timedelta

import pytest

from commands.requests.enqueue import Enqueued, enqueue_command
from sandbox.slack import Message
from tests.bot.house import House, polled_anew
from tests.bot.slack.charge.acting.test_session_commands import button, card_in, posts


async def confirmed(house: House, text: str) -> Message:
    """Ask and confirm; the card."""
    preview = await house.ask(text, "ole")
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: "Requested by" in preview.plain())
    return await card_in(house)


async def test_a_hard_reset_is_followed_until_the_charger_is_back(house: House) -> None:
    charger = house.free().rpartition(".")[0]
    preview = await house.ask(f"reset {charger} hard", "ole")
    assert "*Reset* (hard: its power is cut) charger" in preview.plain()
    assert button(preview, "confirm_command")["style"] == "danger"
    await house.click("ole", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: posts(house))
    assert posts(house) == [f"/v1/chargers/{charger}/reset"]
    await house.wait_for(lambda: "EOSVOLT accepted the hard reset" in card.plain())
    await polled_anew(house.running)
    house.clock.ahead += timedelta(minutes=2)
    await house.wait_for(lambda: "*Done" in card.plain())
    assert "it was away and is back" in card.plain()


async def test_out_of_service_and_back(house: House) -> None:
    connector = house.free()
    card = await confirmed(house, f"disable {connector}")
    await house.wait_for(lambda: "*Done" in card.plain())
    refused = await house.ask(f"disable {connector}", "ole")
    assert "already out of service (Unavailable)" in refused.plain()
    preview = await house.ask(f"enable {connector}", "ole")
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: house.fleet.world.connectors[connector][1]["status"] == "Available")
    assert posts(house) == [f"/v1/chargers/{connector.rpartition('.')[0]}/availability"] * 2


async def test_rules_that_cannot_act_keep_back_no_command_of_a_person_and_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("no rule can act")

    monkeypatch.setattr("bot.service.app.automate", broken)
    card = await confirmed(house, f"disable {house.free()}")
    await house.wait_for(lambda: posts(house))
    await house.wait_for(lambda: "*Done" in card.plain())
    await house.wait_for(lambda: house.running.ticker.states["commands"].error is not None)
    assert "RuntimeError" in str(house.running.ticker.states["commands"].error)
    assert "The job commands fails" in (await house.ask("health")).plain()


async def test_a_refused_right_is_told_and_asked_for_again_by_the_next_who_tries(house: House) -> None:
    connector = house.free()
    charger = connector.rpartition(".")[0]
    house.api.faults.forbidden = frozenset({"reset"})
    card = await confirmed(house, f"reset {charger}")
    await house.wait_for(lambda: "give its key the scope in the EOSVOLT admin portal" in card.plain())
    assert "(EOSVOLT said: The account has no access to 'reset')" in card.plain()
    preview = await house.ask(f"reset {charger}", "ada")
    assert "the last such command was refused, because the EOSVOLT key had no right to it" in preview.plain()
    assert "admin portal" not in (await house.ask(f"unlock {connector}", "ada")).plain(), "another call, another right"
    assert connector in (await house.ask(f"charger {charger}", "ada")).plain()
    house.api.faults.forbidden = frozenset()
    await house.click("ada", preview, "confirm_command")
    said = house.workspace.channel("#ev-ops").messages
    await house.wait_for(lambda: any("accepted the soft reset" in message.text for message in said))
    await polled_anew(house.running)
    house.clock.ahead += timedelta(minutes=2)
    await house.wait_for(lambda: any("Done" in message.text for message in said))
    assert posts(house) == [f"/v1/chargers/{charger}/reset"]
    again = await house.ask(f"reset {house.free(5).rpartition('.')[0]}", "ole")
    assert "had no right" not in again.plain(), "it has it now"


async def test_a_session_that_began_after_the_preview_is_not_ended(house: House) -> None:
    connector = house.free()
    charger = connector.rpartition(".")[0]
    preview = await house.ask(f"reset {charger}", "ole")
    house.fleet.start_session(connector, None, house.clock())
    await polled_anew(house.running)
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: "things have changed" in preview.plain())
    assert posts(house) == []


async def test_an_unlock_names_the_session_that_it_ends(house: House) -> None:
    connector = house.free()
    session = house.fleet.start_session(connector, None, house.clock())
    house.clock.ahead += timedelta(minutes=2)
    await polled_anew(house.running)
    preview = await house.ask(f"unlock {connector}", "ole")
    assert f"this ends session {session.id} on connector {connector}" in preview.plain()
    await house.click("ole", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: "*Done" in card.plain())
    assert session.fields["stopReason"] == "UnlockCommand"


@pytest.mark.parametrize("word", ["reset", "unlock", "enable", "disable"])
async def test_a_viewer_may_not_and_an_id_is_asked_for(house: House, word: str) -> None:
    assert "needs the role operator" in (await house.ask(f"{word} x", "vera")).plain()
    assert f"`{word}` needs the id of" in (await house.ask(word, "ole")).plain()
    assert "has the id nowhere" in (await house.ask(f"{word} nowhere", "ole")).plain()


def waiting(house: House, charger_id: str, user: str = "self-healing") -> Enqueued:
    """A reset that a rule asked for and that waits for approval in #ev-ops."""
    channel = house.workspace.channel("#ev-ops").id
    with house.running.database.write() as connection:
        asked = enqueue_command(
            connection,
            kind="reset_soft",
            nonce="rule",
            user=user,
            channel=channel,
            now=house.clock(),
            charger_id=charger_id,
            rule_id="self-healing",
            approve_within=timedelta(minutes=30),
        )
    assert asked.is_new
    return asked


async def test_a_rules_request_is_sent_once_somebody_approved_it(house: House) -> None:
    house.workspace.users["U0OLE00002"].timezone = "Asia/Tokyo"
    waiting(house, house.free().rpartition(".")[0])
    card = await card_in(house)
    assert "Waiting for approval until" in card.plain()
    assert "asked for by the rule `self-healing`" in card.plain()
    await house.click("vera", card, "approve_command")
    assert "needs the role operator" in (await house.next_whisper("vera", 0)).plain()
    assert posts(house) == []
    await asyncio.gather(*(house.click("ole", card, "approve_command") for _ in range(2)))
    told = await house.wait_for(lambda: heard if len(heard := house.workspace.ephemerals("ole")) > 1 else None)
    said = sorted(whisper.plain() for whisper in told)
    assert "Approved by <@U0OLE00002>" in said[0]
    assert "decided before, by <@U0OLE00002>" in said[1]
    assert "At the sites (Europe/Copenhagen) it is now" in said[1]
    await house.wait_for(lambda: "approve_command" not in str(card.all_blocks))
    await house.wait_for(lambda: posts(house))
    assert len(posts(house)) == 1


async def test_a_refused_request_is_not_sent_and_says_by_whom(house: House) -> None:
    waiting(house, house.free().rpartition(".")[0])
    card = await card_in(house)
    await house.click("ole", card, "refuse_command")
    await house.wait_for(lambda: "Not sent: refused by <@U0OLE00002>" in card.plain())
    assert "approve_command" not in str(card.all_blocks)
    assert posts(house) == []


async def test_nobody_approves_what_they_asked_for_themselves(house: House) -> None:
    waiting(house, house.free().rpartition(".")[0], user="U0OLE00002")
    card = await card_in(house)
    await house.click("ole", card, "approve_command")
    assert "You asked for this yourself" in (await house.next_whisper("ole", 0)).plain()
    assert "Waiting for approval" in card.plain()
