"""Whose turn it is to post in a channel, where several processes deliver: one row a channel.

A turn is taken with each claim and ends by itself soon after the last. When a message was posted is in the row too, so
that the next process keeps the channel's pace. On SQLite, where one process delivers, every turn is its own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import insert
from storage.schema import TURN

LENGTH = timedelta(seconds=15)
"""How long a channel waits for a process that was killed while it had the turn."""

DOUBTED = 2 * LENGTH
"""A turn that ends further ahead was written by a clock that was wrong: it counts as over."""


def take_turns(connection: Connection, channels: Sequence[str], holder: str, now: datetime) -> datetime | bool | None:
    """Take the turn in these channels: when a message was last posted there, None for never.

    False where another process has the turn.
    """
    if connection.dialect.name != "postgresql":
        return None
    posted: list[datetime] = []
    for channel in sorted(channels):  # in one order, so that no two wait for each other
        new = insert(connection, TURN).values(channel=channel, holder=holder, until=now + LENGTH)
        free = sa.or_(TURN.c.holder == holder, TURN.c.until < now, TURN.c.until > now + DOUBTED)
        values = {"holder": holder, "until": now + LENGTH}
        taken = new.on_conflict_do_update(index_elements=[TURN.c.channel], set_=values, where=free)
        row = connection.execute(taken.returning(TURN.c.channel, TURN.c.posted_at)).first()
        if row is None:
            return False
        if row.posted_at is not None and row.posted_at <= now:
            posted.append(row.posted_at)
    return max(posted, default=None)


def note_post(connection: Connection, channel: str, now: datetime) -> None:
    """Note that a message was posted in a channel."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.update(TURN).where(TURN.c.channel == channel).values(posted_at=now))


def leave_turns(connection: Connection, holder: str, now: datetime) -> None:
    """Let others take every turn of this process at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.update(TURN).where(TURN.c.holder == holder).values(until=now - LENGTH))
