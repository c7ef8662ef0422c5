"""Posts or edits one message in Slack, finds one that was posted, and names channels by their ids.

Every way a call can end is one type: done, not now, uncertain, its place is gone, refused. Nothing is retried here and
nothing is stored in the database; who must not double uses `without_retries`.
"""

import copy
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from notify.outbox import RATE_LIMITED
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
    """Slack refuses for good: the channel, or (`about_content`) what is said."""

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
                metadata=message.metadata,
                thread_ts=message.thread_ts,
                reply_broadcast=message.reply_broadcast or None,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
    else:
        answer = await _called(
            slack.chat_update(
                channel=place.channel, ts=place.ts, text=message.text, blocks=message.blocks, metadata=message.metadata
            )
        )
    if place is not None:
        return place
    channel, ts = answer.get("channel"), answer.get("ts")
    if not channel or not ts:
        raise Uncertain("the answer does not say where the message stands")
    return MessageRef(str(channel), str(ts))


async def find_posted(
    slack: AsyncWebClient, channel: str, item_id: str, *, oldest: datetime, thread_ts: str | None = None
) -> Found | None:
    """The message of an outbox row that stands in a channel (or a thread of it) since `oldest`; None if none does.

    `channel` must be an id. Raises HistoryUnreadable, PlaceGone (the thread is gone), NotNow.
    """
    words: dict[str, Any] = {"channel": channel, "oldest": f"{oldest.timestamp():.6f}", "limit": 200}
    read: Callable[..., Coroutine[Any, Any, Any]] = slack.conversations_history
    if thread_ts is not None:
        words["ts"], read = thread_ts, slack.conversations_replies
    words |= {"include_all_metadata": True, "inclusive": True}
    answer, cursor = await _page(read, words, None)
    while True:
        for told in answer.get("messages", ()):
            metadata = told.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT_TYPE and payload.get("item") == item_id:
                return Found(MessageRef(channel, str(told["ts"])), int(payload.get("version", 0)))
        if cursor is None:
            return None
        answer, cursor = await _page(read, words, cursor)


async def _page(read: Callable[..., Coroutine[Any, Any, Any]], words: Mapping[str, Any], cursor: str | None) -> Any:
    """One page of what Slack lists, and the cursor of the next one or None; raises as `find_posted` does."""
    try:
        answer = await _called(read(**words, cursor=cursor))
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


CHANNEL_TYPES = ("public_channel", "private_channel")  # the scopes of the two are separate


@dataclass(slots=True)
class ChannelNames:
    """The ids of channels by their names, read from Slack as far as needed and kept: names change, ids do not.

    A large workspace has more pages than Slack lets an app read in a minute, so reading goes on where it stopped.
    """

    _ids: dict[str, str] = field(default_factory=dict)
    _unread: list[str] = field(default_factory=lambda: [*CHANNEL_TYPES])
    _cursor: str | None = None

    async def id_of(self, slack: AsyncWebClient, channel: str) -> str:
        """The id of `#name`; an id, and a name that Slack does not list, stay as they are. Raises NotNow."""
        name = channel.removeprefix("#")
        if is_channel_id(channel):
            return channel
        while name not in self._ids and self._unread:
            words = {"types": self._unread[0], "exclude_archived": False, "limit": 999}
            try:
                answer, self._cursor = await _page(slack.conversations_list, words, self._cursor)
            except (HistoryUnreadable, PlaceGone):  # where it may not read, names go to Slack as they are
                answer, self._cursor = {}, None
            self._ids |= {told["name"]: told["id"] for told in answer.get("channels", ()) if told.get("name")}
            if self._cursor is None:
                self._unread.pop(0)
        return self._ids.get(name, channel)

    def forget(self) -> None:
        """Read everything again when next asked: a channel was renamed, made or taken away."""
        self._ids, self._unread, self._cursor = {}, [*CHANNEL_TYPES], None


def is_channel_id(channel: str) -> bool:
    """Whether a text has the form of an id that Slack posts to: a channel's, a conversation's or a user's."""
    return re.fullmatch(r"[CDGUW][A-Z0-9]{2,}", channel) is not None


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
