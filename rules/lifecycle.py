"""The life of an alert: inactive > pending > firing > resolved, as one pure function of what is known.

Nothing here reads a database or a clock. Whoever evaluates fetches the alert and the match, asks `path`, and writes
down what it answers. Unknown never moves an alert; neither does a `while` that is not true.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rules.hours import Hours


class State(StrEnum):
    """The states of an alert, in the words of Prometheus."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class OnGap(StrEnum):
    """What a gap in the data does to a pending alert."""

    KEEP = "keep"
    PAUSE = "pause"
    RESET = "reset"


NO_ZONE = ZoneInfo("UTC")
"""The zone where none is asked for: lengths that count at any hour are the same in all."""

OPEN_STATES = (State.PENDING, State.FIRING)


@dataclass(frozen=True, slots=True)
class Timing:
    """The times a rule gives its alerts."""

    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    on_gap: OnGap = OnGap.KEEP
    hours: Hours | None = None  # those in which the time of `for_` counts

    def due_at(self, active_at: datetime, added: timedelta, zone: ZoneInfo) -> datetime:
        """When `for_` and what gaps added are over; hours are those of `zone`."""
        if self.hours is None or not self.for_:
            return active_at + self.for_ + added
        return self.hours.after(active_at, self.for_ + added, zone)

    def counted(self, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
        """How much of a time counts."""
        return end - start if self.hours is None else self.hours.within(start, end, zone)


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where one alert stands. `due_at`: when it moves on if nothing else changes.

    `gap_s` is how many seconds of it, since `active_at` or since `false_since`, are there because nothing was seen.
    """

    state: State
    active_at: datetime
    due_at: datetime | None = None
    false_since: datetime | None = None
    held_since: datetime | None = None
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    gap_s: float = 0.0
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class Match(NamedTuple):
    """What the compiled query answered for one subject.

    `truth` is Kleene's: None is unknown. `held`: `while` is not true. `since`: when the condition became true in the
    world, asked only where no alert is open; `unseen`: how much of the time since then lies in gaps. `gone`: the
    subject vanished from the API's answers. `zone` is its location's, for rules that count hours of the day.
    """

    subject: str
    truth: bool | None
    held: bool = False
    since: datetime | None = None
    gone: bool = False
    unseen: timedelta = timedelta(0)
    zone: ZoneInfo = NO_ZONE


class Transition(NamedTuple):
    """An alert changed state at `at`: what happened, and why."""

    at: datetime
    rule_id: str
    subject: str
    from_state: State
    to_state: State
    active_at: datetime
    reason: str
    alert_id: int = 0
    incident_id: int | None = None
    muted: bool = False  # kept quiet by a silence or another alert: the trace says which


@dataclass(frozen=True, slots=True)
class Edit:
    """The times that a rule gives its alerts now, and whether this alert was last judged by an older version of it.

    `same_condition`: that version asked the same, so that what is false now became so in the world.
    """

    timing: Timing
    edited: bool = False
    same_condition: bool = False


def next_state(alert: AlertState | None, match: Match, timing: Timing, now: datetime) -> AlertState | None:
    """The alert's state after this match; None where there was none and is none.

    >>> t = datetime(2026, 1, 1)
    >>> next_state(None, Match("c1", truth=True, since=t), Timing(for_=timedelta(minutes=5)), t).state
    <State.PENDING: 'pending'>
    """
    if match.gone:
        return end(alert, now, "removed") if alert else None
    if match.truth is None or match.held:
        return replace(alert, held_since=alert.held_since or now) if alert else None
    if alert is None:
        return _begin(match, timing, now) if match.truth else None
    if alert.state == State.PENDING:
        return _advance_pending(alert, match.truth, now)
    return _advance_firing(alert, match.truth, timing, now)


def path(before: AlertState | None, match: Match, edit: Edit, gap: timedelta, now: datetime) -> list[AlertState]:
    """The states that one evaluation takes a subject through, in order: none, one, or two where one occurrence ends.

    `gap` is what `after_gap` takes, zero where there was none. A state that is not open ends its occurrence; what
    follows it is a new one, true from `now` on at the earliest.
    """
    states: list[AlertState] = []
    if gap and before is not None:
        before = after_gap(before, gap, edit.timing, now, match.zone)
        states.append(before)
        if before.state not in OPEN_STATES:
            before, match = None, match._replace(since=now, unseen=timedelta(0))
    after = _edited(before, match, edit, now) if before is not None and edit.edited else None
    after = after or next_state(before, match, edit.timing, now)
    return states if after is None else [*states, after]


def _edited(alert: AlertState, match: Match, edit: Edit, now: datetime) -> AlertState | None:
    """The state of an alert whose rule was edited, at the first good answer; None where nothing is known yet."""
    if match.held or match.gone or match.truth is None:
        return None
    if match.truth is False and not edit.same_condition:
        return end(alert, now, "rule changed")
    return next_state(retimed(alert, edit.timing, match.zone), match, edit.timing, now)


def end(alert: AlertState, now: datetime, reason: str) -> AlertState:
    """The alert, ended for a reason other than recovery: a firing one resolves, a pending one becomes inactive."""
    if alert.state == State.FIRING:
        return replace(alert, state=State.RESOLVED, due_at=None, resolved_at=now, reason=reason)
    return replace(alert, state=State.INACTIVE, due_at=None, reason=reason)


def after_gap(alert: AlertState, gap: timedelta, timing: Timing, now: datetime, zone: ZoneInfo = NO_ZONE) -> AlertState:
    """The alert at the second good poll of a gap, before that poll's own match is looked at.

    `gap` is, of a pending alert, how long nothing was seen since `active_at` that was not counted before; of a firing
    one the longest single gap since `false_since`: were they summed up, polls that mostly fail would resolve nothing.
    """
    if alert.state == State.FIRING:
        if alert.due_at is None or alert.false_since is None:
            return alert
        more = max(gap.total_seconds() - alert.gap_s, 0.0)
        return replace(alert, due_at=alert.due_at + timedelta(seconds=more), gap_s=alert.gap_s + more)
    if timing.on_gap == OnGap.PAUSE and alert.due_at:
        added = timedelta(seconds=alert.gap_s) + gap
        return replace(alert, due_at=timing.due_at(alert.active_at, added, zone), gap_s=added.total_seconds())
    if timing.on_gap == OnGap.RESET:
        return end(alert, now, "gap in the data")
    return alert


def retimed(alert: AlertState, timing: Timing, zone: ZoneInfo = NO_ZONE) -> AlertState:
    """An open alert that waits, under the edited rule's times: `active_at` stays, the moment it is due moves.

    What gaps have added to it stays too, unless the rule no longer pauses.
    """
    added = timedelta(seconds=alert.gap_s)
    if alert.state == State.FIRING and alert.false_since:
        return replace(alert, due_at=alert.false_since + timing.keep_firing_for + added)
    if alert.state == State.PENDING and timing.on_gap == OnGap.PAUSE:
        return replace(alert, due_at=timing.due_at(alert.active_at, added, zone))
    if alert.state == State.PENDING:
        return replace(alert, due_at=timing.due_at(alert.active_at, timedelta(0), zone), gap_s=0.0)
    return alert


def _begin(match: Match, timing: Timing, now: datetime) -> AlertState:
    active_at = min(match.since or now, now)
    added = match.unseen if timing.on_gap == OnGap.PAUSE else timedelta(0)
    pending = AlertState(
        State.PENDING,
        active_at,
        due_at=timing.due_at(active_at, added, match.zone),
        gap_s=added.total_seconds(),
        reason="condition true",
    )
    return _advance_pending(pending, True, now)


def _advance_pending(alert: AlertState, truth: bool, now: datetime) -> AlertState:
    if not truth:
        return end(alert, now, "condition false")
    due = alert.due_at or alert.active_at
    if due <= now:
        fired = replace(alert, state=State.FIRING, due_at=None, held_since=None, fired_at=now, gap_s=0.0)
        return replace(fired, reason="condition true")
    return replace(alert, held_since=None)


def _advance_firing(alert: AlertState, truth: bool, timing: Timing, now: datetime) -> AlertState:
    if truth:
        return replace(alert, due_at=None, false_since=None, held_since=None, gap_s=0.0)
    since = alert.false_since or now
    due = alert.due_at if alert.false_since and alert.due_at else since + timing.keep_firing_for
    if due <= now:
        ended = end(alert, now, "recovered")
        return replace(ended, false_since=since, held_since=None)
    return replace(alert, due_at=due, false_since=since, held_since=None)
