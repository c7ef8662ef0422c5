"""How long nothing was seen since a moment, from the gaps that polling left behind.

Pure: spans of time in, lengths out. What a gap does to an alert is for `lifecycle` to say.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.lifecycle import AlertState, State

Span = tuple[datetime, datetime]
Measure = Callable[[datetime, datetime], timedelta]
"""How much of the time from one moment to another counts."""


def _whole(start: datetime, end: datetime) -> timedelta:
    return end - start


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps in what a rule reads: those that its alerts have counted already, and those that are new to it."""

    counted: Sequence[Span] = ()
    new: Sequence[Span] = ()

    def unseen_since(self, since: datetime, counted: Measure = _whole) -> timedelta:
        """How long nothing was seen of at least one resource since a moment, by all gaps; as much of it as counts."""
        return _together(_after(since, [*self.counted, *self.new]), counted)

    def told_to(self, alert: AlertState, counted: Measure = _whole) -> timedelta:
        """What the new gaps are to an open alert, as `lifecycle.after_gap` takes it."""
        if not self.new:
            return timedelta(0)
        if alert.state == State.FIRING:
            since = alert.false_since
            return timedelta(0) if since is None else _longest(_after(since, [*self.counted, *self.new]))
        known = _together(_after(alert.active_at, self.counted), counted)
        return self.unseen_since(alert.active_at, counted) - known


def _after(since: datetime, spans: Iterable[Span]) -> list[Span]:
    """What lies after a moment, by its beginning."""
    return sorted((max(start, since), end) for start, end in spans if end > since)


def _longest(spans: Iterable[Span]) -> timedelta:
    return max((end - start for start, end in spans), default=timedelta(0))


def _together(spans: Iterable[Span], counted: Measure) -> timedelta:
    """The length of spans in their order, what overlaps counted once, by what of each counts."""
    total, until = timedelta(0), None
    for start, end in spans:
        begins = start if until is None else max(start, until)
        if end > begins:
            total += counted(begins, end)
            until = end
    return total
