"""The Web API's chat and reactions methods: post, update, whisper, delete, link, react.

Semantics and error names from docs.slack.dev/reference/methods; the bot speaks only where it is a member.
"""

import math
import re
from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace import posting
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.model import Channel, Message
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]

UPDATE_TEXT_MAX = 4_000
# Tier 3 (docs.slack.dev/apis/web-api/rate-limits): about 50 a minute.
UPDATES_A_MINUTE = 50
EMOJI = re.compile(r"[a-z0-9_+'\-]+(::skin-tone-[2-6])?")


def find_channel(state: WorkspaceState, arguments: Arguments) -> Channel:
    """The channel named by id or name; a private one that the bot is not in is not found either."""
    name = arguments.required("channel", "channel_not_found")
    try:
        channel = state.channel(name)
    except KeyError:
        raise SlackError("channel_not_found") from None
    if (channel.is_private or channel.is_im) and state.team.bot_user not in channel.members:
        raise SlackError("channel_not_found")
    return channel


def where_to_post(state: WorkspaceState, arguments: Arguments) -> Channel:
    """As `find_channel`, and a user's id stands for the direct conversation with that user."""
    user = state.users.get(arguments.text("channel") or "")
    channel = state.direct_channel(user.id) if user else find_channel(state, arguments)
    if channel.is_archived:
        raise SlackError("is_archived")
    if state.team.bot_user not in channel.members and "chat:write.public" not in state.scopes:
        raise SlackError("not_in_channel")
    return channel


def keep_the_pace(state: WorkspaceState, channel: Channel) -> None:
    """Refuse a second message to a channel within one second, with Retry-After (docs.slack.dev, rate limits)."""
    if not state.rate_limited:
        return
    last = state.last_post.get(channel.id)
    if last is not None and state.clock() - last < 1.0:
        raise SlackError("ratelimited", retry_after=1)
    state.last_post[channel.id] = state.clock()


def keep_the_tier(state: WorkspaceState) -> None:
    """Refuse the 51st edit within a minute, with Retry-After until the oldest of them is a minute old."""
    if not state.rate_limited:
        return
    now = state.clock()
    while state.updates and now - state.updates[0] >= 60.0:
        state.updates.popleft()
    if len(state.updates) >= UPDATES_A_MINUTE:
        raise SlackError("ratelimited", retry_after=math.ceil(60.0 - (now - state.updates[0])))
    state.updates.append(now)


def post_message(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = where_to_post(state, arguments)
    content = posting.content_of(state, arguments)
    root = posting.thread_root(channel, arguments.text("thread_ts"))
    keep_the_pace(state, channel)
    message = posting.post(
        state,
        channel,
        state.team.bot_user,
        thread_ts=root,
        broadcast=bool(root) and arguments.flag("reply_broadcast"),
        unfurl_links=arguments.flag("unfurl_links", True),
        unfurl_media=arguments.flag("unfurl_media", True),
        **content,
    )
    return {"channel": channel.id, "ts": message.ts, "message": posting.message_json(state, message, metadata=True)}


def own_message(state: WorkspaceState, arguments: Arguments, not_own: str) -> Message:
    """The bot's message at `ts`; raises `message_not_found`, or `not_own` for somebody else's."""
    channel = find_channel(state, arguments)
    message = channel.find(arguments.required("ts", "message_not_found"))
    if message is None or message.subtype == "tombstone":
        raise SlackError("message_not_found")
    if message.bot_id != state.team.bot_id or state.team.bot_user not in channel.members:
        raise SlackError(not_own)
    return message


def update_message(state: WorkspaceState, arguments: Arguments) -> Json:
    message = own_message(state, arguments, "cant_update_message")
    channel = state.channels[message.channel]
    if channel.is_archived:
        raise SlackError("is_inactive")
    if state.edit_window is not None and state.clock() - float(message.ts) > state.edit_window:
        raise SlackError("edit_window_closed")
    content = posting.content_of(state, arguments, UPDATE_TEXT_MAX)
    keep_the_tier(state)
    posting.edit(state, message, content)
    if message.is_reply and arguments.flag("reply_broadcast"):
        message.broadcast = True
    shown = posting.message_json(state, message, metadata=True)
    for key in ("ts", *posting.thread_json(state, message), "subtype", "reactions"):
        shown.pop(key, None)  # Slack's answer to an edit leaves these out of `message`.
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def post_ephemeral(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = find_channel(state, arguments)
    if channel.is_archived:
        raise SlackError("is_archived")
    if state.team.bot_user not in channel.members:
        raise SlackError("channel_not_found")
    user = arguments.required("user", "user_not_in_channel")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    content = posting.content_of(state, arguments)
    content.pop("metadata", None)
    root = posting.thread_root(channel, arguments.text("thread_ts"))
    message = posting.whisper(
        state, channel, state.team.bot_user, user, thread_ts=root, bot_id=state.team.bot_id, **content
    )
    return {"message_ts": message.ts}


def delete_message(state: WorkspaceState, arguments: Arguments) -> Json:
    message = own_message(state, arguments, "cant_delete_message")
    posting.delete(state, message)
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = find_channel(state, arguments)
    ts = arguments.required("message_ts", "message_not_found")
    message = channel.find(ts)
    if message is None:
        raise SlackError("message_not_found")
    link = f"{state.base_url}/archives/{channel.id}/p{ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def add_reaction(state: WorkspaceState, arguments: Arguments) -> Json:
    name = arguments.required("name", "invalid_name").strip(":")
    if not EMOJI.fullmatch(name):
        raise SlackError("invalid_name")
    if not arguments.text("channel") or not arguments.text("timestamp"):
        raise SlackError("no_item_specified")
    message = find_channel(state, arguments).find(arguments.required("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    users = message.reactions.setdefault(name, [])
    if state.team.bot_user in users:
        raise SlackError("already_reacted")
    users.append(state.team.bot_user)
    state.changed()
    return {}


METHODS = {
    "chat.postMessage": post_message,
    "chat.update": update_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.delete": delete_message,
    "chat.getPermalink": get_permalink,
    "reactions.add": add_reaction,
}
