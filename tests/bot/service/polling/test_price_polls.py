"""Rounds of prices against the stand-in API: a few at each poll, and one fault stops no other location."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating, jobs
from bot.service.polling import polls
from bot.service.polling.poll_plan import PRICES, PollPlan
from bot.service.polling.price_polls import AT_ONCE, FEWEST, PricePolls
from commands.requests.prices import as_text
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.errors import EosvoltError, Forbidden, NotFound, RateLimited, ServerFault
from eosvolt.models import PriceBlock, PricingReading
from eosvolt.tokens import TokenSource
from rules.documents.document import rule_from_document
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource
from storage.engine import Database
from storage.health import poll_health
from storage.polls import PollState, poll_states
from storage.schema import LOCATION
from tests.readings import T0

MINUTE = timedelta(minutes=1)
LOCATIONS = 24


class Client(EosvoltClient):
    """The client, which notes whose prices it asks for, and fails where the test says so."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.asked: list[str] = []
        self.failing: dict[str, EosvoltError] = {}

    async def fetch_price(self, location_id: str) -> PricingReading:
        self.asked.append(location_id)
        if location_id in self.failing:
            raise self.failing[location_id]
        return await super().fetch_price(location_id)


class Town:
    """Some locations with prices behind their API, and rounds over them at moments of the test's choosing."""

    def __init__(self, database: Database) -> None:
        self.fleet = FleetSource(3 * LOCATIONS, 3, T0)
        transport = InProcessTransport(create_api(self.fleet, clock=lambda: T0))
        token = TokenSource.from_text("sandbox-token")
        self.client = Client("http://sandbox", token, load_contract(), transport=transport, attempts=1)
        self.jobs = jobs.Jobs(database, self.client, plan=PollPlan(), run=jobs.run_inline)
        self.prices = PricePolls(self.jobs)
        self.ids = sorted(self.fleet.world.locations.rows)

    async def begin(self) -> None:
        await polls.poll(self.jobs, T0)

    async def ask(self, minute: int) -> Sequence[str]:
        """Whose prices were asked for at a minute."""
        self.client.asked.clear()
        await self.prices.poll(T0 + minute * MINUTE)
        return sorted(self.client.asked)

    def state(self) -> PollState | None:
        with self.jobs.database.read() as connection:
            return poll_states(connection).get(PRICES)

    def known(self) -> dict[str, str]:
        with self.jobs.database.read() as connection:
            rows = connection.execute(sa.select(LOCATION.c.id, LOCATION.c.price).where(LOCATION.c.price.is_not(None)))
            return {row.id: row.price for row in rows}


@pytest.fixture
async def town(sqlite: Database) -> AsyncIterator[Town]:
    town = Town(sqlite)
    await town.begin()
    assert FEWEST < len(town.ids) <= 2 * FEWEST
    yield town
    await town.client.aclose()


async def test_a_round_asks_for_each_location_once_and_the_next_one_comes_an_hour_later(town: Town) -> None:
    first = await town.ask(0)
    assert (list(first), town.state()) == (town.ids[:FEWEST], None)
    assert await town.ask(1) == town.ids[FEWEST:]
    assert set(town.known()) == set(town.ids)
    assert (
        json.loads(town.known()[town.ids[0]])["default"] == town.fleet.world.pricing.rows[town.ids[0]].fields["default"]
    )
    state = town.state()
    assert state is not None
    assert (state.good_at, state.failures) == (T0 + MINUTE, 0)
    assert PRICES in await polls.poll(town.jobs, T0 + 2 * MINUTE)
    assert await town.ask(60) == []
    assert await town.ask(61) == town.ids[:FEWEST]


async def test_one_fault_and_one_location_without_prices_keep_the_others(town: Town) -> None:
    broken, bare, *others = town.ids
    town.client.failing = {broken: ServerFault("broken"), bare: NotFound("no prices")}
    await town.ask(0)
    await town.ask(1)
    assert set(town.known()) == set(others)
    state = town.state()
    assert state is not None
    assert (state.good_at, state.failures) == (T0 + MINUTE, 0)
    with town.jobs.database.read() as connection:
        (told,) = [one for one in poll_health(connection, T0 + MINUTE).resources if one.resource == PRICES]
    assert (told.good, dict(told.failed)) == (1, {"server_fault": 1})


async def test_an_account_that_may_not_read_prices_is_asked_again_after_an_hour(town: Town) -> None:
    town.client.failing = dict.fromkeys(town.ids, Forbidden("not in the plan", code="forbidden"))
    assert len(await town.ask(0)) == AT_ONCE
    assert await town.ask(1) == []
    with town.jobs.database.read() as connection:
        assert [one.name for one in poll_health(connection, T0 + MINUTE).switched_off] == [PRICES]
    town.client.failing = {}
    assert await town.ask(59) == []
    await town.ask(60)
    await town.ask(61)
    assert PRICES not in town.jobs.absent
    assert set(town.known()) == set(town.ids)


async def test_where_nobody_answers_few_are_asked_and_who_was_put_off_is_asked_again(town: Town) -> None:
    town.client.failing = dict.fromkeys(town.ids, RateLimited("slow down"))
    assert await town.ask(0) == town.ids[:AT_ONCE]
    town.client.failing = {}
    for minute in (1, 2, 3):
        await town.ask(minute)
    assert set(town.known()) == set(town.ids)


async def test_a_restart_in_the_middle_of_a_round_asks_again_and_changes_nothing(town: Town) -> None:
    await town.ask(0)
    known = town.known()
    town.prices = PricePolls(town.jobs)
    assert await town.ask(1) == town.ids[:FEWEST]
    assert town.known() == known


async def test_a_price_that_is_changed_makes_one_event(town: Town) -> None:
    rule = rule_from_document({"name": "prices", "on": "price.changed", "settle": "0s"}, "test.yaml")
    jobs.use_rules(town.jobs, [rule], T0)
    for minute in (0, 1):
        await town.ask(minute)
    town.fleet.world.set_price(town.ids[0], 0, default=9.99)
    told = []
    for minute in range(60, 66):
        now = T0 + minute * MINUTE
        told += evaluating.evaluate(town.jobs, now, await polls.poll(town.jobs, now))
        await town.ask(minute)
    assert [event.subject for event in told] == [town.ids[0]]


def test_equal_prices_are_the_same_text_whatever_their_order_and_rounding() -> None:
    day, evening = PriceBlock("08:00", "17:00", 0.5), PriceBlock("17:00", "20:00", 0.6000000001)
    one = PricingReading("l1", "kWh", 0.45, (day, evening), 0.1, 30)
    other = PricingReading("l1", "kWh", 0.4500000001, (evening, day), 0.1, 30.0, extra={"note": "x"})
    assert as_text(one) == as_text(other)
    assert as_text(one) != as_text(PricingReading("l1", "kWh", 0.46, (day, evening), 0.1, 30))
