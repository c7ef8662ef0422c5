"""A list that never reaches its stated total: rules run on what came, nothing is taken for gone, and it is told."""

from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from eosvolt.models import ChargerReading, Fetched
from storage.engine import Database
from storage.polls import PollState, poll_states
from storage.schema import CHARGER
from tests.bot.service.jobs.test_jobs import MINUTE, World
from tests.readings import T0

HOUR = 60 * MINUTE


@pytest.fixture
async def short_world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose chargers come without the last half, and with the words of a total that was not reached."""
    world = World(database)
    await world.poll(T0)
    fetch = world.client.fetch_chargers

    async def fewer(updated_since: datetime | None = None) -> Fetched[ChargerReading]:
        fetched = await fetch(updated_since)
        told = "" if updated_since else "GET /v1/chargers: 6 rows came of a total of 12"
        return replace(fetched, rows=fetched.rows[:6] if told else fetched.rows, shortfall=told)

    monkeypatch.setattr(world.client, "fetch_chargers", fewer)
    return world


def state(world: World) -> PollState:
    with world.jobs.database.read() as connection:
        return poll_states(connection)["chargers"]


async def test_nothing_is_gone_because_a_short_list_did_not_show_it(short_world: World) -> None:
    for hours in range(1, 5):
        assert "chargers" in await short_world.poll(T0 + hours * HOUR)
    with short_world.jobs.database.read() as connection:
        gone = connection.execute(sa.select(CHARGER.c.id).where(CHARGER.c.gone_at.is_not(None))).all()
        missed = connection.execute(sa.select(sa.func.sum(CHARGER.c.missed_sweeps))).scalar_one()
    assert (gone, missed) == ([], 0)
    await short_world.client.aclose()


async def test_the_trouble_stands_through_polls_of_what_changed_until_a_sweep_is_whole(
    short_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await short_world.poll(T0 + HOUR)
    assert (state(short_world).error, state(short_world).failures) == (
        "GET /v1/chargers: 6 rows came of a total of 12",
        0,
    )
    assert state(short_world).swept_at == T0 + HOUR
    await short_world.poll(T0 + HOUR + MINUTE)
    assert "a total of 12" in (state(short_world).error or "")
    monkeypatch.undo()
    await short_world.poll(T0 + 2 * HOUR)
    assert state(short_world).error is None
    await short_world.client.aclose()
