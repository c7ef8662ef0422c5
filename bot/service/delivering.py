"""Delivery: claim, render, send, mark, until nothing is due; each step in its own transaction, the call in none.

A kill at any instant loses no message, and doubles none where the channel's history can be read. It decides neither
what is said nor where: the outbox row does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, Row

from bot.faults import CrashAt, never_crash
from bot.slack.client import (
    WORKSPACE_WIDE,
    ChannelNames,
    HistoryUnreadable,
    MessageRef,
    NotNow,
    PlaceGone,
    PostFault,
    Refused,
    Uncertain,
    find_posted,
    is_channel_id,
    post_or_update,
    without_retries,
)
from bot.slack.user_groups import GroupIds
from notify import outbox
from notify.channel_refusals import tell_author
from notify.render import render_or_fallback
from notify.text.blocks import sections
from notify.text.message import SlackMessage
from notify.text.words import code
from storage.engine import Database
from storage.schema import OUTBOX

log = structlog.get_logger()

SEND_SECONDS = 60
"""How long looking up and sending one message may take in all: less than its lease, or two workers could send it."""

LEASE = timedelta(seconds=90)
SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=2)
SETTLE = timedelta(seconds=5)
"""How long a call without an answer is given to arrive in the history before it is looked up."""

CLOCK_SLACK = timedelta(minutes=1)
"""How far Slack's clock may be behind ours when a message is looked for since a moment of ours."""

PLAIN_TEXT = 2_000
CARD_STANDS_NOWHERE = "card_stands_nowhere"


@dataclass(slots=True)
class Delivery:
    """What delivering needs: `worker` is this process's own name, `fallback_channel` takes what no channel took.

    The client is used without the SDK's own retries, whatever it was made with. `run` runs a function that uses the
    database, `crash_at` is a test's.
    """

    database: Database
    slack: AsyncWebClient
    worker: str
    fallback_channel: str | None = None
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    crash_at: CrashAt = never_crash
    names: ChannelNames = field(default_factory=ChannelNames)
    groups: GroupIds = field(default_factory=GroupIds)

    def __post_init__(self) -> None:
        self.slack = without_retries(self.slack)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The newest state of a claimed row and its words, addressed to where it stands or should stand."""

    row: Row[Any]
    message: SlackMessage
    problem: str | None

    @property
    def place(self) -> MessageRef | None:
        """Where the message stands already."""
        return None if self.row.message_ts is None else MessageRef(self.row.message_channel, self.row.message_ts)


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a job and how long it has run: a lease must last from when it is really taken."""

    now: datetime
    started: float

    @property
    def elapsed(self) -> timedelta:
        """How long the job has run."""
        return timedelta(seconds=asyncio.get_running_loop().time() - self.started)


async def deliver(delivery: Delivery, now: datetime) -> int:
    """Send everything that is due at `now`; how many messages were posted or edited.

    1. Claim the message that has been due longest, in its own transaction.
    2. Render its newest version from one snapshot; a template that fails says the plain facts with the error.
    3. Where an earlier call for it ended without an answer, look for it in the channel; then post or edit.
    4. Mark what stands where, or why it does not, in its own transaction.
    """
    moment = Moment(now, asyncio.get_running_loop().time())
    sent = 0
    while (item := await delivery.run(_claim, delivery, now, moment.elapsed + LEASE)) is not None:
        sent += await _deliver_one(delivery, item, moment)
    return sent


