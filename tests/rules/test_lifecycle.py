"""The lifecycle's one decision table: every state, every answer, and what becomes of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rules.lifecycle import AlertState, Match, OnGap, State, Timing, after_gap, end, next_state, retimed
from tests.readings import at

M = timedelta(minutes=1)
TIMING = Timing(for_=30 * M, keep_firing_for=5 * M)
PENDING = AlertState(State.PENDING, at("10:00"), due_at=at("10:30"))
FIRING = AlertState(State.FIRING, at("10:00"), fired_at=at("10:30"))
KEPT = replace(FIRING, false_since=at("10:40"), due_at=at("10:45"))

TRUE, FALSE, UNKNOWN = (Match("c1", truth=truth, since=at("10:00")) for truth in (True, False, None))
HELD = Match("c1", truth=True, held=True, since=at("10:00"))
HELD_FALSE = Match("c1", truth=False, held=True)
GONE = Match("c1", truth=True, gone=True)

# before, answer, at -> the state after (None: no alert)
TABLE = [
    (None, TRUE, "10:00", State.PENDING),
    (None, TRUE, "10:29:59", State.PENDING),
    (None, TRUE, "10:30", State.FIRING),  # true for long enough when first seen
    (None, FALSE, "10:00", None),
    (None, UNKNOWN, "10:00", None),
    (None, HELD, "10:00", None),
    (None, GONE, "10:00", None),
    (PENDING, TRUE, "10:29:59", State.PENDING),
    (PENDING, TRUE, "10:30", State.FIRING),
    (PENDING, FALSE, "10:30", State.INACTIVE),
    (PENDING, UNKNOWN, "10:45", State.PENDING),
    (PENDING, HELD, "10:45", State.PENDING),
    (PENDING, HELD_FALSE, "10:45", State.PENDING),
    (PENDING, GONE, "10:10", State.INACTIVE),
    (FIRING, TRUE, "10:40", State.FIRING),
    (FIRING, FALSE, "10:40", State.FIRING),
    (FIRING, UNKNOWN, "10:40", State.FIRING),
    (FIRING, HELD_FALSE, "10:40", State.FIRING),
    (FIRING, GONE, "10:40", State.RESOLVED),
    (KEPT, FALSE, "10:44:59", State.FIRING),
    (KEPT, FALSE, "10:45", State.RESOLVED),
    (KEPT, TRUE, "10:44", State.FIRING),
    (KEPT, UNKNOWN, "10:50", State.FIRING),
    (KEPT, HELD_FALSE, "10:50", State.FIRING),
    (KEPT, GONE, "10:41", State.RESOLVED),
]


@pytest.mark.parametrize(("before", "match", "moment", "expected"), TABLE)
def test_every_case_of_the_lifecycle(
    before: AlertState | None, match: Match, moment: str, expected: State | None
) -> None:
    after = next_state(before, match, TIMING, at(moment))
    assert (after.state if after else None) == expected


@pytest.mark.parametrize(("before", "match", "moment", "expected"), TABLE)
def test_active_at_of_an_open_alert_never_moves(
    before: AlertState | None, match: Match, moment: str, expected: State | None
) -> None:
    after = next_state(before, match._replace(since=at("09:00")), TIMING, at(moment))
    if before is not None:
        assert after is not None
        assert after.active_at == before.active_at


def test_active_at_is_never_in_the_future() -> None:
    after = next_state(None, Match("c1", truth=True, since=at("10:05")), TIMING, at("10:00"))
    assert after is not None
    assert after.active_at == at("10:00")


def test_a_condition_that_is_true_again_forgets_that_it_was_false() -> None:
    after = next_state(KEPT, TRUE, TIMING, at("10:44"))
    assert after == FIRING


def test_a_held_alert_says_since_when_and_forgets_it_when_released() -> None:
    held = next_state(PENDING, UNKNOWN, TIMING, at("10:10"))
    assert held is not None
    assert held.held_since == at("10:10")
    still = next_state(held, HELD, TIMING, at("10:12"))
    assert still is not None
    assert still.held_since == at("10:10")
    assert next_state(still, TRUE, TIMING, at("10:20")) == PENDING


def test_without_for_an_alert_fires_at_once_and_without_keep_resolves_at_once() -> None:
    fired = next_state(None, TRUE, Timing(), at("10:00"))
    assert fired is not None
    assert (fired.state, fired.fired_at) == (State.FIRING, at("10:00"))
    resolved = next_state(fired, FALSE, Timing(), at("10:01"))
    assert resolved is not None
    assert (resolved.state, resolved.resolved_at, resolved.reason) == (State.RESOLVED, at("10:01"), "recovered")


def test_what_vanished_ends_as_removed_never_as_recovered() -> None:
    after = next_state(FIRING, GONE, TIMING, at("10:40"))
    assert after is not None
    assert after.reason == "removed"


@pytest.mark.parametrize(
    ("on_gap", "alert", "due", "state"),
    [
        (OnGap.KEEP, PENDING, "10:30", State.PENDING),
        (OnGap.PAUSE, PENDING, "10:50", State.PENDING),
        (OnGap.RESET, PENDING, None, State.INACTIVE),
        (OnGap.KEEP, FIRING, None, State.FIRING),
        (OnGap.RESET, FIRING, None, State.FIRING),
        (OnGap.KEEP, KEPT, "11:05", State.FIRING),  # keep_firing_for counts good time only
        (OnGap.PAUSE, KEPT, "11:05", State.FIRING),
        (OnGap.RESET, KEPT, "11:05", State.FIRING),
    ],
)
def test_what_a_gap_of_twenty_minutes_does(on_gap: OnGap, alert: AlertState, due: str | None, state: State) -> None:
    after = after_gap(alert, 20 * M, replace(TIMING, on_gap=on_gap), at("10:25"))
    assert after.state == state
    assert after.due_at == (at(due) if due else None)
    assert after.active_at == alert.active_at


def test_an_edited_rule_moves_what_an_alert_waits_for_and_not_when_it_became_active() -> None:
    longer = Timing(for_=60 * M, keep_firing_for=20 * M)
    assert retimed(PENDING, longer) == replace(PENDING, due_at=at("11:00"))
    assert retimed(KEPT, longer) == replace(KEPT, due_at=at("11:00"))
    assert retimed(FIRING, longer) == FIRING


def test_ending_says_why() -> None:
    assert end(PENDING, at("10:10"), "rule removed").reason == "rule removed"
    assert end(FIRING, at("10:40"), "rule removed").resolved_at == at("10:40")
