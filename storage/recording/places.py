"""Lists that are not read to their end yet: how each was asked for, and where the next poll goes on.

What came is recorded with the place in one transaction, so that whoever is killed goes on where that stands. It reads
no list itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.ahead import is_ahead
from storage.dialects import insert
from storage.schema import PLACE


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a list stands. `began_at` is the poll that asked for its first page, `since` what it asked for.

    `bookmark` is the client's, and None where only this process can go on.
    """

    resource: str
    began_at: datetime
    since: datetime | None
    is_sweep: bool
    bookmark: Mapping[str, Any] | None


def list_place(connection: Connection, resource: str, now: datetime) -> ListPlace | None:
    """The place in the list of a resource; None where the next poll begins at its beginning.

    One that a clock ahead of `now` dated is none: nobody knows what was asked for.
    """
    row = connection.execute(sa.select(PLACE).where(PLACE.c.resource == resource)).first()
    if row is None or is_ahead(row.began_at, now) or is_ahead(row.since, now):
        return None
    try:
        bookmark = json.loads(row.bookmark_json)
    except ValueError:
        return None
    return ListPlace(resource, row.began_at, row.since, row.is_sweep, bookmark) if isinstance(bookmark, dict) else None


def store_place(connection: Connection, resource: str, place: ListPlace | None) -> None:
    """Keep the place in the list of a resource, or forget it: the list has ended, or nobody else can go on."""
    if place is None or place.bookmark is None:
        connection.execute(sa.delete(PLACE).where(PLACE.c.resource == resource))
        return
    values: dict[str, Any] = {"began_at": place.began_at, "since": place.since, "is_sweep": place.is_sweep}
    values |= {"bookmark_json": json.dumps(place.bookmark)}
    statement = insert(connection, PLACE).values(resource=resource, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[PLACE.c.resource], set_=values))
