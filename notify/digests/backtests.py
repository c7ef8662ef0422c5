"""What was tried of a digest's suggestions: which they are, and the note of what came of them.

It is a fact of the message's delivery, so that a correction keeps it. Nothing is tried here.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from storage.schema import OUTBOX

BACKTESTS = "backtests"
"""The fact of a message's delivery that says what its suggestions would have done, by rule."""

Trial = dict[str, Any]
"""`was` and `would` (how often it fires in `known_s` seconds, as it is and as suggested), or `why` there is none."""


def suggestions(facts: Mapping[str, Any]) -> dict[str, str]:
    """The `for` that a digest suggests for each noisy rule, from its facts."""
    noisy = facts.get("kind", {}).get("noisy", ()) if facts.get("digest") == "alerts" else ()
    return {one["rule"]: one["for"] for one in noisy if one.get("for")}


def mark_backtests(connection: Connection, item: Row[Any], told: Mapping[str, Trial]) -> None:
    """Note what came of a message's suggestions."""
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item.id).with_for_update()).scalar_one()
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts={**known, BACKTESTS: dict(told)}))
