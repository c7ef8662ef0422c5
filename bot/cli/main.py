"""The command line. Every error that a person can mend is one clear message and a non-zero exit, never a traceback.

The families of commands stand in the modules beside it. They import what they need when they run, so that
`chargehand --help` answers at once.
"""

import sys

import typer

from bot.cli import db_commands, rule_commands, sandbox_commands, service_commands

app = typer.Typer(
    name="chargehand",
    help="Run EV chargers on EOSVOLT from Slack: slash commands, alerts with rules you write, digests on time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    service_commands.run,
    service_commands.demo,
    service_commands.manifest,
    sandbox_commands.replay,
    sandbox_commands.sandbox,
    service_commands.doctor,
    service_commands.record,
):
    app.command()(command)
app.add_typer(rule_commands.app, name="rules")
app.add_typer(db_commands.app, name="db")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        message = _mendable(error)
        if sys.argv[1:2] == ["run"] and _logs_are_json():
            _tell_end(message, error)
            raise SystemExit(1) from None
        if message is None:
            raise
        typer.echo(message, err=True)
        raise SystemExit(1) from None


@app.callback()
def _log_to_stderr() -> None:
    """Keep standard output for what was asked for."""
    import structlog

    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _logs_are_json() -> bool:
    from bot.logs import wants_json

    return wants_json()


def _tell_end(message: str | None, error: Exception) -> None:
    from bot.logs import tell_end

    tell_end(message, error)


def _mendable(error: Exception) -> str | None:
    """The message of an error that a person can mend; None for one that is ours."""
    from alembic.util import CommandError
    from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

    from bot.settings import SettingsError
    from eosvolt.contract import ContractError
    from eosvolt.errors import EosvoltError, TokenUnusable
    from rules.explanations.explain import ExplainError
    from rules.language.errors import RuleErrors
    from rules.trials.backtest import CannotBacktest
    from rules.trials.cases import CaseErrors
    from sandbox.eosvolt.recorded import RecordingError as AccountRecordingError
    from sandbox.eosvolt.server import PortInUseError
    from sandbox.recordings.recording import RecordingError
    from storage.shape import OtherShapeError
    from storage.sharing.occupied import OccupiedError
    from storage.upkeep.copies import CopyError

    of_rules = (RuleErrors, CaseErrors, ExplainError, CannotBacktest)
    of_others = (
        SettingsError,
        ContractError,
        EosvoltError,
        TokenUnusable,
        RecordingError,
        AccountRecordingError,
        PortInUseError,
        OtherShapeError,
        OccupiedError,
        CopyError,
    )
    if isinstance(error, (*of_rules, *of_others)):
        return str(error)
    if isinstance(error, CommandError):
        return (
            f"The database is of another version of Chargehand: {error}. Run the version that made it, or a newer one."
        )
    if isinstance(error, OperationalError | ArgumentError | NoSuchModuleError) or type(error) is DatabaseError:
        return f"The database cannot be used: {_database_reason(error)}. Check DATABASE_URL."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Check the path."
    return None


def _database_reason(error: Exception) -> str:
    original = getattr(error, "orig", None)
    return str(original or error).strip().splitlines()[0].rstrip(".")


if __name__ == "__main__":
    main()
