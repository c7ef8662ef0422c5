"""What a message's way leaves in the database: where it stands, that it waits and why, that its channel refuses it.

Each function is one transaction and makes no call.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Row

from bot.service.delivering.delivery import Delivery, Rendered
from bot.slack.client import WORKSPACE_WIDE, MessageRef, NotNow, PlaceGone, PostFault, Refused, Uncertain
from notify import claims
from notify.channel_refusals import move_elsewhere, refuse_channel, refused_channels
from notify.copies import mark_others, note_sought, place_of, unsought_rows
from notify.digests.tables import enqueue_tables
from notify.house_words import HouseWords
from notify.outbox import COPY, OVER, SAME_CHANNEL
from notify.render import render_or_fallback
from notify.routing import Routing
from storage.engine import Database
from storage.schema import OUTBOX
from storage.sharing.turns import note_post

log = structlog.get_logger()

SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=2)
SETTLE = timedelta(seconds=5)
"""How long a call without an answer is given to arrive in the history before it is looked up."""

TRIES = 5
"""How often a message is tried that Slack refuses by an error that may pass, before its channel is held to refuse."""

UNWRITTEN_WAIT = timedelta(minutes=1)


def render(delivery: Delivery, item: Row[Any], now: datetime) -> Rendered | None:
    """The words of a claimed message from one snapshot; None where the claim was lost."""
    with delivery.database.read() as connection:
        return _rendered(connection, item, now, delivery.words)


def say_may_repeat(delivery: Delivery, item: Row[Any], rendered: Rendered, now: datetime) -> Rendered:
    """The same message, saying from now on that it may repeat an earlier one. Raises NotNow where the claim is lost."""
    with delivery.database.write() as connection:
        claims.mark_may_repeat(connection, rendered.row)
        again = _rendered(connection, item, now, delivery.words)
    if again is None:
        raise NotNow("the claim was lost")
    return again


def _rendered(connection: Connection, item: Row[Any], now: datetime, words: HouseWords) -> Rendered | None:
    row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.id)).one()
    if (row.claimed_by, row.claimed_until) != (item.claimed_by, item.claimed_until):
        return None
    message, problem = render_or_fallback(connection, row, now, words)
    if problem is not None:
        log.error("message could not be rendered", item=row.id, kind=row.kind, error=problem)
    return Rendered(row, message, problem)


def mark_found_groups(database: Database, item: Row[Any], ids: Mapping[str, str]) -> None:
    """Note the ids of the user groups that a message mentions."""
    with database.write() as connection:
        claims.mark_mentions(connection, item, ids)


def is_said_already(database: Database, item: Row[Any], spellings: Sequence[str], now: datetime) -> bool:
    """Whether the same message is on its way to the same channel under its other name; this one is then left out.

    `spellings` are the channel's id and its names, the one that is to be kept first.
    """
    keys = {item.natural_key.replace(item.channel, other): other for other in spellings if other != item.channel}
    if not keys or item.channel not in item.natural_key:
        return False
    with database.read() as connection:
        twins = sa.select(OUTBOX.c.natural_key, OUTBOX.c.message_ts).where(OUTBOX.c.natural_key.in_(list(keys)))
        found = connection.execute(twins.where(OUTBOX.c.abandoned_at.is_(None))).all()
    order = list(spellings)
    mine = order.index(item.channel) if item.channel in order else len(order)
    if not any(row.message_ts is not None or order.index(keys[row.natural_key]) < mine for row in found):
        return False
    with database.write() as connection:
        claims.leave_out(connection, item, SAME_CHANNEL, now)
    return True


def mark_sent(database: Database, item: Row[Any], ref: MessageRef, version: int, now: datetime) -> bool:
    """Note where a message stands; False where the claim was lost meanwhile. Where it stands twice, one is marked."""
    with database.write() as connection:
        before = place_of(connection, item.id)
        if item.message_ts is None:
            note_post(connection, item.channel, now)
        held = claims.mark_sent(
            connection, item, message_channel=ref.channel, message_ts=ref.ts, version=version, now=now
        )
        if item.message_ts is None and mark_others(connection, item.id, (before, (ref.channel, ref.ts)), now):
            log.warning("a message stands twice; the copy is marked", item=item.id, channel=ref.channel)
        if held:
            enqueue_tables(connection, item, now)
        return held


def mark_found_copies(database: Database, item: Row[Any], found: Sequence[MessageRef], now: datetime) -> None:
    """Mark the copies of a message that its channel's history showed, so that nobody looks for them again."""
    with database.write() as connection:
        place_of(connection, item.id)
        if mark_others(connection, item.id, [(ref.channel, ref.ts) for ref in found], now):
            log.warning("a message stands twice; the copy is marked", item=item.id)
        note_sought(connection, item.id)


