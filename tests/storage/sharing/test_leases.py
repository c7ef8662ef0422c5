"""The lease on PostgreSQL: one leads, a late one writes nothing, and nobody takes over within a transaction."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.schema import AUDIT, LEASE, LEASE_TERM
from storage.sharing.leases import LENGTH, LONG_AGO, LeaseLostError, claim, give_up, hold, lease
from tests.conftest import opened
from tests.readings import T0

A, B = "service-a", "service-b"


@pytest.fixture
def shared(postgresql_shared: str) -> Iterator[Database]:
    for database in opened(postgresql_shared):
        with database.write() as connection:
            for table in (LEASE, LEASE_TERM, AUDIT):
                connection.execute(sa.delete(table))
        yield database


def claimed(database: Database, holder: str) -> int | None:
    with database.write() as connection:
        return claim(connection, holder)


def end(database: Database) -> None:
    """Let the lease have ended by the database's clock."""
    with database.write() as connection:
        connection.execute(sa.update(LEASE).values(until=LONG_AGO))


def note(connection: sa.Connection, user: str) -> None:
    connection.execute(sa.insert(AUDIT).values(at=T0, user=user, action="x", subject="", facts={}, outcome=""))


def test_one_leads_and_goes_on_by_the_same_token_until_it_ends(shared: Database) -> None:
    assert (claimed(shared, A), claimed(shared, B), claimed(shared, A)) == (1, None, 1)
    end(shared)
    assert claimed(shared, A) == 1, "nobody has led since"
    end(shared)
    assert (claimed(shared, B), claimed(shared, A)) == (2, None)
    with shared.read() as connection:
        found = lease(connection)
        terms = connection.execute(
            sa.select(LEASE_TERM.c.token, LEASE_TERM.c.holder).order_by(LEASE_TERM.c.token)
        ).all()
    assert found is not None
    assert (found.holder, found.token) == (B, 2)
    assert 0 < found.left.total_seconds() <= LENGTH.total_seconds()
    assert [tuple(term) for term in terms] == [(1, A), (2, B)]


def test_one_that_stops_lets_another_lead_at_once(shared: Database) -> None:
    claimed(shared, A)
    with shared.write() as connection:
        give_up(connection, A)
    assert claimed(shared, B) == 2


def test_one_that_wakes_up_late_writes_nothing(shared: Database) -> None:
    assert claimed(shared, A) == 1
    end(shared)
    assert claimed(shared, B) == 2
    with shared.write() as connection, pytest.raises(LeaseLostError):
        hold(connection, A, 1)
    with shared.write() as connection:
        hold(connection, B, 2)
        note(connection, "of the leader")
    with shared.read() as connection:
        assert connection.execute(sa.select(AUDIT.c.user)).scalars().all() == ["of the leader"]


def test_nobody_takes_over_while_a_transaction_of_the_leader_lasts(shared: Database) -> None:
    assert claimed(shared, A) == 1
    end(shared)
    other = Database(shared.url)
    with shared.write() as connection:
        hold(connection, A, 1)
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            claimed(other, B)
        note(connection, "by one writer")
    assert claimed(other, B) == 2
    other.close()
