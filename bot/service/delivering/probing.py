"""Channels that refuse messages: what waits for them is moved or made ready, and one message tries each again.

The pauses between two tries grow to five minutes; nothing is given up, and nothing is tried twice at a time.
"""

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row

from bot.service.delivering.delivery import LEASE, Delivery, Moment
from bot.service.delivering.marking import move_from
from bot.service.delivering.posting import send_claimed
from bot.slack.channel_names import is_channel_id
from bot.slack.client import NotNow, refusal_of
from notify.channel_refusals import begin_probe, due_probes, postpone_probe, refused_channels, take_again
from notify.channel_returns import prepare_return
from notify.claims import claim_probe
from notify.routing import Routing

log = structlog.get_logger()


def move_what_waits(delivery: Delivery, now: datetime) -> list[str]:
    """Let what came for refused channels speak elsewhere meanwhile; the channels that are to be tried again now."""
    with delivery.database.read() as connection:
        refused = [row.channel for row in refused_channels(connection)]
        due = due_probes(connection, now)
    for channel in refused:
        if channel not in due:  # what is tried again is moved if it fails
            with delivery.database.write() as connection:
                move_from(delivery, connection, channel, now)
    return due


async def probe(delivery: Delivery, channel: str, moment: Moment) -> int:
    """Try a channel again with one message, or where nothing waits for it, by a look at it; how many stand now."""
    begun, item = await delivery.run(_begin, delivery, channel, moment.now)
    if not begun:
        return 0
    if item is None:
        return await _look(delivery, channel, moment)
    if not is_channel_id(delivery.names.known(channel)):
        delivery.names.forget()  # it may have been made since
    if not await send_claimed(delivery, item, moment):
        return 0
    await delivery.run(_note_return, delivery, channel)
    return 1


def _begin(delivery: Delivery, channel: str, now: datetime) -> tuple[bool, Row[Any] | None]:
    with delivery.database.write() as connection:
        if not begin_probe(connection, channel, now, LEASE):
            return False, None
        prepare_return(connection, channel, Routing(now, budget=delivery.card_budget))
        return True, claim_probe(connection, delivery.worker, now, LEASE, channel)


async def _look(delivery: Delivery, channel: str, moment: Moment) -> int:
    try:
        found = await delivery.names.id_of(delivery.slack, channel)
        error = await refusal_of(delivery.slack, found) if found[0] in "CDG" else None
    except NotNow as fault:
        error = fault.error
    if error is None:
        await delivery.run(_note_return, delivery, channel)
    else:
        await delivery.run(_note_refusal, delivery, channel, error, moment.now)
    return 0


def _note_return(delivery: Delivery, channel: str) -> None:
    with delivery.database.write() as connection:
        if take_again(connection, channel):
            log.info("channel takes messages again", channel=channel)


def _note_refusal(delivery: Delivery, channel: str, error: str, now: datetime) -> None:
    with delivery.database.write() as connection:
        postpone_probe(connection, channel, error, now)
