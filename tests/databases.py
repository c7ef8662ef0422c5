"""The databases that tests run on: a SQLite file each, and a PostgreSQL server that the suite starts for itself."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from sqlmodel import SQLModel

from storage.engine import Database


def server_binaries() -> Path | None:
    """The folder of PostgreSQL's server binaries: on the PATH, or where Debian puts them; the newest version wins."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


def server_user() -> str | None:
    """The user to run the server as: ourselves, or `postgres` for root, whom PostgreSQL refuses."""
    if os.getuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_name


@contextmanager
def temporary_server(binaries: Path, place: Path | None = None) -> Iterator[str]:
    """A PostgreSQL server on a socket in a temporary folder; gives the connection string's base, and stops it after."""
    user = server_user()
    folder = Path(tempfile.mkdtemp(prefix="chargehand-pg-", dir=place))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    try:
        run(str(binaries / "initdb"), "-D", str(data), "-U", "chargehand", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c full_page_writes=off"
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield f"host={folder} user=chargehand"
        finally:
            run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_database(server: str, template: str = "template1") -> Iterator[str]:
    """A database of its own on the server, a copy of `template`; gives its SQLAlchemy URL, and drops it after."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    host = server.split(maxsplit=1)[0].removeprefix("host=")
    try:
        yield f"postgresql+psycopg://chargehand@/{name}?host={host}"
    finally:
        with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def emptied(database: Database) -> Database:
    """The database without a row."""
    with database.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    return database


@contextmanager
def temporary_pooler(server: str, mode: str) -> Iterator[str]:
    """PgBouncer before a server, in "transaction" or "session" mode; gives the query of URLs that go through it."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    user = server_user()
    host = server.split(maxsplit=1)[0].removeprefix("host=")
    folder = Path(tempfile.mkdtemp(prefix="chargehand-pool-"))
    lines = [
        "[databases]",
        f"* = host={host} user=chargehand",
        "[pgbouncer]",
        f"unix_socket_dir = {folder}",
        "unix_socket_mode = 0777",
        "listen_port = 6432",
        "auth_type = any",
        f"pool_mode = {mode}",
        f"default_pool_size = {3 if mode == 'transaction' else 20}",
        f"logfile = {folder / 'log'}",
    ]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    if user:
        for path in (folder, folder / "pgbouncer.ini"):
            shutil.chown(path, user)
    process = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], user=user, cwd=folder)
    try:
        until = time.monotonic() + 60
        while not _listens(folder / ".s.PGSQL.6432"):  # it tells of nothing else
            assert process.poll() is None
            assert time.monotonic() < until, "PgBouncer does not listen"
            time.sleep(0.01)
        yield f"host={folder}&port=6432"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        return door.connect_ex(str(path)) == 0
