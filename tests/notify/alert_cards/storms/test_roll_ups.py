"""The words of a roll-up and of quiet cards: within Slack's limits and unharmed by any name."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from notify.alert_cards.card import enqueue_alert_messages
from notify.handling import add_note
from notify.outbox import ALERT_CARD, ROLL_UP
from notify.render import render_message
from notify.routing import Routing
from rules.alerts.silences import create_silence
from storage import tables
from storage.engine import Database
from storage.schema import INCIDENT, OUTBOX
from tests.notify.alert_cards.test_card import check
from tests.notify.records import (
    HOSTILE,
    MINUTE,
    T0,
    fired,
    insert_alert,
    insert_incident,
    insert_location,
    insert_rule,
    one_alert,
    table,
    without_nul,
)

pytestmark = pytest.mark.on_either_database

NOW = T0 + 40 * MINUTE


def storm_of(connection: sa.Connection, names: list[str], budget: int = 3) -> list[str]:
    """A storm of one alert at each of these places; the words of each page, checked against Slack's limits."""
    insert_rule(connection)
    for number, name in enumerate(names, 1):
        insert_location(connection, f"l{number}", name=name)
        insert_incident(connection, number, location_id=f"l{number}")
        insert_alert(connection, number, incident_id=number, location_id=f"l{number}")
    moved = [fired(number, NOW, number) for number in range(1, len(names) + 1)]
    enqueue_alert_messages(connection, moved, Routing(NOW, {"faulted": ["C1"]}, budget=budget))
    pages = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ROLL_UP).order_by(OUTBOX.c.due_at)).all()
    words = []
    for page in pages:
        message = render_message(connection, page, NOW)
        check(message)
        words.append(f"{message.text} {message.all_blocks}")
    return words


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_roll_up(database: Database, name: str) -> None:
    with database.write() as connection:
        (words,) = storm_of(connection, [without_nul(name, database)] * 5)
    assert "<!channel>" not in words


@pytest.mark.parametrize(("at", "said"), [("l1", ", with what else began at Place 1"), ("l2", "")])
def test_a_card_that_is_told_with_others_says_where_if_it_is_one_place(database: Database, at: str, said: str) -> None:
    with database.write() as connection:
        storm_of(connection, [f"Place {number}" for number in range(1, 5)])
        elsewhere = INCIDENT.c.location_id != at
        connection.execute(sa.update(INCIDENT).where(elsewhere).values(location_id="l1"))
        cards = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ALERT_CARD)).all()
        told = {render_message(connection, card, NOW).text for card in cards}
    assert told == {f"Now told in one message further down{said}"}


@pytest.mark.parametrize("page", [1, 2])
def test_notes_about_alerts_of_a_roll_up_stand_on_its_first_page(database: Database, page: int) -> None:
    with database.write() as connection:
        storm_of(connection, [f"Place {number}" for number in range(1, 400)])
        add_note(connection, [1, 2, 399], "U0VERA", "the grid is down", NOW)
        pages = sa.select(OUTBOX).where(OUTBOX.c.kind == ROLL_UP).order_by(OUTBOX.c.due_at)
        words = str(render_message(connection, connection.execute(pages).all()[page - 1], NOW).all_blocks)
    assert words.count("the grid is down") == (page == 1)
    assert ('"alerts":"1-399"' in words) == (page == 1)


def test_the_longest_names_at_most_places_fit_into_the_budget(database: Database) -> None:
    with database.write() as connection:
        words = storm_of(connection, [f"{number:04} {'&' * 200}" for number in range(1000)])
    assert len(words) == 3
    assert all(f"`{number:04}" in "".join(words) for number in range(1000))


def test_more_places_than_any_message_can_name_are_counted(database: Database) -> None:
    with database.write() as connection:
        (words,) = storm_of(connection, [f"{number:04} Harbour" for number in range(800)], budget=1)
    assert "and 113 more places" in words


@pytest.mark.parametrize("reason", HOSTILE)
def test_no_reason_of_a_silence_breaks_a_card(database: Database, reason: str) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_alert_messages(connection, [fired()], Routing(NOW, {"faulted": ["C1"]}))
        number = create_silence(
            connection, author="U1", reason=f"x{reason}", now=NOW, rule_id="faulted", until=NOW + timedelta(days=1)
        )
        connection.execute(sa.update(table(tables.Alert)).values(silence_id=number))
        card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ALERT_CARD)).one()
        message = render_message(connection, card, NOW)
    check(message)
    assert "Silenced by" in str(message.all_blocks)
    assert "<!channel>" not in str(message.all_blocks)
