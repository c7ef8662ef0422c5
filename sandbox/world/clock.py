"""A simulated clock that runs at a chosen speed beside a wall clock that it is given.

It reads no clock by itself: the seconds of wall time come from the function passed in.
"""

from collections.abc import Callable
from datetime import datetime, timedelta


class SpeedClock:
    """Simulated time: `start` at the moment of making, then `speed` simulated seconds for each second of `wall`."""

    def __init__(self, start: datetime, speed: float, wall: Callable[[], float]) -> None:
        self._base = start
        self._wall = wall
        self._since = wall()
        self._speed = speed

    def __call__(self) -> datetime:
        return self._base + timedelta(seconds=(self._wall() - self._since) * self._speed)

    @property
    def speed(self) -> float:
        return self._speed

    def set_speed(self, speed: float) -> None:
        """From this moment on, `speed` simulated seconds pass for each second; 0 stands still."""
        self._base = self()
        self._since = self._wall()
        self._speed = speed
