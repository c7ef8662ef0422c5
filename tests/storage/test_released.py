"""Databases that released versions made: each is migrated with its alerts, cards and silences alive.

The dumps in `released` were written by the version's own code, one a revision and kind of database.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.cli import main
from bot.service.evaluating import evaluate
from bot.service.jobs import Jobs, take_up_rules
from storage.engine import Database
from storage.migrate import current_revision, latest_revision, refuse_other_shape, shape_at, upgrade
from storage.schema import ALERT, AUDIT, COMMAND, INCIDENT, OUTBOX, SESSION, SILENCE
from storage.shape import OtherShapeError, differences, shape_of
from tests.readings import at, charger, connector, poll

FOLDER = Path(__file__).parent / "released"
REVISIONS = sorted({file.name.partition(".")[0] for file in FOLDER.glob("*.sql")})
FRESH = ("chargers", "locations", "sessions")


def load(url: str, revision: str) -> None:
    """Fill an empty database with the dump of a revision."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.executescript((FOLDER / f"{revision}.sqlite.sql").read_text())
        connection.close()
        return
    with psycopg.connect(url.replace("+psycopg", "")) as session:
        session.execute((FOLDER / f"{revision}.postgresql.sql").read_bytes())


@pytest.fixture
def old(database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The database of the revision that the test names, else of the first."""
    load(database_url, getattr(request, "param", "0001"))
    database = Database(database_url, durable=False)
    yield database
    database.close()


def rows(database: Database, table: sa.Table, *names: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        columns = [table.c[name] for name in names]
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*columns))]


def look(jobs: Jobs, when: str, **statuses: str) -> None:
    things = [connector(name, status) for name, status in statuses.items()]
    poll(jobs.database, at(when), charger(*things))
    evaluate(jobs, at(when), FRESH)


@pytest.mark.parametrize("old", REVISIONS, indirect=True)
def test_a_released_database_is_migrated_with_its_alerts_cards_and_silences_alive(old: Database) -> None:
    before = rows(old, OUTBOX, "id", "natural_key", "message_ts")
    assert upgrade(old)[1] == latest_revision()
    with old.read() as connection:
        assert differences(shape_of(connection), shape_at(latest_revision())) == []
    assert rows(old, OUTBOX, "id", "natural_key", "message_ts") == before
    assert rows(old, SILENCE, "connector_id", "reason", "until") == [("c2", "Works on the grid", at("12:00"))]
    assert rows(old, COMMAND, "id", "state") == [("cmd1", "verified")]
    assert rows(old, AUDIT, "user", "action") == [("U0ANNA", "silence")]
    assert rows(old, SESSION, "id", "energy_kwh") == [("s0", 12.25), ("s1", 3.5)]
    jobs = Jobs(old, None, alert_channel="#ev-alerts")  # type: ignore[arg-type]  # nothing is fetched here
    take_up_rules(jobs)
    look(jobs, "10:09", c1="Faulted", c2="Faulted", c3="Available")
    assert rows(old, OUTBOX, "id", "natural_key", "message_ts") == before, "nothing is said twice"
    assert rows(old, ALERT, "subject", "state", "acknowledged_by", "active_at") == [
        ("c1", "firing", "U0BEN", at("10:01")),
        ("c2", "firing", None, at("10:02")),
        ("c3", "resolved", None, at("10:00")),
    ]
    look(jobs, "10:10", c1="Available", c2="Faulted", c3="Available")
    assert [state for _, state in rows(old, ALERT, "subject", "state")] == ["resolved", "firing", "resolved"]
    assert [end is None for _, end in rows(old, INCIDENT, "group_key", "resolved_at")] == [False, True, False]
    changed = [row for row in rows(old, OUTBOX, "natural_key", "version", "shown_version") if row[1] > row[2]]
    assert ("incident:2:#ev-alerts") in {key for key, _, _ in changed}


CHANGES = {
    "ALTER TABLE alert DROP COLUMN heard_at": 'table "alert" lacks the column "heard_at"',
    "ALTER TABLE alert ADD COLUMN louder INTEGER": 'table "alert" has a column "louder" too many',
    "DROP INDEX alert_due": 'table "alert" lacks the index "alert_due"',
    "DROP INDEX alert_open; CREATE UNIQUE INDEX alert_open ON alert (subject)": "over other columns or rows",
    "DROP TABLE inhibition": 'there is no table "inhibition"',
}


def change_and_look(connection: sa.Connection, change: str) -> None:
    for statement in change.split(";"):
        connection.exec_driver_sql(statement)
    refuse_other_shape(connection, "0001")


def test_a_database_of_another_shape_is_refused_and_left_alone_with_the_mend_named(old: Database) -> None:
    for change, told in CHANGES.items():
        with pytest.raises(OtherShapeError) as refused, old.write() as connection:
            change_and_look(connection, change)
        assert told in str(refused.value)
        assert "db restore" in str(refused.value)
    with old.write() as connection:
        connection.exec_driver_sql("DROP INDEX alert_due")
    with pytest.raises(OtherShapeError, match="alert_due"):
        upgrade(old)
    assert current_revision(old) == "0001"


def test_the_command_line_says_it_in_one_message() -> None:
    said = main._mendable(OtherShapeError("0001", ['table "alert" lacks the column "heard_at"']))
    assert said is not None
    assert said.count("\n") == 0
    assert "heard_at" in said
