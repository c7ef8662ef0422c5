"""A rule that is written as it should be and that a database will not take is an error before it is in force."""

import pytest

from rules.documents.document import Rule, rule_from_document
from rules.language.errors import RuleErrors
from rules.registry.runnable import check_runnable

EVENT = {"name": "e", "on": "session.ended", "when": "session.energy < 1 kWh"}
DIGEST = {"name": "d", "schedule": "0 8 * * *", "digest": "sessions"}


def nested(levels: int) -> str:
    """A condition as deep as the language allows, though SQLite's parser takes fewer."""
    condition = 'connector.status == "Faulted"'
    for _ in range(levels):
        condition = f"not ({condition} and charger.online)"
    return condition


def rule(name: str, when: str = "charger.online") -> Rule:
    return rule_from_document({"name": name, "for_each": "connector", "when": when}, "site.yaml")


def test_what_is_too_nested_for_a_database_is_named_and_all_of_it_at_once() -> None:
    deep = nested(15)
    with pytest.raises(RuleErrors) as told:
        check_runnable([rule("a", deep), rule("b"), rule("c", deep)])
    assert [error.rule for error in told.value.errors] == ["a", "c"]
    assert str(told.value.errors[0]) == (
        'site.yaml: rule "a": a database cannot run it (parser stack overflow); '
        "make its condition shorter and less nested, or two rules of it"
    )


def test_what_is_long_or_of_another_kind_is_taken() -> None:
    long = rule("long", "true and " * 128 + "charger.online")
    clocks = rule("clocks", 'hours("08:00-18:00")')
    check_runnable([long, clocks, *(rule_from_document(each, "t") for each in (EVENT, DIGEST))])
    check_runnable([])
