"""What of the fleet cannot be seen: things that are stale, rows that belong to nothing known, fields nobody can read.

It counts what was written down; whether that is much, and what to say of it, is for others.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from storage.schema import CHARGER, CONNECTOR, LOCATION, POLL, SESSION, SET_ASIDE, UNREAD

KINDS = {"location": LOCATION, "charger": CHARGER, "connector": CONNECTOR, "session": SESSION}
_POLLED = {"location": "locations", "charger": "chargers", "connector": "chargers", "session": "sessions"}


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A field that could not be read: in how many of how many things it cannot now, when last, and why once.

    `resource` is location, charger, connector or session; `field` our name of it. `was_read`: it could be read before,
    or can in other rows; `failed` and `came` are the rows of the last poll.
    """

    resource: str
    field: str
    rows: int
    of: int
    last_at: datetime
    example: str
    was_read: bool = False
    failed: int = 0
    came: int = 0


@dataclass(frozen=True, slots=True)
class Unseen:
    """How many of how many things of a kind cannot be read now, those that were never known included, and why one."""

    resource: str
    rows: int
    of: int
    example: str


def unread_fields(connection: Connection) -> tuple[UnreadField, ...]:
    """Every field that could not be read in some row, also where it can be read again everywhere."""
    counts = {kind: _unread_of(connection, table) for kind, table in KINDS.items()}
    found = connection.execute(sa.select(UNREAD).order_by(UNREAD.c.resource, UNREAD.c.field))
    return tuple(
        UnreadField(
            row.resource,
            row.field,
            counts[row.resource].get(row.field, 0),
            counts[row.resource][""],
            row.last_at,
            row.reason,
            row.read_at is not None,
            row.failed,
            row.came,
        )
        for row in found
    )


def unseen_things(connection: Connection) -> tuple[Unseen, ...]:
    """By kind, the things that cannot be read now; kinds of which all can be read are left out."""
    found = []
    for kind, table in KINDS.items():
        there = _there(table)
        stale, known = connection.execute(
            sa.select(sa.func.count().filter(table.c.stale_since.is_not(None)), sa.func.count()).where(*there)
        ).one()
        strangers, example = _strangers(connection, kind, table)
        if stale or strangers:
            found.append(Unseen(kind, stale + strangers, known + strangers, example))
    return tuple(found)


def _strangers(connection: Connection, kind: str, table: Table) -> tuple[int, str]:
    """The rows set aside since the last sweep that are of no known thing, and the newest reason of any."""
    swept_at = sa.select(POLL.c.swept_at).where(POLL.c.resource == _POLLED[kind]).scalar_subquery()
    lately = (SET_ASIDE.c.resource == kind, SET_ASIDE.c.last_at >= swept_at)
    known = sa.exists().where(table.c.id == SET_ASIDE.c.key)
    rows = sa.select(SET_ASIDE.c.key, SET_ASIDE.c.row_json).where(*lately, ~known).distinct().subquery()
    number = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
    newest = sa.select(SET_ASIDE.c.reason).where(*lately).order_by(SET_ASIDE.c.last_at.desc(), SET_ASIDE.c.key)
    return number, connection.execute(newest.limit(1)).scalar() or ""


def _unread_of(connection: Connection, table: Table) -> dict[str, int]:
    """In how many things each field cannot be read; under "" how many there are."""
    counts = {"": 0}
    grouped = sa.select(table.c.unread, sa.func.count().label("rows")).where(*_there(table)).group_by(table.c.unread)
    for row in connection.execute(grouped):
        counts[""] += row.rows
        for name in (row.unread or "").strip(",").split(","):
            if name:
                counts[name] = counts.get(name, 0) + row.rows
    return counts


def _there(table: Table) -> list[ColumnElement[bool]]:
    """Things that are there; of sessions those that are open."""
    return [table.c.gone_at.is_(None)] if "gone_at" in table.c else [table.c.ended_at.is_(None)]
