"""Lets so many answers be made at a time, so that acknowledgements, which are never made to wait, go out before them.

Who takes long, because Slack or EOSVOLT does, gives up the turn and goes on. It drops nothing: whoever is not let in
is told so before.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

AT_ONCE = 100
MOST_WAITING = 2_000
"""Some seconds of answers; a response URL is good for half an hour."""
LONGEST_TURN = 0.25
"""Seconds."""
BUSY_SECONDS = 0.01
"""One round of the loop takes as long where much comes in: it is acknowledged before answers go on."""
PAUSE_SECONDS, MOST_PAUSES = 0.05, 40
"""An answer waits so long, and so often at most, for a loop that is less busy."""


class Turns:
    """Turns in the order in which they were asked for."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most_waiting = most_waiting
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
        doing = asyncio.ensure_future(work)
        try:
            await asyncio.wait({doing}, timeout=LONGEST_TURN)
        except asyncio.CancelledError:
            doing.cancel()
            raise
        finally:
            self._free.release()
        await doing

    async def _wait(self) -> None:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            await _let_others_in()
        except BaseException:
            self._free.release()
            raise


async def _let_others_in() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(MOST_PAUSES):
        began = loop.time()
        await asyncio.sleep(0)
        if loop.time() - began < BUSY_SECONDS:
            return
        await asyncio.sleep(PAUSE_SECONDS)
