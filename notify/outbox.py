"""What is still to be said: one outbox row a message, written with the transition that caused it.

A row is out of date while `shown_version` < `version`; whoever claims it renders the newest and marks what was shown.
Nothing here posts, renders or reads a clock; every function works inside the caller's transaction.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from storage.dialects import insert
from storage.prepared import Prepared
from storage.schema import OUTBOX

ALERT_CARD = "alert_card"
ALERT_REPLY = "alert_reply"
ROLL_UP = "roll_up"
COMMAND_CARD = "command_card"
DIGEST = "digest"
EVENT = "event"
EVENTS = "events"
QUIET_SUMMARY = "quiet_summary"
NOTICE = "notice"
TROUBLE = "trouble"

RATE_LIMITED = "ratelimited"
"""Slack's error name for a 429: while one message of a channel waits for it, the whole channel waits."""


DELIVERY_FACTS = ("moved_from", "moved_because", "may_repeat")
"""Facts about the delivery itself: they stay when the facts of a message change."""


def claim_next(connection: Connection, worker: str, now: datetime, lease: timedelta) -> Row[Any] | None:
    """Claim the message that has been due longest, or None where nothing can be sent now.

    A claim whose lease ran out was possibly sent: the row then comes back with `uncertain` true, to be looked up in
    the channel's history. A reply waits until its card stands in the channel; a channel that Slack told to wait holds
    up its own messages only. Another worker that got there first costs nothing: the update then finds no row.
    """
    item = OUTBOX.alias("item")
    card = OUTBOX.alias("card")
    limited = OUTBOX.alias("limited")
    card_stands = sa.exists().where(card.c.id == item.c.thread_of, card.c.message_ts.is_not(None))
    channel_waits = sa.exists().where(
        limited.c.channel == item.c.channel,
        limited.c.error == RATE_LIMITED,
        limited.c.claimed_by.is_(None),
        limited.c.claimed_until > now,
        limited.c.shown_version < limited.c.version,
        limited.c.abandoned_at.is_(None),
    )
    due = (
        sa.select(item.c.id)
        .where(_claimable(item, now), sa.or_(item.c.thread_of.is_(None), card_stands), sa.not_(channel_waits))
        .order_by(item.c.due_at, item.c.created_at, item.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=item)  # SQLite drops this: there one transaction writes at a time
        .scalar_subquery()
    )
    return connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.id == due, _claimable(OUTBOX, now))
        .values(
            uncertain=sa.or_(OUTBOX.c.uncertain, OUTBOX.c.claimed_by.is_not(None)),
            claimed_by=worker,
            claimed_until=now + lease,
            attempts=OUTBOX.c.attempts + 1,
        )
        .returning(*OUTBOX.c)
    ).first()


def _claimable(item: Any, now: datetime) -> ColumnElement[bool]:
    # claimed_until without claimed_by is a moment to wait for; with it, the end of a worker's lease
    return sa.and_(
        item.c.shown_version < item.c.version,
        item.c.due_at <= now,
        item.c.abandoned_at.is_(None),
        sa.or_(item.c.claimed_until.is_(None), item.c.claimed_until <= now),
    )


def mark_sent(
    connection: Connection, item: Row[Any], *, message_channel: str, message_ts: str, version: int, now: datetime
) -> bool:
    """Note that `version` of a message stands at (`message_channel`, `message_ts`); it stays due if a newer one waits.

    False where the claim was lost to another worker meanwhile: then the place is still noted if none was known.
    """
    held = connection.execute(
        sa.update(OUTBOX)
        .where(_still_claimed(item))
        .values(
            message_channel=message_channel,
            message_ts=message_ts,
            shown_version=version,
            shown_at=now,
            sent_at=sa.func.coalesce(OUTBOX.c.sent_at, now),
            claimed_by=None,
            claimed_until=None,
            uncertain=False,
            attempts=0,
            error=None,
        )
    )
    if held.rowcount == 1:
        return True
    connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.id == item.id, OUTBOX.c.message_ts.is_(None))
        .values(message_channel=message_channel, message_ts=message_ts)
    )
    return False


