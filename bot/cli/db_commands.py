"""The commands about the database: upgrade, check, prune, backup, restore and forget.

Each imports what it needs when it runs. None polls, evaluates or posts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database's tables to this version."""
    from storage.migrate import upgrade

    with _database() as (_, database):
        before, after = upgrade(database)
        told = f"is at {after} already" if before == after else f"went from {before or 'empty'} to {after}"
        typer.echo(f"{_named(database)} {told}.")


@app.command("check")
def db_check() -> None:
    """Say whether the database is whole and of this version, and what is in it."""
    from storage.upkeep.checks import faults, sizes

    with _database() as (_, database):
        found = faults(database)
        for fault in found:
            typer.echo(f"{_named(database)}: {fault}")
        if found:
            raise typer.Exit(1)
        with database.read() as connection:
            size = sizes(connection)
        typer.echo(f"{_named(database)} is whole, {size.total / 1e6:.1f} MB.")
        for table, rows in size.rows.items():
            if rows:
                typer.echo(f"  {table}: {rows}")


@app.command("prune")
def db_prune() -> None:
    """Take away what has been kept for as long as the settings say; the service does so by itself."""
    from bot.service.operating.keeping import lengths_of
    from storage.upkeep.prune import clock_is_doubted, prune

    with _database() as (settings, database):
        with database.read() as connection:
            if clock_is_doubted(connection):
                typer.echo("Nothing was pruned: EOSVOLT's clock contradicts this machine's. Set the clock.", err=True)
                raise typer.Exit(1)
            lengths = lengths_of(settings, connection)
        gone = prune(database, datetime.now(UTC), lengths)
        for table, rows in gone.items():
            typer.echo(f"  {table}: {rows}")
        typer.echo(f"{sum(gone.values())} rows went.")


@app.command("backup")
def db_backup(path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.")]) -> None:
    """Copy the database into a file, also while the service runs."""
    from bot.settings import load_settings
    from storage.upkeep.copies import backup

    backup(load_settings().database_url, path)
    typer.echo(f"The copy is in {path}. It holds what the database holds: keep it as safe.")


@app.command("restore")
def db_restore(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `db backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a copy in the place of the database. Stop the service first."""
    from bot.settings import load_settings
    from storage.engine import Database
    from storage.upkeep.copies import restore

    url = load_settings().database_url
    named = _named(Database(url))
    if not yes and not typer.confirm(f"Replace {named} by {path}? The service must be stopped."):
        raise typer.Exit(1)
    kept = restore(url, path)
    typer.echo(f"{named} is what {path} holds." + (f" The one before is {kept}." if kept else ""))


@app.command("forget")
def db_forget(
    driver: Annotated[str, typer.Argument(metavar="DRIVER", help="The id tag as the driver has it.")],
) -> None:
    """Take out what is kept of a driver; the sessions stay, without saying whose they were."""
    from storage.recording.reading_rows import hashed_tag
    from storage.upkeep.forget import forget

    with _database() as (settings, database):
        key = settings.chargehand_id_tag_key
        tags = {driver} | ({hashed_tag(driver, key.get_secret_value().encode())} if key is not None else set())
        with database.write() as connection:
            changed = forget(connection, tags)
        for table, rows in changed.items():
            typer.echo(f"  {table}: {rows}")
        typer.echo("Nothing was kept of this driver." if not changed else "It is forgotten. Backups still hold it.")


@contextmanager
def _database() -> Iterator[tuple[Any, Any]]:
    """The settings and the database that they name, closed after use."""
    from bot.settings import load_settings
    from storage.engine import Database

    settings = load_settings()
    database = Database(settings.database_url)
    try:
        yield settings, database
    finally:
        database.close()


def _named(database: Any) -> str:
    return str(database.engine.url.render_as_string(hide_password=True))
