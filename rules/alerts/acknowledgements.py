"""When an acknowledgement ends while its alert fires: after the rule's `ack_for`, or when somebody takes it back.

It reopens nothing and moves no alert: the alert only counts as not acknowledged again, and may speak.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.alerts.incidents import EVERY_RULE
from rules.documents.document import Rule
from rules.lifecycle import State
from storage.schema import ALERT


def end_acknowledgements(
    connection: Connection, rules: Mapping[str, Rule], now: datetime, which: ColumnElement[bool] = EVERY_RULE
) -> dict[int, int | None]:
    """End those of `which` that are as old as their rule's `ack_for`; the incident of each alert, by its id.

    `rules` are the rules in force by name. Who acknowledged stays known; escalation counts from now on.
    """
    acknowledged = connection.execute(
        sa.select(ALERT.c.id, ALERT.c.rule_id, ALERT.c.acknowledged_at).where(
            which, ALERT.c.state == State.FIRING.value, ALERT.c.acknowledged_at.is_not(None)
        )
    )
    ended: dict[int, int | None] = {}
    over = [
        row.id
        for row in acknowledged
        if row.rule_id in rules and row.acknowledged_at + rules[row.rule_id].ack_for <= now
    ]
    for start in range(0, len(over), 500):
        rows = connection.execute(
            sa.update(ALERT)
            .where(ALERT.c.id.in_(over[start : start + 500]))
            .values(acknowledged_at=None, ack_ended_at=now, heard_at=now)
            .returning(ALERT.c.id, ALERT.c.incident_id)
        )
        ended |= {row.id: row.incident_id for row in rows}
    return ended


def undo_acknowledgements(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[int | None]:
    """Take the acknowledgement of those of `which` that fire back, as if it had not been; the incident of each.

    Escalation and repeats count from now on.
    """
    mine = (which, ALERT.c.state == State.FIRING.value, ALERT.c.acknowledged_at.is_not(None))
    taken = connection.execute(
        sa.update(ALERT)
        .where(*mine)
        .values(acknowledged_at=None, acknowledged_by=None, ack_ended_at=None, heard_at=now)
        .returning(ALERT.c.incident_id)
    )
    return list(taken.scalars())