async def _deliver_one(delivery: Delivery, item: Row[Any], moment: Moment) -> bool:
    delivery.crash_at("claimed")
    await _find_groups(delivery, item)
    try:
        rendered: Rendered | None = await delivery.run(_render, delivery.database, item, moment.now)
    except LookupError as error:  # a reply whose card was taken away between the claim and now
        waits = NotNow(f"{CARD_STANDS_NOWHERE}: {error}")
        await delivery.run(_mark_fault, delivery, item, None, waits, moment.now + moment.elapsed)
        return False
    if rendered is None:  # the claim was lost: whoever has it now sends it
        return False
    try:
        async with asyncio.timeout(SEND_SECONDS):
            ref, version = await _send(delivery, item, rendered, moment)
    except (PostFault, TimeoutError) as error:
        fault = error if isinstance(error, PostFault) else Uncertain("no answer in time")
        await delivery.run(_mark_fault, delivery, item, rendered, fault, moment.now + moment.elapsed)
        return False
    delivery.crash_at("before_mark")
    marked = await delivery.run(_mark_sent, delivery.database, item, ref, version, moment.now + moment.elapsed)
    delivery.crash_at("after_mark")
    log.info("message stands", item=item.id, kind=item.kind, channel=ref.channel, version=version, marked=marked)
    return True


async def _find_groups(delivery: Delivery, item: Row[Any]) -> None:
    """Note the ids of the user groups that a message mentions; what Slack does not tell stays text."""
    handles = [handle for handle in item.facts.get("mentions", ()) if handle not in item.facts.get("mention_ids", {})]
    if not handles:
        return
    ids = await delivery.groups.ids_of(delivery.slack, handles)
    if ids:
        await delivery.run(_mark_mentions, delivery.database, item, ids)


async def _send(delivery: Delivery, item: Row[Any], rendered: Rendered, moment: Moment) -> tuple[MessageRef, int]:
    """Post or edit a message, unless the history shows that it was posted; where it stands, and in which version."""
    channel = await delivery.names.id_of(delivery.slack, rendered.message.channel)
    if rendered.place is None and item.uncertain:
        try:
            found = await _look_up(delivery, rendered)
        except HistoryUnreadable as unreadable:
            log.warning("history cannot be read, a message may repeat", item=item.id, error=unreadable.error)
            rendered = await delivery.run(_say_may_repeat, delivery.database, item, rendered, moment.now)
        else:
            if found is not None:
                return found
    delivery.crash_at("before_call")
    ref = await _post(delivery, rendered, channel)
    delivery.crash_at("after_call")
    return ref, rendered.row.version


async def _look_up(delivery: Delivery, rendered: Rendered) -> tuple[MessageRef, int] | None:
    row = rendered.row
    channel = await delivery.names.id_of(delivery.slack, rendered.message.channel)
    if not is_channel_id(channel):
        delivery.names.forget()
        channel = await delivery.names.id_of(delivery.slack, channel)
    if not is_channel_id(channel) or channel[0] in "UW":
        raise HistoryUnreadable(f"{channel} is no id of a channel")
    # one that was posted anew must not be taken for the old one, which may still stand
    since = row.created_at if row.sent_at is None else row.due_at
    found = await find_posted(
        delivery.slack, channel, row.id, oldest=since - CLOCK_SLACK, thread_ts=rendered.message.thread_ts
    )
    return None if found is None else (found.ref, found.version)


async def _post(delivery: Delivery, rendered: Rendered, channel: str) -> MessageRef:
    message = replace(rendered.message, channel=channel)
    try:
        return await post_or_update(delivery.slack, message, rendered.place)
    except Refused as refused:
        if refused.about_content:
            log.warning("slack refused what was said", item=rendered.row.id, error=refused.error)
            return await post_or_update(delivery.slack, _plain(message, refused.error), rendered.place)
        if refused.error != "channel_not_found" or channel == rendered.message.channel:
            raise
    # the name may belong to another channel by now
    delivery.names.forget()
    renamed = await delivery.names.id_of(delivery.slack, rendered.message.channel)
    if renamed == channel:
        raise Refused("channel_not_found")
    return await post_or_update(delivery.slack, replace(message, channel=renamed), rendered.place)


def _plain(message: SlackMessage, error: str) -> SlackMessage:
    """The message in one line of words, with what Slack said against the whole of it."""
    said = message.text if len(message.text) <= PLAIN_TEXT else "A message that is too long"
    text = f"{said} (Slack refused the whole message: {code(error, 80)})"
    return replace(message, text=text, blocks=sections(text))


