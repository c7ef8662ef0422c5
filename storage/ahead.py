"""Moments that lie ahead of now, because a wrong clock wrote them: what was done then counts as never done.

It knows no clock: `now` is the caller's. It judges only what was done; what is planned may lie ahead by right.
"""

from datetime import datetime, timedelta

AHEAD = timedelta(minutes=2)
"""How far ahead of now something that was done may lie: clocks that are kept differ by less."""


def done(moment: datetime | None, now: datetime) -> datetime | None:
    """The moment at which something was done, None where it never was, or was only by a clock that was wrong."""
    return None if moment is None or is_ahead(moment, now) else moment


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a moment lies so far ahead of `now` that nothing can have been done at it."""
    return moment > now + AHEAD
