"""The moments at which a backtest's polls lie: evenly apart, and none where the service saw nothing.

Pure: it reads no clock and no database, and knows nothing of what a poll says.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta


class PollGrid:
    """The moments of the polls: `interval` apart up to `until`, none inside a gap."""

    def __init__(
        self, since: datetime, until: datetime, interval: timedelta, gaps: Sequence[tuple[datetime, datetime]]
    ) -> None:
        self.until, self.interval = until, interval
        self.count = int((until - since) / interval) + 1
        self.first = until - (self.count - 1) * interval
        self.gaps = [(max(start, self.first), end) for start, end in gaps if end > self.first]
        self.gap_ends = {self._ceil(end): start for start, end in self.gaps}
        self._starts = [start for start, _ in self.gaps]

    def at_or_after(self, moment: datetime) -> datetime:
        """The first poll that could see what happened at `moment`."""
        inside = bisect_right(self._starts, moment) - 1
        if inside >= 0 and self._starts[inside] < moment < self.gaps[inside][1]:
            moment = self.gaps[inside][1]
        return max(self._ceil(moment), self.first)

    def before(self, moment: datetime) -> datetime:
        """The last good poll before the one at `moment`."""
        start = self.gap_ends.get(moment)
        return start if start is not None else moment - self.interval

    def _ceil(self, moment: datetime) -> datetime:
        return self.until - math.floor((self.until - moment) / self.interval) * self.interval
