"""A rule that is written as it should be and that no database takes is told in trials, and stops no other rule."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.trials.rehearsal import backtest_rules, run_rule_tests
from rules.documents.document import Rule
from rules.documents.files import load_rules
from rules.trials.backtest import Backtest
from storage.engine import Database
from tests.readings import MINUTE
from tests.rules.registry.test_runnable import nested
from tests.rules.trials.test_backtest import faults

RULES = f"""
- {{name: faulted, for_each: connector, when: 'connector.status == "Faulted"'}}
- {{name: deep, for_each: connector, when: '{nested(15)}'}}
- {{name: lost, on: status.changed, when: 'connector.status == "Faulted"'}}
"""
CASE = """
- name: NAME
  ONLY
  connectors: {c1: Available x2 Faulted}
  checks:
    - eval_time: 5m
      expect_alerts: [{rule: faulted, subject: c1, state: firing}]
"""


def test_a_case_that_looks_at_it_fails_with_the_reason_and_one_that_does_not_passes(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(RULES)
    cases = CASE.replace("NAME", "all").replace("ONLY", "") + CASE.replace("NAME", "one").replace(
        "ONLY", "only: [faulted]"
    )
    (tmp_path / "two.test.yaml").write_text(cases)
    every, one = run_rule_tests([tmp_path / "two.yaml"])
    assert one.passed
    assert [failure.partition(" (")[0] for failure in every.failures] == ['rule "deep": a database cannot run it']


def test_the_backtest_of_a_file_says_why_and_goes_on(sqlite: Database, tmp_path: Path) -> None:
    faults(sqlite, ("10:05", "10:20"), until="10:30")
    (tmp_path / "two.yaml").write_text(RULES)
    faulted, refused, lost = list(_tried(sqlite, load_rules([tmp_path / "two.yaml"])))
    assert isinstance(faulted, Backtest)
    assert len(faulted.firings) == 1
    assert str(refused).startswith('rule "deep" cannot be backtested: a database cannot run it (')
    assert isinstance(lost, Backtest)


@pytest.mark.parametrize("module", ["rules.trials.backtest.compile_rule"])
def test_what_cannot_even_be_compiled_is_told_too(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def fails(rule: Rule) -> None:
        raise ValueError("no words for it")

    faults(sqlite, until="10:05")
    (tmp_path / "two.yaml").write_text(RULES)
    monkeypatch.setattr(module, fails)
    first, *_ = list(_tried(sqlite, load_rules([tmp_path / "two.yaml"])))
    assert str(first) == 'rule "faulted" cannot be backtested: it cannot be compiled (no words for it)'


def _tried(database: Database, rules: list[Rule]) -> list[object]:
    return list(backtest_rules(database, rules, days=timedelta(days=1), interval=MINUTE, default_zone="UTC"))
