"""Slack's own client meets Slack's own semantics and error names in the stand-in's Web API."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import HandClock, SlackServer, SlackWorkspace
from tests.sandbox.slack.app import CARD, MODAL, client_of

ALERTS = "C0ALERTS01"
METADATA = {"event_type": "outbox", "event_payload": {"id": "17"}}


async def refusal(call: Any) -> str:
    """The error name of a call that must be refused."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.mark.parametrize(
    ("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth"), ("xapp-sandbox", "not_allowed_token_type")]
)
async def test_a_wrong_token_is_refused(server: SlackServer, token: str, error: str) -> None:
    assert await refusal(client_of(server, token).auth_test()) == error


async def test_a_method_that_slack_does_not_have_is_refused(client: AsyncWebClient) -> None:
    assert await refusal(client.api_call("chat.shout")) == "unknown_method"


async def test_form_and_json_bodies_mean_the_same(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    arguments = {"channel": ALERTS, "text": "x", "blocks": CARD}
    await client.chat_postMessage(**arguments)  # type: ignore[arg-type]  # mypy takes one type for all values
    await client.api_call("chat.postMessage", data={"channel": ALERTS, "text": "x", "token": workspace.bot_token})
    first, second = workspace.channel(ALERTS).messages
    assert (first.text, second.text) == ("x", "x")
    assert len(first.blocks) == 2


async def test_a_missing_scope_says_what_is_needed(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    workspace.scopes = ("chat:write",)
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_history(channel=ALERTS)
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "channels:history"
    assert caught.value.response["provided"] == "chat:write"


async def test_time_stamps_are_unique_and_grow(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    workspace.clock = HandClock()
    stamps = [(await client.chat_postMessage(channel=ALERTS, text=str(n)))["ts"] for n in range(20)]
    assert stamps == sorted(set(stamps))
    assert all(len(ts.partition(".")[2]) == 6 for ts in stamps)


async def test_the_bot_posts_only_where_it_may(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    assert await refusal(client.chat_postMessage(channel="#general", text="x")) == "not_in_channel"
    assert await refusal(client.chat_postMessage(channel="C0NOWHERE0", text="x")) == "channel_not_found"
    workspace.archive("#ev-alerts")
    assert await refusal(client.chat_postMessage(channel=ALERTS, text="x")) == "is_archived"
    workspace.remove_bot("#ev-daily")
    assert await refusal(client.chat_postMessage(channel="#ev-daily", text="x")) == "not_in_channel"
    await client.conversations_join(channel="C0DAILY002")
    assert (await client.chat_postMessage(channel="#ev-daily", text="x"))["ok"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": "{no json"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"text": "x", "metadata": {"event_type": "only"}}, "invalid_metadata_format"),
        (
            {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "y" * 2900}}] * 5},
            "msg_blocks_too_long",
        ),
    ],
)
async def test_content_that_slack_refuses_is_refused(
    client: AsyncWebClient, workspace: SlackWorkspace, content: dict[str, Any], error: str
) -> None:
    # Not `chat_postMessage`, which warns where a text is missing.
    assert await refusal(client.api_call("chat.postMessage", json={"channel": ALERTS, **content})) == error
    assert workspace.channel(ALERTS).messages == []


async def test_a_reply_stands_in_its_thread_and_a_broadcast_in_the_channel_too(client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel=ALERTS, text="card"))["ts"]
    reply = (await client.chat_postMessage(channel=ALERTS, text="quiet", thread_ts=root))["ts"]
    await client.chat_postMessage(channel=ALERTS, text="loud", thread_ts=reply, reply_broadcast=True)
    history = (await client.conversations_history(channel=ALERTS))["messages"]
    assert [m["text"] for m in history] == ["loud", "card"]
    assert history[0]["subtype"] == "thread_broadcast"
    assert history[0]["thread_ts"] == root
    assert history[1]["reply_count"] == 2
    thread = (await client.conversations_replies(channel=ALERTS, ts=root))["messages"]
    assert [m["text"] for m in thread] == ["card", "quiet", "loud"]


