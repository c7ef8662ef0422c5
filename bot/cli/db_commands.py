"""The commands about the database: upgrade.

Each imports what it needs when it runs. Nothing here reads or changes what is stored, its tables aside.
"""

import typer

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database's tables to this version."""
    from bot.settings import load_settings
    from storage.engine import Database
    from storage.migrate import upgrade

    settings = load_settings()
    database = Database(settings.database_url)
    try:
        before, after = upgrade(database)
    finally:
        database.close()
    told = f"is at {after} already" if before == after else f"went from {before or 'empty'} to {after}"
    typer.echo(f"{database.engine.url.render_as_string(hide_password=True)} {told}.")
