"""The recipe about load over time, as the page says it: its own cases, what is refused, and what a backtest says."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.trials.rehearsal import backtest_rules, run_rule_tests
from rules.documents.document import rule_from_document
from rules.language.errors import RuleErrors
from rules.registry.store import sync_rules
from rules.trials.backtest import Backtest, CannotBacktest
from storage.engine import Database
from tests.conftest import ROOT
from tests.readings import MINUTE, T0, charger, connector, location, poll

CASES = """
- name: a quarter of an hour above, on the whole, fires, and a peak does not
  connectors:
    c1: {status: Charging, power: 60 x60}
    c2: {status: Charging, power: 20 x20 45 x40}
  checks:
    - {eval_time: 20m, expect_alerts: []}
    - eval_time: 40m
      expect_alerts: [{rule: heavy-load, subject: l1, state: firing}]
- name: two hours of little
  connectors:
    c1: {status: Charging, power: 7 x150}
  checks:
    - {eval_time: 1h59m, expect_alerts: []}
    - eval_time: 2h10m
      expect_alerts: [{rule: weak-connector, subject: c1, state: firing}]
- name: once enough is enough, and what is not told is no nought
  connectors:
    c1: {status: Charging, power: 7 x60 25 7 x90}
    c2: {status: Charging, power: _ x150}
  checks:
    - {eval_time: 2h30m, expect_alerts: []}
"""


def recipe() -> str:
    page = (ROOT / "docs/recipes.md").read_text()
    return page.partition("## Load over time")[2].partition("```yaml\n")[2].partition("```")[0]


def test_the_recipe_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "load.yaml").write_text(recipe())
    (tmp_path / "load.test.yaml").write_text(CASES)
    results = run_rule_tests([tmp_path / "load.yaml"])
    assert [(one.name, one.failures) for one in results if not one.passed] == []
    assert len(results) == 3


@pytest.mark.parametrize(
    ("for_each", "when", "error"),
    [
        ("connector", "avg(connector.power, 8d) > 1 kW", "a window of a power is at most 168h long"),
        ("charger", "avg(connector.power, 1h) > 1 kW", "connector cannot be read for each charger"),
        ("connector", "avg(connector.power, 1h) > 1 kWh", "a power"),
        ("connector", "max(connector.power where charger.online, 1h) > 1 kW", 'a power over time takes no "where"'),
        ("connector", "avg(connector.power) > 1 kW", '"avg" takes two things: what, and a window'),
        ("connector", "avg(session.energy, 1h) > 1 kW", '"avg" goes over related things'),
    ],
)
def test_what_is_wrong_is_said(for_each: str, when: str, error: str) -> None:
    with pytest.raises(RuleErrors) as told:
        rule_from_document({"name": "x", "for_each": for_each, "when": when}, "x.yaml")
    assert error in str(told.value)


def test_a_backtest_knows_powers_as_far_back_as_they_are_kept(database: Database) -> None:
    """Thirty minutes of power, of which twenty are kept: both a power now and one over a time are found in these."""
    hot = rule_from_document({"name": "hot", "for_each": "connector", "when": "avg(connector.power, 5m) > 8 kW"}, "x")
    now = rule_from_document({"name": "now", "for_each": "connector", "when": "connector.power > 8 kW"}, "x")
    poll(database, T0, location(), resource="locations")
    for minute in range(31):
        if minute == 10:
            (refused,) = tried(database, now)
            assert isinstance(refused, CannotBacktest)
            with database.write() as connection:
                sync_rules(connection, [hot], T0 + minute * MINUTE)
        power = 11.0 if minute in {5, *range(20, 27)} else 1.0
        poll(database, T0 + minute * MINUTE, charger(connector("c1", "Charging", power_kw=power)))
    (over,) = tried(database, hot)
    (at_once,) = tried(database, now)
    assert isinstance(over, Backtest)
    assert isinstance(at_once, Backtest)
    assert over.known == at_once.known == 20 * MINUTE
    assert [(one.active_at, one.resolved_at) for one in at_once.firings] == [(T0 + 20 * MINUTE, T0 + 27 * MINUTE)]
    assert [one.subject for one in over.firings] == ["c1"]


def tried(database: Database, rule: object) -> list[object]:
    how = {"days": timedelta(days=1), "interval": MINUTE, "default_zone": "UTC"}
    return list(backtest_rules(database, [rule], **how))  # type: ignore[list-item, arg-type]
