"""Rules from YAML and from stored mappings: what they mean, what is theirs where they say nothing, what is stored."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.documents.document import Rule, rule_from_document
from rules.documents.escalation import Step
from rules.documents.files import load_rules
from rules.language.expressions import Compare, FieldRef, Literal
from rules.language.fields import Type
from tests.conftest import ROOT
from tests.rules.documents.written import ALERT, DIGEST, EVENT, write

LIBRARY = ROOT / "rules" / "library"


def test_a_rule_file_reads_as_the_rule_that_it_says(tmp_path: Path) -> None:
    text = """\
name: connector-faulted
description: A connector has been out of order for half an hour
for_each: connector
when: connector.status == "Faulted"
while: charger.online
for: 30m
keep_firing_for: 5m
severity: critical
"""
    path = write(tmp_path, text)
    (rule,) = load_rules([path])
    assert rule == Rule(
        name="connector-faulted",
        description="A connector has been out of order for half an hour",
        kind="alert",
        for_each="connector",
        when=Compare("==", FieldRef("connector.status"), Literal("Faulted", Type.TEXT)),
        when_text='connector.status == "Faulted"',
        while_=FieldRef("charger.online"),
        while_text="charger.online",
        for_=timedelta(minutes=30),
        keep_firing_for=timedelta(minutes=5),
        on_gap="keep",
        severity="critical",
        group_by=None,
        notify=(),
        labels={},
        schedule=None,
        timezone=None,
        digest=None,
        window=None,
        document=rule.document,
        source=str(path),
    )


def test_the_library_s_digest_comes_at_eight_in_each_time_zone() -> None:
    (rule,) = load_rules([LIBRARY / "daily-sessions.yaml"])
    assert (rule.name, rule.kind, rule.schedule) == ("daily-sessions", "digest", "0 8 * * *")
    assert (rule.timezone, rule.digest, rule.window) == ("location", "sessions", "yesterday")
    assert (rule.for_each, rule.when, rule.notify) == (None, None, ())


def test_every_rule_of_the_library_has_a_description_and_no_channel() -> None:
    rules = load_rules([LIBRARY])
    assert {"connector-faulted", "daily-sessions", "zero-energy"} <= {rule.name for rule in rules}
    for rule in rules:
        assert rule.description
        assert rule.notify == ()


FULL = """\
- name: faulted
  description: Out of order
  for_each: session
  when: >
    session.energy < 0.1 kWh
    and session.duration >= 2m
  while: charger.online
  for: 1h30m
  keep_firing_for: 90s
  on_gap: pause
  severity: info
  group_by: [charger, connector]
  notify: ["#ev-alerts", C0123ABCD]
  labels: {team: north, on: "yes"}
