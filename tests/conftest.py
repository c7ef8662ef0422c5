"""What every test shares: the databases, the asynchronous backend and the places of recorded data."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from hypothesis import settings
from sqlmodel import SQLModel

from bot.service.operating.collecting import collect_seldom
from storage import tables  # noqa: F401 - declares every table
from storage.engine import Database
from tests.databases import server_binaries, temporary_database, temporary_server
from tests.eosvolt.accounts import ACCOUNTS
from tests.examples import in_turn, on_either

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

sys.modules.setdefault("sniffio", cast("ModuleType", None))  # httpcore looks for it in vain at every step of every call

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


_FIRST = ("test_irish.py", "test_scotland.py", "test_lives.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what a plain run does on the other database, and begin with the longest.

    So no worker is left alone with one at the end, and none of their modules is shared out.
    """
    items[:] = on_either(items)
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a third of the time tests wait, for servers, pages and other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collectstart() -> None:
    """Look for no garbage until all is collected: nearly everything that is made till then stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as the service does: a look through all that was imported takes half a second."""
    gc.collect()
    collect_seldom()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that speaks to an account speaks to one of them, in its turn; with `tongue`, to two in CI."""
    for name in {"tongue", "one_tongue"}.intersection(metafunc.fixturenames):
        spoken = in_turn(metafunc.definition.nodeid, ACCOUNTS, in_ci=2 if name == "tongue" else 1)
        metafunc.parametrize(name, spoken, indirect=True)


@pytest.fixture
def tongue(request: pytest.FixtureRequest) -> str:
    """How EOSVOLT's API speaks in this test: "plain", or as an account of examples/contracts."""
    return str(request.param)


@pytest.fixture
def one_tongue(request: pytest.FixtureRequest) -> str:
    """The same, for tests that take too long to be run on each."""
    return str(request.param)


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, to be copied: making the tables anew takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "chargehand.db"
    with_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database with every table, to be copied."""
    with temporary_database(postgresql_server) as url:
        with_tables(url)
        yield url.partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="session")
def postgresql_shared(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with every table, which one test after another empties and uses.

    To make and to drop a database for each takes twenty times longer.
    """
    with temporary_database(postgresql_server, postgresql_template) as url:
        yield url


_EMPTY_POSTGRESQL = ";".join(
    [f'DELETE FROM "{table.name}"' for table in reversed(SQLModel.metadata.sorted_tables)]
    + [
        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), 1, false)"
        for table in SQLModel.metadata.sorted_tables
        for column in table.primary_key
        if column is table.autoincrement_column
    ]
)


def with_tables(url: str) -> None:
    """Make every table in an empty database."""
    database = Database(url, durable=False)
    SQLModel.metadata.create_all(database.engine)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with every table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield from opened(sqlite_copy(request.getfixturevalue("sqlite_template"), tmp_path))
        return
    yield from emptied(request.getfixturevalue("postgresql_shared"))


@pytest.fixture
def postgresql(postgresql_shared: str) -> Iterator[Database]:
    """A PostgreSQL database with every table, for tests of which SQLite has its own."""
    yield from emptied(postgresql_shared)


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A SQLite database with every table, for tests in which the kind of database cannot matter."""
    yield from opened(sqlite_copy(sqlite_template, tmp_path))


def sqlite_copy(template: Path, folder: Path) -> str:
    """The URL of a copy of the file with every table."""
    return f"sqlite:///{shutil.copy(template, folder / 'chargehand.db')}"


def emptied(url: str) -> Iterator[Database]:
    """The PostgreSQL database at `url` without any row, closed after use."""
    for database in opened(url):
        with database.write() as connection:
            connection.exec_driver_sql(_EMPTY_POSTGRESQL)
        yield database


def opened(url: str) -> Iterator[Database]:
    """The database at `url`, closed after use."""
    database = Database(url, durable=False)
    yield database
    database.close()
