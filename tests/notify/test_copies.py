"""A message that stands twice: which one is the copy, and what it says."""

from typing import Any

import pytest
import sqlalchemy as sa

from notify.copies import find_kept, mark_copy
from notify.outbox import ALERT_CARD, COPY, insert_items, new_item
from notify.render import render_message
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import HOSTILE, T0, without_nul

KEPT, COPIED = "1772445600.000200", "1772445500.000100"


def standing(database: Database, **more: Any) -> str:
    place: dict[str, Any] = {"message_channel": "C1", "message_ts": KEPT, "incident_id": 7, **more}
    item = new_item("incident:7:#a", ALERT_CARD, "#a", due_at=T0, now=T0, **place)
    with database.write() as connection:
        insert_items(connection, [item])
    return str(item["id"])


def note(database: Database, ts: str, about: dict[str, Any], channel: str = "C1") -> bool:
    with database.write() as connection:
        kept = find_kept(connection, channel, ts, about)
        return kept is not None and mark_copy(connection, kept, ts, T0)


@pytest.mark.parametrize("by", ["item", "incident"])
def test_a_copy_says_where_the_message_is_kept_up_to_date(database: Database, by: str) -> None:
    item = standing(database)
    about = {"item": item} if by == "item" else {"incident": 7}
    assert note(database, COPIED, about)
    assert not note(database, COPIED, about), "it is marked once"
    with database.read() as connection:
        copy = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == COPY)).one()
        message = render_message(connection, copy, T0)
    assert (copy.message_channel, copy.message_ts, copy.shown_version) == ("C1", COPIED, 0)
    assert "What is so now is in the message of <!date^1772445600^" in str(message.blocks)


def test_the_message_itself_another_channel_and_a_stranger_are_no_copies(database: Database) -> None:
    item = standing(database)
    assert not note(database, KEPT, {"item": item})
    assert not note(database, COPIED, {"item": item}, channel="C2")
    assert not note(database, COPIED, {})
    for hostile in HOSTILE:
        assert not note(database, COPIED, {"item": without_nul(hostile, database)})


def test_a_message_that_stands_nowhere_has_no_copy(database: Database) -> None:
    assert not note(database, COPIED, {"item": standing(database, message_ts=None, message_channel=None)})
