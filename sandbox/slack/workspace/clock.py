"""The stand-in's time: any callable that answers seconds since 1970, waited for without polling.

A `HandClock` stands still until a test moves it, so deadlines of minutes pass at once. Nothing here reads a clock by
itself: the callable is given.
"""

import asyncio
from collections.abc import Callable
from typing import Any

Clock = Callable[[], float]


class HandClock:
    """A clock that moves only when told: `clock()` reads it, `clock.advance(seconds)` moves it."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = start
        self._watchers: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake whoever waits for a moment that has now come."""
        self._now += seconds
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        self._watchers.append(watcher)


class Deadlines:
    """Waits for moments of one clock; a real clock is slept on, a hand clock wakes the waits when it moves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleepers: set[asyncio.Future[None]] = set()
        if isinstance(clock, HandClock):
            clock.watch(self._wake)

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def until(self, moment: float) -> None:
        """Return once the clock shows `moment` (seconds since 1970)."""
        while (remaining := moment - self._clock()) > 0:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
            try:
                # A hand clock never comes by itself, so only its own movement ends the wait.
                timeout = None if isinstance(self._clock, HandClock) else remaining
                await asyncio.wait({sleeper}, timeout=timeout)
            finally:
                sleeper.cancel()
                self._sleepers.discard(sleeper)

    async def within(self, outcome: "asyncio.Future[Any]", moment: float) -> bool:
        """Whether `outcome` was settled before the clock showed `moment`."""
        timer = asyncio.ensure_future(self.until(moment))
        try:
            await asyncio.wait({outcome, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return outcome.done()
