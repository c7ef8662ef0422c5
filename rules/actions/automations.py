"""Which step of a ladder is due, what speaks against it, and whether it helped: decisions alone, from facts given.

Nothing here reads a database or a clock, and nothing sends anything. What is refused has its reason in words, for the
card of the alert. Codes that mean danger are never acted on, whatever a rule says.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from eosvolt.spellings.words import error_code
from rules.actions.steps import ActionStep
from rules.language.expressions import duration_text

SAFETY_CODES = ("GroundFailure", "OverCurrentFailure", "OverVoltage", "HighTemperature", "PowerSwitchFailure")
"""OCPP 1.6 error codes (section 7.6) that need a person: resetting the charger could hide a danger."""

QUIET_AT_MOST = timedelta(hours=1)
"""For so long at most an alert is kept quiet by its actions."""

GIVE_UP_AFTER = timedelta(hours=1)
"""A step whose outcome could not be seen for so long did not help, as far as anybody knows."""

LOOK_AGAIN = timedelta(minutes=1)
"""How long a charger that can be seen again is given to show that it is mended."""

STAYS_MENDED = timedelta(minutes=2)
"""An alert that is still true so long after a step helped was not mended by it."""


class Mode(StrEnum):
    """Whether rules act: as they say, not at all, or only in words."""

    ON = "on"
    OFF = "off"
    DRY_RUN = "dry-run"


class TryState(StrEnum):
    """How far one try of one step is."""

    WAITING = "waiting"
    AWAITING_APPROVAL = "awaiting_approval"
    SENT = "sent"
    HELPED = "helped"
    DID_NOT_HELP = "did_not_help"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    WOULD_HAVE = "would_have"
    CHANGED = "changed"  # of prices: read back as asked for, which ends no alert


OPEN_TRIES = (TryState.WAITING, TryState.AWAITING_APPROVAL, TryState.SENT)
UNSENT_TRIES = (TryState.WAITING, TryState.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a step's turn may have come.

    `done` and `done_total` count the commands of the kind in the windows of the step's limits, for its charger (of
    prices: its location) and for all; `last_at` is the last one there that was not this alert's own. `codes` are the
    error codes of the charger now and since the fault began, none for prices. `in_the_way` is what the charger or the
    location is busy with, or what keeps hands off it; `against` is what speaks against the command itself.
    """

    mode: Mode
    firing: bool
    in_force: bool  # the rule still says this step
    due_at: datetime
    fresh: bool = True
    done: int = 0
    done_total: int = 0
    last_at: datetime | None = None
    codes: Collection[str] = ()
    in_the_way: str | None = None
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a waiting step. SENT and AWAITING_APPROVAL ask for its command to be made.

    `ends_ladder`: what speaks against this step speaks against all that would follow.
    """

    state: TryState
    reason: str = ""
    ends_ladder: bool = False


def decide(step: ActionStep, facts: Situation, now: datetime, *, dry_run: bool = False) -> Decision | None:
    """Decide a waiting step; None is "not yet". What ends it for good comes before what only delays it."""
    ended = stopped(facts)
    if ended is not None:
        return ended
    if now < facts.due_at or not facts.fresh or facts.in_the_way is not None:
        return None
    refusal = _against(step, facts, now)
    if refusal is not None:
        return Decision(TryState.REFUSED, refusal)
    if dry_run or facts.mode is Mode.DRY_RUN:
        return Decision(TryState.WOULD_HAVE, "dry run: nothing was sent", ends_ladder=True)
    return Decision(TryState.AWAITING_APPROVAL if step.approval else TryState.SENT)


def stopped(facts: Situation) -> Decision | None:
    """What ends a step whose command has not been sent, whenever it comes up; None where nothing does."""
    code = first_safety_code(facts.codes)
    if not facts.firing:
        return Decision(TryState.CANCELLED, "the alert is over", ends_ladder=True)
    if not facts.in_force:
        return Decision(TryState.CANCELLED, "the rule was changed", ends_ladder=True)
    if code is not None:
        return Decision(TryState.REFUSED, f"{code} needs a person: no automation acts on it", ends_ladder=True)
    if facts.mode is Mode.OFF:
        return Decision(TryState.REFUSED, "automations are switched off", ends_ladder=True)
    return None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How often a step would have acted, and how often a limit or the cool-down would have stopped it."""

    kind: str
    acted: int
    stopped: int


