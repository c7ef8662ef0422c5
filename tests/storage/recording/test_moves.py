"""What moves and what goes leaves in the history where it was and when; what it left has news of it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.engine import Database
from storage.record import record_heartbeats
from storage.recording.new_ids import NewIds
from storage.recording.reading_rows import Observation
from storage.recording.renaming import rename_things
from storage.schema import CHARGER, INTERVAL, LOCATION
from tests.readings import MINUTE, T0, at, charger, connector, location, poll

Kept = tuple[str, str, str | None, datetime, datetime]


def kept(connection: Connection, field: str) -> list[Kept]:
    """Everything that is kept of where things were, or when: thing, id, value, from and to."""
    names = ("thing", "thing_id", "value", "valid_from", "valid_to")
    of_field = sa.select(*(INTERVAL.c[name] for name in names)).where(INTERVAL.c.field == field)
    return [tuple(row) for row in connection.execute(of_field.order_by(INTERVAL.c.id))]


def test_a_charger_leaves_where_it_was_and_when_each_time_it_moves(database: Database) -> None:
    for minute, place in enumerate(["l1", "l1", "l2", "l2", None, "l1"]):
        beats: dict[str, Any] = {"last_heartbeat": T0 + minute * MINUTE / 2}
        poll(database, T0 + minute * MINUTE, charger(connector(), location_id=place, **beats))
    with database.write() as connection:
        assert kept(connection, "location_id") == [
            ("charger", "ch1", "l1", T0, at("10:02")),
            ("charger", "ch1", "l2", at("10:02"), at("10:04")),
            ("charger", "ch1", None, at("10:04"), at("10:05")),
        ]
        beat = charger(connector(), last_heartbeat=at("10:06"))
        assert record_heartbeats(connection, [beat], Observation(at("10:06")))
        assert len(kept(connection, "location_id")) == 3


def test_a_connector_leaves_its_charger_and_both_chargers_and_locations_have_news(database: Database) -> None:
    poll(database, T0, location(), location("l2"), resource="locations")
    there = charger(charger_id="ch2", location_id="l2")
    poll(database, T0, charger(connector("c1"), connector("c2")), there)
    with database.read() as connection:
        before = news(connection)
    moved = charger(connector("c2", charger="ch2"), charger_id="ch2", location_id="l2")
    poll(database, at("10:05"), charger(connector("c1")), moved)
    with database.read() as connection:
        assert kept(connection, "charger_id") == [("connector", "c2", "ch1", T0, at("10:05"))]
        after = news(connection)
    assert after["ch1"] > before["ch1"]
    assert after["l1"] > before["l1"]


def news(connection: Connection) -> dict[str, Any]:
    told = {row.id: row.news_seq for row in connection.execute(sa.select(CHARGER))}
    return told | {row.id: row.changed_seq for row in connection.execute(sa.select(LOCATION))}


def test_a_life_that_ended_is_kept_once_and_a_place_before_it_belongs_to_it(database: Database) -> None:
    poll(database, T0, charger(connector()), charger(charger_id="ch2"))
    for minute in (1, 2, 3):
        poll(database, T0 + minute * MINUTE, charger(charger_id="ch2"), seen={"charger": {"ch2"}, "connector": set()})
    poll(database, at("10:10"), charger(connector(), location_id="l2"))
    with database.write() as connection:
        assert kept(connection, "there") == [
            ("charger", "ch1", "true", T0, at("10:02")),
            ("connector", "c1", "true", T0, at("10:02")),
        ]
        assert kept(connection, "location_id") == []  # at another place it is at first sight
        rename_things(connection, NewIds(renamed={"charger": {"ch1": "CH-1"}}, ended={}, of_sessions={}), at("10:12"))
        assert kept(connection, "there")[0][1] == "CH-1"


def test_where_a_connector_was_follows_the_new_id_of_its_charger(database: Database) -> None:
    poll(database, T0, charger(connector("c1")), charger(charger_id="ch2"))
    poll(database, at("10:05"), charger(), charger(connector("c1", charger="ch2"), charger_id="ch2"))
    with database.write() as connection:
        rename_things(connection, NewIds(renamed={"charger": {"ch1": "CH-1"}}, ended={}, of_sessions={}), at("10:12"))
        assert kept(connection, "charger_id") == [("connector", "c1", "CH-1", T0, at("10:05"))]
