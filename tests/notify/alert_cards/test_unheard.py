"""Alerts of a rule that had no channel speak once it has one, through the budget; those that are quiet stay so."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.alert_cards.due_messages import speak_due
from notify.alert_cards.unheard import unheard_alerts
from notify.outbox import ALERT_CARD, ROLL_UP
from notify.routing import Routing
from storage.engine import Database
from storage.schema import ALERT, OUTBOX
from tests.notify.records import (
    MINUTE,
    T0,
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    resolve_incident,
)

CHANNELS = {"faulted": ["C1"]}


def fire(database: Database, count: int) -> None:
    with database.write() as connection:
        insert_rule(connection)
        insert_location(connection)
        for number in range(1, count + 1):
            insert_incident(connection, number)
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number, incident_id=number)
        enqueue_alert_messages(connection, [fired(n, T0, n) for n in range(1, count + 1)], Routing(T0))


def speak(database: Database, now: Any, channels: Any = CHANNELS) -> list[Any]:
    with database.write() as connection:
        speak_due(connection, Routing(now, channels))
        return list(connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.created_at, OUTBOX.c.kind)).all())


def test_what_fired_without_a_channel_speaks_once_there_is_one_and_only_once(database: Database) -> None:
    fire(database, 2)
    assert speak(database, T0 + MINUTE, {"faulted": []}) == []
    cards = speak(database, T0 + 2 * MINUTE)
    assert [(card.kind, card.channel, card.due_at) for card in cards] == [
        (ALERT_CARD, "C1", T0 + 2 * MINUTE + timedelta(seconds=30))
    ] * 2
    assert len(speak(database, T0 + 3 * MINUTE)) == 2
    with database.read() as connection:
        assert unheard_alerts(connection) == []


def test_many_are_one_roll_up(database: Database) -> None:
    fire(database, 25)
    rows = speak(database, T0 + MINUTE)
    assert [row.kind for row in rows if row.rolled_into is None] == [ROLL_UP]


def test_what_is_over_acknowledged_or_kept_quiet_does_not_speak(database: Database) -> None:
    fire(database, 3)
    with database.write() as connection:
        resolve_incident(connection, T0 + MINUTE, incident_id=1)
        acknowledge_incident(connection, 2, "U1", T0 + MINUTE)
        snoozed = {"snoozed_until": T0 + 60 * MINUTE}
        connection.execute(sa.update(ALERT).where(ALERT.c.incident_id == 3).values(snoozed))
    assert speak(database, T0 + 2 * MINUTE) == []
