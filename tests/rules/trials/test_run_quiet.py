"""Rule tests say what inhibition kept back, what spoke when it ended, and what was said again."""

from pathlib import Path

from bot.trials.rehearsal import run_rule_tests

RULES = """\
- name: faulted
  for_each: connector
  when: connector.status == "Faulted"
  repeat: 2h
- name: offline
  for_each: charger
  when: not charger.online
  inhibits: [faulted]
"""
CASES = """\
- name: connectors of an offline charger wait until it is back
  chargers: {ch1: true x5 false x20 true}
  connectors: {c1: Available x5 Faulted}
  checks:
    - eval_time: 20m
      expect_alerts: [{rule: faulted, subject: c1, state: firing}, {rule: offline, subject: ch1, state: firing}]
      expect_messages: [{kind: card, title: "Offline: "}]
    - eval_time: 27m
      expect_messages:
        - {kind: card, title: "Faulted: ", text: "Offline: ch1* · over"}
        - {kind: reply, text: "No longer kept quiet"}
    - eval_time: 3h
      expect_messages:
        - {kind: card, title: "Faulted: ", text: "Offline: ch1* · over"}
        - {kind: reply, text: "No longer kept quiet"}
        - {kind: reply, text: "Still firing"}
"""


def test_a_rule_test_sees_inhibition_its_end_and_repeats(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(RULES)
    (tmp_path / "site.test.yaml").write_text(CASES)
    (result,) = run_rule_tests([tmp_path / "site.yaml"])
    assert result.failures == ()


def test_without_inhibition_both_speak(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(RULES.replace("inhibits: [faulted]", "safety: true"))
    (tmp_path / "site.test.yaml").write_text(CASES)
    (result,) = run_rule_tests([tmp_path / "site.yaml"])
    assert "No longer kept quiet" in result.failures[0], "the card of the charger named both from the start"
