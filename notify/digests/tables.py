"""The lists of a digest, said in its thread once it stands, so that the message itself can be read on a phone.

They are edited with it. Which lists there are is decided by the digest's kind; nothing here reads a clock.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Row

from notify.outbox import DIGEST, DIGEST_TABLES, enqueue_message
from storage.schema import OUTBOX

log = structlog.get_logger()

TOLD_IN_THREAD = ("sessions", "uptime")
"""The kinds whose lists are said in the thread: the others are lists, and are told whole."""


def tables_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of a digest as JSON-able facts; empty where it has none."""
    kind, fleet = facts["digest"], facts.get("fleet") or {}
    if kind not in TOLD_IN_THREAD:
        return {}
    worst = fleet.get("worst", [])
    if kind == "uptime":
        lists = {"worst": [one for one in worst if one["down_s"]], "places": facts.get("kind", {}).get("places", [])}
    else:
        lists = {"top": facts["top"], "worst": worst, "prices": fleet.get("prices", {"first": [], "count": 0})}
    return {"digest": kind, **lists} if any(_told(one) for one in lists.values()) else {}


def enqueue_tables(connection: Connection, item: Row[Any], now: datetime) -> bool:
    """Enqueue, or edit, what is said in the thread of a digest that stands; False where nothing changed."""
    if item.kind != DIGEST:
        return False
    newest = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item.id)).scalar_one()
    try:
        facts = tables_of(newest)
    except (LookupError, TypeError, AttributeError):  # facts that cannot be read cost no mark of what stands
        log.exception("the lists of a digest cannot be told", item=item.id)
        return False
    if not facts:
        return False
    return enqueue_message(
        connection,
        natural_key=f"{item.natural_key}:tables",
        kind=DIGEST_TABLES,
        channel=item.channel,
        facts=facts,
        now=now,
        rule_id=item.rule_id,
        thread_of=item.id,
    )


def _told(one: Any) -> bool:
    return bool(one["count"] if isinstance(one, Mapping) else one)
