"""How one alert stands among others: what keeps it quiet, which card tells of it, and what it keeps quiet itself.

It reads what the evaluation wrote, for explanations; nothing here mutes or groups anything.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.silences import muting
from rules.lifecycle import State
from storage.dialects import AnyRow
from storage.schema import ALERT


@dataclass(frozen=True, slots=True)
class Muted:
    """What keeps the alert quiet now: a silence with its author and reason, or the alert of a rule on a subject."""

    silence_id: int | None = None
    author: str | None = None
    until: datetime | None = None
    reason: str | None = None
    rule_id: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """The incident that the alert is part of: its card tells of `total` alerts, of which `firing` fire."""

    incident_id: int
    total: int
    firing: int
    inhibits: int  # alerts that this one keeps quiet


def find_muting(connection: Connection, alert: AnyRow | None, now: datetime) -> Muted | None:
    """What keeps a firing alert quiet; a pending one says nothing yet."""
    if alert is None or alert.state != State.FIRING:
        return None
    found = muting(connection, alert.rule_id, [alert.id], now).get(alert.id)
    if found is None:
        return None
    if found.silence_id is not None:
        until = datetime.fromisoformat(found.said["until"]) if found.said["until"] else None
        return Muted(found.silence_id, found.said["by"], until, found.said["reason"])
    return Muted(rule_id=found.said["rule"], subject=found.said["subject"])


def find_card(connection: Connection, alert: AnyRow | None) -> Card | None:
    """The card that tells of a firing alert, with what else it tells of and what it keeps quiet."""
    if alert is None or alert.state != State.FIRING or alert.incident_id is None:
        return None
    mine = sa.select(sa.func.count(), sa.func.count().filter(ALERT.c.state == State.FIRING))
    total, firing = connection.execute(mine.where(ALERT.c.incident_id == alert.incident_id)).one()
    inhibited = sa.select(sa.func.count()).where(ALERT.c.inhibited_by == alert.id, ALERT.c.state == State.FIRING)
    return Card(alert.incident_id, total, firing, connection.execute(inhibited).scalar_one())
