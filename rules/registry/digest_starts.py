"""From when on a digest's slots count: its making, its being switched on again, or another schedule or time zone.

Other edits leave it alone. It writes that one moment in the caller's transaction; which slots follow, and from when on
each zone counts, is the business of whoever says them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.documents.document import Rule
from rules.documents.plain_schedules import cron_of
from storage.schema import DIGEST_START

OF_THE_RULE = ""
"""The zone of a row that is about the rule itself."""


def begin_digest(connection: Connection, name: str, now: datetime) -> None:
    """Let the slots of a digest rule count from now on, in every zone."""
    connection.execute(sa.delete(DIGEST_START).where(DIGEST_START.c.rule_id == name))
    values = {"rule_id": name, "zone": OF_THE_RULE, "counts_from": now}
    connection.execute(sa.insert(DIGEST_START).values(**values))


def comes_otherwise(rule: Rule, document: Mapping[str, Any]) -> bool:
    """Whether a digest rule comes at other moments than its stored document says; other words alone are none."""
    return rule.schedule is None or _moments_of(rule.document) != _moments_of(document)


def _moments_of(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    schedule = document.get("schedule")
    return cron_of(schedule) if isinstance(schedule, str) else None, document.get("timezone")