def unsought(database: Database, now: datetime) -> list[Row[Any]]:
    """The messages that may stand twice and whose copies nobody has looked for, the newest first."""
    with database.read() as connection:
        return unsought_rows(connection, now)


def mark_unwritten(database: Database, item: Row[Any], now: datetime) -> None:
    """Leave a message as it stands whose newest words cannot be written, and try again later."""
    with database.write() as connection:
        claims.postpone(connection, item, now + max(UNWRITTEN_WAIT, wait_of(item)), claims.UNWRITTEN)


def mark_fault(delivery: Delivery, item: Row[Any], rendered: Rendered | None, fault: PostFault, now: datetime) -> None:
    """Note how a call ended that did not end well, and when and where the message is tried again."""
    place = rendered.place if rendered else None
    with delivery.database.write() as connection:
        match fault:
            case NotNow():
                say = log.error if fault.error in WORKSPACE_WIDE else log.warning
                say("message postponed", item=item.id, channel=item.channel, error=fault.error)
                claims.postpone(connection, item, now + (fault.wait or wait_of(item)), fault.error)
            case Uncertain() if place is not None:
                # an edit made twice is as one made once
                claims.postpone(connection, item, now + wait_of(item), fault.error)
            case Uncertain():
                log.warning("no answer from slack, message is looked up", item=item.id, error=fault.error)
                claims.mark_uncertain(connection, item, now + max(SETTLE, wait_of(item)), fault.error)
            case PlaceGone() if item.kind == COPY:
                claims.leave_out(connection, item, OVER, now)
            case PlaceGone():
                log.warning("message is posted anew", item=item.id, channel=item.channel, error=fault.error)
                _forget_place(connection, item, rendered, fault, now)
            case Refused() if not fault.known and item.attempts < TRIES and not _refuses(connection, item.channel):
                log.warning("slack refused a message for now", item=item.id, channel=item.channel, error=fault.error)
                claims.postpone(connection, item, now + wait_of(item), fault.error)
            case _:
                log.error("channel refuses messages", item=item.id, channel=item.channel, error=fault.error)
                refuse_channel(connection, item, fault.error, now)
                move_from(delivery, connection, item.channel, now)


def _refuses(connection: Connection, channel: str) -> bool:
    return any(row.channel == channel for row in refused_channels(connection))


def move_from(delivery: Delivery, connection: Connection, channel: str, now: datetime) -> int:
    """Let what has nowhere to stand in a channel speak in the fallback channel, if that takes messages."""
    elsewhere = delivery.fallback_channel
    known = delivery.names.known
    refusing = {known(row.channel) for row in refused_channels(connection)}
    if elsewhere is None or known(elsewhere) in {known(channel), *refusing}:
        return 0
    moved = move_elsewhere(connection, channel, elsewhere, Routing(now, budget=delivery.card_budget))
    if moved:
        log.warning("messages speak elsewhere", channel=channel, to=elsewhere, messages=moved)
    return moved


def _forget_place(
    connection: Connection, item: Row[Any], rendered: Rendered | None, fault: PostFault, now: datetime
) -> None:
    if item.thread_of is None or (rendered and rendered.place):
        claims.reset_message_place(connection, item, now)
        return
    # the thread itself is gone: its card is posted anew, and the reply waits for it
    card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.thread_of)).one()
    if rendered is not None and card.message_ts == rendered.message.thread_ts and card.claimed_by is None:
        claims.reset_message_place(connection, card, now)
    claims.postpone(connection, item, now + SHORTEST_WAIT, fault.error)


def wait_of(item: Row[Any]) -> timedelta:
    """How long to wait before the next attempt, doubling from one second to two minutes."""
    attempts: int = item.attempts
    return min(SHORTEST_WAIT * (1 << min(max(attempts - 1, 0), 10)), LONGEST_WAIT)