"""


def test_every_key_of_an_alert_is_read(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, FULL)])
    assert rule.when_text == "session.energy < 0.1 kWh and session.duration >= 2m"
    assert (rule.for_, rule.keep_firing_for) == (timedelta(hours=1, minutes=30), timedelta(seconds=90))
    assert (rule.on_gap, rule.severity, rule.group_by) == ("pause", "info", ("charger", "connector"))
    assert rule.notify == ("#ev-alerts", "C0123ABCD")
    assert rule.labels == {"team": "north", "on": "yes"}
    assert rule.document == {
        "name": "faulted",
        "description": "Out of order",
        "for_each": "session",
        "when": "session.energy < 0.1 kWh and session.duration >= 2m",
        "while": "charger.online",
        "for": "1h30m",
        "keep_firing_for": "1m30s",
        "on_gap": "pause",
        "severity": "info",
        "group_by": ["charger", "connector"],
        "notify": ["#ev-alerts", "C0123ABCD"],
        "labels": {"team": "north", "on": "yes"},
    }


def test_what_a_rule_does_not_say_has_its_default() -> None:
    rule = rule_from_document(ALERT, "slack")
    assert (rule.for_, rule.keep_firing_for) == (timedelta(), timedelta())
    assert (rule.on_gap, rule.severity, rule.group_by) == ("keep", "warning", None)
    assert (rule.notify, rule.labels, rule.description, rule.while_) == ((), {}, "", None)
    assert rule.document == ALERT


def test_a_group_by_of_the_location_is_kept_apart_from_none() -> None:
    rule = rule_from_document({**ALERT, "group_by": ["location"]}, "slack")
    assert rule.group_by == ("location",)
    assert rule.document["group_by"] == ["location"]
    assert rule_from_document(rule.document, "slack").group_by == ("location",)


def test_a_rule_that_says_its_defaults_is_stored_like_one_that_does_not() -> None:
    spelled = {**ALERT, "for": "0m", "severity": "warning", "on_gap": "keep", "notify": []}
    assert rule_from_document(spelled, "slack").document == ALERT
    spelled_digest = {**DIGEST, "timezone": "location", "window": "yesterday"}
    assert rule_from_document(spelled_digest, "slack").document == DIGEST


@pytest.mark.parametrize("written", ["30m", "0.5h", "1800s", " 30 m "])
def test_one_duration_has_one_stored_form(written: str) -> None:
    rule = rule_from_document({**ALERT, "for": written}, "slack")
    assert rule.for_ == timedelta(minutes=30)
    assert rule.document["for"] == "30m"


def test_one_channel_needs_no_list_and_no_group_is_one_group() -> None:
    rule = rule_from_document({**ALERT, "notify": "#ev-alerts", "group_by": []}, "slack")
    assert rule.notify == ("#ev-alerts",)
    assert rule.group_by == ()
    assert rule.document["group_by"] == []


def test_a_file_may_hold_one_rule_or_none(tmp_path: Path) -> None:
    one = write(tmp_path, 'name: daily\nschedule: "0 8 * * 1-5"\ndigest: sessions\ntimezone: Europe/Copenhagen\n')
    none = write(tmp_path, "# nothing yet\n", "none.yaml")
    empty = write(tmp_path, "[]\n", "empty.yml")
    (rule,) = load_rules([one, none, empty])
    assert (rule.name, rule.timezone, rule.schedule) == ("daily", "Europe/Copenhagen", "0 8 * * 1-5")


def test_a_folder_is_read_in_order_without_its_tests(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    line = "{{name: {}, for_each: charger, when: charger.online}}\n"
    for name in ("b.yaml", "a.yml", "more/c.yaml", "a.test.yaml", "d.test.yml", "notes.txt"):
        write(tmp_path, line.format(name.split(".", maxsplit=1)[0].replace("/", "-")), name)
    assert [rule.name for rule in load_rules([tmp_path])] == ["a", "b", "more-c"]
    assert [rule.name for rule in load_rules([tmp_path / "b.yaml", tmp_path])] == ["b", "a", "more-c"]


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
TIMES = st.integers(0, 400 * 86400).map(lambda seconds: f"{seconds}s")
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).filter(str.strip)


@given(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "for_each": st.sampled_from(["connector", "session"]),
            "when": st.sampled_from(["charger.online", " connector.power > 5 kW", "charger.heartbeat_age > 1h30m"]),
        },
        optional={
            "description": TEXTS,
            "while": st.just("not charger.online"),
            "for": TIMES,
            "keep_firing_for": TIMES,
            "on_gap": st.sampled_from(["keep", "pause", "reset"]),
            "severity": st.sampled_from(["info", "warning", "critical"]),
            "group_by": st.lists(st.sampled_from(["location", "charger", "connector"]), unique=True),
            "notify": st.lists(st.sampled_from(["#a", "#b-c", "C0123ABCD"])),
            "labels": st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), TEXTS, max_size=2),
        },
    )
)
def test_the_stored_document_is_the_rule(document: dict[str, Any]) -> None:
    rule = rule_from_document(document, "slack")
    assert rule_from_document(rule.document, "slack") == rule


def test_the_word_on_stays_a_word(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, "name: ended\non: session.ended\nwhen: session.energy < 1 kWh\n")])
    assert (rule.kind, rule.on, rule.for_each) == ("event", "session.ended", None)


def test_an_event_rule_is_judged_after_two_minutes_and_for_an_hour_unless_it_says_otherwise() -> None:
    rule = rule_from_document(EVENT, "slack")
    assert (rule.settle, rule.max_age, rule.severity) == (timedelta(minutes=2), timedelta(hours=1), "warning")
    assert (rule.when, rule.document) == (None, EVENT)
    spelled = {**EVENT, "settle": "120s", "max_age": "1h", "severity": "warning"}
    assert rule_from_document(spelled, "slack").document == EVENT


def test_every_key_of_an_event_rule_is_read_and_stored() -> None:
    document = {
        "name": "ended",
        "on": "session.ended",
        "when": "session.energy < 0.1 kWh and charger.online",
        "settle": "0s",
        "max_age": "1h30m",
        "severity": "info",
        "notify": ["#ev"],
        "labels": {"team": "north"},
    }
    rule = rule_from_document(document, "slack")
    assert (rule.settle, rule.max_age, rule.severity) == (timedelta(), timedelta(minutes=90), "info")
    assert rule.document == document
    assert rule_from_document(rule.document, "slack") == rule


def test_the_library_s_zero_energy_rule_is_the_design_s() -> None:
    (rule,) = load_rules([LIBRARY / "zero-energy.yaml"])
    assert (rule.name, rule.kind, rule.on) == ("zero-energy", "event", "session.ended")
    assert rule.when_text == "session.energy < 0.1 kWh and session.duration >= 2m"


def test_how_an_alert_speaks_is_read_and_stored_as_it_was_said() -> None:
    steps = [{"after": "30m", "notify": ["@oncall"]}, {"after": "1h", "notify": ["@boss", "@oncall"]}]
    said = {**ALERT, "repeat": "4h", "escalate": steps, "inhibits": ["other"], "safety": True}
    rule = rule_from_document(said, "slack")
    assert (rule.repeat, rule.inhibits, rule.safety) == (timedelta(hours=4), ("other",), True)
    assert rule.escalate == (
        Step(timedelta(minutes=30), ("@oncall",)),
        Step(timedelta(hours=1), ("@boss", "@oncall")),
    )
    assert rule.document == said
    assert rule_from_document(rule.document, "slack") == rule


def test_without_a_word_an_alert_neither_repeats_nor_escalates_nor_inhibits() -> None:
    rule = rule_from_document(ALERT, "slack")
    assert (rule.repeat, rule.escalate, rule.inhibits, rule.safety) == (None, (), (), False)
    assert rule.document == ALERT
