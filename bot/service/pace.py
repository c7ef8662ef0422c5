"""How fast to poll: slower after a 429, by Retry-After where the API names a time, and back to full pace when well.

Pure: it takes what a poll brought and the pace before it, and returns the pace after it. It waits for nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from eosvolt.errors import RateLimited
from eosvolt.models import Fetched
from storage.health import Pace

MOST_SLOWED = 8
"""The slowest pace, in intervals between two polls."""

LONGEST_PAUSE = timedelta(hours=1)
"""A longer Retry-After is tried again after this, or a mistaken one would silence the service for good."""

SKEW_STEP = timedelta(seconds=2)
"""Date headers tell whole seconds: a smaller difference is none."""


def was_limited(fetched: Fetched[Any]) -> bool:
    """Whether the API asked for fewer calls, be it that a repeated call then succeeded."""
    return isinstance(fetched.error, RateLimited) or "rate_limited" in fetched.retries


def pace_after(
    before: Pace, answers: Sequence[Fetched[Any]], now: datetime, interval: timedelta, elapsed: float = 0.0
) -> Pace:
    """The pace after the poll of `now`, whose calls took `elapsed` seconds.

    A 429 doubles the interval up to MOST_SLOWED; a poll without one, in which anything was good, halves it.
    Retry-After counts from the end
    of the calls, whatever the fault that brought it.
    """
    if not answers:
        return before
    if any(was_limited(fetched) for fetched in answers):
        slowness = min(MOST_SLOWED, 2 * before.slowness)
    elif any(fetched.complete for fetched in answers):
        slowness = max(1, before.slowness // 2)
    else:
        slowness = before.slowness
    waits = [f.error.retry_after for f in answers if f.error is not None and f.error.retry_after]
    # less than a whole number of intervals, because ticks come a little early or late
    times = [now + slowness * interval - interval / 10] if slowness > 1 else []
    if waits:
        late = math.ceil(elapsed) if elapsed >= 1 else 0
        times.append(now + min(timedelta(seconds=max(waits) + late), LONGEST_PAUSE))
    return replace(
        before,
        slowness=slowness,
        slowed_at=None if slowness == 1 else before.slowed_at or now,
        not_before=max(times, default=None),
        clock_skew=_skew_after(before.clock_skew, answers),
    )


def _skew_after(before: timedelta | None, answers: Sequence[Fetched[Any]]) -> timedelta | None:
    skews: list[timedelta] = [fetched.clock_skew for fetched in answers if fetched.clock_skew is not None]
    skew = skews[-1] if skews else None
    if skew is None or (before is not None and abs(skew - before) < SKEW_STEP):
        return before
    return skew
