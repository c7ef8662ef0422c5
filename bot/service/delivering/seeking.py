"""Looks for the copies of messages that may stand twice, where their channel's history can be read by now.

A copy that is found is marked; the message that is kept is left as it is. What cannot be read waits for the next look.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from bot.service.delivering.delivery import Delivery
from bot.service.delivering.marking import mark_found_copies, unsought
from bot.slack.client import HistoryUnreadable, MessageRef, PostFault, posted
from storage.ahead import LOOK_BACK

log = structlog.get_logger()

CLOCK_SLACK = timedelta(minutes=1)
"""How far Slack's clock may be behind ours when a message is looked for since a moment of ours."""

SLACKS_OWN = timedelta(seconds=1)
"""How far the clocks of Slack's own servers may be apart."""


def looked_for_since(row: Row[Any]) -> datetime:
    """Since when, by Slack's own clock, a message stands if it does; by ours only where none of ours stood before.

    Our clock may have been wrong when it was posted. One that is posted anew must not be taken for the old one, which
    may still stand.
    """
    if row.posted_after is None:
        since: datetime = row.created_at - LOOK_BACK if row.sent_at is None else row.due_at - CLOCK_SLACK
        return since
    after = _moment_of(row.posted_after)
    return after - SLACKS_OWN if row.sent_at is None else after + timedelta(microseconds=1)


def _moment_of(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)


async def seek_copies(delivery: Delivery, row: Row[Any], kept: MessageRef, now: datetime) -> PostFault | None:
    """Mark the copies of a message that stands at `kept`; what kept them from being looked for, if anything did."""
    since = row.created_at - CLOCK_SLACK
    if row.posted_after is not None:
        since = min(since, _moment_of(row.posted_after))
    try:
        seen = posted(delivery.slack, kept.channel, row.id, oldest=since, latest=kept.ts)
        found = [one.ref async for one in seen]
    except PostFault as fault:  # it is tried again when the message is edited, and by the next look
        log.debug("copies of a message cannot be looked for", item=row.id, error=fault.error)
        return fault
    await delivery.run(mark_found_copies, delivery.database, row, found, now)
    return None


async def seek_all_copies(delivery: Delivery, now: datetime) -> int:
    """Look for the copies of each message that may have some and is edited no more; of how many it was done.

    A channel that may not be read is asked once a look, so that it costs next to nothing until its scope comes.
    """
    rows: list[Row[Any]] = await delivery.run(unsought, delivery.database, now)
    closed: set[str] = set()
    done = 0
    for row in rows:
        if row.message_channel in closed:
            continue
        fault = await seek_copies(delivery, row, MessageRef(row.message_channel, row.message_ts), now)
        if isinstance(fault, HistoryUnreadable):
            closed.add(row.message_channel)
        elif fault is not None:  # Slack is away, or limits calls
            break
        done += fault is None
    return done
