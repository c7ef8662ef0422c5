"""The library: every recipe is there, says what it promises in its own tests, and a rule that is broken fails them."""

from pathlib import Path

import pytest

from bot.trials.rehearsal import run_rule_tests
from rules.documents.files import load_rules
from rules.trials.cases import load_cases
from tests.conftest import ROOT
from tests.examples import part

LIBRARY = ROOT / "rules/library"
FILES = sorted(path.name.removesuffix(".yaml") for path in LIBRARY.glob("*.yaml") if ".test." not in path.name)

RECIPES = {
    1: {"charger-offline"},
    2: {"site-down"},
    3: {"connector-faulted", "charger-faulted"},
    4: {"safety"},
    5: {"flapping", "link-flapping"},
    6: {"self-healing"},
    7: {"stuck-session"},
    8: {"zero-energy-streak"},
    9: {"no-progress"},
    10: {"stuck-preparing"},
    11: {"start-failures", "start-failure-share"},
    12: {"overstay"},
    13: {"silent-plug"},
    14: {"uptime-budget-50", "uptime-budget-75", "uptime-budget-100"},
    15: {"daily-sessions"},
    17: {"fleet-offline", "fleet-flapping"},
    18: {"old-firmware", "low-uptime", "new-error-code"},
    16: {"odd-cost", "odd-price", "slow-session"},
}
"""The rules that each recipe comes to."""


def test_all_recipes_load_together_and_nothing_else_but_data_is_there() -> None:
    rules = {rule.name: rule for rule in load_rules([LIBRARY])}
    assert set(rules) == set().union(*RECIPES.values()) | {"zero-energy"}
    assert all(rule.description for rule in rules.values())
    assert {path.suffix for path in LIBRARY.iterdir()} == {".yaml"}


def test_each_file_begins_with_a_word_to_operators_and_has_its_tests() -> None:
    for name in FILES:
        assert (LIBRARY / f"{name}.yaml").read_text().startswith("# "), name
        assert len(load_cases(LIBRARY / f"{name}.test.yaml")) >= 3, name
    assert sum(len(load_cases(path)) for path in LIBRARY.glob("*.test.yaml")) >= 45


def test_the_page_about_the_library_tells_every_file() -> None:
    page = (LIBRARY.parents[1] / "docs/recipes.md").read_text()
    assert [name for name in FILES if f"[{name}](../rules/library/{name}.yaml)" not in page] == []


def test_test_chargers_and_decommissioned_ones_are_left_out_of_every_alert() -> None:
    for rule in load_rules([LIBRARY]):
        if rule.kind == "alert":
            assert 'charger.labels contains "test"' in (rule.when_text or ""), rule.name
            assert 'charger.labels contains "decommissioned"' in (rule.when_text or ""), rule.name


@pytest.mark.parametrize("name", FILES)
def test_every_case_of_the_library_passes(name: str) -> None:
    results = run_rule_tests([LIBRARY / f"{name}.yaml"])
    assert [(result.name, result.failures) for result in results if not result.passed] == []


BROKEN = [
    ("connector-faulted", "30m", "31m"),
    ("connector-faulted", "30m", "29m"),
    ("connector-faulted", "for: 5m", "for: 4m"),
    ("connector-faulted", "  while: charger.online\n", ""),
    ("charger-offline", "max(2 *", "max(3 *"),
    ("charger-offline", ", 5m)", ", 3m)"),
    ("site-down", ">= 2", ">= 1"),
    ("site-down", "0.5 *", "0.6 *"),
    ("safety", "connector.error_code is not unknown and ", ""),
    ("safety", 'connector.status != "Faulted" or ', ""),
    ("safety", '(connector.status != "Faulted"', '(connector.status != "Reserved"'),
    ("flapping", "1h) == 0", "1h) == 1"),
    ("self-healing", "connector.error_code is unknown or ", ""),
    ("stuck-session", "and session.duration >= 15m", ""),
    ("stuck-session", "> 24h", "> 25h"),
    ("zero-energy-streak", "session.duration >= 2m", "session.duration >= 1m"),
    ("zero-energy", "< 0.1 kWh", "<= 0.1 kWh"),
    ("no-progress", "and since(connector.status) >= 20m", ""),
    ("stuck-preparing", "for: 15m", "for: 14m"),
    ("start-failures", "< 90 %", "<= 90 %"),
    ("overstay", "> location", ">= location"),
    ("silent-plug", "48h", "47h"),
    ("fleet-offline", "20 %", "60 %"),
    ("fleet-offline", "1h) >= 4", "1h) >= 5"),
    ("old-firmware", '"1.10.0"', '"1.9.1"'),
    ("old-firmware", '!= "NoError"', '== "NoError"'),
    ("old-firmware", "97 %", "96 %"),
    ("odd-costs", "0.90 EUR/kWh", "0.89 EUR/kWh"),
    ("odd-costs", "> 1.00 EUR/kWh", "> 5.00 EUR/kWh"),
    ("odd-costs", "< 3 kW", "< 1 kW"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), part(BROKEN, 4))
def test_a_rule_that_is_broken_fails_its_tests(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    for path in LIBRARY.glob("*.yaml"):
        text = path.read_text()
        if path.name == f"{name}.yaml":
            comments, rule = text.split("- name:", maxsplit=1)
            assert right in rule
            text = f"{comments}- name:{rule.replace(right, wrong)}"
        (tmp_path / path.name).write_text(text)
    assert any(not result.passed for result in run_rule_tests([tmp_path / f"{name}.yaml"]))
