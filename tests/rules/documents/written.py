"""A rule of each kind as people write it, and what is told to be wrong with a file or a change of one."""

from pathlib import Path
from typing import Any

import pytest

from rules.documents.document import rule_from_document
from rules.documents.files import load_rules
from rules.language.errors import RuleErrors

ALERT = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}


EVENT = {"name": "ended", "on": "session.ended"}


DIGEST = {"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}


def write(folder: Path, text: str, name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(folder: Path, text: str) -> list[str]:
    """What is wrong with a file of this text, the folder's name left out."""
    with pytest.raises(RuleErrors) as raised:
        load_rules([write(folder, text)])
    return [str(error).removeprefix(f"{folder}/") for error in raised.value.errors]


def error_of(changes: dict[str, Any], base: dict[str, Any] = ALERT) -> str:
    """The one thing wrong with `base` changed; a change to None takes the key away."""
    document = {key: value for key, value in {**base, **changes}.items() if value is not ...}
    with pytest.raises(RuleErrors) as raised:
        rule_from_document(document, "slack")
    (error,) = raised.value.errors
    return str(error)
