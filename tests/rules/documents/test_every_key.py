"""No key of a rule is left out: whatever is said at it is kept in the stored document."""

from typing import Any

import pytest

from rules.documents.document import rule_from_document
from rules.documents.reader import KEYS_OF, KEYS_OF_ALL, NEEDED, Kind

SAID: dict[str, Any] = {
    "name": "n",
    "description": "d",
    "notify": ["#a"],
    "labels": {"team": "north"},
    "for_each": "connector",
    "when": "charger.online",
    "while": "charger.online",
    "for": "5m",
    "keep_firing_for": "5m",
    "on_gap": "reset",
    "severity": "critical",
    "title": "{charger} is broken",
    "group_by": ["charger"],
    "repeat": "4h",
    "ack_for": "1h",
    "escalate": [{"after": "30m", "notify": ["@oncall"]}],
    "inhibits": ["other"],
    "safety": True,
    "actions": [{"reset": "soft"}],
    "alert": "at_once",
    "dry_run": True,
    "on": "charger.online",
    "settle": "5m",
    "max_age": "2h",
    "schedule": "0 8 * * *",
    "timezone": "Europe/Copenhagen",
    "digest": "sessions",
    "window": "last week",
    "each": "location",
    "location": "l1",
    "label": "north",
}
"""A value of each key that is none of its defaults, where it has another."""

BESIDE: dict[str, tuple[str, ...]] = {"alert": ("actions",), "dry_run": ("actions",)}
"""Keys that mean something only beside others."""

KEYS = [(kind, key) for kind, keys in KEYS_OF.items() for key in (*KEYS_OF_ALL, *keys)]


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_what_is_said_at_a_key_is_kept(kind: Kind, key: str) -> None:
    said = {name: SAID[name] for name in (*NEEDED[kind], *BESIDE.get(key, ()), key)}
    document = rule_from_document(said, "slack").document
    assert key in document
    assert rule_from_document(document, "slack").document == document
