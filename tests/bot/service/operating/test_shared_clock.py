"""Several services on one PostgreSQL go by one clock, whatever their machines' clocks say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.service.operating.leading import Leading
from bot.service.operating.shared_clock import SharedClock, clock_of
from storage.engine import Database
from storage.migrate import upgrade
from tests.databases import temporary_database
from tests.readings import T0

SECOND = timedelta(seconds=1)


@pytest.fixture
def shared(postgresql_server: str) -> Iterator[Database]:
    with temporary_database(postgresql_server) as url:
        database = Database(url)
        upgrade(database)
        yield database
        database.close()


def servers(database: Database) -> datetime:
    with database.read() as connection:
        told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return told


class Wall:
    """A machine's clock that is `apart` from the server's."""

    def __init__(self, apart: timedelta) -> None:
        self.apart = apart

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.apart


async def nothing(_now: datetime) -> None:
    """Nothing is read anew."""


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_service_goes_by_the_servers_clock_and_a_step_of_its_own_moves_nothing(
    shared: Database, minutes: int
) -> None:
    wall = Wall(timedelta(minutes=minutes))
    clock = await clock_of(shared.url, wall)
    assert abs(clock() - servers(shared)) < 30 * SECOND
    wall.apart *= -2
    assert abs(clock() - servers(shared)) < 30 * SECOND


async def test_a_server_that_could_not_be_asked_at_the_start_is_asked_with_the_lease(shared: Database) -> None:
    wall = Wall(timedelta(minutes=5))
    clock = await clock_of("postgresql://nobody@/nothing?host=/nowhere", wall)
    assert abs(clock() - wall()) < 30 * SECOND, "the machine's own until then"
    assert isinstance(clock, SharedClock)
    leading = Leading(shared, nothing, clock.look)
    assert await leading.seek()
    assert abs(clock() - servers(shared)) < 30 * SECOND


async def test_on_sqlite_the_machines_clock_counts() -> None:
    wall = Wall(timedelta(minutes=5))
    assert await clock_of("sqlite:///x.db", wall) is wall


def test_the_way_to_the_server_moves_nothing_and_a_step_of_the_servers_clock_does() -> None:
    ticks = [100.0]
    clock = SharedClock(lambda: T0, lambda: ticks[0])
    assert clock() == T0
    clock.note(T0 + 60 * SECOND, 99.0, 101.0)
    assert clock() == T0 + 60 * SECOND
    ticks[0] = 110.0
    assert clock() == T0 + 70 * SECOND
    clock.note(T0 + 73 * SECOND, 102.0, 118.0)  # the answer took 16 s, and may be from any moment of these
    assert clock() == T0 + 70 * SECOND
    clock.note(T0 + 40 * SECOND, 109.9, 110.1)
    assert clock() == T0 + 40 * SECOND
