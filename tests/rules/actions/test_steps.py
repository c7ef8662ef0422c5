"""The key `actions` of a rule: what each step means, how it is stored, and every mistake told at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.actions.steps import ActionStep, Limit
from rules.documents.document import rule_from_document
from rules.documents.files import load_rules
from rules.language.conditions import parse_condition
from rules.language.errors import RuleErrors

ALERT = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
PRICE_IS = '"actions", step 1: "price" is "{}", but must be a number per kWh above 0 and at most 1,000,000'
MENDED = 'connector.status != "Faulted"'
FULL = {
    "reset": "soft",
    "limit": "3 per 12h",
    "limit_total": "20 per 1h",
    "cool_down": "20m",
    "after": "1m",
    "approval": "#ev-ops",
    "verify": MENDED,
    "within": "3m",
}


def errors_of(actions: Any, **more: Any) -> list[str]:
    with pytest.raises(RuleErrors) as raised:
        rule_from_document({**ALERT, "actions": actions, **more}, "slack")
    return [error.message for error in raised.value.errors]


def test_a_step_is_read_and_stored_as_it_was_said() -> None:
    said = {**ALERT, "actions": [FULL], "alert": "at_once", "dry_run": True}
    rule = rule_from_document(said, "slack")
    assert rule.actions == (
        ActionStep(
            kind="reset_soft",
            target="charger",
            limit=Limit(3, timedelta(hours=12)),
            limit_total=Limit(20, timedelta(hours=1)),
            cool_down=timedelta(minutes=20),
            after=timedelta(minutes=1),
            approval="#ev-ops",
            verify=parse_condition(MENDED, for_each="connector"),
            verify_text=MENDED,
            within=timedelta(minutes=3),
            written=("reset", "soft"),
        ),
    )
    assert (rule.alert_at_once, rule.dry_run) == (True, True)
    assert rule.document == said
    assert rule_from_document(rule.document, "slack") == rule


def test_a_step_that_says_little_has_limits_all_the_same() -> None:
    rule = rule_from_document({**ALERT, "actions": {"reset": "hard"}}, "slack")
    (step,) = rule.actions
    assert (str(step.limit), str(step.limit_total)) == ("2 per 24h", "10 per 24h")
    assert (step.cool_down, step.within, step.after) == (timedelta(minutes=10), timedelta(minutes=5), timedelta())
    assert (rule.alert_at_once, rule.dry_run) == (False, False)
    assert rule.document == {**ALERT, "actions": [{"reset": "hard"}]}


def test_a_limit_can_be_said_in_plain_words() -> None:
    for said in ("2 per day", "2 per 24 hours", "2 per 1d"):
        rule = rule_from_document({**ALERT, "actions": {"reset": "soft", "limit": said}}, "slack")
        assert rule.actions[0].limit == Limit(2, timedelta(days=1))


def test_a_limit_above_the_usual_total_raises_the_total_that_nobody_gave() -> None:
    rule = rule_from_document({**ALERT, "actions": {"reset": "soft", "limit": "30 per 24h"}}, "slack")
    assert rule.actions[0].limit_total.count == 30


@pytest.mark.parametrize("for_each", ["location", "charger", "connector", "session"])
@pytest.mark.parametrize("price", [0.45, 1, 1_000_000])
def test_a_price_is_read_and_stored_for_each_thing(for_each: str, price: float) -> None:
    when = {"location": 'location.id == "l1"', "charger": "not charger.online", "session": "session.energy < 1 kWh"}
    said = {"price": price, "limit": "1 per 24h", "approval": "#ev-prices"}
    rule = rule_from_document(
        {**ALERT, "for_each": for_each, "when": when.get(for_each, ALERT["when"]), "actions": said}, "slack"
    )
    (step,) = rule.actions
    assert (step.kind, step.target, step.price, step.written) == ("change_price", "location", price, ("price", price))
    assert rule.document["actions"] == [said]
    assert rule_from_document(rule.document, "slack") == rule


@pytest.mark.parametrize(
    ("for_each", "said", "kind", "target"),
    [
        ("charger", {"reset": "soft"}, "reset_soft", "charger"),
        ("session", {"reset": "hard"}, "reset_hard", "charger"),
        ("session", {"unlock": "connector"}, "unlock", "connector"),
        ("connector", {"enable": "connector"}, "enable", "connector"),
        ("connector", {"enable": "charger"}, "enable", "charger"),
        ("charger", {"disable": "charger"}, "disable", "charger"),
        ("connector", {"start": "session"}, "start_session", "connector"),
        ("session", {"stop": "session"}, "stop_session", "session"),
        ("connector", {"stop": "session"}, "stop_session", "connector"),
    ],
)
def test_every_action_makes_a_kind_of_command_on_a_thing(
    for_each: str, said: dict[str, str], kind: str, target: str
) -> None:
    when = {"charger": "not charger.online", "session": "session.energy < 1 kWh"}.get(for_each, ALERT["when"])
    rule = rule_from_document({**ALERT, "for_each": for_each, "when": when, "actions": said}, "slack")
    assert [(step.kind, step.target) for step in rule.actions] == [(kind, target)]
    assert rule.document["actions"] == [said]


@pytest.mark.parametrize(
    ("actions", "error"),
    [
        ("reset", '"actions" must be a list of steps, as in [{reset: soft, limit: 2 per 24h, within: 5m}]'),
        ([], '"actions" is empty; a step looks like [{reset: soft, limit: 2 per 24h, within: 5m}]'),
        ([{"reset": "soft"}] * 6, '"actions" has 6 steps, which is more than 5'),
        ({}, '"actions", step 1: it does nothing; expected one of reset, unlock, enable, disable, start, stop, price'),
        ({"reset": "soft", "stop": "session"}, '"actions", step 1: it says reset and stop; one step does one thing'),
        ({"reset": "sotf"}, '"actions", step 1: "reset" is "sotf", but must be soft or hard; did you mean "soft"?'),
        ({"reset": True}, '"actions", step 1: "reset" is "True", but must be soft or hard'),
        ({"price": 0}, PRICE_IS.format("0")),
        ({"price": -0.1}, PRICE_IS.format("-0.1")),
        ({"price": True}, PRICE_IS.format("True")),
        ({"price": None}, PRICE_IS.format("None")),
        ({"price": float("nan")}, PRICE_IS.format("nan")),
        ({"price": float("inf")}, PRICE_IS.format("inf")),
        ({"price": 1_000_000.5}, PRICE_IS.format("1000000.5")),
        ({"price": "0,45"}, PRICE_IS.format("0,45") + '; did you mean "0.45"?'),
        ({"price": "cheap"}, PRICE_IS.format("cheap")),
        ({"prise": 0.45, "reset": "soft"}, '"actions", step 1: unknown key "prise"; did you mean "price"?'),
        (
            {"price": 0.45, "verify": 'connector.status == "Available"'},
            '"actions", step 1: "verify" has no meaning with "price": the prices are read back from EOSVOLT',
        ),
        (
            {"price": 0.45, "within": "5m"},
            '"actions", step 1: "within" has no meaning with "price": the prices are read back from EOSVOLT',
        ),
        ({"price": 0.45, "reset": "soft"}, '"actions", step 1: it says reset and price; one step does one thing'),
        (
            [{"price": 0.45}, {"reset": "soft"}, {"price": 0.4}],
            '"actions": more than one step says "price"; an alert changes a price once',
        ),
        ({"reset": "soft", "limt": "1"}, '"actions", step 1: unknown key "limt"; did you mean "limit"?'),
        ({"reset": "soft", "limit": "2"}, '"actions", step 1: "limit" is "2", but must look like "2 per 24h"'),
        ({"reset": "soft", "limit": 2}, '"actions", step 1: "limit" is "2", but must look like "2 per 24h"'),
        ({"reset": "soft", "limit": "0 per 1h"}, '"actions", step 1: "limit" is 0 times, but must be 1 to 1,000'),
        (
            {"reset": "soft", "limit": "2 per dayz"},
            '"actions", step 1: "limit": unknown unit "dayz"; did you mean "day"?',
        ),
        (
            {"reset": "soft", "limit_total": "2 per 40d"},
            '"actions", step 1: "limit_total" counts over longer than nothing and at most 30 days',
        ),
        ({"reset": "soft", "within": "5s"}, '"actions", step 1: "within" must be at least 1m and at most 24h'),
        ({"reset": "soft", "cool_down": "2d"}, '"actions", step 1: "cool_down" must be at most 24h'),
        ({"reset": "soft", "after": 5}, '"actions", step 1: "after": "5" has no unit; did you mean "5m"?'),
        (
            {"reset": "soft", "approval": "EV-ops"},
            (
                '"actions", step 1: "approval" is "EV-ops", which is no Slack channel, such as "#ev-ops"; '
                'did you mean "#ev-ops"?'
            ),
        ),
        (
            {"reset": "soft", "verify": True},
            '"actions", step 1: "verify" must be a condition, such as connector.status != "Faulted"',
        ),
    ],
)
def test_a_mistake_in_a_step_is_told(actions: Any, error: str) -> None:
    assert errors_of(actions) == [error]


def test_an_action_needs_an_alert_that_names_what_it_acts_on() -> None:
    assert errors_of({"unlock": "connector"}, for_each="charger", when="not charger.online") == [
        (
            '"actions", step 1: "unlock: connector" needs a rule for each of connector, session: '
            "an alert on a charger names none"
        )
    ]


def test_all_mistakes_of_all_steps_are_told_at_once() -> None:
    told = errors_of(
        [{"reset": "soft", "limit": "x", "verify": "connector.statu == 1"}, {"stop": "it"}], dry_run="yes", alert="now"
    )
    assert len(told) == 5
    assert told[2].startswith('"actions", step 1: unknown field "connector.statu"')


def test_an_error_in_verify_points_at_its_place_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "name: a\nfor_each: connector\nwhen: connector.status == 'Faulted'\n"
        "actions:\n  - {reset: soft, verify: connector.statu != 'Faulted'}\n"
    )
    with pytest.raises(RuleErrors) as raised:
        load_rules([tmp_path / "site.yaml"])
    (error,) = raised.value.errors
    assert (error.line, error.column) == (4, 1)
    assert 'did you mean "connector.status"?' in str(error)
    assert "verify: connector.statu != 'Faulted'" in str(error)


@pytest.mark.parametrize(("key", "value"), [("alert", "at_once"), ("dry_run", True)])
def test_what_only_actions_need_is_refused_without_them(key: str, value: Any) -> None:
    with pytest.raises(RuleErrors, match=f'"{key}" has no meaning without "actions"'):
        rule_from_document({**ALERT, key: value}, "slack")


def test_a_rule_about_safety_has_no_actions() -> None:
    assert errors_of({"reset": "soft"}, safety=True) == [
        '"actions" have no place in a rule about safety: nothing may act on its alerts'
    ]
