"""One service a SQLite file: an operating-system lock on a file beside it, held for as long as the process lives.

The lock is the system's: a process that is killed lets go of it at once, and nothing is left to be cleared away. It is
no lock on the database: command lines read and write beside the service. PostgreSQL has a lease instead.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import make_url

from storage.engine import OWNER_ALONE, normalise_url


class OccupiedError(Exception):
    """Another service works on the same file, or none can; the message says which, and the mend."""


class Occupation:
    """The lock of one database's file; nothing where the database is no file."""

    def __init__(self, url: str) -> None:
        self._path = lock_file(url)
        self._held: int | None = None

    def take(self) -> None:
        """Take the lock for this process; raises OccupiedError where another one has it, or no file can be made."""
        if self._path is None or self._held is not None:
            return
        try:
            held = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, OWNER_ALONE)
        except OSError as error:
            why = f"{self._path}: {error.strerror}"
            raise OccupiedError(f"The database cannot be used: {why}. Check DATABASE_URL.") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(held, 20).decode("ascii", "replace").strip()
            os.close(held)
            database = str(self._path).removesuffix(SUFFIX)
            raise OccupiedError(
                f"Another Chargehand{f' (process {owner})' if owner else ''} works on {database}. Stop it, or give "
                "this one a DATABASE_URL of its own; several on one database need PostgreSQL."
            ) from None
        os.ftruncate(held, 0)
        os.write(held, str(os.getpid()).encode())
        self._held = held

    def leave(self) -> None:
        """Let go of the lock."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


SUFFIX = ".lock"


def lock_file(url: str) -> Path | None:
    """The file beside a SQLite database that is locked; None for one in memory and for PostgreSQL."""
    address = make_url(normalise_url(url))
    name = address.database
    if not address.drivername.startswith("sqlite") or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name + SUFFIX)
