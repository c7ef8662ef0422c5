"""Several services deliver from one PostgreSQL: clocks that differ double nothing, and Slack's limits are obeyed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.service.delivering.pace import Pace
from bot.service.delivering.workers import deliver
from bot.service.operating.shared_clock import SharedClock
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from tests.bot.service.delivery.bench import Bench

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def replicas(server: SlackServer, clock: HandClock, postgresql: Database) -> Bench:
    return Bench(server, clock, postgresql)


def clock_that_is(apart: timedelta, database: Database) -> SharedClock:
    """A service's clock, on a machine whose own is so far from the server's."""
    shared = SharedClock(lambda: datetime.now(UTC) + apart)
    with database.read() as connection:
        shared.look(connection)
    return shared


@pytest.mark.parametrize("apart", [-FIVE_MINUTES, FIVE_MINUTES])
async def test_what_one_is_posting_no_other_takes_for_abandoned_though_its_clock_differs_by_minutes(
    replicas: Bench, apart: timedelta
) -> None:
    replicas.say()
    own, other = clock_that_is(-apart, replicas.database), clock_that_is(apart, replicas.database)
    hold = replicas.workspace.faults.hold_next_request("chat.postMessage")
    posting = asyncio.create_task(deliver(replicas.delivery("own"), own()))
    await hold.reached(30)
    assert await deliver(replicas.delivery("other"), other()) == 0
    hold.release()
    assert await posting == 1
    assert await deliver(replicas.delivery("other"), other()) == 0
    assert len(replicas.messages()) == 1


async def test_three_services_that_edit_more_than_slack_takes_lose_nothing_and_obey_its_answer(
    replicas: Bench,
) -> None:
    bench = replicas
    places = {"one": "#ev-alerts", "two": "#ev-daily", "three": "#ev-ops"}
    for worker in places:
        bench.delivery(worker, pace=Pace(timedelta()))
    said = {f"{channel} {number}": channel for channel in places.values() for number in range(20)}
    for key, channel in said.items():
        bench.say("before", channel, key)
    for worker in places:
        await bench.deliver(worker)
    bench.after(100)
    bench.workspace.rate_limited = True
    for worker, channel in places.items():  # each has the turn in a channel of its own
        for key in (key for key in said if said[key] == channel):
            bench.say("after", channel, key)
        await bench.deliver(worker)
    while waiting(bench):
        refused = refusals(bench)
        for worker in places:
            await bench.deliver(worker)
        assert refusals(bench) - refused <= 1, "one refusal holds the edits of all"
        bench.after(5)
    shown = [message.plain() for channel in places.values() for message in bench.messages(channel)]
    assert len(shown) == len(said)
    assert all("after" in text for text in shown)
    assert 1 <= refusals(bench) <= 4


def waiting(bench: Bench) -> bool:
    return any(item.shown_version < item.version for item in bench.items())


def refusals(bench: Bench) -> int:
    return sum(call.error == "ratelimited" for call in bench.workspace.calls)