def mark_uncertain(connection: Connection, item: Row[Any], until: datetime, error: str) -> bool:
    """Give a message back whose call ended without an answer: from `until` on it is looked up before any resend."""
    return _give_back(connection, item, claimed_until=until, error=error, uncertain=True)


def postpone(connection: Connection, item: Row[Any], until: datetime, error: str) -> bool:
    """Give a message back that was provably not sent, to be tried again from `until` on.

    `error` is Slack's error name. RATE_LIMITED makes the whole channel wait; any other holds up this message only.
    `uncertain` stays as it was: a refused call says nothing about an earlier one.
    """
    return _give_back(connection, item, claimed_until=until, error=error)


def mark_failed_permanently(
    connection: Connection, item: Row[Any], error: str, now: datetime, fallback_channel: str | None
) -> str | None:
    """Move a message that its channel will never take to the fallback channel, with the reason in its facts.

    A reply takes its card along. Returns the channel it moved to, or None where there is nowhere left: it is then
    abandoned. The natural key stays: later news still finds the message.
    """
    row = item
    if item.thread_of is not None:
        _give_back(connection, item, claimed_until=None, error=error)
        row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.thread_of)).one()
        if row.channel != item.channel:  # another reply has moved the card already
            _move_replies(connection, row.id, row.channel)
            return str(row.channel)
    if fallback_channel is None or row.channel == fallback_channel:
        connection.execute(
            sa.update(OUTBOX)
            .where(OUTBOX.c.id == item.id)
            .values(abandoned_at=now, error=error, claimed_by=None, claimed_until=None)
        )
        return None
    facts = {**row.facts, "moved_from": row.channel, "moved_because": error}
    connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.id == row.id)
        .values(channel=fallback_channel, facts=facts, due_at=now, error=error, attempts=0, **_NOWHERE)
    )
    _move_replies(connection, row.id, fallback_channel)
    return fallback_channel


def mark_mentions(connection: Connection, item: Row[Any], ids: Mapping[str, str]) -> None:
    """Note Slack's ids of the user groups that a message mentions, by handle."""
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item.id).with_for_update()).scalar_one()
    facts = {**known, "mention_ids": {**known.get("mention_ids", {}), **ids}}
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts=facts))


def mark_may_repeat(connection: Connection, item: Row[Any]) -> None:
    """Make a message say that it may repeat an earlier one: an uncertain one where the history cannot be read."""
    facts = {**item.facts, "may_repeat": True}
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts=facts))


def reset_message_place(connection: Connection, item: Row[Any], now: datetime) -> None:
    """Forget where a message stood, because Slack says it is gone or closed to edits: it is posted anew, at once."""
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(due_at=now, attempts=0, **_NOWHERE))


def enqueue_message(
    connection: Connection,
    *,
    natural_key: str,
    kind: str,
    channel: str,
    facts: Mapping[str, Any],
    now: datetime,
    rule_id: str | None = None,
) -> bool:
    """Enqueue a message once per natural key; different facts under a known key edit it. False: nothing changed."""
    item = new_item(natural_key, kind, channel, due_at=now, now=now, facts=dict(facts), rule_id=rule_id)
    if insert_items(connection, [item]):
        return True
    known = connection.execute(
        sa.select(OUTBOX.c.id, OUTBOX.c.facts).where(OUTBOX.c.natural_key == natural_key).with_for_update()
    ).one()
    told = {**facts, **{key: known.facts[key] for key in DELIVERY_FACTS if key in known.facts}}
    if known.facts == told:
        return False
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == known.id).values(facts=told, **one_version_on(now)))
    return True


