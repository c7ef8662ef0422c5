"""Databases in memory that begin as a copy: to make every table anew takes longer than most of what they are for.

Which tables, its caller says. Nothing is written to what is copied, once it is made.
"""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine


class Copied:
    """What `make` makes in an empty SQLite database, made once and then copied into others."""

    def __init__(self, make: Callable[[Engine], None]) -> None:
        self._make = make
        self._made: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def into(self, engine: Engine) -> None:
        """Fill the empty SQLite database in memory that this engine has in this thread."""
        with self._lock, engine.connect() as connection:
            if self._made is None:
                self._made = self._first()
            target: Any = connection.connection.driver_connection
            self._made.backup(target)

    def _first(self) -> sqlite3.Connection:
        made = sqlite3.connect(":memory:", check_same_thread=False)
        self._make(sa.create_engine("sqlite://", creator=lambda: made, poolclass=sa.StaticPool))
        return made
