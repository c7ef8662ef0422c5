"""What a database of an earlier revision holds is there after the upgrade, in every table and column."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from storage.engine import Database
from storage.migrate import MIGRATIONS, upgrade
from tests.examples import part

T0 = datetime(2026, 3, 2, 10, tzinfo=UTC)
REVISIONS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
EARLIER = [*REVISIONS[1:3], *part(REVISIONS[3:], 4)]
"""Every one in CI; in a plain run the newest two, and one of four of those before."""


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    database = Database(database_url, durable=False)
    yield database
    database.close()


def value_of(column: sa.Column[Any], *, on_sqlite: bool) -> Any:
    """A value that this column can hold, none of its defaults."""
    kinds: list[tuple[type[sa.types.TypeEngine[Any]], Any]] = [
        (sa.Boolean, True),
        (sa.Integer, 7),
        (sa.Float, 1.5),
        (sa.JSON, {"kept": [1]}),
        (sa.DateTime, T0.replace(tzinfo=None) if on_sqlite else T0),
    ]
    return next((value for kind, value in kinds if isinstance(column.type, kind)), f"{column.name} as it was")


def tables_of(connection: sa.Connection) -> list[sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


@pytest.mark.parametrize("revision", EARLIER)
def test_every_row_of_an_earlier_revision_survives_the_upgrade(empty: Database, revision: str) -> None:
    on_sqlite = empty.engine.dialect.name == "sqlite"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with empty.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        before = {
            table.name: {column.name: value_of(column, on_sqlite=on_sqlite) for column in table.columns}
            for table in tables_of(connection)
        }
        for table in tables_of(connection):
            connection.execute(sa.insert(table).values(before[table.name]))
    assert upgrade(empty) == (revision, REVISIONS[0])
    with empty.read() as connection:
        found = {table.name: connection.execute(sa.select(table)).first() for table in tables_of(connection)}
    for name, row in before.items():
        after = found[name]
        assert after is not None, name
        assert {column: getattr(after, column) for column in row} == row
