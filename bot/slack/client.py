"""Posts or edits one message in Slack, finds one that was posted, and looks whether a channel takes any.

Every way a call can end is one type: done, not now, uncertain, its place is gone, refused. Nothing is retried here and
nothing is stored in the database; who must not double uses `without_retries`.
"""

import copy
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from notify.claims import EDITS_LIMITED, RATE_LIMITED
from notify.text.message import EVENT_TYPE, SlackMessage

CALL_SECONDS = 15
"""How long one call to Slack may take; the SDK's own 30 s would outlast a claim of several calls."""

LONGEST_WAIT = timedelta(hours=1)
WITHOUT_RETRY_AFTER = timedelta(seconds=30)
TOKEN_WAIT = timedelta(minutes=5)

PLACE_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
MAY_HAVE_ACTED = frozenset({"fatal_error", "internal_error", "service_unavailable"})
"""Slack says of these that some aspect of the operation may have succeeded."""

WORKSPACE_WIDE = frozenset(
    {
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "team_added_to_org",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
    }
)
"""Nothing can be posted anywhere until somebody mends the app: another channel would not help."""

MAY_NOT_READ = frozenset({"missing_scope", "no_permission", "not_allowed_token_type"})
"""Of a method that reads, these say that it will stay so, while posting may still work."""

CHANNEL_REFUSALS = frozenset(
    {
        "cannot_dm_bot",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "messages_tab_disabled",
        "not_in_channel",
        "restricted_action",
        "restricted_action_read_only_channel",
        "team_not_found",
        "user_disabled",
        "user_not_found",
    }
)
"""These say that a channel takes no messages until somebody changes something. An error that is unknown may pass."""

CLOSED_THREADS = frozenset(
    {
        "cannot_reply_to_message",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
    }
)
"""A thread takes no replies, and the channel would take the message beside it."""

ABOUT_CONTENT = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "markdown_text_conflict",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""The words were refused, not the channel."""


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a message stands: Slack's channel id and time stamp."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Found:
    """A message of ours that the history showed, with the version that its metadata tells."""

    ref: MessageRef
    version: int


class PostFault(Exception):  # noqa: N818 - read as what happened
    """A call to Slack did not end well; `error` is Slack's error name, or what broke."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class NotNow(PostFault):
    """Nothing was sent; it can be, after `wait` (None: soon). 429, no connection, or a token that must be mended."""

    def __init__(self, error: str, wait: timedelta | None = None) -> None:
        super().__init__(error)
        self.wait = wait


class Uncertain(PostFault):
    """No answer came, or a 5xx: the message may stand in the channel."""


class PlaceGone(PostFault):
    """The message or its thread is gone, or closed to edits: a new one is to be posted."""


class Refused(PostFault):
    """Slack refuses the channel (`known`), what is said (`about_content`), or something that we cannot tell."""

    @property
    def known(self) -> bool:
        """Whether the error says that the channel takes no messages, so that trying again at once is useless."""
        return self.error in CHANNEL_REFUSALS

    @property
    def about_content(self) -> bool:
        """Whether the words were refused and the channel would take others."""
        return self.error in ABOUT_CONTENT


class HistoryUnreadable(PostFault):
    """The app may not read the channel's history, so an uncertain message cannot be looked up."""


def without_retries(slack: AsyncWebClient) -> AsyncWebClient:
    """The same client without the SDK's own retries, which post a message twice when an answer is lost."""
    bare = copy.copy(slack)
    bare.retry_handlers = []
    bare.timeout = min(slack.timeout, CALL_SECONDS)
    return bare


