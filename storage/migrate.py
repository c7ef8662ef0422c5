"""Brings a database's tables to this version, with the migrations that ship beside this file.

Of several that start at once one migrates and the others find it done. A database whose tables are not those of the
revision that it says it is at is left alone. What migrates is imported only where there is something to migrate.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.drivers.postgresql import without_end
from storage.engine import Database
from storage.shape import VERSIONS, OtherShapeError, Shape, differences, shape_of

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"

LOCK = 0x636861726765
"""The number of PostgreSQL's advisory lock that migrating holds; any would do, if nobody else takes it."""


_REVISION: sa.Select[Any] = sa.select(sa.column("version_num")).select_from(sa.table(VERSIONS))


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
            _migrate(connection, "head")
    return before, after


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None for one without tables."""
    with database.read() as connection:
        return _revision_of(connection)


def latest_revision() -> str:
    """The revision that this version needs."""
    return max(known_revisions())


def known_revisions() -> frozenset[str]:
    """Every revision that this version can migrate from, and its own."""
    return frozenset(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


@cache
def shape_at(revision: str) -> Shape:
    """The tables that a revision makes, from a database in memory that is brought there."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        _migrate(connection, revision)
        shape = shape_of(connection)
    engine.dispose()
    return shape


def refuse_other_shape(connection: Connection, revision: str) -> None:
    """Raise OtherShapeError where the database's tables are not those of the revision."""
    found = differences(shape_of(connection), shape_at(revision))
    if found:
        raise OtherShapeError(revision, found)


def _revision_of(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSIONS):
        return None
    revision: str | None = connection.execute(_REVISION).scalar()
    return revision


def _migrate(connection: Connection, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - a start that migrates nothing needs none of it

    command.upgrade(migrations_on(connection), revision)


def migrations_on(connection: Connection) -> "Config":
    """What alembic's commands need to work on this connection."""
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
