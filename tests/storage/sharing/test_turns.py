"""The turn in a channel on PostgreSQL: one process posts there, and the next one knows when it last did."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.schema import TURN
from storage.sharing.turns import LENGTH, leave_turns, note_post, take_turns
from tests.conftest import opened
from tests.readings import T0

SECOND = timedelta(seconds=1)


@pytest.fixture
def shared(postgresql_shared: str) -> Iterator[Database]:
    for database in opened(postgresql_shared):
        with database.write() as connection:
            connection.execute(sa.delete(TURN))
        yield database


def take(database: Database, holder: str, now: datetime, *channels: str) -> object:
    with database.write() as connection:
        return take_turns(connection, channels or ("#a",), holder, now)


def test_one_has_the_turn_until_a_while_after_its_last_claim(shared: Database) -> None:
    assert take(shared, "one", T0) is None
    assert take(shared, "two", T0 + SECOND) is False
    assert take(shared, "two", T0 + SECOND, "#b") is None
    assert take(shared, "one", T0 + LENGTH) is None
    assert take(shared, "two", T0 + LENGTH + SECOND) is False
    assert take(shared, "two", T0 + 2 * LENGTH + SECOND) is None


def test_the_next_one_keeps_the_pace_of_the_one_before(shared: Database) -> None:
    take(shared, "one", T0)
    with shared.write() as connection:
        note_post(connection, "#a", T0 + SECOND)
        leave_turns(connection, "one", T0 + SECOND)
    assert take(shared, "two", T0 + SECOND) == T0 + SECOND


def test_who_gets_one_of_two_turns_gets_neither_for_long(shared: Database) -> None:
    take(shared, "one", T0, "#b")
    assert take(shared, "two", T0, "#a", "#b") is False
    assert take(shared, "two", T0 + LENGTH + SECOND, "#a", "#b") is None


def test_a_turn_that_a_wrong_clock_took_is_over(shared: Database) -> None:
    take(shared, "one", T0 + timedelta(days=300))
    assert take(shared, "two", T0) is None


def test_alone_on_sqlite_every_turn_is_ones_own(sqlite: Database) -> None:
    assert take(sqlite, "one", T0) is None
    assert take(sqlite, "two", T0) is None
