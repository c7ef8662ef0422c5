"""The least that writing the same rows into SQLite costs: one upsert with executemany, one transaction, no index.

It keeps no history, compares nothing and marks nothing as changed.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from eosvolt.models import ChargerReading
from storage.recording.reading_rows import Observation, rows_of

Rows = dict[str, list[tuple[Any, ...]]]


class BareSqlite:
    """A file with a table a kind of thing, in the journal mode and with the syncs that the service uses."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "temp_store = MEMORY", "cache_size = -65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._columns: dict[str, list[str]] = {}

    def rows(self, readings: Sequence[ChargerReading], now: datetime) -> Rows:
        """The rows that the readings say, by thing, as SQLite stores them; makes the tables that are missing."""
        found: Rows = {}
        for reading in readings:
            for thing, row in rows_of(reading, Observation(now)):
                if thing not in self._columns:
                    self._columns[thing] = list(row)
                    others = ", ".join(name for name in row if name != "id")
                    self._connection.execute(f"CREATE TABLE {thing} (id TEXT PRIMARY KEY, {others})")
                found.setdefault(thing, []).append(tuple(_stored(value) for value in row.values()))
        return found

    def upsert(self, rows: Rows) -> None:
        """Write the rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for thing, values in rows.items():
            names = self._columns[thing]
            told = ", ".join(f"{name} = excluded.{name}" for name in names if name != "id")
            into = f"INSERT INTO {thing} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            self._connection.executemany(f"{into} ON CONFLICT (id) DO UPDATE SET {told}", values)
        self._connection.execute("COMMIT")

    def count(self, thing: str) -> int:
        """How many rows there are of a thing."""
        return int(self._connection.execute(f"SELECT count(*) FROM {thing}").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return json.dumps(value) if isinstance(value, dict | list) else value
