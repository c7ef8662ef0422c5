"""Who looks after a problem, and notes: kept for what fires alone, told once a card, gone long after its end."""

from datetime import timedelta

import sqlalchemy as sa

from bot.slack.permissions import Role
from bot.slack.views.home import home_blocks, open_problems
from notify.handling import LONGEST_NOTE, add_note, assign, firing_incidents, handling_of
from rules.alerts.acknowledgements import undo_acknowledgements
from storage.engine import Database
from storage.schema import ALERT, NOTE
from storage.upkeep.lives import Lengths
from storage.upkeep.prune import prune
from tests.notify.records import (
    MINUTE,
    T0,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    resolve_incident,
)


def two_problems(database: Database) -> None:
    with database.write() as connection:
        insert_rule(connection)
        insert_location(connection)
        for number in (1, 2):
            insert_incident(connection, number)
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number, incident_id=number)


def test_the_last_who_was_asked_looks_after_a_card_and_the_newest_notes_are_told(database: Database) -> None:
    two_problems(database)
    both = [1, 2]
    with database.write() as connection:
        assert firing_incidents(connection, ALERT.c.id > 0) == both
        assert assign(connection, [1], "U1", "U9", T0) == 1
        assert assign(connection, both, "U1", "U9", T0 + MINUTE) == 1  # the other had it already
        assert assign(connection, [2], "U2", "U2", T0 + 2 * MINUTE) == 1
        for number in range(5):
            add_note(connection, both, "U1", f"note {number}" + "x" * LONGEST_NOTE, T0 + number * MINUTE)
        card = handling_of(connection, both)
        assert (card.assigned_to, card.assigned_by) == ("U2", "U2")
        assert [note.text[:6] for note in card.notes] == ["note 2", "note 3", "note 4"]
        assert {len(note.text) for note in card.notes} == {LONGEST_NOTE}
        assert card.more == 2
        assert assign(connection, both, None, "U9", T0 + 3 * MINUTE) == 2
        assert assign(connection, both, None, "U9", T0 + 4 * MINUTE) == 0
        assert handling_of(connection, both).assigned_to is None


def test_what_is_over_is_handled_by_nobody_and_its_notes_go_in_time(database: Database) -> None:
    two_problems(database)
    with database.write() as connection:
        add_note(connection, [1], "U1", "old", T0)
        add_note(connection, [2], "U1", "of one that is open", T0)
        add_note(connection, [1], "U1", "the newest", T0 + MINUTE)
        resolve_incident(connection, T0 + MINUTE)
        assert firing_incidents(connection, ALERT.c.id > 0) == [2]
    later = T0 + timedelta(days=500)
    for _ in range(3):
        prune(database, later, Lengths())
    with database.read() as connection:
        kept = list(connection.execute(sa.select(NOTE.c.text).order_by(NOTE.c.id)).scalars())
    assert kept == ["of one that is open", "the newest"]


def test_an_acknowledgement_is_taken_back_of_what_was_meant_alone(database: Database) -> None:
    two_problems(database)
    with database.write() as connection:
        connection.execute(sa.update(ALERT).values(acknowledged_at=T0, acknowledged_by="U1"))
        assert undo_acknowledgements(connection, ALERT.c.id == 2, T0 + MINUTE) == [2]
        assert undo_acknowledgements(connection, ALERT.c.id == 2, T0 + MINUTE) == []
        rows = connection.execute(sa.select(ALERT.c.acknowledged_by, ALERT.c.heard_at).order_by(ALERT.c.id)).all()
    assert [tuple(row) for row in rows] == [("U1", None), (None, T0 + MINUTE)]


def test_the_home_tab_is_read_on_either_database(database: Database) -> None:
    two_problems(database)
    with database.write() as connection:
        assign(connection, [2], "U1", "U1", T0)
        problems, total = open_problems(connection, T0 + MINUTE)
        assert total == 2
        assert {one.assigned_to for one in problems} == {None, "U1"}
        blocks = home_blocks(
            connection, user="U1", role=Role.OPERATOR, now=T0 + MINUTE, interval=MINUTE, zone="Europe/Copenhagen"
        )
    assert [b["text"]["text"] for b in blocks if b["type"] == "header"] == [
        "The fleet at a glance",
        "Yours to see to",
        "Open problems",
    ]
