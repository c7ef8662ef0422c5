"""What speaks for a few incidents is found by these, however many messages stand and whatever a roll-up tells of."""

from typing import Any

import sqlalchemy as sa

from notify.alert_cards.storms.roll_ups import is_over
from notify.alert_cards.thread import bump_roll_ups, bump_voices
from notify.outbox import ALERT_CARD, ROLL_UP, insert_items, new_item
from storage.engine import Database
from storage.prepared import asking_once
from storage.schema import OUTBOX
from tests.notify.records import insert_incident, resolve_incident
from tests.readings import T0


def test_neither_all_messages_that_stand_nor_all_that_a_roll_up_tells_are_gone_through(sqlite: Database) -> None:
    told: list[str] = []
    with sqlite.write() as connection:
        insert_items(connection, [new_item("one", ALERT_CARD, "#a", due_at=T0, now=T0, incident_id=1)])
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(told.append)
        for many in (1, 2, 3, 400):
            bump_voices(connection, list(range(1, many + 1)), T0)
            bump_roll_ups(connection, [f"m{number}" for number in range(many)], T0)
        driver.set_trace_callback(None)
        asked = [one for one in told if "outbox" in one]
        plans = {row[3] for one in asked for row in driver.execute("EXPLAIN QUERY PLAN " + one)}
    assert len(asked) == 4 * 3
    assert {plan for plan in plans if "outbox" in plan} == {
        "SEARCH outbox USING INDEX ix_outbox_incident_id (incident_id=?)",
        "SEARCH outbox USING INDEX sqlite_autoindex_outbox_1 (id=?)",
        "SEARCH outbox USING INDEX outbox_pages (kind=? AND rolled_into=?)",
    }


def test_a_card_is_not_written_to_where_a_roll_up_tells_of_it(database: Database) -> None:
    with database.write() as connection:
        head = new_item("head", ROLL_UP, "#a", due_at=T0, now=T0)
        cards = [
            new_item(f"card {number}", ALERT_CARD, "#a", due_at=T0, now=T0, incident_id=number, rolled_into=into)
            for number, into in ((1, head["id"]), (2, None), (3, head["id"]))
        ]
        insert_items(connection, [head, *cards])
        assert [(one.row.id, one.incident_ids) for one in bump_voices(connection, [1, 3], T0)] == [(head["id"], [1, 3])]
        assert {one.row.id for one in bump_voices(connection, [1, 2], T0)} == {head["id"], cards[1]["id"]}
        versions = dict(connection.execute(sa.select(OUTBOX.c.natural_key, OUTBOX.c.version)).all())
    assert versions == {"head": 3, "card 1": 1, "card 2": 2, "card 3": 1}


def test_whether_all_is_over_is_seen_anew_though_one_was_open_a_moment_ago(database: Database) -> None:
    with database.write() as connection:
        head = new_item("head", ROLL_UP, "#a", due_at=T0, now=T0)
        insert_items(connection, [head])
        for number in (1, 2):
            insert_incident(connection, number, group_key=f"g{number}")
            card = new_item(
                f"{number}", ALERT_CARD, "#a", due_at=T0, now=T0, incident_id=number, rolled_into=head["id"]
            )
            insert_items(connection, [card])
        with asking_once(connection):
            for number in (1, 2):
                assert not is_over(connection, head["id"])
                assert not is_over(connection, head["id"])
                resolve_incident(connection, T0, incident_id=number)
            assert is_over(connection, head["id"])
