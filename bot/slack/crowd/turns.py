"""Lets so many answers be made at a time, so that acknowledgements, which are never made to wait, go out before them.

Who takes long, because Slack or EOSVOLT does, gives up the turn and goes on. It drops nothing: whoever is not let in
is told so before.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

AT_ONCE = 100
MOST_WAITING = 2_000
"""Some seconds of answers; a response URL is good for half an hour."""
LONGEST_TURN = 0.25
"""Seconds."""
BUSY_SECONDS = 0.01
"""One round of the loop takes as long where much comes in: it is acknowledged before answers go on."""
PAUSE_SECONDS = 0.02
"""From one look at a busy loop to the next."""
LONGEST_PAUSE = 2.0
"""Seconds; an answer waits no longer for a loop that is less busy."""
LET_IN_AT_ONCE = 8
"""In one round of the loop, so that the loop does not become busy by those who waited for it."""


class Turns:
    """Turns in the order in which they were asked for."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
        self._calm = _Calm()
        self.waiting = 0

    @property
    def full(self) -> bool:
        """Whether so many wait that one more is to be told to come again."""
        return self.waiting >= self._most_waiting

    async def take(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work when its turn comes; raises what it raises."""
        try:
            await self._wait()
        except BaseException:
            work.close()
            raise
        turn = _Turn(self._free)
        try:
            await work
        finally:
            turn.give_back()

    async def _wait(self) -> None:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            await self._calm.wait()
        except BaseException:
            self._free.release()
            raise


class _Turn:
    """One turn that was taken: given back when its work is done, or has taken long."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free
        self._limit = asyncio.get_running_loop().call_later(LONGEST_TURN, self.give_back)

    def give_back(self) -> None:
        """Let somebody else have it; once."""
        if self._free is not None:
            self._limit.cancel()
            self._free.release()
            self._free = None


class _Calm:
    """Lets those who wait go on, in their order, where a round of the loop is short: one look for all of them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()  # with the moment at which each goes on
        self._looks = False

    async def wait(self) -> None:
        """Return when the loop is calm, or after LONGEST_PAUSE."""
        loop = asyncio.get_running_loop()
        going_on: asyncio.Future[None] = loop.create_future()
        self._waiting.append((going_on, loop.time() + LONGEST_PAUSE))
        if not self._looks:
            self._looks = True
            self._look(loop)
        await going_on

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self._looked, loop, loop.time())

    def _looked(self, loop: asyncio.AbstractEventLoop, began: float) -> None:
        now = loop.time()
        most = LET_IN_AT_ONCE
        is_calm = now - began < BUSY_SECONDS
        while self._waiting and most and (is_calm or self._waiting[0][1] <= now):
            going_on, _ = self._waiting.popleft()
            if not going_on.done():
                going_on.set_result(None)
                most -= 1
        if not self._waiting:
            self._looks = False
        elif is_calm or not most:
            self._look(loop)
        else:
            loop.call_later(PAUSE_SECONDS, self._look, loop)
