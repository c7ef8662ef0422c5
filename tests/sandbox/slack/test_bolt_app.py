"""An unmodified Bolt app does its whole work against the stand-in, in Socket Mode and in HTTP mode."""

import asyncio

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Shortcut, SlackWorkspace
from tests.sandbox.slack.app import CARD, Heard

pytestmark = pytest.mark.usefixtures("app")


async def test_a_slash_command_is_answered_to_the_person_alone(workspace: SlackWorkspace) -> None:
    outcome = await workspace.slash("ole", "#ev-ops", "/charge", "status")
    answers = await workspace.wait_for(lambda: workspace.ephemerals("ole"))
    assert outcome.ok
    assert [m.text for m in answers] == ["All is well"]
    assert workspace.ephemerals("vera") == []
    assert workspace.channel("#ev-ops").messages == []


async def test_an_immediate_answer_is_shown(workspace: SlackWorkspace) -> None:
    await workspace.slash("ole", "#general", "/charge", "now")
    assert [m.text for m in workspace.ephemerals("ole")] == ["At once"]


async def test_a_response_url_works_five_times(workspace: SlackWorkspace) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "six")
    await workspace.wait_for(lambda: len(workspace.ephemerals("ole")) == 5)
    assert workspace.ephemerals("ole")[-1].text == "answer 4"


async def test_a_button_edits_its_card(workspace: SlackWorkspace) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    assert len(card.blocks) == len(CARD)
    await workspace.click("ole", card, "acknowledge")
    await workspace.wait_for(lambda: card.edited)
    assert card.text == "Acknowledged by ole"
    assert card.blocks == []


async def test_every_click_arrives_also_of_two_people_at_once(workspace: SlackWorkspace, app: Heard) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    clicks = [workspace.click(user, card, "acknowledge") for user in ("ole", "vera", "ole")]
    assert all(outcome.ok for outcome in await asyncio.gather(*clicks))
    users = [body["user"]["name"] for body in app.of("block_actions")]
    assert sorted(users) == ["ole", "ole", "vera"]


async def test_a_modal_shows_errors_updates_and_closes(workspace: SlackWorkspace) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    await workspace.click("ole", card, "note")
    view = await workspace.wait_for(lambda: workspace.modal("ole"))

    empty = await workspace.submit("ole", view, {})
    assert empty.error == "missing_fields"
    assert view.errors == {"words": "Please complete this required field."}

    await workspace.submit("ole", view, {"words": "bad"})
    assert view.errors == {"words": "Say something kind"}
    assert workspace.modal("ole") is view

    await workspace.submit("ole", view, {"words": "more"})
    assert view.definition["title"]["text"] == "More"

    done = await workspace.submit("ole", view, {"words": "fine", "severity": "Critical"})
    assert done.ok
    assert workspace.modal("ole") is None
    told = view.state["values"]["severity"]["severity"]
    assert told["selected_option"]["value"] == "critical"


async def test_a_pushed_modal_clears_the_whole_stack(workspace: SlackWorkspace) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    await workspace.click("ole", card, "note")
    await workspace.wait_for(lambda: workspace.modal("ole"))
    await workspace.submit("ole", None, {"words": "push"})
    top = workspace.modal("ole")
    assert top is not None
    assert top.callback_id == "second"
    assert top.previous_view_id == top.root_view_id
    await workspace.submit("ole", top, {"words": "x"})
    assert workspace.modal("ole") is None


async def test_closing_a_modal_is_told_when_asked_for(workspace: SlackWorkspace, app: Heard) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    await workspace.click("ole", card, "note")
    await workspace.wait_for(lambda: workspace.modal("ole"))
    assert (await workspace.close_modal("ole")).ok
    assert app.of("view_closed")[0]["is_cleared"] is False


async def test_a_mention_is_answered_in_its_thread(workspace: SlackWorkspace) -> None:
    asked = await workspace.mention("vera", "#ev-ops", "status")
    channel = workspace.channel("#ev-ops")
    thread = await workspace.wait_for(lambda: channel.thread(asked.ts) if len(channel.messages) > 1 else None)
    assert [m.text for m in thread[1:]] == [f"You said: {asked.text}"]
    assert thread[1].is_reply


async def test_the_home_tab_is_published_when_opened(workspace: SlackWorkspace) -> None:
    await workspace.open_home("ada")
    home = await workspace.wait_for(lambda: workspace.home("ada"))
    assert home.blocks[0]["text"]["text"] == "The fleet at a glance"


async def test_an_unknown_command_never_reaches_the_app(workspace: SlackWorkspace, app: Heard) -> None:
    outcome = await workspace.slash("ole", "#ev-ops", "/nonsense", "x")
    assert outcome.error == "unknown_command"
    assert app.bodies == []


async def test_a_shortcut_of_a_message_opens_a_modal_with_its_trigger(workspace: SlackWorkspace, app: Heard) -> None:
    await workspace.slash("ole", "#ev-ops", "/charge", "card")
    channel = workspace.channel("#ev-alerts")
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    workspace.shortcuts = (Shortcut("note_this", "Note this"), Shortcut("note_that", "Note", in_messages=False))
    assert (await workspace.shortcut("ole", "Note this", card)).ok
    view = await workspace.wait_for(lambda: workspace.modal("ole"))
    assert view.callback_id == "note"
    (told,) = app.of("message_action")
    assert (told["message"]["ts"], told["channel"]["id"]) == (card.ts, channel.id)
    await workspace.wait_for(lambda: [m for m in workspace.ephemerals("ole") if m.text == "Noted"])
    assert (await workspace.shortcut("vera", "Note")).ok
    assert "message" not in app.of("shortcut")[0]
    with pytest.raises(LookupError, match="Note this"):
        await workspace.shortcut("ole", "Nothing", card)
    with pytest.raises(LookupError, match="only one person"):
        await workspace.shortcut("ole", "Note this", workspace.ephemerals("ole")[-1])


async def test_a_button_in_an_attachment_is_pressed_like_any_other(
    workspace: SlackWorkspace, app: Heard, client: AsyncWebClient
) -> None:
    bar = [{"color": "#e01e5a", "blocks": CARD}]
    sent = await client.chat_postMessage(channel="C0ALERTS01", text="Faulted", attachments=bar)
    card = workspace.channel("#ev-alerts").messages[-1]
    assert (await workspace.click("ole", card, "acknowledge")).ok
    (body,) = app.of("block_actions")
    assert (body["container"]["type"], body["container"]["attachment_id"]) == ("message_attachment", 1)
    assert sent["message"]["attachments"][0]["color"] == "e01e5a"
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(channel="C0ALERTS01", text="x", attachments=[{"blocks": [{"type": "no"}]}])
