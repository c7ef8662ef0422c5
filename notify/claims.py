"""Who sends which message next, and what an attempt leaves behind: claims, marks, waits.

A claim is a conditional update that returns its row, so that of several workers one sends. The order is decided here:
what answers a click, then news by how grave it is, then what has ended; nothing posts and no clock is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.outbox import OF_KIND, Rank
from storage.ahead import AHEAD
from storage.prepared import Prepared
from storage.schema import OUTBOX, REFUSED

RATE_LIMITED = "ratelimited"
"""Slack's error name for a 429: while one message of a channel waits for it, the whole channel waits."""

EDITS_LIMITED = "ratelimited edits"
"""A 429 to an edit: Slack limits edits over the whole workspace, so all edits wait, and no new message does."""

UNREADABLE = "its row cannot be read"
UNWRITTEN = "its words cannot be written"
UNREADABLE_WAIT = timedelta(minutes=5)

LONGEST_BEHIND = timedelta(minutes=5)
"""How long a message may wait behind graver ones; from then on every second one is the one that waited longest."""

DOUBTED_LEASE = timedelta(minutes=5)
DOUBTED_WAIT = timedelta(minutes=65)
"""A lease or a wait that ends further ahead was written by a clock that was wrong: it counts as over, and uncertain."""

HARDLY_EARLY = timedelta(minutes=15)
"""A digest that was said so little before its time, by a clock that was ahead, is edited and not said again."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What may be sent now: new messages, edits, and of edits at least those that answer a click or go with news.

    `oldest_first` lets go first what has waited for LONGEST_BEHIND.
    """

    posts: bool = True
    edits: bool = True
    urgent_edits: bool = True
    oldest_first: bool = False

    @property
    def any_open(self) -> bool:
        """Whether anything may be sent at all."""
        return self.posts or self.edits or self.urgent_edits


EVERY_LANE = Lanes()

_MOMENT = OUTBOX.c.due_at.type
_NOW, _UNTIL = sa.bindparam("now", type_=_MOMENT), sa.bindparam("until", type_=_MOMENT)
_DOUBTED_LEASE = sa.bindparam("doubted_lease", type_=_MOMENT)
_DOUBTED_WAIT = sa.bindparam("doubted_wait", type_=_MOMENT)
_LATE = sa.bindparam("late", type_=_MOMENT)


def due_channels(connection: Connection, now: datetime) -> list[str]:
    """The channels for which something is due at `now`, by the names that the outbox has for them."""
    return _due_channels().scalars(connection, _moments(now))


@cache
def _due_channels() -> Prepared:
    takes = ~sa.exists().where(REFUSED.c.channel == OUTBOX.c.channel)
    due = sa.select(OUTBOX.c.channel).where(_claimable(OUTBOX), takes)
    return Prepared(due.distinct().order_by(OUTBOX.c.channel))


def _moments(now: datetime) -> dict[str, Any]:
    """The moments that questions about what is due compare with."""
    doubted = {"doubted_lease": now + DOUBTED_LEASE, "doubted_wait": now + DOUBTED_WAIT}
    return {"now": now, **doubted, "late": now - LONGEST_BEHIND}


def claim_next(
    connection: Connection,
    worker: str,
    now: datetime,
    lease: timedelta,
    *,
    channels: Sequence[str] | None = None,
    lanes: Lanes = EVERY_LANE,
) -> Row[Any] | None:
    """Claim the message that is to go next, of these channels or of all, or None where nothing can be sent now.

    A claim whose lease ran out was possibly sent: the row then comes back with `uncertain` true, to be looked up in
    the channel's history. A reply waits until its card stands in the channel, for what was said before it in its
    thread, and for an edit of its card that was due before it. A channel that Slack told to wait holds up its own
    messages only; one that refuses messages is left out. Another worker that got there first costs nothing.
    """
    asked = {} if channels is None else {"channels": list(channels)}
    return _claim(connection, _next_one(lanes, among=channels is not None), worker, now, lease, asked)


def claim_probe(connection: Connection, worker: str, now: datetime, lease: timedelta, channel: str) -> Row[Any] | None:
    """Claim the one message by which a channel that refuses messages is tried again: a new one before an edit."""
    return _claim(connection, _probe(), worker, now, lease, {"channel": channel})


def _claim(  # noqa: PLR0917 - what a claim is made of
    connection: Connection, claiming: Prepared, worker: str, now: datetime, lease: timedelta, asked: dict[str, Any]
) -> Row[Any] | None:
    while True:
        claimed = claiming.scalar(connection, {**_moments(now), "worker": worker, "until": now + lease, **asked})
        if claimed is None:
            return None
        try:
            return connection.execute(_ITEM, {"claimed": claimed}).one()
        except (ValueError, TypeError, LookupError):  # a damaged row holds up no other
            waits = {"claimed_by": None, "claimed_until": now + UNREADABLE_WAIT, "error": UNREADABLE}
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == claimed).values(waits))


