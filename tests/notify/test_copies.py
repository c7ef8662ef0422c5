"""A message that stands twice: which one is the copy, and what it says."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service.delivering.marking import mark_sent
from bot.slack.client import MessageRef
from notify.claims import claim_next
from notify.copies import note_seen, unsought_rows
from notify.outbox import ALERT_CARD, COPY, insert_items, new_item
from notify.render import render_message
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import HOSTILE, T0, without_nul

NOWHERE: dict[str, Any] = {"message_channel": None, "message_ts": None}
KEPT, COPIED = "1772445600.000200", "1772445500.000100"


def standing(database: Database, **more: Any) -> str:
    place: dict[str, Any] = {"message_channel": "C1", "message_ts": KEPT, "incident_id": 7, **more}
    item = new_item(place.pop("natural_key", "incident:7:#a"), ALERT_CARD, "#a", due_at=T0, now=T0, **place)
    with database.write() as connection:
        insert_items(connection, [item])
    return str(item["id"])


def note(database: Database, ts: str, about: dict[str, Any], channel: str = "C1") -> bool:
    with database.write() as connection:
        return note_seen(connection, channel, ts, about, T0)


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
    assert "What is so now is in the message of <!date^1772445600^" in str(message.all_blocks)


def test_the_message_itself_another_incidents_channel_and_a_stranger_are_no_copies(database: Database) -> None:
    item = standing(database)
    assert not note(database, KEPT, {"item": item})
    assert not note(database, COPIED, {"incident": 7}, channel="C2"), "an incident may have a card in each channel"
    assert not note(database, COPIED, {})
    for hostile in HOSTILE:
        assert not note(database, COPIED, {"item": without_nul(hostile, database)})


def test_copies_are_looked_for_of_what_may_stand_twice_and_of_nothing_older_than_two_weeks(database: Database) -> None:
    may = standing(database, facts={"may_repeat": True})
    standing(database, natural_key="b", facts={})
    standing(database, natural_key="c", facts={"may_repeat": True, "copies_sought": True})
    standing(database, natural_key="d", facts={"may_repeat": True}, **NOWHERE)
    with database.read() as connection:
        assert [row.id for row in unsought_rows(connection, T0 + timedelta(days=13))] == [may]
        assert unsought_rows(connection, T0 + timedelta(days=15)) == []


def test_a_copy_in_another_channel_says_in_which_the_message_is_kept(database: Database) -> None:
    assert note(database, COPIED, {"item": standing(database, message_channel="C11")}, channel="C22")
    with database.read() as connection:
        copy = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == COPY)).one()
        message = render_message(connection, copy, T0)
    assert (message.channel, "in <#C11>" in str(message.all_blocks)) == ("C22", True)


@pytest.mark.parametrize("by", ["item", "incident"])
def test_a_message_whose_answer_was_lost_stands_where_it_is_seen(database: Database, by: str) -> None:
    item = standing(database, **NOWHERE, uncertain=True)
    assert note(database, COPIED, {"item": item} if by == "item" else {"incident": 7})
    with database.read() as connection:
        row = connection.execute(sa.select(OUTBOX)).one()
    assert (row.message_ts, row.uncertain, row.shown_version) == (COPIED, False, 0), "it is edited next, not posted"


def test_what_was_never_posted_or_given_up_takes_no_place(database: Database) -> None:
    assert not note(database, COPIED, {"item": standing(database, **NOWHERE)})
    given_up = standing(database, **NOWHERE, uncertain=True, abandoned_at=T0, natural_key="other")
    assert not note(database, COPIED, {"item": given_up})


@pytest.mark.parametrize("claim_is_kept", [True, False])
def test_one_that_is_posted_while_a_lost_one_is_seen_leaves_one_copy(database: Database, claim_is_kept: bool) -> None:
    """A click names the first one while the second is on its way: one of the two is kept, and the other is marked."""
    standing(database, **NOWHERE, uncertain=True)
    lease = timedelta(seconds=90)
    with database.write() as connection:
        item = claim_next(connection, "w1", T0, lease)
    assert item is not None
    assert note(database, COPIED, {"item": item.id})
    if not claim_is_kept:
        with database.write() as connection:
            assert claim_next(connection, "w2", T0 + lease, lease) is not None
    assert mark_sent(database, item, MessageRef("C1", KEPT), 1, T0) is claim_is_kept
    with database.read() as connection:
        rows = {row.kind: row for row in connection.execute(sa.select(OUTBOX))}
    kept, copied = (KEPT, COPIED) if claim_is_kept else (COPIED, KEPT)
    assert (rows[ALERT_CARD].message_ts, rows[COPY].message_ts) == (kept, copied)