def new_item(
    natural_key: str, kind: str, channel: str, *, due_at: datetime, now: datetime, **columns: Any
) -> dict[str, Any]:
    """The row of a message that nobody has seen yet."""
    optional: dict[str, Any] = {
        "thread_of": None,
        "rolled_into": None,
        "broadcast": False,
        "rule_id": None,
        "incident_id": None,
        "facts": {},
    }
    return {
        "id": uuid.uuid4().hex,
        "natural_key": natural_key,
        "kind": kind,
        "channel": channel,
        "due_at": due_at,
        "created_at": now,
        "version": 1,
        "shown_version": 0,
        "uncertain": False,
        "attempts": 0,
        **optional,
        **columns,
    }


def insert_items(connection: Connection, items: Sequence[Mapping[str, Any]]) -> int:
    """Insert the messages whose natural keys are new; how many were."""
    if not items:
        return 0
    if len(items) == 1:
        return len(_insert_one(frozenset(items[0])).all(connection, items[0]))
    statement = insert(connection, OUTBOX).values([dict(item) for item in items])
    return len(connection.execute(statement.on_conflict_do_nothing().returning(OUTBOX.c.id)).all())


@cache
def _insert_one(names: frozenset[str]) -> Prepared:
    values: dict[str, Any] = {name: sa.bindparam(name) for name in names}
    return Prepared(
        lambda connection: insert(connection, OUTBOX).values(values).on_conflict_do_nothing().returning(OUTBOX.c.id)
    )


def one_version_on(now: datetime | ColumnElement[Any]) -> dict[str, Any]:
    """The columns that make a message out of date: an unseen one keeps its moment, a shown one is due at once.

    An edit that already waits is never put off; a moment to wait for (429) still holds.
    """
    due_at = sa.case(
        (OUTBOX.c.shown_version == 0, OUTBOX.c.due_at),
        (sa.and_(OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at < now), OUTBOX.c.due_at),
        else_=now,
    )
    return {"version": OUTBOX.c.version + 1, "due_at": due_at}


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be said: how many messages are due, since when the first was, and how many nobody will get."""

    due: int
    oldest: datetime | None
    failing: int
    abandoned: int


def backlog(connection: Connection, now: datetime) -> Backlog:
    """What is due at `now` and not said yet; `failing` of them were tried before."""
    waits = sa.and_(OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.abandoned_at.is_(None), OUTBOX.c.due_at <= now)
    mine = sa.and_(waits, OUTBOX.c.rolled_into.is_(None))
    row = connection.execute(
        sa.select(
            sa.func.count().filter(mine).label("due"),
            sa.func.min(OUTBOX.c.due_at).filter(mine).label("oldest"),
            sa.func.count().filter(mine, OUTBOX.c.error.is_not(None)).label("failing"),
            sa.func.count().filter(OUTBOX.c.abandoned_at.is_not(None)).label("abandoned"),
        )
    ).one()
    return Backlog(row.due, row.oldest, row.failing, row.abandoned)


_NOWHERE: dict[str, Any] = {
    "message_channel": None,
    "message_ts": None,
    "shown_version": 0,
    "uncertain": False,
    "claimed_by": None,
    "claimed_until": None,
}


def _still_claimed(item: Row[Any]) -> ColumnElement[bool]:
    # the lease's end fences off a claim that the same worker made later
    return sa.and_(
        OUTBOX.c.id == item.id,
        OUTBOX.c.claimed_by == item.claimed_by,
        OUTBOX.c.claimed_until == item.claimed_until,
    )


def _give_back(connection: Connection, item: Row[Any], **columns: Any) -> bool:
    given = connection.execute(sa.update(OUTBOX).where(_still_claimed(item)).values(claimed_by=None, **columns))
    return given.rowcount == 1


def _move_replies(connection: Connection, card_id: str, channel: str) -> None:
    connection.execute(
        sa.update(OUTBOX).where(OUTBOX.c.thread_of == card_id, OUTBOX.c.shown_version == 0).values(channel=channel)
    )
