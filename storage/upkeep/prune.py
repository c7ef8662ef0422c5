"""Takes away what has had its life, a few rows a transaction, so that nobody who clicks waits for it.

What is to go is looked for in a transaction that only reads; the one that writes takes those rows by their keys, if
they are still over. It reads no clock, and does nothing while the clock is doubted.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from storage.engine import Database
from storage.health import load_pace
from storage.upkeep.lives import LIVES, Lengths, Life

STEP_ROWS = 200
"""How many rows one transaction takes away: some milliseconds."""

LOOK_ROWS = 2_000
"""How many keys one look finds."""

DOUBTED = timedelta(hours=1)
"""Where EOSVOLT's clock and ours are further apart, one of them is wrong, and a wrong year would end all history."""


def clock_is_doubted(connection: Connection) -> bool:
    """Whether EOSVOLT's clock, as last seen, contradicts ours."""
    skew = load_pace(connection).clock_skew
    return skew is not None and abs(skew) > DOUBTED


def steps(database: Database, now: datetime, lengths: Lengths) -> Iterator[tuple[str, int]]:
    """Prune step by step: the table and how many rows went, once a transaction; between two, others may write."""
    with database.read() as connection:
        if clock_is_doubted(connection):
            return
    for table, life in LIVES.items():
        if life.span is None or life.since is None:
            continue
        over = _over(life, now - lengths.of(life.span))
        found = _look(database, table, over)
        while found:
            gone = 0
            for start in range(0, len(found), STEP_ROWS):
                took = _take(database, table, over, found[start : start + STEP_ROWS])
                gone += took
                yield table.name, took
            found = _look(database, table, over) if gone and len(found) == LOOK_ROWS else []


def prune(database: Database, now: datetime, lengths: Lengths) -> dict[str, int]:
    """Prune everything that has had its life at `now`: how many rows of which tables went."""
    gone: dict[str, int] = {}
    for table, rows in steps(database, now, lengths):
        gone[table] = gone.get(table, 0) + rows
    return gone


def _over(life: Life, limit: datetime) -> list[ColumnElement[bool]]:
    assert life.since is not None  # noqa: S101 - asked only then
    return [life.since < limit, *life.over]


def _look(database: Database, table: Table, over: Sequence[ColumnElement[bool]]) -> list[Any]:
    keys = list(table.primary_key)
    with database.read() as connection:
        found = connection.execute(sa.select(*keys).where(*over).limit(LOOK_ROWS)).all()
    return [row[0] if len(keys) == 1 else tuple(row) for row in found]


def _take(database: Database, table: Table, over: Sequence[ColumnElement[bool]], keys: Sequence[Any]) -> int:
    columns = list(table.primary_key)
    this: Any = columns[0] if len(columns) == 1 else sa.tuple_(*columns)
    with database.write() as connection:
        return int(connection.execute(sa.delete(table).where(this.in_(keys), *over)).rowcount)
