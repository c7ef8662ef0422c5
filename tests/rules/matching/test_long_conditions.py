"""The longest conditions that a rule may have run on both databases: what the check takes, a poll can ask."""

from collections.abc import Callable

import pytest

from rules.documents.document import rule_from_document
from rules.language.errors import RuleErrors
from storage.engine import Database
from tests.readings import T0, charger, connector, location, poll
from tests.rules.engine import FAULTED, Engine

AT_MOST = 200  # more parts than any condition may have
SHAPES: dict[str, Callable[[int], str]] = {
    "literals and": lambda n: " and ".join(["true"] * n),
    "and, one of them dates": lambda n: " and ".join(["true"] * (n - 1) + ['connector.status == "Faulted"']),
    "fields and": lambda n: " and ".join(["charger.online"] * n),
    "fields or": lambda n: " or ".join(["charger.online"] * n),
    "neither": lambda n: "not (" + " or ".join(["not charger.online"] * n) + ")",
    "comparisons and": lambda n: " and ".join(['connector.status == "Faulted"'] * n),
    "comparisons or": lambda n: " or ".join(['connector.status == "Faulted"'] * n),
    "ages and": lambda n: " and ".join(["since(connector.status) >= 0s"] * n),
    "the greatest of many": lambda n: f"not (max({', '.join(['connector.power'] * n)}) > 1 kW)",
    "the least of many": lambda n: f"not (min({', '.join(['connector.power'] * n)}) > 1 kW)",
    "a long list": lambda n: "connector.status in [" + ", ".join(['"Faulted"'] * n) + "]",
    "a long sum": lambda n: f"{' + '.join(['connector.power'] * n)} >= 0 kW",
    "a long product": lambda n: f"{'1 * ' * n}connector.power >= 0 kW",
    "a long quotient": lambda n: f"connector.power{' / 1' * n} >= 0 kW",
    "ratios": lambda n: " and ".join(["connector.power / connector.power >= 50 %"] * n),
    "deep parentheses": lambda n: f"{'(' * n}charger.online{')' * n}",
    "deep not": lambda n: f"{'not not ' * n}charger.online",
    "local times": lambda n: " or ".join(['hours("00:00-12:00")'] * n),
    "windows": lambda n: " and ".join(["changes(connector.status, 1h) >= 0"] * n),
    "related things": lambda n: " and ".join(["share(location.chargers where charger.online) > 0 %"] * n),
}


def longest(shape: Callable[[int], str]) -> str:
    """The longest condition of this shape that is taken."""
    taken, refused = 1, AT_MOST
    while refused - taken > 1:
        number = (taken + refused) // 2
        try:
            rule_from_document({**FAULTED, "when": shape(number)}, "long.yaml")
            taken = number
        except RuleErrors:
            refused = number
    assert taken > 1, "none of this shape is taken"
    return shape(taken)


@pytest.mark.parametrize("name", SHAPES)
def test_the_longest_condition_of_each_shape_can_be_asked(database: Database, name: str) -> None:
    rule = {**FAULTED, "when": longest(SHAPES[name]), "for": "0s"}
    engine = Engine(database, rule, now=T0)
    poll(database, T0, location(), resource="locations")
    told = engine.tick(T0, charger(connector("c1", "Faulted", power_kw=0.5)))
    assert told == ["c1 inactive>firing since 10:00"], rule["when"]


def test_128_operands_are_taken_and_asked(database: Database) -> None:
    engine = Engine(database, {**FAULTED, "when": " and ".join(["true"] * 128), "for": "0s"}, now=T0)
    assert engine.tick(T0, charger(connector("c1"))) == ["c1 inactive>firing since 10:00"]
