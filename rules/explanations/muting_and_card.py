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
from storage.schema import ALERT, OUTBOX


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
    """The card that people see: it tells of `total` alerts, of which `firing` fire; no incident: a roll-up of many."""

    incident_id: int | None
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
    head, incidents = _told_with(connection, alert.incident_id)
    mine = sa.select(sa.func.count(), sa.func.count().filter(ALERT.c.state == State.FIRING))
    total, firing = connection.execute(mine.where(ALERT.c.incident_id.in_(incidents))).one()
    inhibited = sa.select(sa.func.count()).where(ALERT.c.inhibited_by == alert.id, ALERT.c.state == State.FIRING)
    return Card(head, total, firing, connection.execute(inhibited).scalar_one())


def _told_with(connection: Connection, incident_id: int) -> tuple[int | None, list[int]]:
    """The incident of the message that says this one's card, which may be its own, and all that this message says."""
    card = (OUTBOX.c.kind == "alert_card", OUTBOX.c.incident_id == incident_id, OUTBOX.c.abandoned_at.is_(None))
    head = sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id)
    said_by = connection.execute(sa.select(head).where(*card).order_by(OUTBOX.c.created_at, OUTBOX.c.id)).scalar()
    if said_by is None:
        return incident_id, [incident_id]
    said = sa.select(OUTBOX.c.incident_id).where(
        OUTBOX.c.kind == "alert_card", sa.or_(OUTBOX.c.id == said_by, OUTBOX.c.rolled_into == said_by)
    )
    own = connection.execute(sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.id == said_by)).scalar()
    return own, [one for one in connection.execute(said).scalars() if one is not None]
