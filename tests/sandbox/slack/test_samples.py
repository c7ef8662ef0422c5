"""The stand-in says only what Slack itself was seen to say: keys, types and error names of ../shared/slack."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import ALL_EVENTS, Shortcut, SlackServer, SlackWorkspace
from tests.conftest import shared_folder
from tests.sandbox.slack.app import CARD, MODAL, Heard, client_of
from tests.sandbox.slack.samples import differences, sample

Json = dict[str, Any]

ALERTS = "C0ALERTS01"
OLE = "U0OLE00002"
METADATA = {"event_type": "outbox", "event_payload": {"id": "17"}}


@pytest.fixture(scope="module")
def slack() -> Path:
    return shared_folder("slack")


async def posted(client: AsyncWebClient, **more: Any) -> str:
    answer = await client.chat_postMessage(channel=ALERTS, text="card", blocks=CARD, metadata=METADATA, **more)
    return str(answer["ts"])


async def thread(client: AsyncWebClient) -> str:
    """A card with an edit, a reaction, a reply that is broadcast and a file."""
    ts = await posted(client)
    await client.chat_update(channel=ALERTS, ts=ts, text="card")
    await client.reactions_add(channel=ALERTS, timestamp=ts, name="eyes")
    await posted(client, thread_ts=ts, reply_broadcast=True)
    await client.files_upload_v2(channel=ALERTS, filename="a.png", content=b"png", alt_txt="a")
    return ts


async def upload(client: AsyncWebClient) -> str:
    done = await client.files_upload_v2(filename="a.csv", content="a;b", title="A")
    return str(done["files"][0]["id"])


async def trigger(server: SlackServer) -> str:
    return server.workspace.new_trigger(OLE)


Case = Callable[[AsyncWebClient, SlackServer], Awaitable[Any]]


async def _open(c: AsyncWebClient, s: SlackServer) -> Any:
    return await c.views_open(trigger_id=await trigger(s), view=MODAL)


async def _update_view(c: AsyncWebClient, s: SlackServer) -> Any:
    return await c.views_update(view_id=(await _open(c, s))["view"]["id"], view=MODAL)


async def _announce(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.files_getUploadURLExternal(filename="a.csv", length=3)


async def _complete(c: AsyncWebClient, _s: SlackServer) -> Any:
    answer = await c.files_upload_v2(channel=ALERTS, filename="a.png", content=b"png", alt_txt="a")
    assert isinstance(answer.data, dict)
    answer.data.pop("file")  # Added by slack_sdk itself.
    return answer


async def _history(c: AsyncWebClient, _s: SlackServer) -> Any:
    await thread(c)
    return await c.conversations_history(channel=ALERTS, include_all_metadata=True, limit=2)


async def _replies(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.conversations_replies(channel=ALERTS, ts=await thread(c), include_all_metadata=True, limit=1)


async def _delete(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.chat_delete(channel=ALERTS, ts=await posted(c))


async def _permalink(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.chat_getPermalink(channel=ALERTS, message_ts=await posted(c))


async def _update(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.chat_update(channel=ALERTS, ts=await posted(c), text="x", blocks=CARD)


async def _reply(c: AsyncWebClient, _s: SlackServer) -> Any:
    ts = await posted(c)
    return await c.chat_postMessage(
        channel=ALERTS, text="x", blocks=CARD, thread_ts=ts, reply_broadcast=True, metadata=METADATA
    )


async def _react(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.reactions_add(channel=ALERTS, timestamp=await posted(c), name="eyes")


async def _file(c: AsyncWebClient, _s: SlackServer) -> Any:
    return await c.files_info(file=await upload(c))


HOME = {"type": "home", "blocks": [{"type": "divider"}]}
CASES: dict[str, Case] = {
    "auth.test": lambda c, s: c.auth_test(),
    "apps.connections.open": lambda c, s: c.apps_connections_open(app_token=s.workspace.app_token),
    "bots.info": lambda c, s: c.bots_info(bot=s.workspace.team.bot_id),
    "chat.postMessage": _reply,
    "chat.update": _update,
    "chat.postEphemeral": lambda c, s: c.chat_postEphemeral(channel=ALERTS, user=OLE, text="x"),
    "chat.delete": _delete,
    "chat.getPermalink": _permalink,
    "conversations.list": lambda c, s: c.conversations_list(limit=2),
    "conversations.info": lambda c, s: c.conversations_info(channel=ALERTS, include_num_members=True),
    "conversations.history": _history,
    "conversations.replies": _replies,
    "conversations.open": lambda c, s: c.conversations_open(users=OLE, return_im=True),
    "conversations.join": lambda c, s: c.conversations_join(channel=ALERTS),
    "files.getUploadURLExternal": _announce,
    "files.completeUploadExternal": _complete,
    "files.info": _file,
    "reactions.add": _react,
    "team.info": lambda c, s: c.team_info(),
    "usergroups.list": lambda c, s: c.usergroups_list(include_users=True, include_count=True),
    "usergroups.users.list": lambda c, s: c.usergroups_users_list(usergroup="S0ONCALL01"),
    "users.info": lambda c, s: c.users_info(user=OLE, include_locale=True),
    "users.list": lambda c, s: c.users_list(),
    "users.lookupByEmail": lambda c, s: c.users_lookupByEmail(email="ole@sandbox.test"),
    "views.open": _open,
    "views.update": _update_view,
    "views.publish": lambda c, s: c.views_publish(user_id=OLE, view=HOME),
}


@pytest.mark.parametrize("method", CASES)
async def test_an_answer_has_slack_s_keys_and_types(
    client: AsyncWebClient, server: SlackServer, slack: Path, method: str
) -> None:
    answer = (await CASES[method](client, server)).data
    if method == "conversations.replies":
        # Replies of a broadcast carry their subtype and root in Slack as well; this sample was cut before them.
        for message in answer["messages"]:
            message.pop("subtype", None)
            message.pop("root", None)
    assert differences(answer, sample(slack / "responses", method), method) == []


async def test_the_samples_are_all_answered_for(slack: Path) -> None:
    names = {path.stem for path in (slack / "responses").glob("*.json")}
    assert names - set(CASES) == {"chat.scheduleMessage"}  # Nothing here is scheduled by Slack.


async def test_payloads_have_slack_s_keys_and_types(workspace: SlackWorkspace, socket_app: Heard, slack: Path) -> None:
    folder = slack / "payloads"
    await workspace.slash("ole", "#ev-alerts", "/charge", "card")
    channel = workspace.channel(ALERTS)
    card = await workspace.wait_for(lambda: channel.messages[0] if channel.messages else None)
    await workspace.click("ole", card, "note")
    await workspace.wait_for(lambda: workspace.modal("ole"))
    await workspace.submit("ole", None, {"words": "bad"})
    await workspace.close_modal("ole")
    workspace.shortcuts = (Shortcut("note_this", "Note this"),)
    await workspace.shortcut("ole", "Note this", card)
    slash = next(b for b in socket_app.bodies if "command" in b)
    assert differences(slash, sample(folder, "slash_command")) == []
    for kind, name in [
        ("block_actions", "BlockActionPayload"),
        ("view_submission", "ViewSubmissionPayload"),
        ("view_closed", "ViewClosedPayload"),
        ("message_action", "MessageShortcutPayload"),
    ]:
        assert differences(socket_app.of(kind)[0], sample(folder, name)) == [], kind


async def test_events_have_slack_s_keys_and_types(workspace: SlackWorkspace, slack: Path) -> None:
    workspace.subscriptions = ALL_EVENTS
    root = await workspace.mention("ole", "#ev-alerts", "status")
    await workspace.say("ole", "#ev-alerts", "more", thread_ts=root.ts)
    await workspace.open_home("ole")
    await workspace.join("ole", "#general")
    workspace.remove("ole", "#general")
    await workspace.join("ole", "#general", inviter="ada")
    workspace.archive("#ev-daily")
    names = {
        "app_mention": "AppMention",
        "message": "Message",
        "app_home_opened": "AppHomeOpened",
        "member_joined_channel": "MemberJoinedChannel",
        "channel_archive": "ChannelArchive",
    }
    seen = set()
    for delivery in workspace.deliveries:
        event = delivery.payload["event"]["type"]
        seen.add(event)
        assert differences(delivery.payload, sample(slack / "events", names[event]), event) == []
    await workspace.link.close()
    assert seen == set(names)


# Names that Slack gave these refusals after 2021, when methods.json was written (docs.slack.dev/reference/methods).
NEWER = {
    "chat.postMessage": {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "thread_not_found"},
    "chat.postEphemeral": {"invalid_blocks"},
    "conversations.history": {"not_in_channel"},
    "usergroups.users.list": {"no_such_subteam"},
    "bots.info": set(),
}
REFUSED: list[tuple[str, Json]] = [
    ("chat.postMessage", {"channel": "C0NOWHERE0", "text": "x"}),
    ("chat.postMessage", {"channel": "C0GENERAL4", "text": "x"}),
    ("chat.postMessage", {"channel": ALERTS, "text": ""}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x" * 40_001}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x", "blocks": [{"type": "no"}]}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x", "blocks": "no"}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x", "attachments": [{}] * 101}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x", "thread_ts": "1.1"}),
    ("chat.postMessage", {"channel": ALERTS, "text": "x", "bad name!": "y"}),
    ("chat.update", {"channel": ALERTS, "ts": "1.1", "text": "x"}),
    ("chat.delete", {"channel": ALERTS, "ts": "1.1"}),
    ("chat.getPermalink", {"channel": ALERTS, "message_ts": "1.1"}),
    ("chat.postEphemeral", {"channel": ALERTS, "user": "U0NOBODY00", "text": "x"}),
    ("chat.postEphemeral", {"channel": "C0GENERAL4", "user": OLE, "text": "x"}),
    ("conversations.info", {"channel": "C0NOWHERE0"}),
    ("conversations.history", {"channel": "C0GENERAL4"}),
    ("conversations.history", {"channel": ALERTS, "latest": "noon"}),
    ("conversations.replies", {"channel": ALERTS, "ts": "1.1"}),
    ("conversations.open", {}),
    ("conversations.open", {"users": "U0NOBODY00"}),
    ("conversations.open", {"channel": ALERTS}),
    ("files.info", {"file": "F0NOTHING0"}),
    ("reactions.add", {"channel": ALERTS, "timestamp": "1.1", "name": "eyes"}),
    ("reactions.add", {"channel": ALERTS, "timestamp": "1.1", "name": "No Way"}),
    ("reactions.add", {"name": "eyes"}),
    ("users.info", {"user": "U0NOBODY00"}),
    ("users.list", {"cursor": "nowhere"}),
    ("users.lookupByEmail", {"email": "nobody@sandbox.test"}),
    ("usergroups.users.list", {"usergroup": "S0NOTHING0"}),
    ("bots.info", {"bot": "B0NOTHING0"}),
]


@pytest.mark.parametrize(("method", "arguments"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
async def test_a_refusal_has_a_name_that_slack_lists(
    client: AsyncWebClient, slack: Path, method: str, arguments: Json
) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, json=arguments)
    listed = set(json.loads((slack / "methods.json").read_text(encoding="utf-8"))[method]["errors"])
    assert caught.value.response["error"] in listed | NEWER.get(method, set())


async def test_ids_and_stamps_look_like_slack_s(server: SlackServer, workspace: SlackWorkspace) -> None:
    client = client_of(server)
    assert re.fullmatch(r"\d{10}\.\d{6}", await posted(client))
    assert re.fullmatch(r"F[0-9A-Z]{8,}", await upload(client))
    assert re.fullmatch(r"\d+\.\d+\.[0-9a-f]{32}", await trigger(server))
    assert all(re.fullmatch(r"[UW][0-9A-Z]{8,}", user) for user in workspace.users)
