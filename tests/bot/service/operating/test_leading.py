"""Two services on one PostgreSQL: one leads, both serve; the other takes over, and one that is late writes nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.service.app import build
from bot.service.operating.leading import Leading
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.migrate import upgrade
from storage.schema import AUDIT, LEASE, LEASE_TERM, RULE
from storage.sharing.leases import LONG_AGO
from tests.bot.house import FAULTED, House, open_house, polled_anew
from tests.databases import temporary_database
from tests.readings import T0


@pytest.fixture
def shared_url(postgresql_server: str) -> Iterator[str]:
    with temporary_database(postgresql_server) as url:
        yield url


@pytest.fixture
async def shared_house(shared_url: str) -> AsyncIterator[House]:
    async with open_house(shared_url) as house:
        yield house


async def nothing(_now: datetime) -> None:
    """Nothing is read anew."""


def note(database: Database, user: str) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(AUDIT).values(at=T0, user=user, action="x", subject="", facts={}, outcome=""))


async def test_a_job_of_the_leader_that_goes_on_after_its_time_writes_nothing(shared_url: str) -> None:
    database = Database(shared_url)
    upgrade(database)
    first, second = Leading(database, nothing), Leading(database, nothing)
    assert (await first.seek(), await second.seek()) == (True, False)

    async def work(_now: datetime) -> None:
        note(database, "in time")
        end_lease_of_the_leader()
        note(database, "too late")

    def end_lease_of_the_leader() -> None:
        other = Database(shared_url)
        with other.engine.begin() as connection:
            connection.execute(sa.update(LEASE).values(until=LONG_AGO, holder=second.holder, token=2))
        other.close()

    await first.led(work)(T0)
    assert not first.leads
    await first.led(work)(T0)  # which is not its to do any more
    with database.read() as connection:
        assert connection.execute(sa.select(AUDIT.c.user)).scalars().all() == ["in time"]
    database.close()


async def test_on_sqlite_this_process_leads(sqlite: Database) -> None:
    leading = Leading(sqlite, nothing)
    assert await leading.seek()
    ran: list[datetime] = []

    async def work(now: datetime) -> None:
        ran.append(now)

    await leading.led(work)(T0)
    assert ran == [T0]


async def test_of_two_services_one_polls_and_the_other_takes_over_with_the_rules(shared_house: House) -> None:
    house = shared_house
    house.break_connector(house.free())
    first = await house.start(FAULTED)
    second = build(house.settings(), clock=house.clock)
    await second.start([rule_from_document(FAULTED, "test")])
    try:
        assert (first.leading.leads, second.leading.leads) == (True, False)
        assert set(second.jobs.rules.documents) == {"connector-faulted"}
        card = await house.card_of_an_alert()
        assert second.jobs.polls is None, "it does not poll"
        await house.stop()  # which lets another lead at once
        await second.leading.renew(house.clock())
        assert second.leading.leads
        await polled_anew(second)
        cards = [one for one in house.workspace.channel("#ev-alerts").messages if one.thread_ts is None]
        assert [one.ts for one in cards] == [card.ts]
        with second.database.read() as connection:
            assert connection.execute(sa.select(RULE.c.version)).scalars().all() == [1]
            assert connection.execute(sa.select(LEASE.c.token)).scalar_one() == 2
    finally:
        await second.stop()


async def test_a_follower_says_where_nobody_leads_and_it_cannot_either(shared_house: House) -> None:
    house = shared_house
    await house.start(FAULTED)
    follower = build(house.settings(), clock=house.clock)
    assert not await follower.leading.seek()
    leaderless = "leaderless"
    assert leaderless not in (await follower.wellness.health())[1]["troubles"]
    await house.running.ticker.stop()  # as a leader that stands still, in the middle of a transaction
    with house.running.database.write() as connection:
        connection.execute(sa.update(LEASE).values(until=LONG_AGO))
    with house.running.database.write() as connection:
        connection.execute(sa.select(LEASE).with_for_update())
        with pytest.raises(sa.exc.OperationalError):
            await follower.leading.renew(house.clock())
        well, facts = await follower.wellness.health()
        assert (well, leaderless in facts["troubles"]) == (False, True)
        page = (await follower.metrics.page()).decode()
        assert "chargehand_leader 0.0" in page
        assert "chargehand_lease_seconds_left -" in page
    await follower.leading.renew(house.clock())
    assert leaderless not in (await follower.wellness.health())[1]["troubles"]
    assert "chargehand_leader 1.0" in (await follower.metrics.page()).decode()
    follower.database.close()


async def test_the_lease_is_kept_while_what_the_leader_works_with_is_read(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: else each of several on a slow machine would lose it to the next before it led."""
    monkeypatch.setattr("bot.service.operating.leading.RENEW_EVERY", timedelta(milliseconds=10))
    database, kept, claims = Database(shared_url), asyncio.Event(), 0
    upgrade(database)
    loop = asyncio.get_running_loop()

    class Counted(Leading):
        def _claim(self) -> int | None:
            nonlocal claims
            token = super()._claim()
            claims += token is not None
            if claims > 3:
                loop.call_soon_threadsafe(kept.set)
            return token

    async def read_anew(_now: datetime) -> None:
        async with asyncio.timeout(30):
            await kept.wait()

    leading = Counted(database, read_anew)
    await leading.renew(T0)
    assert (leading.leads, claims > 3) == (True, True)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(LEASE_TERM)).scalar_one() == 1
    database.close()
