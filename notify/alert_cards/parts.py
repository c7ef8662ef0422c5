"""The parts of a card: what one rule says of its alerts there, with the words that it says it in.

It counts and orders rows and picks the part that leads; what stands on the card beside that is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.text.titles import NAMED_AFTER, Things, title_of
from rules.alerts.incidents import AUDIBLE
from rules.lifecycle import State
from storage.schema import ALERT, CHARGER, CONNECTOR, INCIDENT, LOCATION, RULE

GRAVEST_FIRST = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Part:
    """What one incident adds to a card; `title` is plain text with its places filled."""

    incident_id: int
    rule_name: str
    description: str
    title: str
    thing: str
    severity: str
    is_safety: bool
    firing: int
    audible: int
    total: int

    @property
    def weight(self) -> tuple[bool, bool, bool, int, int]:
        """What leads comes first: what may speak, what fires, then safety, then the graver, then the older."""
        grave = GRAVEST_FIRST.index(self.severity) if self.severity in GRAVEST_FIRST else 1
        return not self.audible, not self.firing, not self.is_safety, grave, self.incident_id


def read_parts(connection: Connection, incident_ids: Sequence[int], now: datetime) -> tuple[Part, ...]:
    """The parts of the card that tells of these incidents, the one that leads first."""
    over = INCIDENT.c.resolved_at.is_not(None)  # what has ended is titled by all that it was
    rows = connection.execute(
        sa.select(INCIDENT, RULE.c.document, *counted_things(sa.or_(FIRING, over)))
        .select_from(INCIDENT)
        .outerjoin(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .outerjoin(RULE, RULE.c.id == INCIDENT.c.rule_id)
        .where(INCIDENT.c.id.in_(incident_ids))
        .group_by(*INCIDENT.c, RULE.c.id)
    ).all()
    names = names_of(connection, rows)
    return tuple(sorted((_part(row, names, now) for row in rows), key=lambda part: part.weight))


def alert_titles(connection: Connection, alert_ids: Sequence[int], now: datetime) -> dict[int, str]:
    """What each of these alerts says first, by its id: for lists of a page or so."""
    if not alert_ids:
        return {}
    rows = connection.execute(
        sa.select(ALERT.c.id, ALERT.c.rule_id, ALERT.c.resolved_at, RULE.c.document, *counted_things(sa.true()))
        .select_from(ALERT)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .outerjoin(RULE, RULE.c.id == ALERT.c.rule_id)
        .where(ALERT.c.id.in_(alert_ids))
        .group_by(ALERT.c.id, RULE.c.id)
    ).all()
    names = names_of(connection, rows)
    return {
        row.id: titled_row(row, names, (row.resolved_at or now) - row.active_at, is_over=row.resolved_at is not None)[0]
        for row in rows
    }


FIRING = ALERT.c.state == State.FIRING.value
THING_IDS: Mapping[str, sa.ColumnElement[str | None]] = {
    "session": ALERT.c.session_id,
    "connector": ALERT.c.connector_id,
    "charger": sa.func.coalesce(ALERT.c.charger_id, CONNECTOR.c.charger_id),
    "location": ALERT.c.location_id,
}
"""What an alert stands on, the connector of each joined."""


def counted_things(told: sa.ColumnElement[bool]) -> list[sa.ColumnElement[Any]]:
    """The columns that a group of alerts is counted and titled by: of those that are `told`, the things and since when.

    They are `total`, `firing`, `audible`, `active_at`, and of each thing how many (`connectors`) and one (`connector`).
    """
    return [
        sa.func.count(ALERT.c.id).label("total"),
        sa.func.count().filter(FIRING).label("firing"),
        sa.func.count().filter(FIRING, AUDIBLE).label("audible"),
        sa.func.min(sa.case((told, ALERT.c.active_at))).label("active_at"),
        *(sa.func.count(sa.distinct(sa.case((told, column)))).label(f"{name}s") for name, column in THING_IDS.items()),
        *(sa.func.min(sa.case((told, column))).label(name) for name, column in THING_IDS.items()),
    ]


def titled_row(
    row: Row[Any], names: Mapping[tuple[str, str], str | None], lasted: timedelta, *, is_over: bool
) -> tuple[str, str]:
    """The title of a row of `counted_things` with its rule, and the kind of thing that it is about."""
    document: Mapping[str, Any] = row.document or {}
    things: dict[str, Things] = {}
    for thing, after in NAMED_AFTER.items():
        named = getattr(row, after) if after else None
        name = names.get((after, named)) if after and named else None
        things[thing] = Things(getattr(row, f"{thing}s"), getattr(row, thing), name)
    about = next((thing for thing in THING_IDS if getattr(row, thing)), "network")
    own = {about: things[about], **things} if about in things else things
    return title_of(document, row.rule_id, own, lasted, is_over=is_over), about


def _part(row: Row[Any], names: Mapping[tuple[str, str], str | None], now: datetime) -> Part:
    document: Mapping[str, Any] = row.document or {}
    lasted = (row.resolved_at or now) - (row.active_at or row.opened_at)
    title, about = titled_row(row, names, lasted, is_over=row.resolved_at is not None)
    return Part(
        incident_id=row.id,
        rule_name=str(document.get("name") or row.rule_id),
        description=str(document.get("description") or ""),
        title=title,
        thing=about,
        severity=row.severity,
        is_safety=document.get("safety") is True,
        firing=row.firing,
        audible=row.audible,
        total=row.total,
    )


def names_of(connection: Connection, rows: Sequence[Row[Any]]) -> dict[tuple[str, str], str | None]:
    """The names of the chargers and locations that rows of `counted_things` name."""
    found: dict[tuple[str, str], str | None] = {}
    for kind, table in (("charger", CHARGER), ("location", LOCATION)):
        ids = {getattr(row, kind) for row in rows} - {None}
        told = connection.execute(sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids))) if ids else ()
        found |= {(kind, row.id): row.name for row in told}
    return found
