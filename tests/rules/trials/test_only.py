"""A case that names the rules it looks at: a noisy rule beside them fails nothing."""

from pathlib import Path

import pytest

from bot.trials.rehearsal import run_rule_tests
from rules.trials.cases import CaseErrors

RULES = """
- {name: faulted, for_each: connector, when: 'connector.status == "Faulted"'}
- {name: noisy, for_each: connector, when: 'connector.status != "Available"'}
"""
CASE = """
- name: one of two
  ONLY
  connectors: {c1: Available x2 Faulted}
  checks:
    - eval_time: 5m
      expect_alerts: [{rule: faulted, subject: c1, state: firing}]
"""


def run(tmp_path: Path, only: str) -> list[bool]:
    (tmp_path / "two.yaml").write_text(RULES)
    (tmp_path / "two.test.yaml").write_text(CASE.replace("ONLY", only))
    return [result.passed for result in run_rule_tests([tmp_path / "two.yaml"])]


def test_only_the_rules_that_a_case_names_are_compared(tmp_path: Path) -> None:
    assert run(tmp_path, "only: [faulted]") == [True]
    assert run(tmp_path, "only: [faulted, noisy]") == [False]
    assert run(tmp_path, "") == [False]


def test_a_name_that_no_rule_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaseErrors, match='"only": no tested rule is called "fautled"'):
        run(tmp_path, "only: [fautled]")