_ITEM = sa.select(OUTBOX).where(OUTBOX.c.id == sa.bindparam("claimed"))


@cache
def _next_one(lanes: Lanes, *, among: bool) -> Prepared:
    """What claims the message that is to go next, with `among` of the channels that it is given."""
    item = OUTBOX.alias("item")
    refuses = sa.exists().where(REFUSED.c.channel == item.c.channel)
    mine = [*_ready(item, lanes), ~refuses, ~_limited(item)]
    if among:
        mine.append(item.c.channel.in_(sa.bindparam("channels", expanding=True)))
    return _claiming(item, mine, _order(item, lanes))


@cache
def _probe() -> Prepared:
    item = OUTBOX.alias("item")
    mine = [*_ready(item, EVERY_LANE), item.c.channel == sa.bindparam("channel")]
    order = [sa.case((item.c.message_ts.is_(None), 0), else_=1), *_order(item, EVERY_LANE)]
    return _claiming(item, mine, order)


def _claiming(item: Any, conditions: Sequence[ColumnElement[bool]], order: Sequence[ColumnElement[Any]]) -> Prepared:
    """What claims the first message, in this order, of which these conditions are true, and answers its id."""
    due = (
        sa.select(item.c.id)
        .where(*conditions)
        .order_by(*order)
        .limit(1)
        .with_for_update(skip_locked=True, of=item)  # SQLite drops this: there one transaction writes at a time
        .scalar_subquery()
    )
    return Prepared(
        sa.update(OUTBOX)
        .where(OUTBOX.c.id == due, _claimable(OUTBOX))
        .values(
            uncertain=sa.or_(OUTBOX.c.uncertain, OUTBOX.c.claimed_by.is_not(None)),
            claimed_by=sa.bindparam("worker"),
            claimed_until=_UNTIL,
            posted_after=sa.case((_is_first_try(), _newest_ts()), else_=OUTBOX.c.posted_after),
            attempts=OUTBOX.c.attempts + 1,
        )
        .returning(OUTBOX.c.id)
    )


def _is_first_try() -> ColumnElement[bool]:
    """Whether no call for a message can have been made since it stood nowhere."""
    return sa.and_(OUTBOX.c.message_ts.is_(None), OUTBOX.c.claimed_by.is_(None), ~OUTBOX.c.uncertain)


def _newest_ts() -> Any:
    stands = OUTBOX.alias("stands")
    return sa.select(sa.func.max(stands.c.message_ts)).scalar_subquery()


def _ready(item: Any, lanes: Lanes) -> list[ColumnElement[bool]]:
    """What makes a message one that may go now: due, its lane open, and its turn in its own thread."""
    card, before = OUTBOX.alias("card"), OUTBOX.alias("before")
    ready = [
        _claimable(item),
        sa.or_(item.c.thread_of.is_(None), sa.exists().where(card.c.id == item.c.thread_of, _stands(card))),
        ~sa.exists().where(
            before.c.thread_of == item.c.thread_of,
            before.c.shown_version == 0,
            before.c.abandoned_at.is_(None),
            before.c.due_at <= _NOW,
            sa.or_(
                before.c.created_at < item.c.created_at,
                sa.and_(before.c.created_at == item.c.created_at, before.c.natural_key < item.c.natural_key),
            ),
        ),
    ]
    if lanes.edits or lanes.urgent_edits:
        edited = OUTBOX.alias("edited")
        edit_first = (edited.c.id == item.c.thread_of, _claimable(edited), edited.c.due_at <= item.c.due_at)
        ready.append(~sa.exists().where(*edit_first))
    lane: list[ColumnElement[bool]] = []
    if lanes.posts:
        lane.append(~_stands(item))
    if lanes.edits:
        lane.append(_stands(item))
    elif lanes.urgent_edits:
        lane.append(sa.and_(_stands(item), _rank(item) <= Rank.INFO))
    return [*ready, sa.or_(sa.false(), *lane)]


def _limited(item: Any) -> ColumnElement[bool]:
    """Whether Slack has told the channel of a message to wait, or where it is an edit, everybody's edits."""
    limited, edit = OUTBOX.alias("limited"), OUTBOX.alias("limited_edit")

    def waits(one: Any, error: str) -> list[ColumnElement[bool]]:
        still = (one.c.claimed_by.is_(None), one.c.claimed_until > _NOW, one.c.shown_version < one.c.version)
        return [one.c.error == error, *still, one.c.abandoned_at.is_(None)]

    channel_waits = sa.exists().where(limited.c.channel == item.c.channel, *waits(limited, RATE_LIMITED))
    edits_wait = sa.and_(_stands(item), sa.exists().where(*waits(edit, EDITS_LIMITED)))
    return sa.or_(channel_waits, edits_wait)


