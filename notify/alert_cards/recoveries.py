"""Recoveries of one channel within a group interval are one reply that names them: a hundred ends are no hundred posts.

The first is said at once in its own card's thread; what ends soon after it joins the next one. Each card is edited by
itself all the same. Nothing here decides that something has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.parts import read_parts
from notify.outbox import ALERT_REPLY, Rank, one_version_on
from notify.routing import Routing
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, LOCATION, OUTBOX

NAMED = 20
"""How many other incidents a reply names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class AlsoOver:
    """Another incident that ended, as the reply names it."""

    title: str
    location_name: str | None
    severity: str
    ended_as: str | None
    lasted: timedelta

    @property
    def shows_location(self) -> bool:
        """Whether the place is to be said beside the title."""
        return bool(self.location_name) and str(self.location_name) not in self.title


def join_last(connection: Connection, card: Row[Any], held_since: str | None, routing: Routing) -> datetime | None:
    """Let the end of a card's incident join a reply of its channel that nobody has seen yet; when that one is due.

    None where there is none. Only what is held back by quiet hours joins what is held back.
    """
    for last in _LAST.all(connection, {"channel": card.channel}):
        waits = last.shown_version == 0 and last.claimed_by is None and not last.uncertain
        if waits and bool(last.facts.get("held_since")) == bool(held_since) and last.thread_of != card.id:
            also = [*last.facts.get("also", ()), card.incident_id]
            values = {**one_version_on(routing.now), "facts": {**last.facts, "also": also}}
            connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == last.id).values(values))
            due_at: datetime = last.due_at
            return due_at
    return None


def earliest_next(connection: Connection, channel: str, routing: Routing) -> datetime:
    """When the next end may be said in a channel: a group interval after the last one was."""
    said = [last.sent_at for last in _LAST.all(connection, {"channel": channel}) if last.sent_at is not None]
    earliest: datetime = max([routing.now, *(at + routing.group_interval for at in said)])
    return earliest


def also_over(connection: Connection, incident_ids: Sequence[int], now: datetime) -> tuple[AlsoOver, ...]:
    """The first of these incidents, as a reply names them."""
    began = sa.select(sa.func.min(ALERT.c.active_at)).where(ALERT.c.incident_id == INCIDENT.c.id).scalar_subquery()
    because = sa.select(sa.func.min(ALERT.c.ended_because)).where(ALERT.c.incident_id == INCIDENT.c.id)
    rows = connection.execute(
        sa.select(
            INCIDENT.c.id,
            INCIDENT.c.severity,
            INCIDENT.c.opened_at,
            INCIDENT.c.resolved_at,
            sa.func.coalesce(LOCATION.c.name, INCIDENT.c.location_id).label("location_name"),
            began.label("began_at"),
            because.scalar_subquery().label("ended_because"),
        )
        .outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id)
        .where(INCIDENT.c.id.in_(incident_ids[:NAMED]))
        .order_by(INCIDENT.c.id)
    )
    titles = {part.incident_id: part.title for part in read_parts(connection, incident_ids[:NAMED], now)}
    return tuple(_named(row, titles[row.id]) for row in rows)


def _named(row: AnyRow, title: str) -> AlsoOver:
    began = row.began_at or row.opened_at
    return AlsoOver(
        title=title,
        location_name=row.location_name,
        severity=row.severity,
        ended_as=row.ended_because,
        lasted=(row.resolved_at or began) - began,
    )


_LAST = Prepared(
    sa.select(OUTBOX)
    .where(
        OUTBOX.c.channel == sa.bindparam("channel"),
        OUTBOX.c.rank == Rank.ENDED.value,
        OUTBOX.c.kind == ALERT_REPLY,
        OUTBOX.c.incident_id.is_not(None),
        OUTBOX.c.abandoned_at.is_(None),
    )
    .order_by(OUTBOX.c.due_at.desc(), OUTBOX.c.created_at.desc())
    .limit(2)  # one may be held back until the morning
    .with_for_update()
)
