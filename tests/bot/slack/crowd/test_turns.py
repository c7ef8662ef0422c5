"""So many at a time, in their order; who takes long gives up the turn, and where too many wait it is said."""

import asyncio

import pytest

from bot.slack.crowd import turns as turns_module
from bot.slack.crowd.turns import LET_IN_AT_ONCE, Turns

WITHIN = 20


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is never held for busy, however slow the machine is."""
    monkeypatch.setattr(turns_module, "BUSY_SECONDS", 1_000.0)


async def test_so_many_work_at_a_time_in_the_order_in_which_they_came() -> None:
    turns, at_work, most, order = Turns(at_once=3), 0, 0, list[int]()

    async def work(number: int) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        order.append(number)
        await asyncio.sleep(0)
        at_work -= 1

    async with asyncio.TaskGroup() as asking:
        for number in range(20):
            asking.create_task(turns.take(work(number)))
    assert most == 3
    assert order == list(range(20))


async def test_who_takes_long_gives_up_the_turn_and_still_ends() -> None:
    turns, go_on, done = Turns(at_once=1), asyncio.Event(), list[str]()

    async def slow() -> None:
        await go_on.wait()
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    first = asyncio.create_task(turns.take(slow()))
    await asyncio.sleep(0)
    await asyncio.wait_for(turns.take(quick()), WITHIN)
    go_on.set()
    await first
    assert done == ["quick", "slow"]


async def test_a_fault_is_its_own_askers_and_leaves_the_turn_free() -> None:
    turns = Turns(at_once=1)

    async def broken() -> None:
        raise LookupError("this one")

    async def well() -> None:
        pass

    with pytest.raises(LookupError, match="this one"):
        await turns.take(broken())
    await asyncio.wait_for(turns.take(well()), WITHIN)


async def test_it_is_full_where_as_many_wait_as_may_and_not_once_they_are_done() -> None:
    turns, go_on = Turns(at_once=1, most_waiting=2), asyncio.Event()

    async def work() -> None:
        await go_on.wait()

    asking = [asyncio.create_task(turns.take(work())) for _ in range(2)]
    await asyncio.sleep(0)
    assert not turns.full, "one works, one waits"
    asking.append(asyncio.create_task(turns.take(work())))
    await asyncio.sleep(0)
    assert turns.full
    go_on.set()
    await asyncio.gather(*asking)
    assert not turns.full


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The loop is busy, and waited for as long as it takes; set each time it was looked at."""
    monkeypatch.setattr(turns_module, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(turns_module, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(turns_module, "LONGEST_PAUSE", 1_000.0)
    event, look = asyncio.Event(), turns_module._Calm._looked

    def noted(calm: turns_module._Calm, loop: asyncio.AbstractEventLoop, began: float) -> None:
        look(calm, loop, began)
        event.set()

    monkeypatch.setattr(turns_module._Calm, "_looked", noted)
    return event


async def look_again(looked: asyncio.Event) -> None:
    for _ in range(3):
        looked.clear()
        await asyncio.wait_for(looked.wait(), WITHIN)


async def test_answers_wait_for_a_busy_loop_and_go_on_once_it_is_calm(
    looked: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, done = Turns(), list[int]()

    async def work(number: int) -> None:
        done.append(number)

    asking = [asyncio.create_task(turns.take(work(number))) for number in range(20)]
    await look_again(looked)
    assert done == []
    monkeypatch.setattr(turns_module, "BUSY_SECONDS", 1_000.0)
    await asyncio.wait_for(asyncio.gather(*asking), WITHIN)
    assert done == list(range(20))


async def test_an_answer_waits_so_long_for_a_loop_that_stays_busy_and_is_then_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(turns_module, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(turns_module, "LONGEST_PAUSE", 0.05)
    turns, loop, done = Turns(), asyncio.get_running_loop(), list[float]()

    async def work() -> None:
        done.append(loop.time())

    began = loop.time()
    for _ in range(2):
        await asyncio.wait_for(turns.take(work()), WITHIN)
    assert done[0] - began >= 0.05
    assert done[1] - done[0] >= 0.05


async def test_of_those_who_waited_a_few_go_on_in_each_round_of_the_loop() -> None:
    turns, rounds, begun = Turns(), [0], list[int]()

    async def work() -> None:
        begun.append(rounds[0])

    async def count() -> None:
        while True:
            rounds[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(turns.take(work()) for _ in range(LET_IN_AT_ONCE * 4)))
    counting.cancel()
    assert max(begun.count(one) for one in begun) <= LET_IN_AT_ONCE
    assert len(set(begun)) >= 4


async def test_who_waits_no_longer_for_a_calm_loop_holds_nobody_up(
    looked: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, done = Turns(at_once=2), list[str]()

    async def work(name: str) -> None:
        done.append(name)

    left = asyncio.create_task(turns.take(work("left")))
    stayed = asyncio.create_task(turns.take(work("stayed")))
    await look_again(looked)
    left.cancel()
    monkeypatch.setattr(turns_module, "BUSY_SECONDS", 1_000.0)
    await asyncio.wait_for(stayed, WITHIN)
    await asyncio.wait_for(asyncio.gather(turns.take(work("after")), turns.take(work("after"))), WITHIN)
    assert done == ["stayed", "after", "after"]
    assert left.cancelled()


async def test_work_is_cut_off_with_whoever_waits_for_it() -> None:
    turns, begun, ended = Turns(at_once=1), asyncio.Event(), list[str]()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cut off")

    taking = asyncio.create_task(turns.take(work()))
    await asyncio.wait_for(begun.wait(), WITHIN)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert ended == ["cut off"]
