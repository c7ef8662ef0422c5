"""The database: one engine, and the two ways to open a transaction on it.

SQLite runs in WAL mode with `BEGIN IMMEDIATE` for every write, behind one fair lock, because its own busy handler
starves small writers and its default transactions let two claims both win. PostgreSQL needs neither. Nothing here
knows a table.
"""

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from storage.drivers import compiled, postgresql
from storage.sql import version_key_of

BUSY_TIMEOUT_MS = 5_000

GUARD: ContextVar[Callable[[Connection], None] | None] = ContextVar("guard", default=None)
"""What each transaction that writes asks first, within work that only a leader may do; threads inherit it."""

OWNER_ALONE = 0o600

MOST_CACHED = 20 << 20
"""Bytes that SQLite holds for all connections of the process together, before each makes do with the pages it has."""


class FairLock:
    """A lock that is handed on in the order in which it was asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # released by the holder before us, which leaves _held true

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class Database:
    """One SQLite file or one PostgreSQL database.

    `durable=False` is for scratch databases (replay, backtests): it gives up what SQLite's syncs protect.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url = normalise_url(url)
        self.engine: Engine = sa.create_engine(self.url, **_pool_of(self.url))
        compiled.share(self.engine)
        self._lock = FairLock()
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine, synchronous="FULL" if durable else "OFF")
        else:
            postgresql.prepare(self.engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, from one snapshot."""
        with self.engine.connect() as connection:
            yield connection
            postgresql.end_reading(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: commits at the end of the block, rolls back when it raises."""
        with self._lock, self.engine.connect() as connection:
            connection.execution_options(begin="IMMEDIATE")
            with connection.begin():
                if (guard := GUARD.get()) is not None:
                    guard(connection)
                yield connection

    def protect(self) -> bool:
        """Let a SQLite file that exists be its owner's alone; whether it was not. What another owns stays as it is."""
        path = _file_of(self.engine)
        changed = False
        for name in (path, f"{path}-wal", f"{path}-shm") if path is not None else ():
            with suppress(OSError):
                if stat.S_IMODE(Path(name).stat().st_mode) & 0o077:
                    Path(name).chmod(OWNER_ALONE)
                    changed = True
        return changed

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    def __repr__(self) -> str:
        return f"Database({self.engine.url.render_as_string(hide_password=True)!r})"


def normalise_url(url: str) -> str:
    """The URL with the driver that we ship: `postgres://` and `postgresql://` mean psycopg.

    Several hosts with commas between them, as libpq takes them, are written as SQLAlchemy does.
    """
    for prefix in ("postgres://", "postgresql://", PSYCOPG):
        if url.startswith(prefix):
            return PSYCOPG + _each_host(url.removeprefix(prefix))
    return url


PSYCOPG = "postgresql+psycopg://"


def _each_host(rest: str) -> str:
    place, slash, more = rest.partition("/")
    who, at, hosts = place.rpartition("@")
    if "," not in hosts:
        return rest
    name, _, query = more.partition("?")
    told = "&".join([*(f"host={host}" for host in hosts.split(",")), *([query] if query else [])])
    return f"{who}{at}{slash or '/'}{name}?{told}"


def _file_of(engine: Engine) -> str | None:
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    return None if not path or path == ":memory:" or path.startswith("file:") else path


def _pool_of(url: str) -> dict[str, Any]:
    """How connections take turns: of a SQLite file the last that wrote is first, because its cache still holds."""
    is_file = url.startswith("sqlite") and sa.make_url(url).database not in {None, "", ":memory:"}
    return {"poolclass": sa.QueuePool, "pool_use_lifo": True} if is_file else {}


def _prepare_sqlite(engine: Engine, *, synchronous: str) -> None:
    @event.listens_for(engine, "do_connect")
    def on_do_connect(*_: object) -> None:
        path = _file_of(engine)
        if path is not None:  # SQLite would make it for everybody to read; its journals get the same mode
            with suppress(OSError):  # it is there already, or SQLite says why it cannot be
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ALONE))

    @event.listens_for(engine, "connect")
    def on_connect(dbapi_connection: Any, _: object) -> None:
        dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
        dbapi_connection.create_function("VERSION_KEY", 1, version_key_of, deterministic=True)
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        if synchronous == "OFF":
            cursor.execute("PRAGMA wal_autocheckpoint = 20000")  # pages: what is thrown away is copied less often
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA cache_size = -16384")  # KiB: the system keeps its pages too; more gains little
        cursor.execute(f"PRAGMA soft_heap_limit = {MOST_CACHED}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")
