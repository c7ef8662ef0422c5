"""The jobs against the stand-in API: what they poll, what they leave alone, and what one failure does not stop."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating, jobs
from bot.service.jobs import Broken
from bot.service.polling import polls
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from rules.alerts.evaluate import evaluate_rule
from rules.alerts.query import CompiledRule
from rules.documents.document import rule_from_document
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource
from storage.engine import Database
from storage.polls import poll_states
from storage.schema import ALERT, CONNECTOR, TRANSITION
from tests.readings import T0
from tests.rules.engine import FAULTED
from tests.rules.registry.test_runnable import nested

MINUTE = timedelta(minutes=1)


class World:
    """A living fleet behind its API, and jobs that poll it at moments of the test's choosing."""

    def __init__(self, database: Database) -> None:
        self.now = T0
        self.fleet = FleetSource(12, 3, T0)
        self.api: Api = create_api(self.fleet, clock=lambda: self.now)
        transport = InProcessTransport(self.api)
        token = TokenSource.from_text("sandbox-token")
        self.client = EosvoltClient("http://sandbox", token, load_contract(), transport=transport, attempts=1)
        self.jobs = jobs.Jobs(database, self.client, run=jobs.run_inline)

    async def poll(self, now: datetime) -> frozenset[str]:
        self.now = now
        self.fleet.advance_to(now)
        return await polls.poll(self.jobs, now)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    world = World(database)
    yield world
    await world.client.aclose()


async def test_a_first_poll_reads_everything_and_all_is_fresh(world: World) -> None:
    assert await world.poll(T0) == {"locations", "chargers", "sessions"}
    with world.jobs.database.read() as connection:
        stored = connection.execute(sa.select(sa.func.count()).select_from(CONNECTOR)).scalar_one()
    assert stored == len(world.fleet.world.connectors)


async def test_a_failed_poll_makes_nothing_fresh_and_the_next_one_heals_it(world: World) -> None:
    await world.poll(T0)
    world.api.faults.answers_503 = 2
    assert await world.poll(T0 + MINUTE) == frozenset()
    with world.jobs.database.read() as connection:
        states = poll_states(connection)
    assert (states["chargers"].failures, states["chargers"].good_at) == (1, T0)
    assert "503" in (states["chargers"].error or "")
    assert await world.poll(T0 + 2 * MINUTE) == {"locations", "chargers", "sessions"}


async def test_a_resource_that_the_account_lacks_is_left_alone_for_an_hour(world: World) -> None:
    world.api.faults.forbidden = frozenset({"sessions"})
    assert await world.poll(T0) == {"locations", "chargers"}
    world.api.faults.forbidden = frozenset()
    assert await world.poll(T0 + 59 * MINUTE) == {"locations", "chargers"}
    assert await world.poll(T0 + 60 * MINUTE) == {"locations", "chargers", "sessions"}


async def test_a_restart_polls_on_from_where_the_database_stands(world: World, database: Database) -> None:
    await world.poll(T0)
    again = World(database)
    again.fleet, again.api.source = world.fleet, world.fleet
    await again.poll(T0 + 30 * MINUTE)
    with database.read() as connection:
        state = poll_states(connection)["chargers"]
    await again.client.aclose()
    assert (state.good_at, state.previous_good_at, state.swept_at) == (T0 + 30 * MINUTE, T0, T0)


async def test_a_rule_that_cannot_be_evaluated_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule_from_document({**FAULTED, "name": name, "for": "0s"}, "test.yaml") for name in ("a", "b", "c")]
    jobs.use_rules(world.jobs, rules, T0)
    fresh = await world.poll(T0)

    def break_one(connection: sa.Connection, rule: CompiledRule, *more: Any) -> object:
        if rule.id == "b":
            raise RuntimeError("disk on fire")
        return evaluate_rule(connection, rule, *more)

    monkeypatch.setattr(evaluating, "evaluate_rule", break_one)
    evaluating.evaluate(world.jobs, T0, fresh)
    assert world.jobs.broken == {jobs.RULE: {"b": Broken(T0, "RuntimeError")}}
    with world.jobs.database.read() as connection:
        told = set(connection.execute(sa.select(ALERT.c.rule_id).distinct()).scalars())
    assert told == {"a", "c"}
    evaluating.evaluate(world.jobs, T0 + MINUTE, fresh)
    assert world.jobs.broken[jobs.RULE]["b"].since == T0
    monkeypatch.undo()
    evaluating.evaluate(world.jobs, T0 + MINUTE, fresh)
    assert world.jobs.broken == {}
    with world.jobs.database.read() as connection:
        told = set(connection.execute(sa.select(TRANSITION.c.rule_id).distinct()).scalars())
    assert told == {"a", "b", "c"}


async def test_a_rule_that_the_database_does_not_take_is_told_and_holds_up_no_other(sqlite: Database) -> None:
    world = World(sqlite)
    deep = {**FAULTED, "name": "deep", "when": nested(15), "for": "0s"}
    rules = [rule_from_document(each, "test.yaml") for each in (deep, {**FAULTED, "for": "0s"})]
    jobs.use_rules(world.jobs, rules, T0)
    evaluating.evaluate(world.jobs, T0, await world.poll(T0))
    await world.client.aclose()
    assert world.jobs.broken[jobs.RULE]["deep"].since == T0
    with sqlite.read() as connection:
        assert set(connection.execute(sa.select(ALERT.c.rule_id)).scalars()) == {"faulted"}
