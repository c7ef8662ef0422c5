"""Sessions that end before they start, took energy back, or are told twice: no sum counts them; the digest tells."""

import json
from datetime import timedelta

from notify.render import render_message
from storage.engine import Database
from tests.notify.digests.test_digest import EIGHT, enqueue, facts_of, outbox, prepared, utc
from tests.notify.records import insert_session

NOON = utc("2026-03-02T12:00")


def insert_odd_sessions(database: Database) -> None:
    hour = timedelta(hours=1)
    with database.write() as connection:
        insert_session(connection, "a", NOON, energy_kwh=20.0, cost=5.0, started_at=NOON - 6 * hour)
        insert_session(connection, "b", NOON, energy_kwh=7.0, cost=2.0, started_at=NOON + 30 * hour)
        insert_session(connection, "c", NOON, energy_kwh=0.0, started_at=NOON + hour)
        insert_session(connection, "a2", NOON, energy_kwh=20.0, cost=5.0, started_at=NOON - 6 * hour)
        insert_session(connection, "d", NOON, energy_kwh=-4076.4, cost=9.0, started_at=NOON - hour)


def test_sessions_that_cannot_have_been_are_left_out_of_every_figure(database: Database) -> None:
    insert_odd_sessions(prepared(database))
    facts = facts_of(database)
    told = {key: facts[key] for key in ("sessions", "energy_kwh", "revenue", "zero_energy", "utilisation")}
    assert told == {
        "sessions": 1,
        "energy_kwh": 20.0,
        "revenue": {"DKK": 5.0},
        "zero_energy": 0,
        "utilisation": 0.25,
    }
    assert [each["energy_kwh"] for each in facts["top"]] == [20.0]
    assert facts["impossible"] == {"times": 2, "energy": 1, "ids": 1}


def test_they_are_told_apart(database: Database) -> None:
    insert_odd_sessions(prepared(database))
    enqueue(database, EIGHT)
    with database.read() as connection:
        said = json.dumps(render_message(connection, outbox(database)[0], EIGHT).blocks)
    assert (
        "*Left out:* 2 sessions with impossible times, 1 session with negative energy, 1 session told under two ids"
        in said
    )


def test_a_day_without_them_says_nothing_of_them(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_session(connection, "a", NOON, energy_kwh=20.0)
    assert "impossible" not in facts_of(database)
    enqueue(database, EIGHT)
    with database.read() as connection:
        assert "Left out" not in json.dumps(render_message(connection, outbox(database)[0], EIGHT).blocks)
