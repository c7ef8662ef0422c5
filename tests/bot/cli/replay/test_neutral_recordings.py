"""Replays of recordings written here: what the Irish one cannot show, through real HTTP code, on both databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bot.cli.replay.recorded import mark, online, replay_lines, status, story, until, write_timeline
from tests.rules.engine import FAULTED

Tell = Callable[..., list[str]]


@pytest.fixture
def tell(tmp_path: Path, migrated_url: str) -> Tell:
    """Replays rows under FAULTED with changes, and tells the story."""

    def tell(*rows: dict[str, str], rule: dict[str, Any] | None = None) -> list[str]:
        folder = write_timeline(tmp_path / "recording", rows)
        return story(replay_lines(folder, {**FAULTED, **(rule or {})}, url=migrated_url))

    return tell


def test_an_event_at_an_odd_second_fires_at_the_first_poll_after_half_an_hour(tell: Tell) -> None:
    assert tell(status("10:00:00", "Available"), status("10:00:37", "Faulted"), until("10:40:00")) == [
        "10:01:00 c1 inactive>pending since 10:00:37",
        "10:31:00 c1 pending>firing since 10:00:37",
    ]


def test_a_spell_of_exactly_thirty_minutes_never_fires(tell: Tell) -> None:
    assert tell(status("10:00:00", "Faulted"), status("10:30:00", "Available"), until("10:40:00")) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>inactive since 10:00:00",
    ]


def test_a_spell_of_one_second_more_fires_and_resolves_five_minutes_after_its_end(tell: Tell) -> None:
    assert tell(status("10:00:00", "Faulted"), status("10:30:01", "Available"), until("10:40:00")) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "10:36:00 c1 firing>resolved since 10:00:00",
    ]


def test_a_fault_within_keep_firing_for_is_one_alert(tell: Tell) -> None:
    rows = [status("10:00:00", "Faulted"), status("10:31:00", "Available"), status("10:34:00", "Faulted")]
    assert tell(*rows, status("10:50:00", "Available"), until("11:00:00")) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "10:55:00 c1 firing>resolved since 10:00:00",
    ]


@pytest.mark.parametrize("value", ["false", ""], ids=["false", "unknown"])
def test_while_that_is_false_or_unknown_holds_a_pending_alert(tell: Tell, value: str) -> None:
    rows = [status("10:00:00", "Faulted"), online("10:10:00", value), online("10:45:30", "true"), until("10:50:00")]
    assert tell(*rows) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:46:00 c1 pending>firing since 10:00:00",
    ]


@pytest.mark.parametrize("value", ["false", ""], ids=["false", "unknown"])
def test_while_that_is_false_or_unknown_holds_a_firing_alert(tell: Tell, value: str) -> None:
    rows = [status("10:00:00", "Faulted"), online("10:32:00", value), status("10:40:00", "Available")]
    assert tell(*rows, online("11:00:00", "true"), until("11:10:00")) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "11:05:00 c1 firing>resolved since 10:00:00",
    ]


GAP = [status("10:00:00", "Faulted"), mark("10:10:30", "gap_start"), mark("10:25:00", "gap_end"), until("11:10:00")]


def test_a_gap_that_is_kept_changes_nothing(tell: Tell) -> None:
    assert tell(*GAP, rule={"on_gap": "keep"}) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
    ]


def test_a_gap_that_pauses_adds_its_length_to_the_moment_it_is_due(tell: Tell) -> None:
    assert tell(*GAP, rule={"on_gap": "pause"}) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:45:00 c1 pending>firing since 10:00:00",  # the good polls lie 15 minutes apart
    ]


def test_a_gap_that_resets_restarts_what_is_pending(tell: Tell) -> None:
    assert tell(*GAP, rule={"on_gap": "reset"}) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:25:00 c1 pending>inactive since 10:00:00",
        "10:25:00 c1 inactive>pending since 10:25:00",
        "10:55:00 c1 pending>firing since 10:25:00",
    ]


def test_nothing_fires_and_nothing_resolves_in_a_gap(tell: Tell) -> None:
    rows = [status("10:00:00", "Faulted"), status("10:35:00", "Faulted", "c2"), mark("10:36:00", "gap_start")]
    rows += [status("10:50:00", "Available"), mark("12:00:00", "gap_end"), until("12:10:00")]
    assert tell(*rows) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "10:35:00 c2 inactive>pending since 10:35:00",
        "12:00:00 c2 pending>firing since 10:35:00",
        "12:05:00 c1 firing>resolved since 10:00:00",
    ]


def test_a_short_failure_is_no_gap(tell: Tell) -> None:
    rows = [
        status("10:00:00", "Faulted"),
        mark("10:10:30", "gap_start"),
        mark("10:12:30", "gap_end"),
        until("10:40:00"),
    ]
    assert tell(*rows, rule={"on_gap": "reset"}) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
    ]


def test_sides_of_an_or_that_take_turns_make_one_alert(tell: Tell) -> None:
    error = {"at": "10:10:00", "charger_id": "ch1", "connector_id": "c1", "field": "error_code", "value": "OverVoltage"}
    rows = [
        status("10:00:00", "Faulted"),
        error,
        status("10:20:00", "Available"),
        {**error, "at": "10:40:00", "value": ""},
    ]
    rule = {"when": 'connector.status == "Faulted" or connector.error_code == "OverVoltage"'}
    assert tell(*rows, until("10:50:00"), rule=rule) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
    ]  # the error code is unknown at the end: held, neither true nor false


def test_a_vanished_connector_ends_its_alert_and_its_return_is_a_new_one(tell: Tell) -> None:
    rows = [status("10:00:00", "Faulted"), status("10:00:00", "Available", "c2")]
    rows += [mark("10:45:00", "removed", charger_id="ch1", connector_id="c1"), until("13:30:00")]
    told = tell(*rows)
    assert told == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "12:00:00 c1 firing>resolved since 10:00:00",  # the second hourly sweep without it
    ]


def test_connectors_of_a_vanished_charger_end_too(tell: Tell) -> None:
    others = (status("10:00:00", "Available", f"d{n}", charger_id=f"d{n}") for n in "23")
    rows = [status("10:00:00", "Faulted"), *others]
    rows += [mark("10:10:00", "removed", charger_id="ch1"), until("12:30:00")]
    assert tell(*rows) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:30:00 c1 pending>firing since 10:00:00",
        "12:00:00 c1 firing>resolved since 10:00:00",
    ]


def test_a_status_outside_ocpp_is_unknown_and_holds(tell: Tell) -> None:
    rows = [status("10:00:00", "Faulted"), status("10:20:00", "Rebooting"), status("10:40:00", "Faulted")]
    assert tell(*rows, until("10:50:00")) == [
        "10:00:00 c1 inactive>pending since 10:00:00",
        "10:40:00 c1 pending>firing since 10:00:00",
    ]


def test_replaying_twice_tells_the_same_to_the_byte(tmp_path: Path, migrated_url: str) -> None:
    folder = write_timeline(tmp_path / "r", GAP)
    first = replay_lines(folder, FAULTED, url=f"sqlite:///{tmp_path}/first.db")
    assert replay_lines(folder, FAULTED, url=migrated_url) == first
