"""Databases for replays that are brought to the newest revision already: to do so takes longer than most replays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.engine import Database
from storage.migrate import upgrade
from tests.bot.house import migrated
from tests.databases import temporary_database


@pytest.fixture(scope="session")
def postgresql_migrated(postgresql_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database of the newest revision, to be copied."""
    with temporary_database(postgresql_server) as url:
        database = Database(url, durable=False)
        upgrade(database)
        database.close()
        yield url.partition("@/")[2].partition("?")[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a row, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "chargehand.db"
        path.write_bytes(migrated())
        yield f"sqlite:///{path}"
        return
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_migrated"))
    with temporary_database(server, template) as url:
        yield url
