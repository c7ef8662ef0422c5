"""How the alert of a subject lives through its stretches: the lifecycle is asked at each poll at which it may move.

Those are the polls that see something new, that end a gap, and at which the alert is due. It writes nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.alerts.gaps import Gaps
from rules.lifecycle import AlertState, Edit, State, Timing, path
from rules.trials.foreseen.stretches import Stretch
from rules.trials.grid import PollGrid
from storage.polls import GAP_INTERVALS

NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Step:
    """At a poll the lifecycle took a subject's alert through some states; `begun` is the stretch in which it opened.

    `before` is None where no alert was open; `begun` is None of one that was open at the first poll.
    """

    at: datetime
    subject: str
    before: AlertState | None
    states: Sequence[AlertState]
    begun: Stretch | None

    @property
    def turns(self) -> bool:
        """Whether the alert comes into another state, and does not only wait for something else."""
        return self.before is None or any(state.state != self.before.state for state in self.states)


class Polls:
    """The polls of a backtest, and the gaps before those that came after one."""

    def __init__(self, grid: PollGrid) -> None:
        self.grid = grid
        spans = [(start, end) for end, start in sorted(grid.gap_ends.items())]
        self._gaps = [(start, end) for start, end in spans if end - start > GAP_INTERVALS * grid.interval]
        self._ends = [end for _, end in self._gaps]

    def gap_after(self, moment: datetime) -> datetime | None:
        """The next poll that ends a gap."""
        place = bisect_right(self._ends, moment)
        return self._ends[place] if place < len(self._ends) else None

    def gaps_at(self, moment: datetime) -> Gaps | None:
        """Where a poll ends a gap, that one and those before it."""
        place = bisect_right(self._ends, moment)
        if not place or self._ends[place - 1] != moment:
            return None
        return Gaps(self._gaps[: place - 1], self._gaps[place - 1 : place])


def steps_of(stretches: Sequence[Stretch], state: AlertState | None, timing: Timing, polls: Polls) -> Iterator[Step]:
    """Everything that the lifecycle answers of one subject, from what stood after the first poll."""
    edit, place, at = Edit(timing), 0, polls.grid.first
    begun: Stretch | None = None
    waits = _waiting(polls)
    while True:
        coming = [stretches[place + 1].seen] if place + 1 < len(stretches) else []
        coming += waits(state, at)
        if not coming or min(coming) > polls.grid.until:
            return
        at = min(coming)
        if place + 1 < len(stretches) and stretches[place + 1].seen == at:
            place += 1
        stretch = stretches[place]
        if state is None and not stretch.opens:
            continue
        gaps = polls.gaps_at(at) if state is not None and state.due_at is not None else None
        gap = NO_TIME if gaps is None or state is None else gaps.told_to(state)
        states = path(state, stretch.match, edit, gap, at)
        if state is None:
            begun = stretch
        if states:
            yield Step(at, stretch.match.subject, state, states, begun)
            state = states[-1] if states[-1].is_open else None


def _waiting(polls: Polls) -> Callable[[AlertState | None, datetime], list[datetime]]:
    """The polls after a moment at which time alone may move an alert, or a gap what it waits for."""

    def waits(state: AlertState | None, at: datetime) -> list[datetime]:
        if state is None or state.due_at is None:
            return []
        gap = polls.gap_after(at)
        due = [polls.grid.at_or_after(state.due_at)] if state.due_at > at else []
        return due if gap is None else [*due, gap]

    return waits


def fires_or_ends(step: Step) -> bool:
    """Whether something is said of it: the alert fires, or one that fired ends."""
    firing = step.before is not None and step.before.state == State.FIRING
    return any((state.state == State.FIRING) is not firing for state in step.states)
