"""PostgreSQL is sent numbered values, and what is copied in is what inserting it row by row writes."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from storage.drivers.numbered import copying, numbered
from storage.engine import Database
from storage.prepared import COPIED_FROM, Prepared
from storage.schema import ALERT, INCIDENT
from tests.notify.records import insert_incident

AT = datetime(2026, 3, 2, 10, 0, 0, 250_001, tzinfo=UTC)


def test_names_become_places_and_a_doubled_percent_is_one() -> None:
    said = "SELECT a %% %(b)s::INTEGER, %(b_1)s FROM t WHERE c = %(b)s AND d LIKE '%%x'"
    assert numbered(said, ["b_1", "b"]) == "SELECT a % $2::INTEGER, $1 FROM t WHERE c = $2 AND d LIKE '%x'"


@pytest.mark.parametrize(
    ("said", "copied"),
    [
        ("INSERT INTO t (a, b) VALUES ($2::VARCHAR, $1)", "COPY t (b, a) FROM STDIN"),
        ("INSERT INTO t (a) VALUES ($1::TIMESTAMP WITH TIME ZONE) RETURNING t.id", "COPY t (a) FROM STDIN"),
        ('INSERT INTO "t" (a, b) VALUES ($1::NUMERIC(10), $2::JSON)', 'COPY "t" (a, b) FROM STDIN'),
        ("INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING", None),
        ("INSERT INTO t (a, b) VALUES ($1, $1)", None),
        ("INSERT INTO t (a, b) VALUES ($1, now())", None),
        ("INSERT INTO t (a, b) VALUES ($1, 7)", None),
        ("INSERT INTO t (a) VALUES ($1) RETURNING t.id, t.a", None),
        ("INSERT INTO t (a) SELECT $1", None),
        ("UPDATE t SET a = $1", None),
    ],
)
def test_only_an_insert_of_its_values_alone_is_copied(said: str, copied: str | None) -> None:
    assert copying(said) == copied


def test_what_many_rows_write_is_what_each_alone_writes(database: Database) -> None:
    hostile = ["plain", "a\tb\nc\r\\N\\.", "", "\\", "'%s' $1 %(x)s {}", "Zoë 🔌"]
    names = ("rule_id", "rule_version", "subject", "state", "active_at", "labels", "evidence", "incident_id", "gap_s")
    insert = Prepared(sa.insert(ALERT).values({name: sa.bindparam(name) for name in names}))
    with database.write() as connection:
        insert_incident(connection)
        incident = connection.execute(sa.select(INCIDENT.c.id)).scalar_one()
        rows: list[dict[str, Any]] = [
            dict(zip(names, ("r", 3, text, "pending", AT, {"k": text, "n": None}, {}, place, 0.1), strict=True))
            for text, place in zip(hostile, [None, incident] * 3, strict=True)
        ]
        assert len(rows) >= COPIED_FROM
        for row in rows:
            assert insert.run(connection, {**row, "rule_id": "alone"}) == 1
        assert insert.run_many(connection, rows) == len(rows)
        found = {rule: _told(connection, rule, names) for rule in ("alone", "r")}
    assert found["r"] == found["alone"]
    assert [row[2] for row in found["r"]] == hostile


def _told(connection: sa.Connection, rule: str, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    mine = sa.select(*(ALERT.c[name] for name in names)).where(ALERT.c.rule_id == rule).order_by(ALERT.c.id)
    return [("", *row[1:]) for row in connection.execute(mine)]


def test_what_breaks_a_rule_of_the_table_is_sqlalchemys_error_however_many_there_are(database: Database) -> None:
    names = ("rule_id", "group_key", "severity", "opened_at")
    insert = Prepared(sa.insert(INCIDENT).values({name: sa.bindparam(name) for name in names}))
    rows = [{"rule_id": "r", "group_key": key, "severity": "info", "opened_at": AT} for key in "abcdea"]
    with pytest.raises(sa.exc.IntegrityError, match=r"incident_open|incident\.rule_id, incident\.group_key"):
        _write(database, insert, rows)
    with database.read() as connection:
        assert connection.execute(sa.select(INCIDENT.c.id)).all() == []
    _write(database, insert, rows[:-1])


def _write(database: Database, insert: Prepared, rows: list[dict[str, Any]]) -> None:
    with database.write() as connection:
        assert insert.run_many(connection, rows) == len(rows)
