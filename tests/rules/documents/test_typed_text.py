"""Rules as people type and paste them: on one line, as YAML, with a phone's quotes; and what is wrong with them."""

from typing import Any

import pytest

from rules.documents.files import load_rules
from rules.documents.typed_text import read_typed
from rules.documents.yaml_text import to_yaml
from rules.language.errors import RuleErrors
from rules.registry.listing import LIBRARY, library

HOT: dict[str, Any] = {
    "name": "hot",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "for": "10m",
    "notify": ["#ev-alerts", "#ev-ops"],
}


PASTED = """```
- name: hot
  for_each: connector
  when: connector.status == "Faulted"
  for: 10m
  notify: ["#ev-alerts", "#ev-ops"]
```"""


@pytest.mark.parametrize(
    "text",
    [
        'name: hot; for_each: connector; when: connector.status == "Faulted"; for: 10m; notify: #ev-alerts, #ev-ops',
        "name: hot;for_each:connector;when: connector.status == “Faulted”;for: 10m;notify: [#ev-alerts, #ev-ops]",
        PASTED,
        PASTED.replace("```", "").replace("- name", "name").replace("\n  ", "\n"),
    ],
)
def test_one_line_and_yaml_say_the_same(text: str) -> None:
    assert read_typed(text, "typed").document == HOT


def test_a_semicolon_inside_quotes_parts_nothing() -> None:
    rule = read_typed('name: hot; for_each: connector; when: connector.error_code == "a;b"', "typed")
    assert rule.when_text == 'connector.error_code == "a;b"'


def test_an_edit_changes_the_keys_it_names_and_takes_out_those_it_empties() -> None:
    rule = read_typed("for: 20m; notify:; severity: critical", "typed", before=HOT)
    assert rule.document == {**{k: v for k, v in HOT.items() if k != "notify"}, "for": "20m", "severity": "critical"}


def test_an_edit_that_names_the_rule_is_the_whole_rule() -> None:
    whole = 'name: hot; for_each: connector; when: connector.status == "Unavailable"'
    assert "for" not in read_typed(whole, "typed", before=HOT).document


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "there is no rule in this text"),
        ("hot when it is hot", "is no `key: value`"),
        ("name: hot; name: hut", 'the key "name" stands twice'),
        ("- name: a\n- name: b", "this is not one rule"),
        ("name: hot; for_each: connector; when: connector.statu == 1", r'did you mean "connector.status"\?'),
        ("name: hot; for_each: conector; when: charger.online; fore: 3m", 'unknown key "fore"'),
        ("x" * 10_001, "more than 10,000 characters"),
        ("a:\n\tb", "a tab cannot indent YAML"),
    ],
)
def test_what_is_wrong_is_told(text: str, error: str) -> None:
    with pytest.raises(RuleErrors, match=error):
        read_typed(text, "typed")


def test_every_recipe_reads_back_from_the_yaml_that_is_shown() -> None:
    for rule in load_rules([LIBRARY]):
        assert read_typed(to_yaml(rule.document), "shown").document == rule.document
    assert library()["connector-faulted"].kind == "alert"
