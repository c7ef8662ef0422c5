"""The migrations against the tables that the code declares: nothing between the two may differ."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlmodel import SQLModel

from storage import tables
from storage.engine import Database
from storage.migrate import current_revision, known_revisions, latest_revision, upgrade
from tests.conftest import ROOT
from tests.forks import run
from tests.readings import T0, charger, connector, poll


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    database = Database(database_url, durable=False)
    yield database
    database.close()


def differences(database: Database) -> list[object]:
    """What Alembic would still have to change to come to the declared tables."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, SQLModel.metadata))


def indexes(database: Database) -> set[tuple[str | None, ...]]:
    """Every index as the database itself words it, those with a condition and unique ones too."""
    if database.engine.dialect.name == "sqlite":
        statement = (
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name <> 'alembic_version'"
        )
    else:
        statement = (
            "SELECT indexname, tablename, indexdef FROM pg_indexes "
            "WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
    with database.read() as connection:
        return {
            tuple(None if value is None else " ".join(value.split()) for value in row)
            for row in connection.execute(sa.text(statement))
        }


def test_migrations_make_exactly_the_tables_that_the_code_declares(empty: Database) -> None:
    assert differences(empty) != []
    assert upgrade(empty) == (None, latest_revision())
    assert differences(empty) == []


def test_migrations_make_every_index_with_its_condition(empty: Database) -> None:
    upgrade(empty)
    migrated = indexes(empty)
    with empty.write() as connection:
        SQLModel.metadata.drop_all(connection)
        SQLModel.metadata.create_all(connection)
    assert migrated == indexes(empty)
    assert any("valid_to IS NULL" in (sql or "") for _, _, sql in migrated)


def test_a_second_upgrade_changes_nothing(empty: Database) -> None:
    upgrade(empty)
    poll(empty, T0, charger(connector(status="Faulted")))
    assert upgrade(empty) == (latest_revision(), latest_revision())
    assert differences(empty) == []
    with empty.read() as connection:
        assert connection.execute(sa.select(tables.Connector.status)).scalars().all() == ["Faulted"]  # type: ignore[call-overload]


def test_an_empty_database_has_no_revision(empty: Database) -> None:
    assert current_revision(empty) is None


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(sa.text("CREATE TABLE transition (something_else INTEGER)"))
    with pytest.raises(sa.exc.DatabaseError, match="transition"):
        upgrade(empty)
    with empty.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["transition"]
    assert current_revision(empty) is None


def test_a_database_at_a_revision_that_this_version_does_not_know_is_refused_and_left_alone(empty: Database) -> None:
    upgrade(empty)
    with empty.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CommandError, match="9999"):
        upgrade(empty)
    assert current_revision(empty) == "9999"


RELEASED = {"0001_create_every_table.py": "8efc84039e98a997e26f12cac22ca69bc9326207dc59d10a5a9d64250ce25c3b"}
"""Revisions that databases stand at, by SHA-256: whoever needs another table adds a revision."""


def test_a_released_revision_is_never_edited() -> None:
    folder = ROOT / "storage" / "migrations" / "versions"
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in RELEASED} == RELEASED


def test_the_revisions_have_one_head() -> None:
    scripts = ScriptDirectory(str(ROOT / "storage" / "migrations"))
    assert scripts.get_heads() == [latest_revision()]
    assert {script.revision for script in scripts.walk_revisions()} == known_revisions()


def test_a_start_that_migrates_nothing_on_sqlite_imports_neither_what_migrates_nor_a_driver() -> None:
    told = "import sys, bot.service.app; print(sorted({'alembic', 'mako', 'psycopg'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, cwd=ROOT, text=True)
    assert done.stdout.strip() == "[]"


def upgrade_as_one_of_many(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


async def test_of_several_that_start_at_once_one_migrates_and_none_fails(database_url: str) -> None:
    codes = await asyncio.gather(*(run(upgrade_as_one_of_many, database_url) for _ in range(5)))
    assert codes == [0] * 5
    database = Database(database_url)
    assert current_revision(database) == latest_revision()
    database.close()
