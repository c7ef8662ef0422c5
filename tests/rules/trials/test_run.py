"""Rule tests as data: what passes, how a failure reads, and that every mistake in a file is named at once."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from bot.cli.main import app, main
from bot.trials.rehearsal import run_rule_tests
from rules.trials.cases import CaseErrors, load_cases
from rules.trials.strips import FAILS, read_strip

RULE = """
- name: faulted
  for_each: connector
  when: connector.status == "Faulted"
  for: 30m
"""
CASE = """
- name: a fault fires after half an hour
  connectors: {c1: Available x5 Faulted x40}
  checks:
    - eval_time: 35m
      expect_alerts: [{rule: faulted, subject: c1, state: firing, active_at: 5m}]
"""


def written(folder: Path, cases: str, rule: str = RULE) -> Path:
    (folder / "faulted.yaml").write_text(rule)
    path = folder / "faulted.test.yaml"
    path.write_text(cases)
    return path


def failures_of(folder: Path, cases: str) -> list[str]:
    (result,) = run_rule_tests([written(folder, cases)])
    return [line for failure in result.failures for line in failure.splitlines()]


def errors_of(folder: Path, cases: str) -> list[str]:
    path = written(folder, cases)
    with pytest.raises(CaseErrors) as caught:
        load_cases(path)
    return [str(error).removeprefix(f"{path}: ") for error in caught.value.errors]


def test_a_strip_is_values_repeated_missing_and_failing() -> None:
    problems: list[str] = []
    assert read_strip("Available x2 Faulted _ ! x2", "status", problems) == (
        *("Available", "Available", "Faulted", None),
        *(FAILS, FAILS),
    )
    assert read_strip('"In use" x2 "say \\"x\\""', "text", problems) == ("In use", "In use", 'say "x"')
    assert read_strip("0+0.5x3 9", "number", problems) == (0, 0.5, 1.0, 9)
    assert read_strip("90s 2m", "duration", problems) == (90, 120)
    assert (read_strip(True, "flag", problems), read_strip(None, "flag", problems)) == ((True,), (None,))
    assert problems == []


def test_a_mistyped_strip_is_told_with_the_nearest_word() -> None:
    problems: list[str] = []
    read_strip("Faultet x3 12", "status", problems)
    read_strip("true maybe", "flag", problems)
    read_strip('"open', "text", problems)
    read_strip("1 1.2.3", "number", problems)
    read_strip("Available x30000", "status", problems)
    assert problems == [
        '"Faultet" is no status; did you mean "Faulted"? A word outside OCPP\'s nine stands in quotes: "Rebooting"',
        '"12" is no status. A word outside OCPP\'s nine stands in quotes: "Rebooting"',
        '"maybe" is neither true nor false, nor _, ! or -',
        'a quote is not closed: "open',
        "the strip is empty",
        '"1.2.3" is no number',
        "more than 20,000 values",
    ]


def test_a_failure_shows_what_was_expected_what_was_found_and_what_moved(tmp_path: Path) -> None:
    cases = CASE.replace("35m", "34m").replace("active_at: 5m", "active_at: 4m")
    assert failures_of(tmp_path, cases) == [
        "at 34m (2026-03-02 10:34:00 UTC), alerts:",
        "    - expected  faulted c1 firing since 4m",
        "    + found     faulted c1 pending since 5m",
        "  what moved until then:",
        "    5m faulted c1 inactive > pending since 5m (condition true)",
    ]


def test_an_alert_too_many_and_one_too_few_are_shown(tmp_path: Path) -> None:
    cases = CASE.replace("subject: c1", "subject: c2")
    lines = failures_of(tmp_path, cases)
    assert lines[1:4] == [
        "    - expected  faulted c2 firing since 5m",
        "    + found     nothing of it",
        "    + found     faulted c1 firing since 5m, which was not expected",
    ]


def test_a_message_that_differs_is_shown_beside_the_expected_one(tmp_path: Path) -> None:
    cases = """
- name: the words of a card
  locations: {l1: {name: Harbour}}
  connectors: {c1: Faulted}
  checks:
    - eval_time: 31m
      expect_messages: [{kind: card, title: Quay}, {kind: reply}]
"""
    lines = failures_of(tmp_path, cases)
    assert lines[0] == "at 31m (2026-03-02 10:31:00 UTC), messages:"
    assert lines[1] == "    - expected  card, title: 'Quay'"
    assert "Faulted: " in lines[2]
    assert lines[3:] == ["    - expected  reply", "    + found     no more messages"]


def test_failing_polls_are_a_gap_in_which_nothing_moves(tmp_path: Path) -> None:
    cases = """
