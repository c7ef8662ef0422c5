"""How fast to poll: slower after a 429, by Retry-After where the API names a time, and back to full pace when well.

Each resource has a pace of its own: one that is limited stops no other. Where two are limited at once, it is the whole
account that is. Pure: it takes what a poll brought and the pace before it, and returns the pace after it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from eosvolt.errors import RateLimited
from eosvolt.models import Fetched
from storage.ahead import AHEAD
from storage.health import WHOLE_API, Pace

MOST_SLOWED = 8
"""The slowest pace, in intervals between two polls."""

LONGEST_PAUSE = timedelta(hours=1)
"""A longer Retry-After is tried again after this, or a mistaken one would silence the service for good."""

LIMITED_TOGETHER = 2
"""So many resources that are limited at once are the whole account."""

NOT_ASKED_SINCE = 2
"""How many intervals a slowed-down resource that is due may stay unasked."""

OFTEN = ("chargers", "sessions")
"""What is polled at every interval."""

SKEW_STEP = timedelta(seconds=2)
"""Date headers tell whole seconds: a smaller difference is none."""


class Paces:
    """The pace of every resource, by its name, and that of the whole account at WHOLE_API.

    `interval` is the time between two polls at full pace.
    """

    def __init__(self, interval: timedelta, stored: Mapping[str, Pace] | None = None) -> None:
        self._interval = interval
        self._of = dict(stored or {})

    def own(self, resource: str) -> Pace:
        """What a resource's own answers came to; that of the whole account where it was not asked yet."""
        return self._of.get(resource) or self._of.get(WHOLE_API, Pace())

    def whole(self, now: datetime) -> Pace:
        """What at least two resources say alike: so long, and so slowly, the account wants to be asked.

        One that is limited alone says nothing of the others. `clock_skew` is what was measured last.
        """
        limited = [pace for name, pace in self._of.items() if name != WHOLE_API and self.is_limited(pace, now)]
        skew = self._of.get(WHOLE_API, Pace()).clock_skew
        if len(limited) < LIMITED_TOGETHER:
            return Pace(clock_skew=skew)
        since = [pace.slowed_at for pace in limited if pace.slowed_at is not None]
        until = [pace.not_before or now for pace in limited]
        return Pace(
            slowness=sorted(pace.slowness for pace in limited)[-LIMITED_TOGETHER],
            slowed_at=max(since, default=None),
            not_before=sorted(until)[-LIMITED_TOGETHER],
            clock_skew=skew,
        )

    def in_force(self, resource: str, now: datetime) -> Pace:
        """The pace that holds for a resource: the slower of its own and the whole account's."""
        own, whole = self.own(resource), self.whole(now)
        until = [moment for moment in (own.not_before, whole.not_before) if moment is not None]
        return replace(own, slowness=max(own.slowness, whole.slowness), not_before=max(until, default=None))

    def is_paused(self, resource: str, now: datetime) -> bool:
        """Whether a resource is to be left alone at `now`; a moment that no pause can reach was no pause."""
        until = self.in_force(resource, now).not_before
        longest = max(LONGEST_PAUSE, MOST_SLOWED * self._interval) + AHEAD
        return until is not None and now < until <= now + longest

    def is_limited(self, pace: Pace, now: datetime) -> bool:
        """Whether the API has asked for fewer calls, and is not known to be well since.

        One that was slowed down and then not asked for any more says nothing after a while.
        """
        if pace.not_before is None:
            return False
        return now < pace.not_before + (NOT_ASKED_SINCE * self._interval if pace.slowness > 1 else timedelta())

    def note(self, resource: str, fetched: Fetched[Any], now: datetime, elapsed: float = 0.0) -> dict[str, Pace]:
        """Take in what a resource answered to the poll of `now`; the paces that are others than before, by their names.

        The calls took `elapsed` seconds.
        """
        before = dict(self._of)
        whole = self._of.get(WHOLE_API, Pace())
        own = pace_after(self.own(resource), [fetched], now, self._interval, elapsed)
        if fetched.complete and not was_limited(fetched) and resource not in OFTEN:
            own = Pace(clock_skew=own.clock_skew)  # its next poll, by which it could speed up, is hours away
        skew = _skew_after(whole.clock_skew, [fetched])
        self._of[resource] = own
        self._of[WHOLE_API] = replace(whole, clock_skew=skew)
        self._of[WHOLE_API] = self.whole(now)
        return {name: pace for name, pace in self._of.items() if before.get(name, Pace()) != pace}

    def clock_was_put(self, by: timedelta) -> None:
        """Keep every moment as far away as it was, by the clock as it is now."""
        for name, pace in self._of.items():
            self._of[name] = Pace(
                pace.slowness,
                None if pace.slowed_at is None else pace.slowed_at + by,
                None if pace.not_before is None else pace.not_before + by,
                None if pace.clock_skew is None else pace.clock_skew - by,
            )


def was_limited(fetched: Fetched[Any]) -> bool:
    """Whether the API asked for fewer calls, be it that a repeated call then succeeded."""
    return isinstance(fetched.error, RateLimited) or "rate_limited" in fetched.retries


def pace_after(
    before: Pace, answers: Sequence[Fetched[Any]], now: datetime, interval: timedelta, elapsed: float = 0.0
) -> Pace:
    """The pace after the poll of `now`, whose calls took `elapsed` seconds.

    A 429 doubles the interval up to MOST_SLOWED; a poll without one, in which anything was good, halves it, be it that
    its list goes on.
    Retry-After counts from the end of the calls, whatever the fault that brought it.
    """
    if not answers:
        return before
    if any(was_limited(fetched) for fetched in answers):
        slowness = min(MOST_SLOWED, 2 * before.slowness)
    elif any(fetched.complete or (fetched.rest is not None and fetched.error is None) for fetched in answers):
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
