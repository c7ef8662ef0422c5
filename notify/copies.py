"""A message that stands twice, because its history could not be read: the copy says that it is one, once it is found.

A copy is found when somebody clicks in it, when a second answer says that it was posted, or in a history that can be
read again. The message that is kept up to date stays as it is; nothing here posts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.outbox import ALERT_CARD, COPY, insert_items, new_item
from storage.schema import OUTBOX

SOUGHT_FOR, MOST_SOUGHT = timedelta(days=14), 500
"""For how long, and of how many messages, copies are looked for that no edit led to."""


@dataclass(frozen=True, slots=True)
class CopyContext:
    """What a copy says: when the message that is kept up to date was posted, and where; None: in the same channel."""

    kept_at: datetime
    kept_in: str | None


def note_seen(connection: Connection, channel: str, ts: str, about: Mapping[str, Any], now: datetime) -> bool:
    """Learn from a message of ours that somebody sees: it is a copy, or it is what was posted without an answer.

    `channel` and `ts` are Slack's, of the message; `about` names its row (`item`), or what its buttons are about.
    False where nothing is to be done: the message is where its row stands, or was noted before.
    """
    which = _row_of(about)
    if which is None or is_known(connection, channel, ts):
        return False
    rows = connection.execute(sa.select(OUTBOX).where(which).with_for_update()).all()
    standing = [
        row for row in rows if row.message_ts is not None and ("item" in about or row.message_channel == channel)
    ]
    if standing:
        return mark_copy(connection, standing[0], channel, ts, now)
    return len(rows) == 1 and _take_place(connection, rows[0], channel, ts)


def is_known(connection: Connection, channel: str, ts: str) -> bool:
    """Whether a row stands at the message already: its own, that of a copy, or another card of the incident."""
    here = (OUTBOX.c.message_channel == channel, OUTBOX.c.message_ts == ts)
    return connection.execute(sa.select(OUTBOX.c.id).where(*here)).first() is not None


def mark_others(
    connection: Connection, item_id: str, places: Collection[tuple[str | None, str | None]], now: datetime
) -> bool:
    """Mark as copies all of a message's `places` (Slack's channel and ts) but the one where its row says it stands."""
    kept = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item_id)).one()
    others = {*places} - {(kept.message_channel, kept.message_ts)}
    marked = [mark_copy(connection, kept, channel, ts, now) for channel, ts in others if channel and ts]
    return any(marked)


def place_of(connection: Connection, item_id: str) -> tuple[str | None, str | None]:
    """Where a message is known to stand, held until the transaction ends."""
    place = sa.select(OUTBOX.c.message_channel, OUTBOX.c.message_ts).where(OUTBOX.c.id == item_id)
    channel, ts = connection.execute(place.with_for_update()).one()
    return channel, ts


def mark_copy(connection: Connection, kept: Row[Any], channel: str, ts: str, now: datetime) -> bool:
    """Have the copy at (`channel`, `ts`) say that it is one; False where it was told to already."""
    facts = {"kept": kept.message_ts}
    if channel != kept.message_channel:
        facts["kept_in"] = kept.message_channel
    place = {"message_channel": channel, "message_ts": ts, "facts": facts}
    told_in = kept.channel if channel == kept.message_channel else channel
    copy = new_item(f"copy:{kept.id}:{ts}", COPY, told_in, due_at=now, now=now, **place)
    return insert_items(connection, [copy]) == 1


def may_have_copies(item: Row[Any]) -> bool:
    """Whether a message may stand twice, and nobody has looked for its copies yet."""
    return bool(item.facts.get("may_repeat")) and not item.facts.get("copies_sought")


def unsought_rows(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The messages of the last while that may stand twice and whose copies nobody has looked for, the newest first."""
    stands = (OUTBOX.c.message_ts.is_not(None), OUTBOX.c.created_at > now - SOUGHT_FOR)
    may = OUTBOX.c.facts["may_repeat"].as_boolean()
    newest = sa.select(OUTBOX).where(*stands, may).order_by(OUTBOX.c.created_at.desc(), OUTBOX.c.id)
    return [row for row in connection.execute(newest.limit(MOST_SOUGHT)) if may_have_copies(row)]


def note_sought(connection: Connection, item_id: str) -> None:
    """Note that the copies of a message were looked for."""
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item_id).with_for_update()).scalar_one()
    facts = {**known, "copies_sought": True}
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item_id).values(facts=facts))


def copy_context(facts: Mapping[str, Any]) -> CopyContext:
    """What a copy says, from the facts of its row."""
    return CopyContext(datetime.fromtimestamp(float(facts["kept"]), UTC), facts.get("kept_in"))


def _row_of(about: Mapping[str, Any]) -> ColumnElement[bool] | None:
    if "item" in about:
        return OUTBOX.c.id == str(about["item"])
    if "incident" in about:
        return sa.and_(OUTBOX.c.incident_id == int(about["incident"]), OUTBOX.c.kind == ALERT_CARD)
    return OUTBOX.c.id == str(about["roll_up"]) if "roll_up" in about else None


def _take_place(connection: Connection, row: Row[Any], channel: str, ts: str) -> bool:
    """Let a row that was posted without an answer stand where it is seen, unless a new one is wanted.

    A worker that is posting it now finds the place known, and marks one of the two.
    """
    if row.abandoned_at is not None or not (row.uncertain or row.claimed_by is not None):
        return False
    place: dict[str, Any] = {"message_channel": channel, "message_ts": ts}
    if row.claimed_by is None:
        place |= {"uncertain": False, "claimed_until": None, "error": None}
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == row.id).values(place))
    return True
