"""One resource in trouble through the stand-in API: the others are polled on, and two that are limited are all."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.service.jobs import News
from bot.service.polling import polls
from bot.service.polling.pace import LONGEST_PAUSE, Paces
from bot.service.polling.poll_plan import PollPlan, fresh_resources, is_lacking
from eosvolt.errors import Forbidden, NotFound, RateLimited, ServerFault
from eosvolt.models import Fetched
from storage.engine import Database
from storage.health import WHOLE_API, Pace, load_paces
from storage.polls import PollState
from tests.bot.service.hostile.fleet import MINUTE, Poller, poller
from tests.readings import T0

HOUR = timedelta(hours=1)


def asked(ill: Poller, resource: str) -> datetime:
    """When a resource was last asked for."""
    return {one.resource: one for one in ill.health().resources}[resource].attempted_at


def failures(ill: Poller, resource: str) -> dict[str, int]:
    return dict({one.resource: one for one in ill.health().resources}[resource].failed)


async def test_retry_after_on_sessions_alone_stops_neither_chargers_nor_locations(
    database: Database, tmp_path: Path
) -> None:
    async with poller(database, tmp_path) as ill:
        await ill.poll(2)
        ill.api.faults.limited = {"sessions": 3600}
        assert await ill.poll(30) == 30
        assert asked(ill, "chargers") == ill.now
        assert asked(ill, "locations") == ill.now - MINUTE, "at its own pace"
        assert failures(ill, "sessions") == {"rate_limited": 1}
        ill.api.faults.limited = {}
        await ill.poll(29)
        assert failures(ill, "sessions") == {"rate_limited": 1}
        await ill.poll(3)
        assert asked(ill, "sessions") > ill.now - 3 * MINUTE
    with database.read() as connection:
        paces = load_paces(connection)
    assert (paces["chargers"].slowness if "chargers" in paces else 1) == 1


async def test_two_resources_that_are_limited_at_once_are_the_whole_account(sqlite: Database, tmp_path: Path) -> None:
    async with poller(sqlite, tmp_path) as ill:
        await ill.poll(2)
        ill.api.faults.limited = {"sessions": 600, "chargers": 1200}
        await ill.poll(1)
        calls = ill.wire.calls
        ill.api.faults.limited = {}
        assert await ill.poll(9) == 0
        assert ill.wire.calls == calls
        assert ill.work.paces is not None
        assert ill.work.paces.is_paused("locations", ill.now)
        assert ill.work.paces.is_paused("prices", ill.now)
        assert ill.health().paused_until is not None
        await ill.poll(1)
        assert asked(ill, "sessions") == ill.now, "what two say alike is over"
        assert asked(ill, "chargers") == ill.now - 10 * MINUTE, "and its own pause goes on"


async def test_what_is_limited_is_remembered_over_a_restart(database: Database, tmp_path: Path) -> None:
    async with poller(database, tmp_path) as ill:
        await ill.poll(2)
        ill.api.faults.limited = {"sessions": 3600}
        await ill.poll(1)
        ill.api.faults.limited = {}
        ill.work.paces, ill.work.polls = None, None  # another process
        await ill.poll(20)
        assert failures(ill, "sessions") == {"rate_limited": 1}
        assert asked(ill, "chargers") == ill.now


async def test_one_404_of_a_proxy_does_not_switch_a_resource_off(database: Database, tmp_path: Path) -> None:
    async with poller(database, tmp_path) as ill:
        await ill.poll(2)
        ill.api.faults.proxy_404 = {"sessions": 1, "chargers": 1}
        await ill.poll(1)
        assert ill.work.absent == {}
        assert failures(ill, "chargers") == {"not_found": 1}
        assert await ill.poll(1) == 1
        assert all(one.failures_in_a_row == 0 for one in ill.health().resources)


async def test_nor_does_one_at_the_very_first_start(sqlite: Database, tmp_path: Path) -> None:
    async with poller(sqlite, tmp_path) as ill:
        ill.api.faults.proxy_404 = {"sessions": 2, "chargers": 1}
        await ill.poll(3)
        assert ill.work.absent == {}
        assert all(one.failures_in_a_row == 0 for one in ill.health().resources)


async def test_what_was_there_is_asked_for_again_soon_though_it_is_refused_for_long(
    sqlite: Database, tmp_path: Path
) -> None:
    async with poller(sqlite, tmp_path) as ill:
        await ill.poll(2)
        ill.api.faults.forbidden = frozenset({"sessions"})
        await ill.poll(90)
        assert failures(ill, "sessions")["forbidden"] == 90
        ill.api.faults.forbidden = frozenset()
        await ill.poll(1)
        assert asked(ill, "sessions") == ill.now
        assert {one.resource: one for one in ill.health().resources}["sessions"].error is None


NEVER = None
ONCE_THERE = PollState("sessions", T0, None, None, None, 3, "404", first_good_at=T0)
REFUSED_TWICE = PollState("sessions", T0, None, None, None, 2, "404")


@pytest.mark.parametrize(
    ("error", "state", "lacking"),
    [
        (Forbidden("no", code="forbidden"), NEVER, True),
        (NotFound("no", code="not_found"), NEVER, True),
        (NotFound("<html>"), NEVER, False),
        (NotFound("<html>"), REFUSED_TWICE, True),
        (NotFound("no", code="not_found"), ONCE_THERE, False),
        (ServerFault("no", code="broken"), NEVER, False),
        (None, NEVER, False),
    ],
)
def test_only_what_was_never_there_is_lacking(error: Forbidden | None, state: PollState | None, lacking: bool) -> None:
    assert is_lacking(error, state) is lacking


def test_rules_go_by_what_is_good_and_not_older_than_three_intervals_of_its_pace() -> None:
    def state(name: str, age: timedelta, failed: bool = False) -> PollState:
        return PollState(name, T0 if failed else T0 - age, T0 - age, None, None, 0, None)

    states = {
        "chargers": state("chargers", 3 * MINUTE),
        "sessions": state("sessions", 4 * MINUTE),
        "locations": state("locations", 17 * HOUR),
        "prices": state("prices", 4 * HOUR),
    }
    plan = PollPlan()
    assert fresh_resources(plan, states, {}, T0) == {"chargers", "locations"}
    assert fresh_resources(plan, states, {"sessions": 2}, T0) == {"chargers", "locations", "sessions"}
    assert fresh_resources(plan, {"chargers": state("chargers", MINUTE, failed=True)}, {}, T0) == frozenset()


def test_polls_that_end_in_any_order_are_evaluated_by_how_they_began_and_never_back() -> None:
    news = News()
    slow, quick = news.begin(), news.begin()
    news.note(quick, T0 + MINUTE)
    assert news.take() == T0 + MINUTE
    assert news.take() is None
    news.note(slow, T0)
    assert news.take() == T0 + MINUTE
    news.again()
    assert news.take() == T0 + MINUTE
    after_a_step_back = news.begin()
    news.note(after_a_step_back, T0 - HOUR)
    assert news.take() == T0 - HOUR, "a clock that was put back is gone by"


async def test_a_slow_poll_that_ends_late_is_evaluated_at_the_later_polls_moment(
    sqlite: Database, tmp_path: Path
) -> None:
    async with poller(sqlite, tmp_path) as ill:
        ill.now += MINUTE
        turn = ill.work.news.begin()
        assert await polls.poll_resource(ill.work, "chargers", ill.now)
        ill.work.news.note(turn, ill.now - MINUTE)
        assert ill.work.news.take() == ill.now


def limited(seconds: float) -> Fetched[None]:
    return Fetched(complete=False, error=RateLimited(retry_after=seconds))


def test_a_pause_that_no_clock_could_mean_is_none() -> None:
    paces = Paces(MINUTE, {"chargers": Pace(not_before=T0 + timedelta(days=3))})
    assert not paces.is_paused("chargers", T0)
    paces = Paces(MINUTE, {"chargers": Pace(not_before=T0 + LONGEST_PAUSE)})
    assert paces.is_paused("chargers", T0)
    paces.clock_was_put(-HOUR)
    assert not paces.is_paused("chargers", T0)


def test_the_account_of_before_counts_until_a_resource_has_a_pace_of_its_own() -> None:
    paces = Paces(MINUTE, {WHOLE_API: Pace(4, T0, T0 + 3 * MINUTE)})
    assert paces.is_paused("chargers", T0)
    paces.note("chargers", Fetched(), T0 + 4 * MINUTE)
    assert paces.own("chargers").slowness == 2
    paces.note("locations", Fetched(), T0 + 4 * MINUTE)
    assert paces.own("locations").slowness == 1, "its next poll is hours away"


def test_one_that_was_slowed_and_then_not_asked_for_any_more_limits_nobody_for_long() -> None:
    paces = Paces(MINUTE)
    paces.note("prices", limited(60), T0)
    paces.note("chargers", limited(60), T0)
    assert paces.whole(T0).slowness == 2
    assert paces.whole(T0 + 10 * MINUTE) == Pace()