async def post_or_update(slack: AsyncWebClient, message: SlackMessage, place: MessageRef | None) -> MessageRef:
    """Post a message, or edit the one that stands at `place`; returns where it stands.

    Raises NotNow, Uncertain, PlaceGone or Refused. An uncertain edit may simply be made again.
    """
    if place is None:
        answer = await _called(
            slack.chat_postMessage(
                channel=message.channel,
                text=message.text,
                blocks=message.blocks,
                attachments=message.attachments,
                metadata=message.metadata,
                thread_ts=message.thread_ts,
                reply_broadcast=message.reply_broadcast or None,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
    else:
        await _update(slack, message, place)
        return place
    channel, ts = answer.get("channel"), answer.get("ts")
    if not channel or not ts:
        raise Uncertain("the answer does not say where the message stands")
    return MessageRef(str(channel), str(ts))


async def _update(slack: AsyncWebClient, message: SlackMessage, place: MessageRef) -> None:
    try:
        await _called(
            slack.chat_update(
                channel=place.channel,
                ts=place.ts,
                text=message.text,
                blocks=message.blocks,
                attachments=message.attachments,  # an empty list: left out, those that stand would stay
                metadata=message.metadata,
            )
        )
    except NotNow as fault:
        if fault.error != RATE_LIMITED:
            raise
        raise NotNow(EDITS_LIMITED, fault.wait) from None
    except PlaceGone as gone:  # where the channel takes nothing, its messages stand there yet
        refusal = await refusal_of(slack, place.channel)
        raise (Refused(refusal) if refusal is not None else gone) from None


async def refusal_of(slack: AsyncWebClient, channel: str) -> str | None:
    """The error with which a channel refuses messages, as far as looking at it tells; None where it seems to take some.

    `channel` is an id. A channel that may not be looked at seems to take messages. Raises NotNow.
    """
    try:
        told = (await fetch_page(slack.conversations_info, {"channel": channel}))[0]["channel"]
    except HistoryUnreadable as unreadable:
        return unreadable.error if unreadable.error in CHANNEL_REFUSALS else None
    if told.get("is_archived"):
        return "is_archived"
    here = told.get("is_member") or told.get("is_im") or told.get("is_mpim")
    return None if here else "not_in_channel"


async def open_direct(slack: AsyncWebClient, user: str) -> str:
    """The id of the direct conversation with a user. Raises HistoryUnreadable where it cannot be had, NotNow."""
    answer, _ = await fetch_page(slack.conversations_open, {"users": [user]})
    return str(answer["channel"]["id"])


async def find_posted(
    slack: AsyncWebClient, channel: str, item_id: str, *, oldest: datetime, thread_ts: str | None = None
) -> Found | None:
    """The message of an outbox row that stands in a channel (or a thread of it) since `oldest`; None if none does.

    `channel` must be an id. Raises HistoryUnreadable, PlaceGone (the thread is gone), NotNow.
    """
    async with aclosing(posted(slack, channel, item_id, oldest=oldest, thread_ts=thread_ts)) as found:
        return await anext(found, None)


async def posted(
    slack: AsyncWebClient,
    channel: str,
    item_id: str,
    *,
    oldest: datetime,
    latest: str | None = None,
    thread_ts: str | None = None,
) -> AsyncGenerator[Found]:
    """Every message of an outbox row that stands in a channel since `oldest`, up to Slack's time stamp `latest`.

    Raises as `find_posted` does.
    """
    words: dict[str, Any] = {"channel": channel, "oldest": f"{oldest.timestamp():.6f}", "limit": 200}
    if latest is not None:
        words["latest"] = latest
    read: Callable[..., Coroutine[Any, Any, Any]] = slack.conversations_history
    if thread_ts is not None:
        words["ts"], read = thread_ts, slack.conversations_replies
    words |= {"include_all_metadata": True, "inclusive": True}
    answer, cursor = await fetch_page(read, words)
    while True:
        for told in answer.get("messages", ()):
            metadata = told.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("item") == item_id:
                yield Found(MessageRef(channel, str(told["ts"])), int(payload.get("version", 0)))
        if cursor is None:
            return
        answer, cursor = await fetch_page(read, words, cursor)


async def fetch_page(
    read: Callable[..., Coroutine[Any, Any, Any]], words: Mapping[str, Any], cursor: str | None = None
) -> Any:
    """One page of what Slack lists, and the cursor of the next one or None; raises as `find_posted` does."""
    from_there = {"cursor": cursor} if cursor is not None else {}
    try:
        answer = await _called(read(**words, **from_there))
    except PlaceGone:
        raise
    except Refused as refused:
        raise HistoryUnreadable(refused.error) from None
    except Uncertain as fault:  # nothing is ever written by reading
        raise NotNow(fault.error) from None
    except NotNow as fault:
        if fault.error in MAY_NOT_READ:
            raise HistoryUnreadable(fault.error) from None
        if fault.error == RATE_LIMITED:  # by method: it does not make the channel wait
            raise NotNow(f"{RATE_LIMITED} while reading", fault.wait) from None
        raise
    return answer, (answer.get("response_metadata") or {}).get("next_cursor") or None


async def _called(call: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await call
    except SlackApiError as error:
        raise _fault_of(error.response) from None
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotNow(_broken(error)) from None
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        raise Uncertain(_broken(error)) from None


def _broken(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")[:200]


def _fault_of(response: Any) -> PostFault:
    """The type of a refused call, by HTTP status and Slack's error name."""
    status = _told(response, "status_code") or _told(response, "status")
    body = _told(response, "data")
    error = str(body.get("error") or "") if isinstance(body, Mapping) else ""
    if status == 429 or error in {RATE_LIMITED, "rate_limited"}:
        return NotNow(RATE_LIMITED, _retry_after(_told(response, "headers") or {}))
    if (isinstance(status, int) and status >= 500) or not error or error in MAY_HAVE_ACTED:
        return Uncertain(error or f"HTTP {status}")
    if error in WORKSPACE_WIDE:
        return NotNow(error, TOKEN_WAIT)
    return PlaceGone(error) if error in PLACE_GONE else Refused(error)


def _told(response: Any, name: str) -> Any:
    # the SDK gives its own response, a plain dict, or aiohttp's where the answer was no JSON
    if isinstance(response, dict):
        return response.get(name)
    return getattr(response, name, None)


def _retry_after(headers: Mapping[str, Any]) -> timedelta:
    told = next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), "")
    if not re.fullmatch(r"\d{1,9}", told):
        return WITHOUT_RETRY_AFTER
    return min(timedelta(seconds=max(1, int(told))), LONGEST_WAIT)
