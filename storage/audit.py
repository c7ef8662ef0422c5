"""The audit log: who did what, when, and what came of it. It is written in the transaction of the act itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import AUDIT


def record_act(
    connection: Connection,
    user: str,
    action: str,
    subject: str,
    now: datetime,
    *,
    outcome: str,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Note that `user` (a Slack user id) did something to `subject`; `facts` are JSON-able."""
    values = {"at": now, "user": user, "action": action, "subject": subject, "outcome": outcome}
    connection.execute(sa.insert(AUDIT).values(**values, facts=dict(facts or {})))


def last_act(connection: Connection, action: str) -> datetime | None:
    """When somebody last did this; None where nobody did."""
    at: datetime | None = connection.execute(
        sa.select(sa.func.max(AUDIT.c.at)).where(AUDIT.c.action == action)
    ).scalar()
    return at
