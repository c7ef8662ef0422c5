"""Takes out what is kept of one driver: the id tag, as it is or as its hash, wherever it stands.

Sessions stay, without it: energy and money are counted as before. What Slack shows already is not reached from here.
"""

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table
from sqlmodel import AutoString

from storage import schema

FORGOTTEN = "[forgotten]"


def forget(connection: Connection, tags: Collection[str]) -> dict[str, int]:
    """Take these spellings of one id tag out of every table, in the caller's transaction: how many rows of which."""
    changed: dict[str, int] = {}
    for table in schema.SESSION.metadata.sorted_tables:
        rows = sum(_forget_in(connection, table, column, tags) for column in table.c if _may_tell(column))
        if rows:
            changed[table.name] = rows
    return changed


def _may_tell(column: Column[Any]) -> bool:
    """Whether what drivers are called may stand in this column; keys of rows are numbers, ids and names of ours."""
    return not column.primary_key and isinstance(column.type, sa.JSON | AutoString)


def _forget_in(connection: Connection, table: Table, column: Column[Any], tags: Collection[str]) -> int:
    text = sa.cast(column, sa.String)
    written = {json.dumps(tag)[1:-1] for tag in tags} | set(tags)
    mentions = sa.or_(*(text.contains(one, autoescape=True) for one in sorted(written)))
    keys = list(table.primary_key)
    found = connection.execute(sa.select(*keys, column).where(mentions)).all()
    rows = 0
    for row in found:
        value = row[-1]
        without = _without(value, tags)
        if column is schema.SESSION.c.id_tag:
            without = None if value in tags else value
        if without != value:
            this = [key == row[place] for place, key in enumerate(keys)]
            connection.execute(sa.update(table).where(*this).values({column.name: without}))
            rows += 1
    return rows


def _without(value: Any, tags: Collection[str]) -> Any:
    """The value with every text that is the tag, or holds it within quotes, told as forgotten."""
    if isinstance(value, dict):
        return {name: _without(item, tags) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, tags) for item in value]
    if not isinstance(value, str):
        return value
    if value in tags:
        return FORGOTTEN
    for tag in tags:
        value = value.replace(json.dumps(tag), json.dumps(FORGOTTEN))
    return value
