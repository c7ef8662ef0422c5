"""A response URL whispers, speaks, replaces and deletes as Slack lets it, 5 times within 30 minutes."""

import pytest
from slack_sdk.webhook.async_client import AsyncWebhookClient

from sandbox.slack import HandClock, Message, SlackServer, SlackWorkspace
from sandbox.slack.workspace.payloads import new_response_url
from sandbox.slack.workspace.posting import post, whisper
from tests.sandbox.slack.app import CARD


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def workspace(clock: HandClock) -> SlackWorkspace:
    return SlackWorkspace(clock=clock)


def respond_to(workspace: SlackWorkspace, source: Message | None = None) -> AsyncWebhookClient:
    kind = "actions" if source else "commands"
    channel = workspace.channel("#ev-ops")
    url, _ = new_response_url(workspace, kind, workspace.user("ole"), channel, source)
    return AsyncWebhookClient(url, retry_handlers=[])


async def test_it_is_used_up_after_five_answers(server: SlackServer, workspace: SlackWorkspace) -> None:
    respond = respond_to(workspace)
    answers = [(await respond.send(text=str(n))).status_code for n in range(6)]
    assert answers == [200, 200, 200, 200, 200, 404]
    assert len(workspace.ephemerals("ole")) == 5


async def test_it_expires_after_thirty_minutes(
    server: SlackServer, workspace: SlackWorkspace, clock: HandClock
) -> None:
    respond = respond_to(workspace)
    clock.advance(30 * 60)
    assert (await respond.send(text="in time")).status_code == 200
    clock.advance(1)
    late = await respond.send(text="late")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


async def test_it_speaks_in_the_channel_when_asked_even_without_membership(
    server: SlackServer, workspace: SlackWorkspace
) -> None:
    workspace.remove_bot("#ev-ops")
    await respond_to(workspace).send(text="for all", response_type="in_channel")
    assert [m.text for m in workspace.channel("#ev-ops").messages] == ["for all"]


async def test_it_replaces_and_deletes_the_clicked_message(server: SlackServer, workspace: SlackWorkspace) -> None:
    bot = workspace.team.bot_user
    channel, ole = workspace.channel("#ev-ops"), workspace.user("ole").id
    card = post(workspace, channel, bot, text="card", blocks=CARD)
    secret = whisper(workspace, channel, bot, ole, text="secret", bot_id=workspace.team.bot_id)
    await respond_to(workspace, card).send(text="replaced", replace_original=True)
    assert (card.text, card.blocks, card.edited) == ("replaced", [], True)
    await respond_to(workspace, secret).send(text="new words", replace_original=True)
    assert [m.text for m in workspace.ephemerals("ole")] == ["new words"]
    await respond_to(workspace, secret).send(text="", delete_original=True)
    assert workspace.ephemerals("ole") == []


async def test_a_broken_answer_is_refused_and_not_counted(server: SlackServer, workspace: SlackWorkspace) -> None:
    respond = respond_to(workspace)
    refused = await respond.send(text="x", blocks=[{"type": "nonsense"}])
    assert (refused.status_code, "invalid_blocks" in refused.body) == (400, True)
    assert [(await respond.send(text=str(n))).status_code for n in range(5)] == [200] * 5
