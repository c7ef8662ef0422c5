"""One claimed message on its way: rendered, looked for where it may stand already, posted or edited, and marked.

Each step has its own transaction, the call none. Where it may stand or what may go first is not decided here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import Row

from bot.service.delivering.backtests import prepare_backtests
from bot.service.delivering.delivery import Delivery, Moment, Rendered
from bot.service.delivering.marking import (
    is_said_already,
    mark_fault,
    mark_found_groups,
    mark_sent,
    mark_unwritten,
    render,
    say_may_repeat,
)
from bot.service.delivering.pictures import prepare_picture, spare_picture
from bot.service.delivering.seeking import looked_for_since, seek_copies
from bot.slack.channel_names import is_channel_id
from bot.slack.client import (
    CLOSED_THREADS,
    HistoryUnreadable,
    MessageRef,
    NotNow,
    PostFault,
    Refused,
    Uncertain,
    find_posted,
    open_direct,
    post_or_update,
)
from notify.copies import may_have_copies
from notify.text.blocks import sections
from notify.text.message import SlackMessage
from notify.text.words import code

log = structlog.get_logger()

SEND_SECONDS = 60
"""How long looking up and sending one message may take in all: less than its lease, or two workers could send it."""

STANDS_STILL = 60.0
"""Seconds after which a claim is not trusted before the call: well before its lease is over."""

PLAIN_TEXT = 2_000
CARD_STANDS_NOWHERE = "card_stands_nowhere"


async def send_claimed(delivery: Delivery, item: Row[Any], moment: Moment) -> bool:
    """Send a claimed message; whether it stands now.

    1. Render its newest version from one snapshot. A template that fails says the plain facts, once; what stands
       already is left as it is.
    2. Where an earlier call for it ended without an answer, look for it in the channel; then post or edit.
    3. Mark what stands where, or why it does not.
    """
    delivery.crash_at("claimed")
    by = asyncio.get_running_loop().time() + STANDS_STILL
    await _find_groups(delivery, item)
    await prepare_backtests(delivery, item)
    await prepare_picture(delivery, item)
    try:
        rendered: Rendered | None = await delivery.run(render, delivery, item, moment.began_at)
    except LookupError as error:  # a reply whose card was taken away between the claim and now
        waits = NotNow(f"{CARD_STANDS_NOWHERE}: {error}")
        await delivery.run(mark_fault, delivery, item, None, waits, moment.now)
        return False
    if rendered is None:  # the claim was lost: whoever has it now sends it
        return False
    if rendered.problem is not None and rendered.place is not None:
        await delivery.run(mark_unwritten, delivery.database, item, moment.now)
        return False
    try:
        async with asyncio.timeout(SEND_SECONDS):
            sent = await _send(delivery, item, rendered, moment, by)
    except (PostFault, TimeoutError) as error:
        fault = error if isinstance(error, PostFault) else Uncertain("no answer in time")
        delivery.note(type(fault).__name__, fault.error)
        await delivery.run(mark_fault, delivery, item, rendered, fault, moment.now)
        return False
    if sent is None:
        return False
    ref, version = sent
    delivery.crash_at("before_mark")
    marked = await delivery.run(mark_sent, delivery.database, item, ref, version, moment.now)
    delivery.crash_at("after_mark")
    delivery.note("sent")
    if rendered.place is not None and may_have_copies(rendered.row):
        await seek_copies(delivery, rendered.row, ref, moment.now)
    if rendered.place is None:
        delivery.pace.note_post(moment.now, *{item.channel, delivery.names.known(item.channel), ref.channel})
    log.info("message stands", item=item.id, kind=item.kind, channel=ref.channel, version=version, marked=marked)
    return True


async def _find_groups(delivery: Delivery, item: Row[Any]) -> None:
    """Note the ids of the user groups that a message mentions; what Slack does not tell stays text."""
    handles = [handle for handle in item.facts.get("mentions", ()) if handle not in item.facts.get("mention_ids", {})]
    if not handles:
        return
    ids: Mapping[str, str] = await delivery.groups.ids_of(delivery.slack, handles)
    if ids:
        await delivery.run(mark_found_groups, delivery.database, item, ids)


async def _send(
    delivery: Delivery, item: Row[Any], rendered: Rendered, moment: Moment, by: float
) -> tuple[MessageRef, int] | None:
    """Post or edit a message, unless the history shows that it was posted; where it stands, and in which version.

    None where its channel has the same message under its other name.
    """
    channel = await delivery.names.id_of(delivery.slack, rendered.message.channel)
    if rendered.place is None and rendered.message.thread_ts is None:
        spellings = [channel, *delivery.names.names_of(channel)]
        if await delivery.run(is_said_already, delivery.database, item, spellings, moment.now):
            return None
    if rendered.place is None and item.uncertain:
        try:
            found = await _look_up(delivery, rendered)
        except HistoryUnreadable as unreadable:
            log.warning("history cannot be read, a message may repeat", item=item.id, error=unreadable.error)
            rendered = await delivery.run(say_may_repeat, delivery, item, rendered, moment.began_at)
        else:
            if found is not None:
                return found
    if rendered.place is not None:
        delivery.pace.note_edit(moment.now)
    delivery.crash_at("before_call")
    if asyncio.get_running_loop().time() > by:  # this process was stopped: another one may be sending it by now
        raise NotNow("this process stood still")
    ref = await _post(delivery, rendered, channel)
    delivery.crash_at("after_call")
    return ref, rendered.row.version


async def _look_up(delivery: Delivery, rendered: Rendered) -> tuple[MessageRef, int] | None:
    row = rendered.row
    channel = await delivery.names.id_of(delivery.slack, rendered.message.channel)
    if not is_channel_id(channel):
        delivery.names.forget()
        channel = await delivery.names.id_of(delivery.slack, channel)
    if not is_channel_id(channel):
        raise HistoryUnreadable(f"{channel} is no id of a channel")
    if channel[0] in "UW":
        channel = await open_direct(delivery.slack, channel)
    oldest = looked_for_since(row)
    found = await find_posted(delivery.slack, channel, row.id, oldest=oldest, thread_ts=rendered.message.thread_ts)
    return None if found is None else (found.ref, found.version)


async def _post(delivery: Delivery, rendered: Rendered, channel: str) -> MessageRef:
    message = replace(rendered.message, channel=channel)
    try:
        return await post_or_update(delivery.slack, message, rendered.place)
    except Refused as refused:
        if refused.about_content:
            await spare_picture(delivery, rendered, refused)
            log.warning("slack refused what was said", item=rendered.row.id, error=refused.error)
            return await post_or_update(delivery.slack, _plain(message, refused.error), rendered.place)
        if refused.error in CLOSED_THREADS and message.thread_ts is not None:
            log.warning("a thread takes no replies, so it is said beside it", item=rendered.row.id, error=refused.error)
            beside = replace(message, thread_ts=None, reply_broadcast=False)
            return await post_or_update(delivery.slack, beside, rendered.place)
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
    return replace(message, text=text, blocks=sections(text), attachments=[])
