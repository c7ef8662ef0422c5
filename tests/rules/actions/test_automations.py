"""Decisions about the steps of a ladder, each a line of a table: what acts, what waits, what is refused and why."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.actions.automations import (
    SAFETY_CODES,
    Decision,
    Mode,
    ReadBack,
    Sight,
    Situation,
    TryState,
    Verification,
    decide,
    judge_prices,
    relapsed,
    verify,
)
from rules.actions.steps import ActionStep
from tests.examples import examples
from tests.readings import MINUTE, T0

STEP = ActionStep("reset_soft", "charger")
READY = Situation(Mode.ON, firing=True, in_force=True, due_at=T0)


def refused(reason: str, *, ends: bool = False) -> Decision:
    return Decision(TryState.REFUSED, reason, ends_ladder=ends)


def cancelled(reason: str) -> Decision:
    return Decision(TryState.CANCELLED, reason, ends_ladder=True)


WOULD = Decision(TryState.WOULD_HAVE, "dry run: nothing was sent", ends_ladder=True)
GROUND = refused("GroundFailure needs a person: no automation acts on it", ends=True)


@pytest.mark.parametrize(
    ("facts", "step", "expected"),
    [
        ({}, {}, Decision(TryState.SENT)),
        ({}, {"approval": "#ev-ops"}, Decision(TryState.AWAITING_APPROVAL)),
        ({"firing": False}, {}, cancelled("the alert is over")),
        ({"in_force": False}, {}, cancelled("the rule was changed")),
        ({"mode": Mode.OFF}, {}, refused("automations are switched off", ends=True)),
        ({"mode": Mode.DRY_RUN}, {}, WOULD),
        ({"mode": Mode.DRY_RUN}, {"approval": "#ev-ops"}, WOULD),
        ({"codes": ["NoError", "GroundFailure"]}, {}, GROUND),
        ({"codes": [" groundfailure "]}, {}, GROUND),
        ({"codes": ["GroundFailure"], "mode": Mode.DRY_RUN}, {}, GROUND),
        ({"codes": ["GroundFailure"], "in_the_way": "x", "fresh": False}, {}, GROUND),
        ({"codes": ["InternalError", "GroundFailureOld"]}, {}, Decision(TryState.SENT)),
        ({"due_at": T0 + MINUTE}, {}, None),
        ({"fresh": False}, {}, None),
        ({"in_the_way": "rule other is at work on the charger"}, {}, None),
        ({"done": 1}, {}, Decision(TryState.SENT)),
        ({"done": 2}, {}, refused("limit of 2 per 24h for one charger reached")),
        ({"done": 3}, {}, refused("limit of 2 per 24h for one charger reached")),
        ({"done_total": 9}, {}, Decision(TryState.SENT)),
        ({"done_total": 10}, {}, refused("limit of 10 per 24h for all chargers reached")),
        ({"done": 2, "mode": Mode.DRY_RUN}, {}, refused("limit of 2 per 24h for one charger reached")),
        ({"last_at": T0 - 10 * MINUTE}, {}, Decision(TryState.SENT)),
        (
            {"last_at": T0 - 9 * MINUTE},
            {},
            refused("the last one was 9m ago, and 10m must lie between"),
        ),
        ({"last_at": T0}, {"cool_down": timedelta()}, Decision(TryState.SENT)),
        ({"done": 2}, {"price": 0.45}, refused("limit of 2 per 24h for one location reached")),
        ({"done_total": 10}, {"price": 0.45}, refused("limit of 10 per 24h for all locations reached")),
        ({"against": "session s1 is open"}, {}, refused("session s1 is open")),
        ({"against": "x", "in_the_way": "y"}, {}, None),
        ({"firing": False, "due_at": T0 + MINUTE}, {}, cancelled("the alert is over")),
    ],
)
def test_a_waiting_step(facts: dict[str, Any], step: dict[str, Any], expected: Decision | None) -> None:
    assert decide(replace(STEP, **step), replace(READY, **facts), T0) == expected


def test_a_rule_that_runs_dry_only_tells() -> None:
    assert decide(STEP, READY, T0, dry_run=True) == WOULD


SPELLED = ("GROUND_FAILURE", "Ground Failure", " over-current failure ", "high_temperature")


@given(
    codes=st.lists(st.sampled_from([*SAFETY_CODES, *map(str.upper, SAFETY_CODES), *SPELLED]), min_size=1),
    others=st.lists(st.text(max_size=20)),
    mode=st.sampled_from(Mode),
    firing=st.booleans(),
    dry_run=st.booleans(),
)
@settings(max_examples=examples(60))
def test_no_situation_with_a_safety_code_acts(
    codes: list[str], others: list[str], mode: Mode, firing: bool, dry_run: bool
) -> None:
    facts = replace(READY, codes=[*others, *codes], mode=mode, firing=firing)
    decision = decide(STEP, facts, T0, dry_run=dry_run)
    assert decision is not None
    assert decision.state in {TryState.REFUSED, TryState.CANCELLED}
    assert decision.ends_ladder


ANSWERED = Sight(T0, seen_at=T0 + MINUTE, truth=False)
IN_5 = T0 + 5 * MINUTE


@pytest.mark.parametrize(
    ("sight", "until", "now", "expected"),
    [
        (Sight(None), None, T0, Verification()),
        (ANSWERED, None, T0 + MINUTE, Verification(until=IN_5)),
        (replace(ANSWERED, truth=True), None, T0 + MINUTE, Verification(TryState.HELPED)),
        (
            replace(ANSWERED, seen_at=IN_5),
            IN_5,
            IN_5,
            Verification(TryState.DID_NOT_HELP, "looked at for 5m"),
        ),
        (
            replace(ANSWERED, seen_at=IN_5, unknown=True),
            IN_5,
            IN_5,
            Verification(TryState.DID_NOT_HELP, "looked at for 5m (whether EOSVOLT took the command is not known)"),
        ),
        # the last poll was before the time was over: it is waited for
        (replace(ANSWERED, seen_at=T0 + 4 * MINUTE), IN_5, T0 + 6 * MINUTE, Verification(until=IN_5)),
        # nothing was seen since the answer, or nothing that proves anything: time does not run
        (Sight(T0, None, True), None, T0 + 4 * MINUTE, Verification(until=IN_5)),
        (Sight(T0, None, True), None, T0 + 9 * MINUTE, Verification(until=T0 + 10 * MINUTE)),
        (
            replace(ANSWERED, seen_at=T0 + 9 * MINUTE, blind="the charger is offline"),
            None,
            T0 + 9 * MINUTE,
            Verification(until=T0 + 10 * MINUTE),
        ),
        (
            replace(ANSWERED, seen_at=T0 + 9 * MINUTE, truth=None),
            None,
            T0 + 9 * MINUTE,
            Verification(until=T0 + 10 * MINUTE),
        ),
        (
            replace(ANSWERED, truth=True, blind="the charger is offline"),
            IN_5,
            T0 + 60 * MINUTE,
            Verification(TryState.DID_NOT_HELP, "it could not be seen: the charger is offline"),
        ),
        (
            Sight(T0),
            IN_5,
            T0 + 60 * MINUTE,
            Verification(TryState.DID_NOT_HELP, "it could not be seen: too few polls were good since"),
        ),
    ],
)
def test_a_step_that_was_sent(sight: Sight, until: datetime | None, now: datetime, expected: Verification) -> None:
    assert verify(STEP, sight, until, now) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (ReadBack(ended=False), None),
        (ReadBack(ended=False, unknown=True), None),
        (ReadBack(ended=True, as_asked=True, outcome="read back"), Decision(TryState.CHANGED)),
        (ReadBack(ended=True, as_asked=True, unknown=True), Decision(TryState.CHANGED)),
        (ReadBack(ended=True, outcome="other prices"), Decision(TryState.DID_NOT_HELP, "other prices")),
        (
            ReadBack(ended=True, outcome="not sent again", unknown=True),
            Decision(TryState.DID_NOT_HELP, "not sent again", ends_ladder=True),
        ),
    ],
)
def test_a_change_of_prices_that_was_sent(told: ReadBack, expected: Decision | None) -> None:
    assert judge_prices(told) == expected


@pytest.mark.parametrize(
    ("firing", "still_true", "after", "expected"),
    [
        (True, True, 2 * MINUTE, True),
        (True, True, MINUTE, False),
        (True, False, 9 * MINUTE, False),
        (False, True, 9 * MINUTE, False),
    ],
)
def test_an_alert_that_goes_on_was_not_mended(firing: bool, still_true: bool, after: timedelta, expected: bool) -> None:
    assert relapsed(T0, firing=firing, still_true=still_true, now=T0 + after) is expected
