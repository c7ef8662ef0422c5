"""No function of the condition language is left out of what the compiled SQL is held to."""

import re

from rules.language.functions import FUNCTIONS
from tests.conftest import ROOT


def test_every_function_is_compared_with_a_plain_walk_over_all_rows() -> None:
    folder = ROOT / "tests" / "rules" / "matching"
    drawn = "\n".join(file.read_text() for file in folder.glob("*.py") if not file.name.startswith("plain"))
    assert [name for name in FUNCTIONS if not re.search(rf"\b{name}\b", drawn)] == []
