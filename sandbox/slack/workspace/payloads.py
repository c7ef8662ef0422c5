"""What Slack sends to an app: slash commands, block actions, view submissions and closings, events.

The keys are those of slackapi/java-slack-sdk's samples; nothing is sent here.
"""

import secrets
from typing import Any

from sandbox.slack.workspace.model import Channel, Message, User, View
from sandbox.slack.workspace.posting import message_json
from sandbox.slack.workspace.state import ResponseUrl, WorkspaceState

Json = dict[str, Any]

# Slack's own deprecated verification token: apps look at the signature instead.
VERIFICATION = "sandbox-verification"


def new_response_url(
    state: WorkspaceState, kind: str, user: User, channel: Channel, source: Message | None = None
) -> tuple[str, ResponseUrl]:
    """A fresh response URL, and what stands behind it."""
    path = f"{kind}/{state.team.id}/{state.new_number()}/{secrets.token_hex(12)}"
    behind = ResponseUrl(user.id, channel.id, state.clock(), kind, source)
    state.response_urls[path] = behind
    return f"{state.base_url}/{path}", behind


def channel_name(channel: Channel) -> str:
    return "directmessage" if channel.is_im else channel.name


def slash_command(
    state: WorkspaceState, user: User, channel: Channel, *, command: str, text: str, response_url: str
) -> Json:
    return {
        "token": VERIFICATION,
        "team_id": state.team.id,
        "team_domain": state.team.domain,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": state.team.app_id,
        "is_enterprise_install": False,
        "response_url": response_url,
        "trigger_id": state.new_trigger(user.id),
    }


def interaction(state: WorkspaceState, kind: str, user: User) -> Json:
    """What all interactions have in common."""
    return {
        "type": kind,
        "team": {"id": state.team.id, "domain": state.team.domain},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": state.team.id},
        "api_app_id": state.team.app_id,
        "token": VERIFICATION,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_action(
    state: WorkspaceState, user: User, message: Message, action: Json, *, values: Json, response_url: str
) -> Json:
    """A click in a message; of one that only one person sees Slack does not send the message itself."""
    channel = state.channels[message.channel]
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(message.ephemeral_to),
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    for one in message.attachments:
        if any(block["block_id"] == action["block_id"] for block in one.get("blocks") or []):
            container |= {"type": "message_attachment", "attachment_id": one["id"], "is_app_unfurl": False}
    payload = {
        **interaction(state, "block_actions", user),
        "container": container,
        "trigger_id": state.new_trigger(user.id),
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "state": {"values": values},
        "response_url": response_url,
        "actions": [action],
    }
    if not message.ephemeral_to:
        payload["message"] = message_json(state, message, metadata=True)
    return payload


def message_shortcut(
    state: WorkspaceState, user: User, message: Message, *, callback_id: str, response_url: str
) -> Json:
    """A shortcut chosen in a message's menu, with the message itself; what only one person sees has no such menu."""
    channel = state.channels[message.channel]
    return {
        **{key: told for key, told in interaction(state, "message_action", user).items() if key != "api_app_id"},
        "user": {"id": user.id, "name": user.name, "team_id": state.team.id},
        "callback_id": callback_id,
        "trigger_id": state.new_trigger(user.id),
        "response_url": response_url,
        "action_ts": state.new_ts(),
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message": message_json(state, message, metadata=True),
    }


def global_shortcut(state: WorkspaceState, user: User, *, callback_id: str) -> Json:
    """A shortcut chosen outside of any message: it has no channel and no response URL."""
    return {
        **interaction(state, "shortcut", user),
        "callback_id": callback_id,
        "trigger_id": state.new_trigger(user.id),
        "action_ts": state.new_ts(),
    }


def view_json(state: WorkspaceState, view: View) -> Json:
    return view.to_json(state.team)


def view_action(state: WorkspaceState, user: User, view: View, action: Json) -> Json:
    return {
        **interaction(state, "block_actions", user),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": state.new_trigger(user.id),
        "view": view_json(state, view),
        "actions": [action],
    }


def view_submission(state: WorkspaceState, user: User, view: View) -> Json:
    return {
        **interaction(state, "view_submission", user),
        "trigger_id": state.new_trigger(user.id),
        "view": view_json(state, view),
    }


def view_closed(state: WorkspaceState, user: User, view: View, *, is_cleared: bool) -> Json:
    return {
        **interaction(state, "view_closed", user),
        "view": view_json(state, view),
        "is_cleared": is_cleared,
    }


def event_callback(state: WorkspaceState, event: Json) -> Json:
    return {
        "token": VERIFICATION,
        "team_id": state.team.id,
        "api_app_id": state.team.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": state.new_id("Ev"),
        "event_time": int(state.clock()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": state.team.id,
                "user_id": state.team.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{state.new_id('C')}",
    }


def message_event(state: WorkspaceState, message: Message) -> Json:
    """A person's message as the `message` event tells it."""
    channel = state.channels[message.channel]
    event: Json = {
        "type": "message",
        "client_msg_id": message.client_msg_id,
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": state.team.id,
        "channel": channel.id,
        "channel_type": "im" if channel.is_im else "group" if channel.is_private else "channel",
        "event_ts": message.ts,
    }
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
        parent = channel.find(message.thread_ts)
        if parent is not None:
            event["parent_user_id"] = parent.user
    return event


def mention_event(state: WorkspaceState, message: Message) -> Json:
    event = message_event(state, message) | {"type": "app_mention"}
    event.pop("channel_type")
    event.pop("parent_user_id", None)
    return event


def home_opened_event(state: WorkspaceState, user: User, tab: str) -> Json:
    event: Json = {
        "type": "app_home_opened",
        "user": user.id,
        "channel": state.direct_channel(user.id).id,
        "tab": tab,
        "event_ts": state.new_ts(),
    }
    home = state.homes.get(user.id)
    if tab == "home" and home is not None:
        event["view"] = view_json(state, home)
    return event


def joined_event(state: WorkspaceState, user: User, channel: Channel, inviter: str | None) -> Json:
    event: Json = {
        "type": "member_joined_channel",
        "user": user.id,
        "channel": channel.id,
        "channel_type": "G" if channel.is_private else "C",
        "team": state.team.id,
        "event_ts": state.new_ts(),
    }
    return event | ({"inviter": inviter} if inviter else {})


def archived_event(state: WorkspaceState, user: User, channel: Channel) -> Json:
    """A channel was archived, or taken out of the archive, by how it stands now; docs.slack.dev/reference/events."""
    kind = "group" if channel.is_private else "channel"
    return {
        "type": f"{kind}_{'archive' if channel.is_archived else 'unarchive'}",
        "channel": channel.id,
        "user": user.id,
        "is_moved": 0,
        "event_ts": state.new_ts(),
    }
