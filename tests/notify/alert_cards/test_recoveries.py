"""Ends of one channel within a group interval are one reply that names them; what is new speaks by itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from notify.alert_cards.card import enqueue_alert_messages
from notify.claims import claim_next, mark_sent
from notify.outbox import ALERT_CARD, ALERT_REPLY, Rank
from notify.render import render_message
from notify.routing import Routing
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import (
    HOSTILE,
    MINUTE,
    T0,
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    resolve_incident,
    resolved,
    without_nul,
)

CHANNELS = {"faulted": ["C1"]}
SECOND = timedelta(seconds=1)


def standing(database: Database, count: int) -> None:
    """Cards that stand in C1, each of an incident at a place of its own."""
    for number in range(1, count + 1):
        at = T0 + number * SECOND
        with database.write() as connection:
            if number == 1:
                insert_rule(connection)
            name = without_nul(HOSTILE[number % len(HOSTILE)], database)
            insert_location(connection, f"l{number}", name=name)
            insert_incident(connection, number, location_id=f"l{number}")
            insert_connector(connection, f"c{number}", location_id=f"l{number}")
            insert_alert(connection, number, incident_id=number)
            enqueue_alert_messages(connection, [fired(number, at, number)], Routing(at, CHANNELS))
    show(database, T0 + 100 * SECOND)


def show(database: Database, now: datetime) -> list[Any]:
    """Everything that is due is said; what was."""
    said = []
    with database.write() as connection:
        while (item := claim_next(connection, "w", now, MINUTE)) is not None:
            said.append(item)
            mark_sent(connection, item, message_channel="C1", message_ts=item.id, version=item.version, now=now)
    return said


def end(database: Database, numbers: Sequence[int], now: datetime) -> None:
    with database.write() as connection:
        for number in numbers:
            resolve_incident(connection, now, incident_id=number)
        told = [resolved(number, now, number) for number in numbers]
        enqueue_alert_messages(connection, told, Routing(now, CHANNELS))


def replies(database: Database) -> list[Any]:
    with database.read() as connection:
        mine = sa.select(OUTBOX).where(OUTBOX.c.kind == ALERT_REPLY).order_by(OUTBOX.c.created_at)
        return list(connection.execute(mine).all())


def test_what_ends_at_once_is_one_reply_that_names_all(database: Database) -> None:
    standing(database, 40)
    end(database, range(1, 41), T0 + 2 * MINUTE)
    (reply,) = replies(database)
    assert len(reply.facts["also"]) == 39
    edited = [item for item in show(database, T0 + 2 * MINUTE) if item.kind == ALERT_CARD]
    assert len(edited) == 40
    with database.read() as connection:
        message = render_message(connection, replies(database)[0], T0 + 3 * MINUTE)
    words = str(message.all_blocks)
    assert message.text.endswith(", after 2 min, and 39 more")
    assert words.count(", after 2 min") == 1 + 20
    assert "and 19 more" in words


def test_the_first_end_is_said_at_once_and_the_next_together_a_group_interval_later(database: Database) -> None:
    standing(database, 4)
    end(database, [1], T0 + 2 * MINUTE)
    assert [item.kind for item in show(database, T0 + 2 * MINUTE)].count(ALERT_REPLY) == 1
    for number, minute in ((2, 3), (3, 4), (4, 5)):
        end(database, [number], T0 + minute * MINUTE)
        assert ALERT_REPLY not in [item.kind for item in show(database, T0 + minute * MINUTE)]
    first, second = replies(database)
    assert (second.due_at, second.facts["also"]) == (first.sent_at + 5 * MINUTE, [3, 4])
    end_of_all = show(database, second.due_at)
    assert [item.id for item in end_of_all] == [second.id]


def test_an_alert_that_fires_waits_for_no_end(database: Database) -> None:
    standing(database, 2)
    end(database, [1], T0 + 2 * MINUTE)
    show(database, T0 + 2 * MINUTE)
    end(database, [2], T0 + 3 * MINUTE)
    with database.write() as connection:
        insert_incident(connection, 3, group_key="again", location_id="l1")
        insert_connector(connection, "c3", location_id="l1")
        insert_alert(connection, 3, incident_id=3)
        at = T0 + 3 * MINUTE
        enqueue_alert_messages(connection, [fired(3, at, 3)], Routing(at, CHANNELS))
    said = show(database, T0 + 3 * MINUTE + 30 * SECOND)
    assert [(item.kind, item.rank) for item in said if item.sent_at is None] == [(ALERT_CARD, Rank.CRITICAL)]


def test_the_ends_of_two_channels_are_two_replies(database: Database) -> None:
    standing(database, 2)
    with database.write() as connection:
        mine = (OUTBOX.c.incident_id == 2, OUTBOX.c.kind == ALERT_CARD)
        connection.execute(sa.update(OUTBOX).where(*mine).values(channel="C2"))
    end(database, [1, 2], T0 + 2 * MINUTE)
    assert sorted(reply.channel for reply in replies(database)) == ["C1", "C2"]
