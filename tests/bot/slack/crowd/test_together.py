"""What waits at the same moment is done together, in its order, and nobody waits for what takes long."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from bot.slack.crowd import together as together_module
from bot.slack.crowd.together import MOST, TOLD_AT_ONCE, Together

WITHIN = 20


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second work begins beside the first, however slowly the machine lets them ask."""
    monkeypatch.setattr(together_module, "LONG_SECONDS", WITHIN)


async def test_those_who_ask_while_others_are_answered_are_answered_together_and_in_order(unhurried: None) -> None:
    begun, go_on, batches = threading.Event(), threading.Event(), list[list[int]]()

    def work(questions: Sequence[int]) -> list[int]:
        batches.append(list(questions))
        if len(batches) == 1:
            begun.set()
            go_on.wait(WITHIN)
        return [number * 2 for number in questions]

    together = Together(work)
    first = asyncio.create_task(together.ask(0))
    await asyncio.to_thread(begun.wait, WITHIN)
    others = [asyncio.create_task(together.ask(number)) for number in range(1, 8)]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(first, *others) == [number * 2 for number in range(8)]
    assert batches == [[0], [1, 2, 3, 4, 5, 6, 7]]


async def test_what_takes_long_holds_nobody_up() -> None:
    go_on = threading.Event()

    def work(questions: Sequence[str]) -> list[str]:
        if "slow" in questions:
            go_on.wait(WITHIN)
        return list(questions)

    together = Together(work)
    slow = asyncio.create_task(together.ask("slow"))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(together.ask("quick"), WITHIN / 2) == "quick"
    assert not slow.done()
    go_on.set()
    assert await slow == "slow"


async def test_an_answer_that_is_there_is_told_before_the_rest_is() -> None:
    go_on = threading.Event()

    def work(questions: Sequence[int]) -> Iterator[int]:
        for number in questions:
            yield number
            if number:
                go_on.wait(WITHIN if number == 2 else 0.02)

    together = Together(work)
    asked = [asyncio.create_task(together.ask(number)) for number in (0, 1, 2, 3)]
    await asyncio.wait_for(asked[1], WITHIN / 2)
    assert not asked[3].done()
    go_on.set()
    assert await asyncio.gather(*asked) == [0, 1, 2, 3]


async def test_an_exception_in_its_place_is_one_askers_and_one_that_breaks_the_work_is_everybodys(
    unhurried: None,
) -> None:
    def work(questions: Sequence[str]) -> Iterator[str | BaseException]:
        for question in questions:
            if question == "broken":
                raise ConnectionError(question)
            yield LookupError(question) if question == "unknown" else question

    together = Together(work)
    told = await asyncio.gather(*map(together.ask, ("a", "unknown", "b", "broken", "c")), return_exceptions=True)
    assert [type(one).__name__ for one in told] == ["str", "LookupError", "str", "ConnectionError", "ConnectionError"]
    assert await together.ask("after") == "after"


async def test_who_waits_no_longer_is_left_out_and_a_crowd_is_answered_in_parts(unhurried: None) -> None:
    sizes = list[int]()

    def work(questions: Sequence[int]) -> list[int]:
        sizes.append(len(questions))
        return list(questions)

    together = Together(work)
    asked = [asyncio.create_task(together.ask(number)) for number in range(MOST * 2)]
    await asyncio.sleep(0)
    asked[MOST].cancel()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(told[MOST], asyncio.CancelledError)
    assert [one for one in told if isinstance(one, int)] == [n for n in range(MOST * 2) if n != MOST]
    assert max(sizes) <= MOST
    assert sum(sizes) == MOST * 2 - 1


async def test_a_question_is_answered_by_work_that_began_after_it() -> None:
    state, seen = [0], list[tuple[int, int]]()

    def work(questions: Sequence[int]) -> list[int]:
        known = state[0]
        return [known] * len(questions)

    async def ask(together: Together[int, int]) -> None:
        state[0] += 1
        asked_at = state[0]
        seen.append((asked_at, await together.ask(0)))

    together = Together(work)
    async with asyncio.TaskGroup() as asking:
        for number in range(200):
            asking.create_task(ask(together))
            if number % 7 == 0:
                await asyncio.sleep(0)
    assert all(answered >= asked for asked, answered in seen)


@pytest.mark.parametrize("broken", [True, False])
async def test_it_goes_on_after_any_outcome(broken: bool) -> None:
    def work(questions: Sequence[int]) -> list[int]:
        if broken and 0 in questions:
            raise OSError
        return list(questions)

    together = Together(work)
    await asyncio.gather(together.ask(0), return_exceptions=True)
    assert await together.ask(1) == 1


async def test_works_begin_apart_so_that_those_who_ask_one_after_the_other_share_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, batches, looked = [100.0], list[list[int]](), asyncio.Event()

    def clock() -> float:
        looked.set()
        return now[0]

    monkeypatch.setattr(together_module, "monotonic", clock)

    def work(questions: Sequence[int]) -> list[int]:
        batches.append(list(questions))
        return list(questions)

    together = Together(work, apart=0.01)
    assert await asyncio.wait_for(together.ask(0), WITHIN) == 0, "the first waits for nobody"
    asked = [asyncio.create_task(together.ask(number)) for number in (1, 2)]
    for _ in range(5):  # it looks again and again, while the clock stands still
        looked.clear()
        await asyncio.wait_for(looked.wait(), WITHIN)
    asked.append(asyncio.create_task(together.ask(3)))
    await asyncio.sleep(0)
    assert batches == [[0]]
    now[0] += 0.02
    assert await asyncio.wait_for(asyncio.gather(*asked), WITHIN) == [1, 2, 3]
    assert batches == [[0], [1, 2, 3]]


async def test_many_are_told_a_few_in_each_round_of_the_loop(unhurried: None) -> None:
    rounds, told = [0], list[int]()

    async def ask(together: Together[int, int], number: int) -> None:
        await together.ask(number)
        told.append(rounds[0])

    async def count() -> None:
        while True:
            rounds[0] += 1
            await asyncio.sleep(0)

    def work(questions: Sequence[int]) -> list[int]:
        return list(questions)

    together = Together(work)
    counting = asyncio.create_task(count())
    await asyncio.gather(*(ask(together, number) for number in range(TOLD_AT_ONCE * 4)))
    counting.cancel()
    assert max(told.count(one) for one in told) <= TOLD_AT_ONCE
    assert len(set(told)) >= 4
