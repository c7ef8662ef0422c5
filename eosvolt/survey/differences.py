"""One difference between an account and the contract: what was seen, and the lines that would mend it.

It holds values and shows none that may name a person.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eosvolt.errors import one_line
from eosvolt.spellings.words import folded
from eosvolt.survey.lines import written

_OF_PEOPLE = ("tag", "card", "rfid", "token", "secret", "driver", "user", "mail", "phone")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something is not as the contract says: the field, what was seen, and what would mend it, where that is known."""

    field: str
    told: str
    lines: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    @property
    def line(self) -> str:
        """The first line as TOML, or nothing."""
        return next(iter(written(self.lines)), "")


def shown(key: str, value: Any) -> str:
    """A value as JSON, short; of one that may name a person only its type, because samples are sent to others."""
    if any(word in folded(key) for word in _OF_PEOPLE):
        return f"({type(value).__name__}, not shown)"
    text = one_line(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else text[:59] + "…"
