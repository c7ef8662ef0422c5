"""What commands ask of the open alerts: lists in pages, by rule, place and state. Nothing here writes or renders."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.queries.rows import Page
from storage.queries.state import FIRING
from storage.schema import ALERT, INCIDENT, LOCATION

PENDING = "pending"
PLACES = ("location_id", "charger_id", "connector_id", "session_id")


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which open alerts are meant; what is None does not matter. `place` is a column's name and an id."""

    rule_id: str | None = None
    place: tuple[str, str] | None = None
    incident_id: int | None = None
    state: str | None = None  # firing | pending
    acknowledged: bool | None = None
    quiet: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions on the table of alerts."""
        quiet = sa.or_(ALERT.c.silence_id.is_not(None), ALERT.c.inhibited_by.is_not(None))
        found: list[ColumnElement[bool]] = [ALERT.c.state.in_([self.state] if self.state else [FIRING, PENDING])]
        if self.rule_id is not None:
            found.append(ALERT.c.rule_id == self.rule_id)
        if self.place is not None:
            found.append(ALERT.c[self.place[0]] == self.place[1])
        if self.incident_id is not None:
            found.append(ALERT.c.incident_id == self.incident_id)
        if self.acknowledged is not None:
            found.append(ALERT.c.acknowledged_at.is_not(None) == self.acknowledged)
        if self.quiet is not None:
            found.append(quiet if self.quiet else sa.not_(quiet))
        return found


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One open alert as a list shows it. `incident_id` is None while it is pending."""

    id: int
    incident_id: int | None
    rule_id: str
    subject: str
    severity: str | None
    state: str
    active_at: datetime
    due_at: datetime | None
    held_since: datetime | None
    acknowledged_by: str | None
    silence_id: int | None
    inhibited_by: int | None
    location_name: str | None


def list_alerts(connection: Connection, which: AlertFilter, offset: int, limit: int) -> Page[OpenAlert]:
    """A page of the open alerts: what fires and nobody acknowledged first, then the oldest."""
    conditions = which.conditions()
    names = ("id", "incident_id", "rule_id", "subject")
    rest = ("state", "active_at", "due_at", "held_since", "acknowledged_by", "silence_id", "inhibited_by")
    place = LOCATION.c.name.label("location_name")
    rows = connection.execute(
        sa.select(*(ALERT.c[name] for name in names), INCIDENT.c.severity, *(ALERT.c[name] for name in rest), place)
        .select_from(
            ALERT.outerjoin(LOCATION, LOCATION.c.id == ALERT.c.location_id).outerjoin(
                INCIDENT, INCIDENT.c.id == ALERT.c.incident_id
            )
        )
        .where(*conditions)
        .order_by(ALERT.c.state != FIRING, ALERT.c.acknowledged_at.is_not(None), ALERT.c.active_at, ALERT.c.id)
        .offset(offset)
        .limit(limit)
    )
    total = connection.execute(sa.select(sa.func.count()).select_from(ALERT).where(*conditions)).scalar_one()
    return Page(tuple(OpenAlert(**row._mapping) for row in rows), offset, total)
