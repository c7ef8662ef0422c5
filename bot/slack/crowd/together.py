"""Does together, in one thread at a time, what waits at the same moment: one hop and one transaction for many.

Whoever asks is answered by work that began after they asked. Work that takes long holds nobody up: beside it a few more
go on. Where many ask one after the other, works begin a little apart, so that each is for many. It knows nothing of
what is asked.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import inf
from time import monotonic
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 100
"""How many are done together."""
HANDS = 4
"""How many threads are at it where one takes long."""
LONG_SECONDS = 0.05
"""From here on others begin beside it."""
TELL_SECONDS = 0.01
"""Answers that are there are told at least so often."""
TOLD_AT_ONCE = 8
"""In one round of the loop, so that what comes in meanwhile is heard before those who were told go on."""

Asking = tuple[Q, asyncio.Future[A]]
Outcome = tuple[Asking[Q, A], A | BaseException]


class Together(Generic[Q, A]):
    """`work` gives an answer, or an exception in its place, for each of several questions in their order.

    No work begins sooner than `apart` seconds after the one before it began.
    """

    def __init__(
        self, work: Callable[[Sequence[Q]], Iterable[A | BaseException]], most: int = MOST, apart: float = 0.0
    ) -> None:
        self._work = work
        self._most = most
        self._apart = apart
        self._waiting: deque[Asking[Q, A]] = deque()
        self._at_work = 0
        self._begun_at = -inf
        self._look: asyncio.TimerHandle | None = None

    async def ask(self, question: Q) -> A:
        """The answer to one question; raises the exception that stands in its place, or what broke the work."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._look is None:  # else it is looked soon, for all that wait
            self._begin()
        return await answer

    def _begin(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if not self._waiting:
            return
        loop, now = asyncio.get_running_loop(), monotonic()
        free_at = self._begun_at + (max(LONG_SECONDS, self._apart) if self._at_work else self._apart)
        if self._at_work >= HANDS:
            return  # whoever ends looks again
        if now < free_at:
            self._look = loop.call_later(free_at - now, self._begin)
            return
        wanted = [
            asking
            for _ in range(min(self._most, len(self._waiting)))
            if not (asking := self._waiting.popleft())[1].done()
        ]
        if wanted:
            self._at_work += 1
            self._begun_at = now
            loop.run_in_executor(None, self._do, loop, wanted).add_done_callback(self._end)
        if self._waiting:
            self._look = loop.call_later(LONG_SECONDS, self._begin)

    def _end(self, done: "asyncio.Future[None]") -> None:
        self._at_work -= 1
        if not done.cancelled():
            done.exception()  # told to those who asked
        self._begin()

    def _do(self, loop: asyncio.AbstractEventLoop, askings: Sequence[Asking[Q, A]]) -> None:
        """In a thread: do the work, and tell what is there already where it goes on."""
        left, there, told_at = deque(askings), list[Outcome[Q, A]](), monotonic()
        try:
            for answer in self._work([question for question, _ in askings]):
                there.append((left.popleft(), answer))
                if monotonic() - told_at > TELL_SECONDS:
                    loop.call_soon_threadsafe(_tell, loop, there)
                    there, told_at = [], monotonic()
        except BaseException as error:
            there += [(asking, error) for asking in left]
            raise
        finally:
            loop.call_soon_threadsafe(_tell, loop, there)


def _tell(loop: asyncio.AbstractEventLoop, outcomes: Sequence[Outcome[Q, A]]) -> None:
    if len(outcomes) > TOLD_AT_ONCE:
        loop.call_soon(_tell, loop, outcomes[TOLD_AT_ONCE:])
    for (_, waiting), outcome in outcomes[:TOLD_AT_ONCE]:
        if waiting.done():
            continue  # nobody waits any more
        if isinstance(outcome, BaseException):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)
