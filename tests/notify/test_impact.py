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
    insert_location,
    insert_session,
    one_alert,
    without_nul,
)

pytestmark = pytest.mark.on_either_database

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


COPENHAGEN, NORTH_OF_IT, MALMO = (55.6761, 12.5683), (55.7, 12.57), (55.605, 13.0038)


def lie(connection: Connection, location_id: str, place: tuple[float | None, float | None]) -> None:
    lies = {"latitude": place[0], "longitude": place[1]}
    connection.execute(sa.update(LOCATION).where(LOCATION.c.id == location_id).values(**lies))


def test_where_nothing_is_free_at_the_site_the_nearest_one_elsewhere_is_told_in_km(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        lie(connection, "l1", COPENHAGEN)
        for number, place in ((2, MALMO), (3, NORTH_OF_IT), (4, COPENHAGEN), (5, (0.0, 0.0)), (6, (None, 12.0))):
            insert_location(connection, f"l{number}")
            lie(connection, f"l{number}", place)
            status = "Charging" if number == 4 else "Available"
            insert_connector(connection, f"c{number}", status=status, location_id=f"l{number}")
        free = impact_of(connection, [1], NOW).free
        assert free is not None
        assert (free.connector_id, free.location_name, free.same_charger) == ("c3", "Location l3", False)
        assert free.km == pytest.approx(2.66, abs=0.01)
        enqueue_alert_messages(connection, [fired()], Routing(NOW, {"faulted": ["C1"]}))
        card = connection.execute(sa.select(OUTBOX)).one()
        words = str(render_message(connection, card, NOW).all_blocks)
        assert "*Impact:* nearest free: Location l3, 2.7 km away: Charger of c3 `c3`" in words


def test_what_is_too_far_or_lies_nobody_knows_where_is_not_told(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_location(connection, "l2")
        insert_connector(connection, "c2", status="Available", location_id="l2")
        for here, there in (
            (COPENHAGEN, MALMO),  # 28 km
            (COPENHAGEN, (None, None)),
            ((None, None), COPENHAGEN),
            ((0.0, 0.0), (0.0, 0.0)),
            ((55.67, 12.0), (55.67, 12.9)),
        ):
            lie(connection, "l1", here)
            lie(connection, "l2", there)
            assert impact_of(connection, [1], NOW).free is None
        lie(connection, "l1", (-16.5, 179.95))
        lie(connection, "l2", (-16.5, -179.95))  # across the date line
        free = impact_of(connection, [1], NOW).free
        assert free is not None
        assert free.km == pytest.approx(10.66, abs=0.01)


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