def _mark_mentions(database: Database, item: Row[Any], ids: Mapping[str, str]) -> None:
    with database.write() as connection:
        outbox.mark_mentions(connection, item, ids)


def _claim(delivery: Delivery, now: datetime, lease: timedelta) -> Row[Any] | None:
    with delivery.database.write() as connection:
        return outbox.claim_next(connection, delivery.worker, now, lease)


def _render(database: Database, item: Row[Any], now: datetime) -> Rendered | None:
    with database.read() as connection:
        return _rendered(connection, item, now)


def _rendered(connection: Connection, item: Row[Any], now: datetime) -> Rendered | None:
    row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.id)).one()
    if (row.claimed_by, row.claimed_until) != (item.claimed_by, item.claimed_until):
        return None
    message, problem = render_or_fallback(connection, row, now)
    if problem is not None:
        log.error("message could not be rendered", item=row.id, kind=row.kind, error=problem)
    return Rendered(row, message, problem)


def _say_may_repeat(database: Database, item: Row[Any], rendered: Rendered, now: datetime) -> Rendered:
    with database.write() as connection:
        outbox.mark_may_repeat(connection, rendered.row)
        again = _rendered(connection, item, now)
    if again is None:
        raise NotNow("the claim was lost")
    return again


def _mark_sent(database: Database, item: Row[Any], ref: MessageRef, version: int, now: datetime) -> bool:
    with database.write() as connection:
        return outbox.mark_sent(
            connection, item, message_channel=ref.channel, message_ts=ref.ts, version=version, now=now
        )


def _mark_fault(delivery: Delivery, item: Row[Any], rendered: Rendered | None, fault: PostFault, now: datetime) -> None:
    place = rendered.place if rendered else None
    with delivery.database.write() as connection:
        match fault:
            case NotNow():
                say = log.error if fault.error in WORKSPACE_WIDE else log.warning
                say("message postponed", item=item.id, channel=item.channel, error=fault.error)
                outbox.postpone(connection, item, now + (fault.wait or _wait(item)), fault.error)
            case Uncertain() if place is not None:
                # an edit made twice is as one made once
                outbox.postpone(connection, item, now + _wait(item), fault.error)
            case Uncertain():
                log.warning("no answer from slack, message is looked up", item=item.id, error=fault.error)
                outbox.mark_uncertain(connection, item, now + max(SETTLE, _wait(item)), fault.error)
            case PlaceGone():
                log.warning("message is posted anew", item=item.id, channel=item.channel, error=fault.error)
                _forget_place(connection, item, rendered, fault, now)
            case _:
                moved_to = outbox.mark_failed_permanently(connection, item, fault.error, now, delivery.fallback_channel)
                tell_author(connection, item, fault.error, now)
                say = log.error if moved_to is None else log.warning
                say("channel refused a message", item=item.id, channel=item.channel, error=fault.error, to=moved_to)


def _forget_place(
    connection: Connection, item: Row[Any], rendered: Rendered | None, fault: PostFault, now: datetime
) -> None:
    if item.thread_of is None or (rendered and rendered.place):
        outbox.reset_message_place(connection, item, now)
        return
    # the thread itself is gone: its card is posted anew, and the reply waits for it
    card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.thread_of)).one()
    if rendered is not None and card.message_ts == rendered.message.thread_ts and card.claimed_by is None:
        outbox.reset_message_place(connection, card, now)
    outbox.postpone(connection, item, now + SHORTEST_WAIT, fault.error)


def _wait(item: Row[Any]) -> timedelta:
    """How long to wait before the next attempt, doubling from one second to two minutes."""
    attempts: int = item.attempts
    return min(SHORTEST_WAIT * (1 << min(max(attempts - 1, 0), 10)), LONGEST_WAIT)