def _order(item: Any, lanes: Lanes) -> list[ColumnElement[Any]]:
    rank = [_rank(item), item.c.due_at, item.c.created_at, item.c.id]
    if not lanes.oldest_first:
        return rank
    is_late = item.c.due_at <= _LATE
    by_age = [sa.case((is_late, item.c.due_at)), sa.case((is_late, item.c.created_at))]  # of all others the same NULL
    return [sa.case((is_late, 0), else_=1), *by_age, *rank]


def _rank(item: Any) -> ColumnElement[int]:
    """How early a message goes: an edit late, but as early as what waits for it in its thread."""
    reply = OUTBOX.alias("reply")
    waiting = (
        sa.select(sa.func.min(_own_rank(reply)))
        .where(reply.c.thread_of == item.c.id, reply.c.shown_version == 0, reply.c.due_at <= _NOW)
        .where(reply.c.abandoned_at.is_(None))
        .correlate(item)
        .scalar_subquery()
    )
    of_edit = sa.func.coalesce(waiting, Rank.ENDED.value)
    return sa.case(
        (sa.or_(item.c.clicked_at.is_not(None), _is_click(item)), Rank.CLICK.value),
        (_stands(item), sa.case((of_edit < Rank.ENDED.value, of_edit), else_=Rank.ENDED.value)),
        else_=_own_rank(item),
    )


def _own_rank(item: Any) -> ColumnElement[int]:
    by_kind = {kind: rank.value for kind, rank in OF_KIND.items()}
    return sa.func.coalesce(item.c.rank, sa.case(by_kind, value=item.c.kind, else_=Rank.OTHER.value))


def _is_click(item: Any) -> ColumnElement[bool]:
    clicks: ColumnElement[bool] = item.c.kind.in_([kind for kind, rank in OF_KIND.items() if rank is Rank.CLICK])
    return clicks


def _stands(item: Any) -> ColumnElement[bool]:
    stands: ColumnElement[bool] = item.c.message_ts.is_not(None)
    return stands


def _claimable(item: Any) -> ColumnElement[bool]:
    # claimed_until without claimed_by is a moment to wait for; with it, the end of a worker's lease
    lease = item.c.claimed_until > _DOUBTED_LEASE
    return sa.and_(
        item.c.shown_version < item.c.version,
        item.c.due_at <= _NOW,
        item.c.abandoned_at.is_(None),
        sa.or_(
            item.c.claimed_until.is_(None),
            item.c.claimed_until <= _NOW,
            sa.and_(item.c.claimed_by.is_not(None), lease),
            item.c.claimed_until > _DOUBTED_WAIT,
        ),
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
            clicked_at=sa.case((OUTBOX.c.version > version, OUTBOX.c.clicked_at)),
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

    `error` is Slack's error name. RATE_LIMITED makes the whole channel wait, EDITS_LIMITED all edits; any other holds
    up this message only.
    `uncertain` stays as it was: a refused call says nothing about an earlier one.
    """
    return _give_back(connection, item, claimed_until=until, error=error)


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
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(due_at=now, attempts=0, **NOWHERE))


def say_anew(connection: Connection, natural_key: str, since: datetime, now: datetime) -> None:
    """Forget a message that was made before its time came, by a clock that was ahead: it is posted anew.

    One that stands hardly earlier than its time, by Slack's own clock, is edited where it is: nobody reads it twice.
    One that may stand somewhere is looked for first, as any other.
    """
    made, box = OUTBOX.c.created_at, OUTBOX.c
    early = (box.natural_key == natural_key, sa.or_(made < since, made > now + AHEAD))
    hardly = box.message_ts >= f"{(since - HARDLY_EARLY).timestamp():.6f}"
    kept = sa.or_(hardly, box.uncertain, box.claimed_by.is_not(None))
    connection.execute(sa.update(OUTBOX).where(*early, kept).values(created_at=now, due_at=now))
    values = {"created_at": now, "due_at": now, "sent_at": None, "attempts": 0, **NOWHERE}
    connection.execute(sa.update(OUTBOX).where(*early, sa.not_(sa.func.coalesce(kept, sa.false()))).values(values))


def leave_out(connection: Connection, item: Row[Any], why: str, now: datetime) -> None:
    """Let a message never be sent that nobody misses; `why` is one of LEFT_OUT."""
    connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.id == item.id)
        .values(abandoned_at=now, error=why, claimed_by=None, claimed_until=None)
    )


NOWHERE: dict[str, Any] = {
    "message_channel": None,
    "message_ts": None,
    "shown_version": 0,
    "uncertain": False,
    "claimed_by": None,
    "claimed_until": None,
}
"""The columns of a message that stands in no channel, and that nobody is sending."""


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
