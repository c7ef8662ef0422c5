"""Brings a database's tables to this version, with the migrations that ship beside this file.

Of several that start at once one migrates and the others find it done. A database whose tables are not those of the
revision that it says it is at is left alone.
"""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage.drivers.postgresql import without_end
from storage.engine import Database
from storage.shape import OtherShapeError, Shape, differences, shape_of

MIGRATIONS = Path(__file__).parent / "migrations"

LOCK = 0x636861726765
"""The number of PostgreSQL's advisory lock that migrating holds; any would do, if nobody else takes it."""


def upgrade(database: Database) -> tuple[str | None, str]:
    """Run the migrations that are missing, in one transaction; the revisions before and after.

    Raises OtherShapeError for a database that is not what its revision makes, and CommandError for an unknown revision.
    """
    before, after = current_revision(database), latest_revision()
    if before == after:
        return before, after
    with database.write() as connection, without_end(connection):
        if connection.dialect.name == "postgresql":
            # held until the transaction ends, whatever server connection a pooler gives the next one
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        before = _revision_of(connection)  # another may have been quicker
        if before != after:
            if before in known_revisions():
                refuse_other_shape(connection, before)
            command.upgrade(_config(connection=connection), "head")
    return before, after


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None for one without tables."""
    with database.read() as connection:
        return _revision_of(connection)


def latest_revision() -> str:
    """The revision that this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the first migration ships with us
    return head


def known_revisions() -> frozenset[str]:
    """Every revision that this version can migrate from, and its own."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


@cache
def shape_at(revision: str) -> Shape:
    """The tables that a revision makes, from a database in memory that is brought there."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(_config(connection=connection), revision)
        shape = shape_of(connection)
    engine.dispose()
    return shape


def refuse_other_shape(connection: Connection, revision: str) -> None:
    """Raise OtherShapeError where the database's tables are not those of the revision."""
    found = differences(shape_of(connection), shape_at(revision))
    if found:
        raise OtherShapeError(revision, found)


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(**attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(attributes)
    return config
