"""The Web API's conversations methods: list, info, history, replies, members, open, join.

Histories are newest first and hold metadata only when `include_all_metadata` asks for it; a channel that the bot is
not a member of cannot be read.
"""

import re
from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.web_api.chat import find_channel
from sandbox.slack.workspace.arguments import Arguments, page_of
from sandbox.slack.workspace.model import Channel, Message
from sandbox.slack.workspace.posting import message_json
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]

TS = re.compile(r"\d{1,12}(\.\d{1,6})?")


def channel_type(channel: Channel) -> str:
    if channel.is_im:
        return "im"
    return "private_channel" if channel.is_private else "public_channel"


def list_conversations(state: WorkspaceState, arguments: Arguments) -> Json:
    wanted = arguments.words("types") or ["public_channel"]
    bot = state.team.bot_user
    found = [
        c
        for c in state.channels.values()
        if channel_type(c) in wanted
        and (channel_type(c) == "public_channel" or bot in c.members)
        and not (c.is_archived and arguments.flag("exclude_archived"))
    ]
    page, cursor = page_of(found, arguments)
    channels = [c.to_json(state.team, viewer=bot) for c in page]
    return {"channels": channels, "response_metadata": {"next_cursor": cursor}}


def conversation_info(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = find_channel(state, arguments)
    shown = channel.to_json(state.team, viewer=state.team.bot_user, with_members=arguments.flag("include_num_members"))
    return {"channel": shown}


def readable(state: WorkspaceState, arguments: Arguments) -> Channel:
    channel = find_channel(state, arguments)
    if state.team.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def within(arguments: Arguments, messages: list[Message]) -> list[Message]:
    """The messages between `oldest` and `latest`; the ends themselves only when `inclusive`."""
    bounds = {}
    for name in ("oldest", "latest"):
        text = arguments.text(name)
        if text and not TS.fullmatch(text):
            raise SlackError(f"invalid_ts_{name}")
        bounds[name] = number(text) if text else None
    oldest, latest = bounds["oldest"], bounds["latest"]
    if arguments.flag("inclusive"):
        return [
            m
            for m in messages
            if (oldest is None or number(m.ts) >= oldest) and (latest is None or number(m.ts) <= latest)
        ]
    return [
        m for m in messages if (oldest is None or number(m.ts) > oldest) and (latest is None or number(m.ts) < latest)
    ]


def number(ts: str) -> int:
    """A time stamp in microseconds: floats would make neighbours equal."""
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1_000_000 + int(micros.ljust(6, "0") or 0)


def history(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = readable(state, arguments)
    shown = [m for m in channel.messages if not m.deleted and m.in_channel]
    found = sorted(within(arguments, shown), key=lambda m: number(m.ts), reverse=True)
    page, cursor = page_of(found, arguments)
    answer: Json = {
        "messages": [message_json(state, m, metadata=arguments.flag("include_all_metadata")) for m in page],
        "has_more": bool(cursor),
        "pin_count": 0,
    }
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def replies(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = readable(state, arguments)
    message = channel.find(arguments.required("ts", "thread_not_found"))
    if message is None:
        raise SlackError("thread_not_found")
    thread = channel.thread(message.thread_ts or message.ts)
    # The parent is part of every answer, whatever the bounds.
    found = [m for m in thread if not m.is_reply] + within(arguments, [m for m in thread if m.is_reply])
    page, cursor = page_of(found, arguments, default=1000)
    answer: Json = {
        "messages": [message_json(state, m, metadata=arguments.flag("include_all_metadata")) for m in page],
        "has_more": bool(cursor),
    }
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def members(state: WorkspaceState, arguments: Arguments) -> Json:
    page, cursor = page_of(find_channel(state, arguments).members, arguments)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def open_conversation(state: WorkspaceState, arguments: Arguments) -> Json:
    if arguments.text("channel"):
        channel = find_channel(state, arguments)
        if not channel.is_im:
            raise SlackError("method_not_supported_for_channel_type")
    else:
        users = arguments.words("users")
        if not users:
            raise SlackError("users_list_not_supplied")
        if len(users) > 1:
            raise SlackError("too_many_users")  # The stand-in has no group conversations.
        if users[0] not in state.users:
            raise SlackError("user_not_found")
        if state.users[users[0]].deleted:
            raise SlackError("user_disabled")
        known = {c.id for c in state.channels.values()}
        channel = state.direct_channel(users[0])
        if channel.id not in known:
            state.changed()
    if arguments.flag("return_im"):
        return {"channel": channel.to_json(state.team, viewer=state.team.bot_user)}
    return {"channel": {"id": channel.id}}


def join(state: WorkspaceState, arguments: Arguments) -> Json:
    channel = find_channel(state, arguments)
    if channel.is_im or channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    answer: Json = {}
    if state.team.bot_user in channel.members:
        answer = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    else:
        channel.members.append(state.team.bot_user)
        state.changed()
    return {"channel": channel.to_json(state.team, viewer=state.team.bot_user, with_members=False), **answer}


METHODS = {
    "conversations.list": list_conversations,
    "conversations.info": conversation_info,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.members": members,
    "conversations.open": open_conversation,
    "conversations.join": join,
}
