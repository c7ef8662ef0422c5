"""What every test shares: the databases, the asynchronous backend and the places of recorded data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlmodel import SQLModel

from storage import tables  # noqa: F401 - declares every table
from storage.engine import Database
from tests.databases import server_binaries, temporary_database, temporary_server

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def shared_folder(name: str) -> Path:
    """The folder `name` of recorded data beside the project; skips the test, saying why, where it is absent."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"recorded data is absent: ../shared/{name} is not beside the project")
    return folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server for this run of the suite; skips, saying why, where its binaries are not found."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is absent: its server binaries (initdb, pg_ctl) were not found")
    with temporary_server(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'chargehand.db'}"
        return
    with temporary_database(request.getfixturevalue("postgresql_server")) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with every table, once on SQLite and once on PostgreSQL."""
    database = Database(database_url, durable=False)
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database with every table, for tests in which the kind of database cannot matter."""
    database = Database(f"sqlite:///{tmp_path / 'chargehand.db'}", durable=False)
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()
