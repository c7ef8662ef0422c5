"""A message that stands twice, because its history could not be read: the copy says that it is one, once it is found.

A copy is found when somebody clicks in it. The message that is kept up to date stays as it is; nothing here posts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.outbox import ALERT_CARD, COPY, insert_items, new_item
from storage.schema import OUTBOX


@dataclass(frozen=True, slots=True)
class CopyContext:
    """What a copy says: when the message that is kept up to date was posted, in the same channel."""

    kept_at: datetime


def find_kept(connection: Connection, channel: str, ts: str, about: Mapping[str, Any]) -> Row[Any] | None:
    """The row of which a message is a copy: it stands elsewhere in the channel. None where the message is no copy.

    `channel` and `ts` are Slack's, of the message; `about` names its row (`item`), or what its buttons are about.
    """
    which = _row_of(about)
    if which is None:
        return None
    stands = (OUTBOX.c.message_channel == channel, OUTBOX.c.message_ts.is_not(None), OUTBOX.c.message_ts != ts)
    row = connection.execute(sa.select(OUTBOX).where(which, *stands)).first()
    return None if row is None or _is_of_another(connection, channel, ts) else row


def mark_copy(connection: Connection, kept: Row[Any], ts: str, now: datetime) -> bool:
    """Have a copy say that it is one; False where it was told to already."""
    place = {"message_channel": kept.message_channel, "message_ts": ts, "facts": {"kept": kept.message_ts}}
    copy = new_item(f"copy:{kept.id}:{ts}", COPY, kept.channel, due_at=now, now=now, **place)
    return insert_items(connection, [copy]) == 1


def copy_context(facts: Mapping[str, Any]) -> CopyContext:
    """What a copy says, from the facts of its row."""
    return CopyContext(datetime.fromtimestamp(float(facts["kept"]), UTC))


def _row_of(about: Mapping[str, Any]) -> ColumnElement[bool] | None:
    if "item" in about:
        return OUTBOX.c.id == str(about["item"])
    if "incident" in about:
        return sa.and_(OUTBOX.c.incident_id == int(about["incident"]), OUTBOX.c.kind == ALERT_CARD)
    return OUTBOX.c.id == str(about["roll_up"]) if "roll_up" in about else None


def _is_of_another(connection: Connection, channel: str, ts: str) -> bool:
    """Whether the message is where another row stands: an incident may have two cards in one channel."""
    here = (OUTBOX.c.message_channel == channel, OUTBOX.c.message_ts == ts)
    return connection.execute(sa.select(OUTBOX.c.id).where(*here)).first() is not None
