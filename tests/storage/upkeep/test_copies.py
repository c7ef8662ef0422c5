"""A copy is made while others write and is whole; put back, it is what was copied; nothing else is taken for one."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.migrate import upgrade
from storage.schema import AUDIT
from storage.upkeep import copies
from storage.upkeep.checks import faults, sizes
from storage.upkeep.copies import CopyError, backup, restore
from tests.databases import server_binaries
from tests.readings import T0


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with tables and PostgreSQL's programs at hand."""
    binaries = server_binaries()
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")
    database = Database(database_url)
    upgrade(database)
    database.close()
    return database_url


def note(url: str, user: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.execute(sa.insert(AUDIT).values(at=T0, user=user, action="x", subject="", facts={}, outcome=""))
    database.close()


def users(url: str) -> list[str]:
    database = Database(url)
    with database.read() as connection:
        found = connection.execute(sa.select(AUDIT.c.user).order_by(AUDIT.c.id)).scalars().all()
    database.close()
    return list(found)


def test_a_copy_put_back_is_what_was_copied(url: str, tmp_path: Path) -> None:
    note(url, "before")
    copy = tmp_path / "copy"
    backup(url, copy)
    note(url, "after")
    kept = restore(url, copy)
    assert users(url) == ["before"]
    assert copy.stat().st_mode & 0o077 == 0
    if url.startswith("sqlite"):
        assert kept is not None
        assert users(f"sqlite:///{kept}") == ["before", "after"]
    note(url, "again")
    assert users(url) == ["before", "again"]
    database = Database(url)
    assert faults(database) == []
    with database.read() as connection:
        assert sizes(connection).rows["audit_entry"] == 2
        assert sizes(connection).total > 100_000
    database.close()


def test_a_copy_is_whole_though_others_write_meanwhile(url: str, tmp_path: Path) -> None:
    stop = threading.Event()
    database = Database(url)

    def write() -> None:
        while not stop.is_set():
            with database.write() as connection:  # always two at once
                for user in ("one", "two"):
                    row: dict[str, Any] = {
                        "at": T0,
                        "user": user,
                        "action": "x",
                        "subject": "",
                        "facts": {},
                        "outcome": "",
                    }
                    connection.execute(sa.insert(AUDIT).values(row))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup(url, tmp_path / "copy")
    finally:
        stop.set()
        writer.join()
        database.close()
    restore(url, tmp_path / "copy")
    told = users(url)
    assert told.count("one") == told.count("two")


def test_what_is_no_copy_is_refused_and_the_database_left_alone(url: str, tmp_path: Path) -> None:
    note(url, "here")
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"not a database" * 100)
    with pytest.raises(CopyError):
        restore(url, nonsense)
    with pytest.raises(CopyError, match="no file"):
        restore(url, tmp_path / "absent")
    with pytest.raises(CopyError, match="already"):
        backup(url, nonsense)
    with pytest.raises(CopyError, match="no folder"):
        backup(url, tmp_path / "absent" / "copy")
    assert users(url) == ["here"]
    assert not list(tmp_path.glob("*.part"))


def test_a_copy_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chargehand.db'}"
    database = Database(url)
    upgrade(database)
    database.close()
    backup(url, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as copy, copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CopyError, match="version"):
        restore(url, tmp_path / "copy")


def test_without_postgresqls_programs_the_mend_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CopyError, match="postgresql-client"):
        backup("postgresql://u:hunter2@db/name", tmp_path / "copy")


def test_the_password_goes_by_the_environment() -> None:
    told = copies._environment(sa.make_url("postgresql+psycopg://u:p%40ss@db:5433/name?sslmode=require"))
    assert told == {
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGUSER": "u",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "name",
        "PGSSLMODE": "require",
    }


def test_an_empty_database_and_an_old_one_are_told_with_their_mend(database_url: str) -> None:
    database = Database(database_url)
    assert faults(database) == ["it is empty: `chargehand db upgrade` makes its tables"]
    upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert "db upgrade" in faults(database)[0]
    database.close()
