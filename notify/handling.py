"""Who looks after a problem, and what people noted about it: kept with its incidents, shown on their cards.

It moves no alert and speaks to nobody: callers show the cards anew and write the log of who did it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.lifecycle import State
from storage.schema import ALERT, INCIDENT, NOTE

SHOWN_NOTES = 3
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody noted, as given."""

    author: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Handling:
    """Who looks after a card's incidents (the last who was asked), and the newest notes in their order."""

    assigned_to: str | None = None
    assigned_by: str | None = None
    assigned_at: datetime | None = None
    notes: tuple[Note, ...] = ()
    more: int = 0


def firing_incidents(connection: Connection, which: ColumnElement[bool]) -> list[int]:
    """The incidents of those of these alerts that fire."""
    mine = (which, ALERT.c.state == State.FIRING.value, ALERT.c.incident_id.is_not(None))
    found = sa.select(ALERT.c.incident_id).where(*mine).distinct().order_by(ALERT.c.incident_id)
    return list(connection.execute(found).scalars())


def assign(connection: Connection, incident_ids: Sequence[int], to: str | None, by: str, now: datetime) -> int:
    """Let `to` (a Slack user id; None for nobody) look after these incidents; how many that changes."""
    others = INCIDENT.c.assigned_to.is_not(None) if to is None else INCIDENT.c.assigned_to.is_distinct_from(to)
    changed: int = connection.execute(
        sa.update(INCIDENT)
        .where(INCIDENT.c.id.in_(incident_ids), others)
        .values(assigned_to=to, assigned_by=by, assigned_at=now)
    ).rowcount
    return changed


def add_note(connection: Connection, incident_ids: Sequence[int], author: str, text: str, now: datetime) -> None:
    """Note something about these incidents; what is longer than LONGEST_NOTE is cut."""
    rows = [{"incident_id": one, "at": now, "author": author, "text": text[:LONGEST_NOTE]} for one in incident_ids]
    if rows:
        connection.execute(sa.insert(NOTE), rows)


def handling_of(connection: Connection, incident_ids: Sequence[int] | sa.Select[Any]) -> Handling:
    """What a card of these incidents shows. A note about several of them is told once.

    Of many, a question for their ids is asked sooner than the ids are read.
    """
    mine = INCIDENT.c.id.in_(incident_ids)
    last = sa.select(INCIDENT).where(mine, INCIDENT.c.assigned_at.is_not(None))
    row = connection.execute(last.order_by(INCIDENT.c.assigned_at.desc(), INCIDENT.c.id).limit(1)).first()
    told = sa.select(NOTE.c.author, NOTE.c.at, NOTE.c.text).where(NOTE.c.incident_id.in_(incident_ids)).distinct()
    newest: Sequence[Any] = connection.execute(told.order_by(NOTE.c.at.desc()).limit(SHOWN_NOTES)).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(told.subquery())).scalar_one()
    notes = tuple(Note(one.author, one.at, one.text) for one in reversed(newest))
    if row is None or row.assigned_to is None:
        return Handling(notes=notes, more=total - len(notes))
    return Handling(row.assigned_to, row.assigned_by, row.assigned_at, notes, total - len(notes))
