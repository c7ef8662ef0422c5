"""Brings a database's tables to this version, with the migrations that ship beside this file."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> tuple[str | None, str]:
    """Run the migrations that are missing, in one transaction; the revisions before and after."""
    before = current_revision(database)
    after = latest_revision()
    if before != after:
        with database.write() as connection:
            command.upgrade(_config(connection=connection), "head")
    return before, after


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None for one without tables."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def latest_revision() -> str:
    """The revision that this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the first migration ships with us
    return head


def _config(**attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(attributes)
    return config
