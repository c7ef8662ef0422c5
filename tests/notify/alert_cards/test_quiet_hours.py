"""The summary of quiet hours and a snoozed card, with hostile names and as much as they can hold."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from notify.alert_cards.quiet_hours import LINES
from notify.alert_cards.snoozes import Snoozable, snooze_alerts
from notify.outbox import ALERT_CARD, QUIET_SUMMARY, insert_items, new_item
from notify.render import render_message
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.alert_cards.test_card import NOW, check, enqueue_card
from tests.notify.records import (
    HOSTILE,
    T0,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    without_nul,
)
from tests.notify.records import insert_alert as add_alert

pytestmark = pytest.mark.on_either_database


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_summary_of_quiet_hours(database: Database, name: str) -> None:
    name = without_nul(name, database)
    line = {"rule": name, "severity": "warning", "location": name, "alerts": 9, "since": T0.isoformat()}
    lines = [{**line, "lasted_s": 86_400.0 * number} for number in range(LINES)]
    facts = {"since": T0.isoformat(), "alerts": 999, "lines": lines, "more": 979}
    with database.write() as connection:
        insert_items(connection, [new_item("n", QUIET_SUMMARY, "C1", due_at=T0, now=T0, facts=facts)])
        message = render_message(connection, connection.execute(sa.select(OUTBOX)).one(), NOW)
    check(message)
    words = str(message.all_blocks)
    assert words.count("lasted") == LINES
    assert "and 979 more" in words
    assert len([block for block in message.blocks if block["type"] == "section"]) <= 2


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_snoozed_card(database: Database, name: str) -> None:
    name = without_nul(name, database)
    with database.write() as connection:
        insert_location(connection, name=name)
        insert_connector(connection, charger_name=name)
        insert_rule(connection, description=name)
        insert_incident(connection)
        add_alert(connection)
        enqueue_card(connection)
        done = snooze_alerts(connection, Snoozable(incident=1), "1h", name, NOW, default_zone="UTC")
        assert done.until == NOW + timedelta(hours=1)
        card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ALERT_CARD)).one()
        message = render_message(connection, card, NOW)
    check(message)
    assert "Snoozed until" in str(message.all_blocks)