async def test_an_edit_with_text_alone_takes_the_blocks_and_keeps_the_metadata(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    ts = (await client.chat_postMessage(channel=ALERTS, text="a", blocks=CARD, metadata=METADATA))["ts"]
    answer = await client.chat_update(channel=ALERTS, ts=ts, text="b")
    assert "blocks" not in answer["message"]
    assert answer["message"]["edited"]["user"] == workspace.team.bot_user
    assert answer["text"] == "b"
    assert workspace.channel(ALERTS).messages[0].metadata == METADATA


async def test_an_edit_keeps_the_attachments_until_it_gives_others_or_none(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    bar = [{"color": "#D55E00", "fallback": "Firing", "blocks": CARD}]
    ts = (await client.chat_postMessage(channel=ALERTS, text="a", attachments=bar))["ts"]
    message = workspace.channel(ALERTS).messages[0]
    await client.chat_update(channel=ALERTS, ts=ts, text="b", blocks=CARD)
    assert (len(message.blocks), message.attachments[0]["color"]) == (len(CARD), "D55E00")
    await client.chat_update(channel=ALERTS, ts=ts, attachments=[{"color": "#009E73", "fallback": "over"}])
    assert (len(message.blocks), message.text, message.attachments[0]["color"]) == (len(CARD), "b", "009E73")
    await client.chat_update(channel=ALERTS, ts=ts, text="b", blocks=CARD, attachments=[])
    assert message.attachments == []


async def test_metadata_is_read_back_only_when_asked_for(client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=ALERTS, text="a", metadata=METADATA)
    plain = await client.conversations_history(channel=ALERTS)
    assert "metadata" not in plain["messages"][0]
    full = await client.conversations_history(channel=ALERTS, include_all_metadata=True)
    assert full["messages"][0]["metadata"] == METADATA


async def test_an_edit_that_cannot_be_done_says_why(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    ts = (await client.chat_postMessage(channel=ALERTS, text="a"))["ts"]
    other = await workspace.say("ole", "#ev-alerts", "mine")
    assert await refusal(client.chat_update(channel=ALERTS, ts=other.ts, text="b")) == "cant_update_message"
    assert await refusal(client.chat_update(channel=ALERTS, ts="1.000001", text="b")) == "message_not_found"
    assert await refusal(client.chat_update(channel=ALERTS, ts=ts, text="b" * 4001)) == "msg_too_long"
    workspace.edit_window = 0.0
    assert await refusal(client.chat_update(channel=ALERTS, ts=ts, text="b")) == "edit_window_closed"
    workspace.delete_message(ts)
    assert await refusal(client.chat_update(channel=ALERTS, ts=ts, text="b")) == "message_not_found"


async def test_an_ephemeral_message_cannot_be_edited_or_found(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    ole = workspace.user("ole").id
    ts = (await client.chat_postEphemeral(channel=ALERTS, user=ole, text="psst"))["message_ts"]
    assert workspace.ephemerals("ole")[0].text == "psst"
    assert await refusal(client.chat_update(channel=ALERTS, ts=ts, text="b")) == "message_not_found"
    assert (await client.conversations_history(channel=ALERTS))["messages"] == []
    stranger = client.chat_postEphemeral(channel=ALERTS, user="U0NOBODY00", text="psst")
    assert await refusal(stranger) == "user_not_in_channel"


async def test_a_deleted_message_with_replies_leaves_its_place(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    root = (await client.chat_postMessage(channel=ALERTS, text="card"))["ts"]
    await client.chat_postMessage(channel=ALERTS, text="reply", thread_ts=root)
    await client.chat_delete(channel=ALERTS, ts=root)
    assert workspace.channel(ALERTS).messages[0].subtype == "tombstone"
    assert await refusal(client.chat_delete(channel=ALERTS, ts=root)) == "message_not_found"


async def test_a_second_message_within_a_second_waits(workspace: SlackWorkspace, client: AsyncWebClient) -> None:
    clock = HandClock()
    workspace.clock = clock
    workspace.rate_limited = True
    await client.chat_postMessage(channel=ALERTS, text="one")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ALERTS, text="two")
    assert caught.value.response.status_code == 429
    assert caught.value.response["error"] == "ratelimited"
    assert caught.value.response.headers["Retry-After"] == "1"
    assert (await client.chat_postMessage(channel="#ev-daily", text="elsewhere"))["ok"]
    clock.advance(1)
    assert (await client.chat_postMessage(channel=ALERTS, text="two"))["ok"]


async def test_more_than_fifty_edits_a_minute_wait(workspace: SlackWorkspace, client: AsyncWebClient) -> None:
    clock = HandClock()
    workspace.clock = clock
    workspace.rate_limited = True
    ts = (await client.chat_postMessage(channel=ALERTS, text="card"))["ts"]
    for number in range(50):
        await client.chat_update(channel=ALERTS, ts=ts, text=str(number))
    clock.advance(20)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=ALERTS, ts=ts, text="too much")
    assert caught.value.response.headers["Retry-After"] == "40"
    clock.advance(40)
    assert (await client.chat_update(channel=ALERTS, ts=ts, text="now"))["ok"]


async def test_history_pages_and_keeps_to_its_bounds(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel=ALERTS, text=str(n)))["ts"] for n in range(5)]
    page = await client.conversations_history(channel=ALERTS, limit=2)
    assert [m["text"] for m in page["messages"]] == ["4", "3"]
    assert page["has_more"] is True
    cursor = page["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=ALERTS, limit=9, cursor=cursor)
    assert [m["text"] for m in rest["messages"]] == ["2", "1", "0"]
    between = await client.conversations_history(channel=ALERTS, oldest=stamps[1], latest=stamps[3])
    assert [m["text"] for m in between["messages"]] == ["2"]
    inclusive = await client.conversations_history(channel=ALERTS, oldest=stamps[1], latest=stamps[3], inclusive=True)
    assert [m["text"] for m in inclusive["messages"]] == ["3", "2", "1"]
    assert await refusal(client.conversations_history(channel=ALERTS, oldest="noon")) == "invalid_ts_oldest"
    assert await refusal(client.conversations_history(channel="C0GENERAL4")) == "not_in_channel"


async def test_conversations_are_listed_by_kind(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    opened = await client.conversations_open(users=workspace.user("ole").id)
    public = await client.conversations_list(limit=3)
    assert [c["name"] for c in public["channels"]] == ["ev-alerts", "ev-daily", "ev-ops"]
    direct = await client.conversations_list(types="im")
    assert [c["id"] for c in direct["channels"]] == [opened["channel"]["id"]]
    workspace.archive("#ev-ops")
    left = await client.conversations_list(exclude_archived=True)
    assert "ev-ops" not in [c["name"] for c in left["channels"]]
    info = await client.conversations_info(channel=ALERTS, include_num_members=True)
    assert info["channel"]["num_members"] == 4


async def test_people_and_groups_are_found(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    ada = await client.users_info(user=workspace.user("ada").id)
    assert ada["user"]["is_admin"] is True
    assert ada["user"]["tz"] == "Europe/Copenhagen"
    assert await refusal(client.users_info(user="U0NOBODY00")) == "user_not_found"
    group = (await client.usergroups_list(include_users=True))["usergroups"][0]
    assert group["handle"] == "oncall"
    members = await client.usergroups_users_list(usergroup=group["id"])
    assert members["users"] == group["users"] == [workspace.user("ole").id]


async def test_a_file_goes_up_in_two_steps_and_is_shown(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    await client.files_upload_v2(
        channel=ALERTS, filename="uptime.png", content=b"\x89PNG", title="Uptime", initial_comment="Chart"
    )
    posted = workspace.channel(ALERTS).messages[0]
    assert posted.text == "Chart"
    file_id = posted.files[0]
    assert (await client.files_info(file=file_id))["file"]["size"] == 4
    shown = {"type": "image", "alt_text": "Uptime 99 %", "slack_file": {"id": file_id}}
    assert (await client.chat_postMessage(channel=ALERTS, text="x", blocks=[shown]))["ok"]
    unknown = {**shown, "slack_file": {"id": "F0NOTHING0"}}
    assert await refusal(client.chat_postMessage(channel=ALERTS, text="x", blocks=[unknown])) == "invalid_blocks"


async def test_a_file_without_its_bytes_cannot_be_completed(client: AsyncWebClient) -> None:
    announced = await client.files_getUploadURLExternal(filename="a.csv", length=3)
    assert await refusal(client.files_info(file=announced["file_id"])) == "file_not_found"
    assert await refusal(client.files_completeUploadExternal(files=[{"id": announced["file_id"]}])) == "file_not_found"


async def test_a_trigger_opens_one_view_within_three_seconds(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    clock = HandClock()
    workspace.clock = clock
    ole = workspace.user("ole").id
    assert await refusal(client.views_open(trigger_id="1.2.3", view=MODAL)) == "invalid_trigger_id"
    trigger = workspace.new_trigger(ole)
    await client.views_open(trigger_id=trigger, view=MODAL)
    assert await refusal(client.views_open(trigger_id=trigger, view=MODAL)) == "exchanged_trigger_id"
    late = workspace.new_trigger(ole)
    clock.advance(3.1)
    assert await refusal(client.views_open(trigger_id=late, view=MODAL)) == "expired_trigger_id"


async def test_views_are_updated_by_id_or_external_id_and_hash(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    ole = workspace.user("ole").id
    named = {**MODAL, "external_id": "note-7"}
    opened = (await client.views_open(trigger_id=workspace.new_trigger(ole), view=named))["view"]
    updated = (await client.views_update(external_id="note-7", view=named, hash=opened["hash"]))["view"]
    assert updated["id"] == opened["id"]
    assert await refusal(client.views_update(view_id=opened["id"], view=named, hash=opened["hash"])) == "hash_conflict"
    assert await refusal(client.views_update(view_id="V0NOTHING0", view=named)) == "not_found"
    for _ in range(2):
        await client.views_push(trigger_id=workspace.new_trigger(ole), view=MODAL)
    pushed = client.views_push(trigger_id=workspace.new_trigger(ole), view=MODAL)
    assert await refusal(pushed) == "push_limit_reached"
    pushed = client.views_open(trigger_id=workspace.new_trigger(workspace.user("ada").id), view=named)
    assert await refusal(pushed) == "duplicate_external_id"


async def test_a_home_tab_is_published_and_a_stale_hash_refused(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    ole = workspace.user("ole").id
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await client.views_publish(user_id=ole, view=home))["view"]
    await client.views_publish(user_id=ole, view=home, hash=first["hash"])
    assert await refusal(client.views_publish(user_id=ole, view=home, hash=first["hash"])) == "hash_conflict"
    assert await refusal(client.views_publish(user_id=ole, view=MODAL)) == "invalid_arguments"


async def test_a_reaction_is_added_once(client: AsyncWebClient, workspace: SlackWorkspace) -> None:
    ts = (await client.chat_postMessage(channel=ALERTS, text="a"))["ts"]
    await client.reactions_add(channel=ALERTS, timestamp=ts, name="eyes")
    assert await refusal(client.reactions_add(channel=ALERTS, timestamp=ts, name="eyes")) == "already_reacted"
    assert await refusal(client.reactions_add(channel=ALERTS, timestamp=ts, name="No Way")) == "invalid_name"
    assert workspace.channel(ALERTS).messages[0].reactions == {"eyes": [workspace.team.bot_user]}


async def test_calls_to_people_are_found_where_slack_finds_them(
    client: AsyncWebClient, workspace: SlackWorkspace
) -> None:
    name = "<!channel> <@U0OLE00002>"
    quiet = [{"type": "section", "text": {"type": "plain_text", "text": name}}]
    await client.chat_postMessage(channel=ALERTS, text="&lt;!channel&gt;", blocks=quiet)
    loud = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{name} <!subteam^S0ONCALL01|@oncall>"}}]
    await client.chat_postMessage(channel=ALERTS, text="x", blocks=loud)
    first, second = workspace.channel(ALERTS).messages
    assert first.notified() == []
    assert second.notified() == ["S0ONCALL01", "U0OLE00002", "channel"]
