"""The title of a rule: which places it may have, what a wrong one is told, and that none breaks a message."""

from typing import Any

import pytest

from rules.documents.document import rule_from_document
from rules.documents.files import load_rules
from rules.documents.titles import fill_title
from rules.language.errors import RuleErrors
from tests.conftest import ROOT

RULE: dict[str, Any] = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("{conector} broken", 'no place "{conector}" here'),
        ("{session} broken", 'no place "{session}" here, but {connector}, {charger}, {location}, {duration}'),
        ("{connector!r} broken", "no place"),
        ("{connector.__class__} broken", "no place"),
        ("{} broken", "no place"),
        ("{connector broken", "a brace without its other half"),
        ("x" * 81, "more than 80 characters"),
        ("", "is empty"),
        (7, "must be a text"),
    ],
)
def test_a_wrong_title_is_told_what_is_wrong_with_it(title: Any, said: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        rule_from_document({**RULE, "title": title}, "slack")
    assert said in str(refused.value)


def test_a_misspelt_place_gets_the_nearest_right_one() -> None:
    with pytest.raises(RuleErrors, match='did you mean "connector"'):
        rule_from_document({**RULE, "title": "{conector} broken"}, "slack")


def test_an_event_has_no_duration() -> None:
    event = {"name": "e", "on": "session.ended", "title": "{connector} for {duration}"}
    with pytest.raises(RuleErrors, match="no place"):
        rule_from_document(event, "slack")


def test_a_name_with_braces_fills_a_place_as_it_is() -> None:
    assert fill_title("{connector} is {{broken}}", {"connector": "{x} %s"}) == "{x} %s is {broken}"


def test_every_alert_and_event_of_the_library_has_a_title() -> None:
    rules = load_rules([ROOT / "rules" / "library"])
    assert [rule.name for rule in rules if rule.title is None and rule.kind != "digest"] == []