- name: a gap
  connectors: {c1: Faulted x5 ! x40 Faulted}
  checks:
    - eval_time: 44m
      expect_alerts: [{rule: faulted, subject: c1, state: pending, active_at: 0m}]
    - eval_time: 45m
      expect_alerts: [{rule: faulted, subject: c1, state: firing, active_at: 0m}]
"""
    assert failures_of(tmp_path, cases) == []
    reset = written(tmp_path, cases, RULE + "  on_gap: reset\n")
    (result,) = run_rule_tests([reset])
    assert "+ found     faulted c1 pending since 45m" in result.failures[0]


def test_every_mistake_in_a_file_is_told_at_once_with_case_and_line(tmp_path: Path) -> None:
    cases = """
- name: first
  interval: 10
  connectors:
    c1: {status: Faulty x5, powr: 3}
  checks:
    - eval_time: 90s
      expect_alert: []
- name: second
  sessions: {s1: {status: Compleet, started: yesterday}}
  checks:
    - {eval_time: 5m, expect_alerts: [{rule: faulted, subject: c1, state: resolved}]}
- name: second
  rules: nowhere.yaml
  checks: []
"""
    assert errors_of(tmp_path, cases) == [
        'case "first", line 3: interval: "10" has no unit',
        'case "first", line 3: "interval" is shorter than a second',
        'case "first", line 4: connectors.c1: unknown key "powr"; did you mean "power"?',
        (
            'case "first", line 4: connectors.c1.status: "Faulty" is no status; did you mean "Faulted"? '
            'A word outside OCPP\'s nine stands in quotes: "Rebooting"'
        ),
        'case "first", line 6: checks[1]: unknown key "expect_alert"; did you mean "expect_alerts"?',
        (
            'case "first", line 6: checks[1] expects nothing: say "expect_alerts", "expect_ended", "expect_events", '
            '"expect_digests" or "expect_messages"; [] for none'
        ),
        ('case "first", line 6: checks[1].eval_time is no moment of a poll: they are 0:01:00 apart from start'),
        'case "second", line 10: sessions.s1.started: "yesterday" is no duration',
        'case "second", line 10: sessions.s1.status: "Compleet" is no session status; did you mean "Completed"?',
        (
            'case "second", line 11: checks[1].expect_alerts[1]: the state "resolved" is not pending or firing; '
            "an ended alert is left out"
        ),
        'case "second", line 14: there is no rule file "nowhere.yaml" beside the test',
        'case "second", line 15: a case needs "checks"',
        'case "second", line 13: line 9 has the same name',
    ]


def test_a_rule_that_the_file_does_not_hold_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, CASE.replace("rule: faulted", "rule: fault"))
    with pytest.raises(CaseErrors, match='no tested rule is called "fault"; there is faulted'):
        run_rule_tests([path])


def test_what_vanishes_ends_its_alert_as_removed_and_not_as_recovered(tmp_path: Path) -> None:
    cases = """
- name: the connector is taken away
  connectors: {c1: Faulted x40 -, c2: Faulted x40 Available}
  checks:
    - eval_time: 40m # missed once
      expect_alerts: [{rule: faulted, subject: c1, state: firing}]
    - eval_time: 41m
      expect_alerts: []
      expect_ended:
        - {rule: faulted, subject: c1, because: removed, resolved_at: 41m}
        - {rule: faulted, subject: c2, because: recovered, resolved_at: 40m}
"""
    assert failures_of(tmp_path, cases) == []
    lines = failures_of(tmp_path, cases.replace("because: removed", "because: recovered"))
    assert lines[1:3] == [
        "    - expected  faulted c1 ended at 41m (recovered)",
        "    + found     faulted c1 ended at 41m (removed)",
    ]


EVENTS = """
- name: empty-session
  on: session.ended
  when: session.energy < 0.1 kWh
- name: back
  on: charger.online
- name: morning
  schedule: "0 8 * * *"
  digest: sessions
"""
EVENT_CASE = """
- name: what happens is announced once, when it has settled
  chargers: {ch1: true x5 false x10 true}
  sessions: {s1: {started: 1m, ended: 10m, energy: 0 x20 0.05}, s2: {started: 1m, ended: 10m, energy: 5}}
  checks:
    - eval_time: 11m
      expect_events: []
    - eval_time: 30m
      expect_events:
        - {rule: empty-session, subject: s1, event: session.ended, event_at: 10m, announced_at: 12m}
        - {rule: back, subject: ch1, event_at: 15m, announced_at: 17m}
      expect_messages: [{kind: event, title: Session ended}, {kind: event, title: Charger online}]
