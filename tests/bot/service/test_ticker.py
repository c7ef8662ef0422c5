"""The ticker, where the wall clock is put forward or back under it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from bot.service.ticker import Job, MonotonicTrigger, Step, Ticker, Timekeeper
from tests.readings import T0

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass
class Time:
    """Monotonic time that a test lets pass, and a wall clock that it puts."""

    passed: float = 0.0
    put: timedelta = field(default_factory=timedelta)

    def clock(self) -> datetime:
        return T0 + timedelta(seconds=self.passed) + self.put

    def ticks(self) -> float:
        return self.passed


@pytest.mark.parametrize("by", [DAY, -DAY, 3 * SECOND])
def test_a_step_of_the_clock_is_seen_once_with_its_length(by: timedelta) -> None:
    time = Time()
    keeper = Timekeeper(time.clock, time.ticks)
    time.passed = 3600
    assert keeper.look() == (time.clock(), None)
    time.put += by
    time.passed += 0.5
    assert keeper.look() == (time.clock(), Step(time.clock(), by))
    assert keeper.look() == (time.clock(), None)


def test_a_clock_that_stands_still_is_a_step_every_other_second_and_one_that_is_slewed_is_none() -> None:
    still = Time()
    keeper = Timekeeper(still.clock, still.ticks)
    steps = []
    for second in range(10):
        still.passed, still.put = second, -second * SECOND
        steps.append(keeper.look()[1])
    assert [step.by for step in steps if step is not None] == [-2 * SECOND] * 4
    assert keeper.stood_still_s == 9
    still.put += SECOND
    assert keeper.stood_still_s == 0
    keeper.look()
    still.passed, still.put = still.passed + 5, still.put - 5 * SECOND
    assert keeper.stood_still_s == 5
    slewed = Time()
    keeper = Timekeeper(slewed.clock, slewed.ticks)
    slewed.put = 1.9 * SECOND
    assert keeper.look()[1] is None


@pytest.mark.parametrize("by", [timedelta(), DAY, -DAY])
def test_a_trigger_fires_at_each_whole_interval_of_monotonic_time_wherever_the_clock_is_put(by: timedelta) -> None:
    time = Time()
    trigger = MonotonicTrigger(60, time.ticks)
    time.passed, time.put = 20, by
    assert trigger.get_next_fire_time(None, time.clock()) - time.clock() == 40 * SECOND
    time.passed = 59.99  # a timer may come a little early
    assert trigger.get_next_fire_time(time.clock(), time.clock()) - time.clock() == pytest.approx(
        60.01 * SECOND, abs=SECOND / 1000
    )
    trigger.fired()
    assert trigger.get_next_fire_time(None, time.clock()) - time.clock() == pytest.approx(
        60.01 * SECOND, abs=SECOND / 1000
    )
    time.passed = 400  # three beats went by while nobody could tick: one tick at once, then the beat again
    assert trigger.get_next_fire_time(None, time.clock()) == time.clock()
    trigger.fired()
    assert trigger.get_next_fire_time(None, time.clock()) - time.clock() == 20 * SECOND  # at 420


async def test_no_job_works_with_a_new_moment_before_the_step_was_seen_to() -> None:
    time, seen, failures = Time(), list[object](), iter([OSError("locked"), None])
    ran = asyncio.Event()

    async def on_step(step: Step) -> None:
        seen.append(step)
        failure = next(failures)
        if failure is not None:
            raise failure

    async def work(now: datetime) -> None:
        seen.append(now)
        ran.set()

    ticker = Ticker([Job("work", work), Job("watchdog", work, DAY, alone=True)], time.clock, on_step, time.ticks)
    ticker.start()
    await ran.wait()
    ran.clear()
    good_at = ticker.states["watchdog"].good_at
    assert good_at == T0
    seen.clear()
    time.put = -DAY
    with capture_logs() as logs:
        for name in ("work", "work", "watchdog"):
            ticker.wake(name)
            await ran.wait()
            ran.clear()
    step = Step(T0 - DAY, -DAY)
    assert seen == [step, T0 - DAY, step, T0 - DAY, T0 - DAY]  # what could not be done is tried before the next run
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["the clock was put back"]
    assert ticker.states["watchdog"].good_at == T0 - DAY
    await ticker.stop()


async def test_where_a_step_cannot_be_seen_to_the_watchdog_looks_all_the_same() -> None:
    time, never, looked = Time(), asyncio.Event(), asyncio.Event()

    async def on_step(_step: Step) -> None:
        await never.wait()

    async def watch(now: datetime) -> None:
        if now == T0 - DAY:
            looked.set()

    async def work(_now: datetime) -> None: ...

    jobs = [Job("work", work, DAY), Job("watchdog", watch, timedelta(seconds=0.02), alone=True)]
    ticker = Ticker(jobs, time.clock, on_step, time.ticks)
    ticker.start()
    time.put = -DAY
    ticker.wake("work")
    await asyncio.wait_for(looked.wait(), 30)
    never.set()
    await ticker.stop()
