"""Replays of recorded sessions, statuses and links under event rules: one line an event, through real HTTP code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rules.documents.files import load_rules
from tests.bot.cli.replay.recorded import mark, online, replay_lines, status, until, write_timeline
from tests.conftest import ROOT

Tell = Callable[..., list[str]]


@pytest.fixture
def tell(tmp_path: Path, migrated_url: str) -> Tell:
    """Replays rows under rules, and tells the events."""

    def tell(rules: list[Mapping[str, Any]], *rows: dict[str, str]) -> list[str]:
        folder = write_timeline(tmp_path / "recording", rows)
        return [
            f"{line['at'][11:19]} {line['rule']} {line['subject']} {line['event']} at {line['event_at'][11:19]}"
            for line in replay_lines(folder, *rules, url=migrated_url)
        ]

    return tell


def start(at: str, session_id: str, **more: str) -> dict[str, str]:
    return mark(at, "session_start", charger_id="ch1", connector_id="c1", session_id=session_id, **more)


def end(at: str, session_id: str, energy: str = "", **more: str) -> dict[str, str]:
    return mark(at, "session_end", connector_id="c1", session_id=session_id, energy_kwh=energy, **more)


def library_rule(name: str) -> Mapping[str, Any]:
    (rule,) = load_rules([ROOT / f"rules/library/{name}.yaml"])
    return rule.document


def test_a_session_without_energy_is_announced_once_after_it_has_settled(tell: Tell) -> None:
    rows = [status("10:00:00", "Available"), start("10:01:10", "s1"), end("10:06:20", "s1", "0.02")]
    rows += [start("10:10:00", "s2"), end("10:20:00", "s2", "7.5"), start("10:25:00", "s3"), end("10:26:30", "s3", "0")]
    assert tell([library_rule("zero-energy")], *rows, until("10:40:00")) == [
        "10:09:00 zero-energy s1 session.ended at 10:06:20"
    ]


def test_energy_that_is_corrected_before_it_has_settled_is_what_counts(tell: Tell) -> None:
    rows = [status("10:00:00", "Available"), start("10:01:10", "s1"), end("10:06:20", "s1", "0")]
    rows += [mark("10:08:10", "", connector_id="c1", session_id="s1", energy_kwh="4.2")]
    rows += [start("10:10:00", "s2"), end("10:15:30", "s2"), mark("10:30:10", "", session_id="s2", energy_kwh="0.05")]
    assert tell([library_rule("zero-energy")], *rows, until("10:45:00")) == [
        "10:33:00 zero-energy s2 session.ended at 10:15:30"
    ]


def test_a_price_that_changes_is_announced_once_and_the_same_price_told_again_is_none(tell: Tell) -> None:
    def price(at: str, value: str) -> dict[str, str]:
        return mark(at, "price", location_id="l1", value=value, currency="EUR")

    rows = [status("10:00:00", "Available", location_id="l1"), price("10:00:00", "0.45"), price("10:20:00", "0.45")]
    rows += [price("11:30:00", "0.52"), price("12:30:00", "0.52"), until("13:30:00")]
    rule = {"name": "prices", "on": "price.changed"}
    assert tell([rule], *rows) == ["12:02:00 prices l1 price.changed at 12:00:00"]


def test_what_was_there_at_the_first_poll_is_no_event(tell: Tell) -> None:
    rules = [{"name": event, "on": on} for event, on in (("begun", "session.started"), ("over", "session.ended"))]
    rows = [start("10:00:00", "s1"), end("10:10:30", "s1", "3"), start("10:20:10", "s2"), until("10:30:00")]
    assert tell(rules, *rows) == [
        "10:13:00 over s1 session.ended at 10:10:30",
        "10:23:00 begun s2 session.started at 10:20:10",
    ]


def test_statuses_and_links_are_told_from_the_moment_they_changed(tell: Tell) -> None:
    rules = [
        {"name": "faulted", "on": "status.changed", "when": 'connector.status == "Faulted"', "settle": "1m"},
        {"name": "offline", "on": "charger.offline", "settle": "0s"},
        {"name": "online", "on": "charger.online"},
    ]
    rows = [status("10:00:00", "Available"), online("10:00:00", "true"), status("10:05:20", "Faulted")]
    rows += [
        status("10:10:00", "Available"),
        online("10:12:30", "false"),
        online("10:20:10", "true"),
        until("10:30:00"),
    ]
    assert tell(rules, *rows) == [
        "10:07:00 faulted c1 status.changed at 10:05:20",
        "10:13:00 offline ch1 charger.offline at 10:13:00",
        "10:23:00 online ch1 charger.online at 10:21:00",
    ]


def test_what_happened_in_a_gap_is_announced_after_it_unless_it_is_too_old(tell: Tell) -> None:
    rows = [status("10:00:00", "Available"), mark("10:05:30", "gap_start")]
    rows += [start("10:06:00", "s1"), end("10:10:30", "s1", "1"), start("10:40:00", "s2"), end("11:20:30", "s2", "2")]
    rows += [mark("11:30:00", "gap_end"), until("11:40:00")]
    assert tell([{"name": "over", "on": "session.ended"}], *rows) == ["11:32:00 over s2 session.ended at 11:20:30"]


def test_lines_of_events_stand_among_the_others_by_rule_and_subject(tmp_path: Path, migrated_url: str) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "b-alert", "for_each": "connector", "when": 'connector.status == "Faulted"'},
        {"name": "a-event", "on": "status.changed", "settle": "0s"},
        {"name": "c-event", "on": "status.changed", "settle": "0s"},
    ]
    rows = [status("10:00:00", "Available"), status("10:01:00", "Faulted"), until("10:03:00")]
    lines = replay_lines(write_timeline(tmp_path / "r", rows), *rules, url=migrated_url)
    assert [(line["rule"], line.get("event"), line.get("to")) for line in lines] == [
        ("a-event", "status.changed", None),
        ("b-alert", None, "firing"),
        ("c-event", "status.changed", None),
    ]
    assert lines[0] == {
        "at": "2026-03-02T10:01:00Z",
        "rule": "a-event",
        "subject": "c1",
        "event": "status.changed",
        "event_at": "2026-03-02T10:01:00Z",
    }