"""


def test_events_are_compared_with_all_that_were_announced(tmp_path: Path) -> None:
    (result,) = run_rule_tests([written(tmp_path, EVENT_CASE, EVENTS)])
    assert result.failures == ()
    wrong = EVENT_CASE.replace("announced_at: 12m", "announced_at: 13m").replace("subject: ch1", "subject: ch2")
    (result,) = run_rule_tests([written(tmp_path, wrong, EVENTS)])
    assert result.failures[0].splitlines() == [
        "at 30m (2026-03-02 10:30:00 UTC), events:",
        "    - expected  back ch2 any event at 15m, announced at 17m",
        "    + found     nothing of it",
        "    - expected  empty-session s1 session.ended at 10m, announced at 13m",
        "    + found     empty-session s1 session.ended at 10m, announced at 12m",
        "    + found     back ch1 charger.online at 15m, announced at 17m, which was not expected",
    ]


def test_a_digest_is_compared_by_its_slot_and_by_the_facts_that_are_named(tmp_path: Path) -> None:
    cases = """
- name: eight o'clock
  start: 2026-03-02T07:55:00Z
  sessions:
    s1: {started: 2026-03-01T10:00:00Z, ended: 2026-03-01T11:00:00Z, energy: 20 x20 20.1, cost: 5, currency: EUR}
  checks:
    - eval_time: 4m
      expect_digests: []
    - eval_time: 10m
      expect_digests:
        - {rule: morning, slot: "2026-03-02T08:00:00+00:00", facts: {sessions: 1, energy_kwh: 20.0, revenue: {EUR: 5}}}
    - eval_time: 30m # corrected
      expect_digests: [{rule: morning, facts: {energy_kwh: 20.1, top: [{connector_id: c1}]}}]
"""
    (result,) = run_rule_tests([written(tmp_path, cases, EVENTS)])
    assert result.failures == ()
    (result,) = run_rule_tests([written(tmp_path, cases.replace("20.1, top", "20.0, top"), EVENTS)])
    assert result.failures[0].startswith("at 30m (2026-03-02 08:25:00 UTC), digests:\n    - expected  morning any slot")


def test_an_expectation_of_another_kind_of_rule_is_told(tmp_path: Path) -> None:
    cases = EVENT_CASE.replace("expect_events: []", "expect_alerts: [{rule: back, subject: c1, state: firing}]")
    with pytest.raises(CaseErrors, match='the rule "back" is one of events: what it says stands under "expect_events"'):
        run_rule_tests([written(tmp_path, cases, EVENTS)])


def test_mistyped_expectations_are_told_with_the_nearest_word(tmp_path: Path) -> None:
    cases = """
- name: wrong
  checks:
    - eval_time: 1m
      expect_ended: [{rule: faulted, because: remove}]
      expect_events: [{rule: faulted, subject: c1, event: session.end, at: 3m}]
      expect_digests: [{rule: faulted, facts: 3}]
      expect_messages: [{kind: carrd}]
"""
    assert errors_of(tmp_path, cases) == [
        'case "wrong", line 3: checks[1].expect_ended[1]: "subject" is missing',
        (
            'case "wrong", line 3: checks[1].expect_ended[1]: "remove" is no reason why an alert ends; '
            'did you mean "removed"?'
        ),
        'case "wrong", line 3: checks[1].expect_events[1]: unknown key "at"',
        'case "wrong", line 3: checks[1].expect_events[1]: "session.end" is no event; did you mean "session.ended"?',
        'case "wrong", line 3: checks[1].expect_digests[1]: "facts" is a mapping from names to values',
        'case "wrong", line 3: checks[1].expect_messages[1]: "carrd" is no kind of message; did you mean "card"?',
    ]


def test_the_command_passes_and_writes_junit(tmp_path: Path) -> None:
    path = written(tmp_path, CASE)
    out = tmp_path / "out.xml"
    result = CliRunner().invoke(app, ["rules", "test", str(path), "--junit", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "1 case, 1 passed, 0 failed."
    suite = ElementTree.parse(out).getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (str(path), "1", "0")
    assert [case.get("name") for case in suite] == ["a fault fires after half an hour"]


def test_the_command_fails_with_the_difference_and_names_it_in_junit(tmp_path: Path) -> None:
    path = written(tmp_path, CASE.replace("35m", "34m"))
    out = tmp_path / "out.xml"
    result = CliRunner().invoke(app, ["rules", "test", str(tmp_path), "--junit", str(out)])
    assert result.exit_code == 1
    assert 'case "a fault fires after half an hour", line 2:' in result.output
    assert f"FAILED  {path}: 1 case, 1 failed" in result.output
    failure = ElementTree.parse(out).getroot().find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "at 34m (2026-03-02 10:34:00 UTC), alerts:"


def test_a_folder_without_tests_and_a_rule_without_one_are_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["chargehand", "rules", "test", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == f"{tmp_path}: no tests: no file ends in .test.yaml\n"
