"""Messages come to stand in a channel: stored, edited, deleted, whispered, and written as Slack's JSON.

It checks what every way of posting shares (text, blocks, thread, metadata) and leaves rights to the methods.
"""

import json
from typing import Any

from sandbox.slack.block_kit.blocks import message_blocks
from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.model import Channel, Message
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]

TEXT_MAX = 40_000
METADATA_BYTES_MAX = 16_000
ATTACHMENTS_MAX = 100


def content_of(state: WorkspaceState, arguments: Arguments, text_max: int = TEXT_MAX) -> Json:
    """The `text`, `blocks`, `attachments` and `metadata` that were given, checked; absent ones are left out.

    Raises `no_text`, `msg_too_long`, `too_many_attachments`, `invalid_metadata_format`, `metadata_too_large` and what
    `message_blocks` raises.
    """
    content: Json = {}
    text = arguments.text("text")
    if text is not None:
        content["text"] = text
        if len(text) > text_max:
            raise SlackError("msg_too_long")
    if arguments.given.get("blocks") not in (None, ""):
        content["blocks"] = message_blocks(arguments.given["blocks"], state.file_exists)
    attachments = arguments.json("attachments", "invalid_attachments")
    if attachments is not None:
        content["attachments"] = checked_attachments(state, attachments)
    metadata = arguments.json("metadata", "invalid_metadata_format")
    if metadata is not None:
        content["metadata"] = checked_metadata(metadata)
    if not (content.get("text") or "").strip() and not content.get("blocks") and not content.get("attachments"):
        raise SlackError("no_text")
    return content


def checked_attachments(state: WorkspaceState, attachments: Any) -> list[Json]:
    """Attachments as Slack keeps them, numbered, the blocks of each checked as those of a message.

    Raises `invalid_attachments` for anything but objects, and what `message_blocks` raises.
    """
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > ATTACHMENTS_MAX:
        raise SlackError("too_many_attachments")
    kept = []
    for number, one in enumerate(attachments, start=1):
        blocks = {"blocks": message_blocks(one["blocks"], state.file_exists)} if one.get("blocks") else {}
        # Slack tells a colour without its sign, whichever way it was given.
        color = {"color": str(one["color"]).lstrip("#")} if one.get("color") else {}
        kept.append({"id": number, "fallback": "[no preview available]", **one, **color, **blocks})
    return kept


def checked_metadata(metadata: Any) -> Json | None:
    """Message metadata as Slack keeps it; an empty object takes it away."""
    if metadata == {}:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict) or set(metadata) - {"event_type", "event_payload"}:
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES_MAX:
        raise SlackError("metadata_too_large")
    return metadata


def thread_root(channel: Channel, thread_ts: str | None) -> str | None:
    """The time stamp of the thread that an answer goes to; an answer to an answer joins the same thread."""
    if not thread_ts:
        return None
    parent = channel.find(thread_ts)
    if parent is None:
        raise SlackError("thread_not_found")
    return parent.thread_ts or parent.ts


def post(state: WorkspaceState, channel: Channel, user: str, **content: Any) -> Message:
    """Store a message; `content` are fields of `Message`."""
    message = Message(state.new_ts(), channel.id, user, **content)
    if user == state.team.bot_user:
        message.bot_id = state.team.bot_id
    channel.add(message)
    state.changed()
    return message


def whisper(state: WorkspaceState, channel: Channel, user: str, to: str, **content: Any) -> Message:
    """Show a message to one user only; it never becomes part of the channel."""
    message = Message(state.new_ts(), channel.id, user, ephemeral_to=to, **content)
    state.whispers.append(message)
    state.changed()
    return message


def edit(state: WorkspaceState, message: Message, content: Json) -> None:
    """Replace a message's content; text without blocks takes the blocks away, all else stays unless given.

    Attachments stay beside new blocks too: only an empty list of them takes them away.
    """
    message.blocks = content.get("blocks", [] if "text" in content else message.blocks)
    message.text = content.get("text", message.text)
    message.attachments = content.get("attachments", message.attachments)
    if "metadata" in content:
        message.metadata = content["metadata"]
    message.edited_ts = state.new_ts()
    message.edited_by = message.user
    state.changed()


def delete(state: WorkspaceState, message: Message) -> None:
    """Take a message away; one that has answers leaves its place, as in Slack."""
    channel = state.channels[message.channel]
    if not message.ephemeral_to and not message.is_reply and len(channel.thread(message.ts)) > 1:
        message.subtype = "tombstone"
        message.text = "This message was deleted."
        message.user = "USLACKBOT"
        message.blocks, message.attachments, message.files, message.metadata = [], [], [], None
        message.bot_id = None
    else:
        message.deleted = True
    state.changed()


def message_json(state: WorkspaceState, message: Message, *, metadata: bool = False) -> Json:
    """A message with the keys that Slack gives it; metadata only when asked for."""
    answer: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts}
    if message.subtype:
        answer["subtype"] = message.subtype
    if message.bot_id:
        answer |= {
            "bot_id": message.bot_id,
            "app_id": state.team.app_id,
            "bot_profile": state.team.bot_profile(),
        }
    answer["team"] = state.team.id
    if message.client_msg_id:
        answer["client_msg_id"] = message.client_msg_id
    if message.username:
        answer["username"] = message.username
    for key in ("blocks", "attachments"):
        if getattr(message, key):
            answer[key] = getattr(message, key)
    if message.files:
        answer["files"] = [state.files[f].to_json(state.team, state.base_url) for f in message.files]
    if message.edited_ts:
        answer["edited"] = {"user": message.edited_by, "ts": message.edited_ts}
    if message.reactions:
        answer["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    if metadata and message.metadata:
        answer["metadata"] = message.metadata
    if not message.ephemeral_to:
        answer |= thread_json(state, message)
    return answer


def thread_json(state: WorkspaceState, message: Message) -> Json:
    """What a message says about its thread: an answer its parent, a parent its answers."""
    channel = state.channels[message.channel]
    if message.is_reply:
        parent = channel.find(str(message.thread_ts))
        answer: Json = {"thread_ts": message.thread_ts}
        if parent is not None:
            answer["parent_user_id"] = parent.user
        if message.broadcast:
            answer["subtype"] = "thread_broadcast"
            if parent is not None:
                root = {"type": "message", "text": parent.text, "ts": parent.ts, "thread_ts": parent.ts}
                answer["root"] = root | replies_json(channel.thread(parent.ts)[1:])
        return answer
    replies = [m for m in channel.thread(message.ts) if m is not message]
    return {"thread_ts": message.ts, **replies_json(replies)} if replies else {}


def replies_json(replies: list[Message]) -> Json:
    users = list(dict.fromkeys(m.user for m in replies))
    return {
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts if replies else "",
        "reply_users": users[:5],
        "subscribed": False,
    }
