"""What a problem costs: takings that are usual, sessions that run, where else to charge; nothing that is not known."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from notify.alert_cards.card import enqueue_alert_messages
from notify.impact import NO_IMPACT, Free, impact_of
from notify.render import render_message
from notify.routing import Routing
from storage.engine import Database
from storage.schema import CHARGER, CONNECTOR, LOCATION, OUTBOX, SESSION
from tests.notify.records import (
    HOSTILE,
    MINUTE,
    T0,
    fired,
    insert_connector,
    insert_session,
    one_alert,
    without_nul,
)

NOW = T0 + 40 * MINUTE  # a Monday, 11:40 in Copenhagen
WEEK = timedelta(weeks=1)


def weeks_of_sessions(connection: Connection, weeks: int, **values: object) -> None:
    for week in range(1, weeks + 1):
        insert_session(connection, f"s{week}", NOW - week * WEEK, **values)


def test_what_these_connectors_usually_take_in_this_hour_is_told_a_week(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        weeks_of_sessions(connection, 9)
        insert_session(connection, "later", NOW - WEEK + 25 * MINUTE)  # after the hour
        insert_session(connection, "other", NOW - WEEK, connector_id="c2")
        insert_session(connection, "cheap", NOW - 2 * WEEK, cost=10.0)
        impact = impact_of(connection, [1], NOW)
    assert dict(impact.takings) == pytest.approx({"DKK": (8 * 30 + 10) / 8})
    assert impact.hour == 11


@pytest.mark.parametrize("weeks", [1, 3])
def test_too_few_weeks_or_sessions_are_not_called_usual(database: Database, weeks: int) -> None:
    with database.write() as connection:
        one_alert(connection)
        weeks_of_sessions(connection, weeks)
        assert impact_of(connection, [1], NOW).takings == ()
        insert_session(connection, "old", NOW - 8 * WEEK - 2 * timedelta(hours=1))
        assert impact_of(connection, [1], NOW).takings == ()


def test_sessions_that_are_open_on_what_is_out_of_use_are_counted(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        assert impact_of(connection, [1], NOW) == NO_IMPACT
        insert_session(connection, "open", NOW, status="Active")
        connection.execute(sa.update(SESSION).values(ended_at=None))
        assert impact_of(connection, [1], NOW).running == 1


def test_the_nearest_free_connector_is_of_the_same_charger_then_of_the_same_location(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_connector(connection, "c2", status="Available", online=False)
        insert_connector(connection, "c3", status="Charging")
        insert_connector(connection, "c4", status="Available", location_id="l2")
        assert impact_of(connection, [1], NOW).free is None
        insert_connector(connection, "c5", status="Available", charger_name="North quay")
        assert impact_of(connection, [1], NOW).free == Free("c5", "North quay", same_charger=False)
        insert_connector(connection, "c6", status="Available")
        connection.execute(sa.update(CONNECTOR).where(CONNECTOR.c.id == "c6").values(charger_id="ch-c1"))
        assert impact_of(connection, [1], NOW).free == Free("c6", "Charger of c1", same_charger=True)


def test_nothing_is_said_of_what_can_be_used(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_connector(connection, "c2", status="Available")
        connection.execute(sa.update(CONNECTOR).where(CONNECTOR.c.id == "c1").values(status="Available"))
        assert impact_of(connection, [1], NOW) == NO_IMPACT


@pytest.mark.parametrize("name", ["North quay", *HOSTILE])
def test_a_card_tells_the_impact_between_the_error_and_what_was_tried(database: Database, name: str) -> None:
    said = without_nul(name, database)
    with database.write() as connection:
        one_alert(connection)
        weeks_of_sessions(connection, 8)
        insert_connector(connection, "c5", status="Available", charger_name=said)
        connection.execute(sa.update(LOCATION).values(timezone="nowhere"))
        enqueue_alert_messages(connection, [fired()], Routing(NOW, {"faulted": ["C1"]}))
        card = connection.execute(sa.select(OUTBOX)).one()
        words = str(render_message(connection, card, NOW).all_blocks)
        assert words.index("*Error:*") < words.index("*Impact:* usually 30.00 DKK a week between 10:00 and 11:00")
        assert "`c5`" in words
        assert "<!channel>" not in words
        connection.execute(sa.update(CHARGER).values(name="North quay"))
        plain = str(render_message(connection, card, NOW).all_blocks)
        assert "; free on the same site: North quay `c5`" in plain
