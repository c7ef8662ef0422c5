"""Which rules inhibit which: names that there are, no circle, and those that inhibit judged first."""

from pathlib import Path

from rules.documents.files import load_rules
from rules.documents.inhibition import evaluation_order
from tests.rules.documents.written import errors_of, write


def test_a_rule_that_inhibits_a_rule_that_is_not_there_is_told_the_nearest_name(tmp_path: Path) -> None:
    text = RELATED.format(first="[bb-slow]", second="[]")
    assert errors_of(tmp_path, text) == [
        'site.yaml: rule "aa-fast": "inhibits": no alert rule is called "bb-slow"; did you mean "bb-slew"?'
    ]


def test_rules_that_inhibit_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, RELATED.format(first="[bb-slew]", second="[aa-fast]"))
    assert error in {
        'site.yaml: rule "aa-fast": "inhibits" goes in a circle: aa-fast > bb-slew > aa-fast',
        'site.yaml: rule "bb-slew": "inhibits" goes in a circle: bb-slew > aa-fast > bb-slew',
    }


def test_a_rule_advances_after_those_that_inhibit_it(tmp_path: Path) -> None:
    rules = load_rules([write(tmp_path, RELATED.format(first="[]", second="[aa-fast]"))])
    documents = {rule.name: rule for rule in rules}
    assert evaluation_order(documents, documents) == ["bb-slew", "aa-fast"]


RELATED = """
- {{name: aa-fast, for_each: charger, when: not charger.online, inhibits: {first}}}
- {{name: bb-slew, for_each: charger, when: not charger.online, inhibits: {second}}}
"""
