"""What SQLite keeps of its file in memory: bounded over all connections, and of use to whoever asks next."""

import _sqlite3
import ctypes
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage import engine
from storage.engine import Database

FILE_BYTES = 6 << 20


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Database]:
    """A file of some megabytes."""
    database = Database(f"sqlite:///{tmp_path}/large.db")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        connection.exec_driver_sql(f"{many} INSERT INTO t SELECT i, zeroblob(3000) FROM n", (FILE_BYTES // 3000,))
    yield database
    database.close()


def held() -> int:
    """How many bytes SQLite holds in this process."""
    used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used())


def test_connections_share_one_bound(large: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def grown(room: int) -> int:
        large.close()
        before = held()
        monkeypatch.setattr(engine, "MOST_CACHED", before + room)
        with ExitStack() as readers:
            for _ in range(4):
                connection = readers.enter_context(large.read())
                connection.exec_driver_sql("SELECT sum(length(b)) FROM t").all()
            return held() - before

    try:
        assert grown(1 << 40) > 3 * FILE_BYTES
        assert grown(2 << 20) < FILE_BYTES
    finally:
        monkeypatch.undo()
        large.close()
        with large.read() as connection:  # which sets the bound again, for the whole process
            assert connection.exec_driver_sql("PRAGMA soft_heap_limit").scalar() == engine.MOST_CACHED


def test_who_comes_next_gets_the_connection_that_was_used_last(large: Database) -> None:
    with large.read() as first, large.read() as second:
        last = second.connection.dbapi_connection
        assert first.connection.dbapi_connection is not last
    with large.read() as connection:
        newest = connection.connection.dbapi_connection
    for _ in range(3):
        with large.write() as connection:
            assert connection.connection.dbapi_connection is newest
