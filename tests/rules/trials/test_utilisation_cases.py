"""The recipe about utilisation, as the page says it, with a shorter day: its own cases."""

from pathlib import Path

from bot.trials.rehearsal import run_rule_tests
from tests.conftest import ROOT

CASES = """
- name: two connectors in use nearly all the time are a crowd, and once they have been free for long, no more
  connectors:
    c1: {status: Charging x400}
    c2: {status: Charging x400}
  sessions:
    s1: {connector: c1, started: 0m, ended: 220m}
    s2: {connector: c2, started: 0m, ended: 215m}
  checks:
    - {eval_time: 3h39m, expect_alerts: []}
    - eval_time: 3h41m
      expect_alerts: [{rule: crowded-site, subject: l1, state: firing}]
- name: a day without a session is too little
  connectors:
    c1: {status: Available x200}
  checks:
    - eval_time: 2h5m
      expect_alerts: [{rule: idle-site, subject: l1, state: firing}]
- name: a tenth of a day is enough for one connector
  connectors:
    c1: {status: Available x200}
  sessions:
    s1: {connector: c1, started: 80m, ended: 92m}
  checks:
    - {eval_time: 2h30m, expect_alerts: []}
- name: and not for three
  connectors:
    c1: {status: Available x200}
    c2: {status: Available x200}
    c3: {status: Available x200}
  sessions:
    s1: {connector: c1, started: 80m, ended: 92m}
  checks:
    - eval_time: 2h30m
      expect_alerts: [{rule: idle-site, subject: l1, state: firing}]
"""


def test_the_recipe_does_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/recipes.md").read_text()
    recipe = page.partition("## Used too little")[2].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "used.yaml").write_text(recipe.replace("24h", "2h"))
    (tmp_path / "used.test.yaml").write_text(CASES)
    results = run_rule_tests([tmp_path / "used.yaml"])
    assert [(one.name, one.failures) for one in results if not one.passed] == []
    assert len(results) == 4