def rehearse(step: ActionStep, firings: Iterable[tuple[datetime, str]]) -> Rehearsed:
    """What a first step would have done at these firings (when, on which charger or location), by the very decision
    that acts.
    """
    acted: list[tuple[datetime, str]] = []
    stopped_ones = 0
    for at, charger in sorted(firings):
        here = [moment for moment, other in acted if other == charger]
        facts = Situation(
            mode=Mode.ON,
            firing=True,
            in_force=True,
            due_at=at,
            done=sum(moment > at - step.limit.window for moment in here),
            done_total=sum(moment > at - step.limit_total.window for moment, _ in acted),
            last_at=max(here, default=None),
        )
        decision = decide(step, facts, at)
        if decision is not None and decision.state is TryState.REFUSED:
            stopped_ones += 1
        else:
            acted.append((at, charger))
    return Rehearsed(step.kind, len(acted), stopped_ones)


def first_safety_code(codes: Collection[str]) -> str | None:
    """The first of these codes that means danger, however it is spelled."""
    return next((code for code in map(error_code, codes) if code in SAFETY_CODES), None)


def _against(step: ActionStep, facts: Situation, now: datetime) -> str | None:
    thing = "location" if step.price is not None else "charger"
    if facts.done >= step.limit.count:
        return f"limit of {step.limit} for one {thing} reached"
    if facts.done_total >= step.limit_total.count:
        return f"limit of {step.limit_total} for all {thing}s reached"
    if facts.last_at is not None and now - facts.last_at < step.cool_down:
        ago = duration_text((now - facts.last_at) // timedelta(minutes=1) * 60)
        return f"the last one was {ago} ago, and {duration_text(step.cool_down.total_seconds())} must lie between"
    return facts.against


@dataclass(frozen=True, slots=True)
class Sight:
    """What the polls say about a step that was sent. `answered_at` None: EOSVOLT has not answered yet.

    `seen_at` is the oldest good poll of what the verification reads, None where none of one began after the answer.
    `truth` is the verification's answer; `blind` says why it proves nothing. `unknown`: whether EOSVOLT took the
    command is not known.
    """

    answered_at: datetime | None
    seen_at: datetime | None = None
    truth: bool | None = None
    blind: str | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """How a step that was sent stands: it ended in `state`, or it is looked at until `until`."""

    state: TryState | None = None
    reason: str = ""
    until: datetime | None = None


def verify(step: ActionStep, sight: Sight, until: datetime | None, now: datetime) -> Verification:
    """Judge a step that was sent; `until` is what the last look said, None at the first one.

    Only what was seen after the answer counts, with the charger online and the answer known. Where nothing can be
    seen, time does not run against the charger.
    """
    if sight.answered_at is None:
        return Verification(until=until)
    until = until or sight.answered_at + step.within
    can_see = sight.seen_at is not None and sight.blind is None and sight.truth is not None
    lost = " (whether EOSVOLT took the command is not known)" if sight.unknown else ""
    if can_see and sight.truth:
        return Verification(TryState.HELPED)
    if can_see and sight.seen_at is not None and sight.seen_at >= until:
        return Verification(TryState.DID_NOT_HELP, f"looked at for {_minutes(now - sight.answered_at)}{lost}")
    if now - sight.answered_at >= max(GIVE_UP_AFTER, step.within):
        because = sight.blind or "too few polls were good since"
        return Verification(TryState.DID_NOT_HELP, f"it could not be seen: {because}{lost}")
    if not can_see:
        until = max(until, now + LOOK_AGAIN)
    return Verification(until=until)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How a change of prices that was sent stands: ended and as asked for or not, in EOSVOLT's words.

    `unknown`: whether EOSVOLT took it was never known.
    """

    ended: bool
    as_asked: bool = False
    outcome: str = ""
    unknown: bool = False


def judge_prices(told: ReadBack) -> Decision | None:
    """Judge a step that changes prices by its command, never by its alert; None is "not yet"."""
    if not told.ended:
        return None
    if told.as_asked:
        return Decision(TryState.CHANGED)
    return Decision(TryState.DID_NOT_HELP, told.outcome, ends_ladder=told.unknown)


def relapsed(helped_at: datetime, *, firing: bool, still_true: bool, now: datetime) -> bool:
    """Whether an alert goes on though a step of its ladder was seen to help."""
    return firing and still_true and now - helped_at >= STAYS_MENDED


def _minutes(span: timedelta) -> str:
    return duration_text(max(1, round(span.total_seconds() / 60)) * 60)
