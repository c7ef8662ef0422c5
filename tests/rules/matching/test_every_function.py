"""No function of the condition language is left out: each is held to the plain walk, and followed by the clock."""

import re

import pytest

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.language.function_words import FUNCTIONS
from rules.matching.compile import CLOCK_EVERY, RELATIONS_EVERY, SLOWLY_EVERY
from tests.conftest import ROOT

ON_THE_CLOCK = {
    **dict.fromkeys(("count", "share", "avg", "last", "streak"), (RELATIONS_EVERY, False)),
    **dict.fromkeys(("uptime", "downtime"), (SLOWLY_EVERY, False)),
    **dict.fromkeys(("increase", "since", "hours", "business_hours"), (CLOCK_EVERY, False)),
    **dict.fromkeys(("min", "max"), (None, False)),
    "sum": (RELATIONS_EVERY, True),
    "changes": (None, True),
}
"""How often a rule with the function's example is matched in full, and whether a moment wakes its subjects."""


def test_every_function_is_compared_with_a_plain_walk_over_all_rows() -> None:
    folder = ROOT / "tests" / "rules" / "matching"
    others = (file for file in folder.glob("*.py") if not file.name.startswith(("plain", "test_every")))
    drawn = "\n".join(file.read_text() for file in others)
    assert [name for name in FUNCTIONS if not re.search(rf"\b{name}\b", drawn)] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_follows_the_clock_where_time_alone_changes_it(name: str) -> None:
    document = {"name": "x", "for_each": "session", "when": f"({FUNCTIONS[name][0]}) is unknown"}
    compiled = compile_rule(rule_from_document(document, "x.yaml"))
    assert (compiled.full_every, compiled.wakes) == ON_THE_CLOCK[name]
