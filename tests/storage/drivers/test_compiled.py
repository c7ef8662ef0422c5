"""What one database compiled serves the next of its kind, with that one's own values, rows and connections."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from storage.drivers import compiled
from storage.engine import Database
from storage.schema import INCIDENT
from tests.conftest import opened
from tests.notify.records import T0, insert_incident

Counted = Callable[[], int]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How many statements were compiled so far."""
    made: list[Any] = []
    make = SQLCompiler.__init__

    def count(self: SQLCompiler, *given: Any, **more: Any) -> None:
        made.append(given)
        make(self, *given, **more)

    monkeypatch.setattr(SQLCompiler, "__init__", count)
    return lambda: len(made)


def _statement(rule: str) -> sa.Select[Any]:
    """One that no other test makes: the sum of a number of which nobody asks."""
    mine = (INCIDENT.c.rule_id == rule, INCIDENT.c.id + INCIDENT.c.id > 0)
    return sa.select(INCIDENT.c.rule_id, INCIDENT.c.opened_at).where(*mine)


def test_another_engine_of_the_kind_compiles_nothing_again_and_finds_its_own_rows(
    database: Database, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_COMPILED", {})
    first, second = (Database(database.url, durable=False) for _ in range(2))
    with first.write() as connection:
        insert_incident(connection, rule_id="a")
        assert connection.execute(_statement("a")).all() == [("a", T0)]
    before = counted()
    with second.write() as connection:
        insert_incident(connection, 2, rule_id="b")
        assert connection.execute(_statement("b")).all() == [("b", T0)]
        assert connection.execute(_statement("c")).all() == []
    first.close()
    second.close()
    assert counted() == before > 0


def test_what_is_compiled_for_one_kind_is_not_taken_for_another(sqlite: Database, postgresql: Database) -> None:
    statement = sa.select(INCIDENT.c.id).where(INCIDENT.c.opened_at > sa.bindparam("at", T0))
    for number, one in enumerate((sqlite, postgresql, sqlite)):
        with one.write() as connection:
            insert_incident(connection, number + 1)
            assert connection.execute(statement).all() == []
            assert len(connection.execute(statement, {"at": T0.replace(year=2020)}).all()) >= 1


def test_no_more_is_kept_than_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MOST_COMPILED", 10)
    monkeypatch.setattr(compiled, "_COMPILED", {})
    for database in opened(f"sqlite:///{tmp_path / 'a.db'}"):
        with database.read() as connection:
            for number in range(40):
                connection.execute(sa.select(*(sa.literal(place) for place in range(number + 1)))).all()
        (kept,) = compiled._COMPILED.values()
        assert 10 <= len(kept) <= 15
