"""The command line. Every error that a person can mend is one clear message and a non-zero exit, never a traceback.

Commands import what they need when they run, so that `chargehand --help` answers at once.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

app = typer.Typer(
    name="chargehand",
    help="Run EV chargers on EOSVOLT from Slack: slash commands, alerts with rules you write, digests on time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rules_app = typer.Typer(help="Check, test, try and explain rules.", no_args_is_help=True)
db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.add_typer(db_app, name="db")

RulePaths = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files or folders.")]


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
        if message is None:
            raise
        typer.echo(message, err=True)
        raise SystemExit(1) from None


@app.command()
def run() -> None:
    """Run the service: poll, evaluate, deliver, and answer in Slack. Stop it with SIGTERM or Ctrl-C."""
    from bot.service.app import run_service
    from bot.settings import load_settings

    asyncio.run(run_service(load_settings()))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The port of the page on 127.0.0.1.", min=0, max=65535)] = 8080,
    database: Annotated[Path | None, typer.Option(help="Keep the state in this SQLite file.")] = None,
) -> None:
    """Show the product at work on this machine: sandbox, service and a page to try it; no account needed."""
    from bot.cli.demo import run_demo

    asyncio.run(run_demo(port=port, database_url=f"sqlite:///{database}" if database else None))


@app.command()
def manifest(
    request_url: Annotated[
        str | None, typer.Option(help="The address of POST /slack/events, for HTTP mode; Socket Mode without it.")
    ] = None,
) -> None:
    """Print the Slack app manifest, to be pasted at api.slack.com/apps, Create New App, From a manifest."""
    import json

    from bot.slack import manifest as slack_manifest

    typer.echo(json.dumps(slack_manifest.manifest(request_url=request_url), indent=2))


@app.command()
def replay(
    data: Annotated[Path, typer.Option(help="A folder with a recording.", metavar="DIR")],
    rules: Annotated[list[Path], typer.Option(help="Rule files or folders.", metavar="FILE...")],
    more_rules: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; standard output by default.")] = None,
    interval: Annotated[float, typer.Option(help="Simulated seconds between two polls.", min=1)] = 60,
    until: Annotated[
        datetime | None, typer.Option(help="Go on to this time (UTC) after the recording's end, or stop before it.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="Keep the state here; thrown away by default.")] = None,
) -> None:
    """Replay a recording through poll, record and evaluate; one JSON line a transition and digest."""
    from sandbox.recordings.folder import open_recording

    if database and not database.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+psycopg:")):
        raise typer.BadParameter("only SQLite and PostgreSQL are known", param_hint="--database")
    loaded = _load_rules([*rules, *(more_rules or [])])
    recording = open_recording(data)
    with tempfile.TemporaryDirectory(prefix="chargehand-replay-") as folder:
        url = database or f"sqlite:///{folder}/replay.db"
        with _opened(out) as stream:
            began = time.perf_counter()
            end = until.replace(tzinfo=until.tzinfo or UTC) if until else None
            done = asyncio.run(
                replay_recording(recording, loaded, url, stream, interval=timedelta(seconds=interval), until=end)
            )
    seconds = time.perf_counter() - began
    typer.echo(
        f"{done.polls} polls over {done.simulated} in {seconds:.1f} s: "
        f"{done.transitions} transitions, {done.events} events, {done.digests} digests.",
        err=True,
    )


async def replay_recording(
    recording: Any, loaded: Any, url: str, stream: TextIO, *, interval: timedelta, until: datetime | None = None
) -> Any:
    """Replay a recording through the client's HTTP code and the stand-in API, in this process."""
    from bot.cli.replay import ReplayClock, replay
    from bot.service.jobs import Jobs, run_inline
    from bot.service.poll_plan import PollPlan
    from eosvolt.client import EosvoltClient
    from eosvolt.contract import load_contract
    from eosvolt.tokens import TokenSource
    from sandbox.eosvolt.api import create_api
    from sandbox.eosvolt.in_process import InProcessTransport
    from sandbox.recordings.replay import ReplaySource
    from storage.engine import Database
    from storage.migrate import upgrade

    source = ReplaySource(recording)
    clock = ReplayClock(source.start)
    api = create_api(source, clock=clock)
    if not recording.has_sessions:  # as an account without them: to say that there were none would be a guess
        api.faults.forbidden = frozenset({"sessions"})
    transport = InProcessTransport(api)
    database = Database(url, durable=False)
    upgrade(database)
    token = TokenSource.from_text("sandbox-token")
    # one attempt: within the recording no time passes between two tries, and the next poll is the next try
    client = EosvoltClient("http://replay", token, load_contract(), transport=transport, attempts=1, clock=clock)
    try:
        async with client:
            work = Jobs(database, client, PollPlan(interval=interval), run=run_inline)
            return await replay(source, clock, work, loaded, stream, until=until)
    finally:
        database.close()


@rules_app.command("check")
def rules_check(paths: RulePaths) -> None:
    """Say whether rule files are right; all that is wrong with them at once, with the column and the nearest word."""
    from rules.documents.files import load_rule_files

    files = load_rule_files(paths)
    noun = "rule is" if len(files.rules) == 1 else "rules are"
    routes, quiet = len(files.plan.routes), files.plan.quiet_hours is not None
    more = [f"{routes} route{'' if routes == 1 else 's'}"] if routes else []
    told = "".join(f"; {part}" for part in [*more, *(["quiet hours"] if quiet else [])])
    typer.echo(f"{len(files.rules)} {noun} right: {', '.join(rule.name for rule in files.rules)}{told}")


@rules_app.command("test")
def rules_test(
    paths: RulePaths,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML too.", metavar="FILE")] = None,
) -> None:
    """Run the tests of rules: each *.test.yaml named, below a folder named, or beside a rule file named."""
    from bot.trials.rehearsal import run_rule_tests
    from bot.trials.reports import render_results
    from rules.trials.run import junit as junit_xml

    results = run_rule_tests(paths)
    typer.echo(render_results(results))
    if junit is not None:
        junit.write_text(junit_xml(results), encoding="utf-8")
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@rules_app.command("explain")
def rules_explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The name of a rule in force.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The id of a connector, charger or other thing.")],
) -> None:
    """Say clause by clause why a rule says what it says of one thing, from the database of the service."""
    from bot.trials.reports import render_explanation
    from rules.alerts.explain import explain

    with _stored_state() as database, database.read() as connection:
        typer.echo(render_explanation(explain(connection, rule, subject, datetime.now(UTC))))


@rules_app.command("backtest")
def rules_backtest(
    file: Annotated[Path, typer.Argument(metavar="RULE-FILE", help="A file with alert rules.")],
    days: Annotated[int, typer.Option(help="How many days back from the last good poll.", min=1, max=400)] = 14,
) -> None:
    """Say how often rules would have fired in the past, from the history that the service has kept."""
    from bot.settings import load_settings
    from bot.trials.rehearsal import backtest_rules
    from bot.trials.reports import render_backtest

    settings = load_settings()
    with _stored_state() as database:
        for report in backtest_rules(
            database,
            _load_rules([file]),
            days=timedelta(days=days),
            interval=settings.poll_interval,
            default_zone=settings.chargehand_timezone,
        ):
            typer.echo(render_backtest(report))


@contextmanager
def _stored_state() -> Iterator[Any]:
    """The service's database, closed at the end of the block."""
    from bot.settings import load_settings
    from storage.engine import Database

    database = Database(load_settings().database_url)
    try:
        yield database
    finally:
        database.close()


@db_app.command("upgrade")
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


@app.command()
def sandbox(
    fleet: Annotated[int | None, typer.Option(help="A living fleet of N chargers.", metavar="N", min=1)] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet.")] = 1,
    replay: Annotated[Path | None, typer.Option(help="Replay a recording instead.", metavar="DIR")] = None,
    speed: Annotated[float, typer.Option(help="Simulated seconds a second.", min=0)] = 1,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1.", min=0, max=65535)] = 8081,
) -> None:
    """Serve a stand-in for the EOSVOLT API on this machine; no account needed."""
    if (fleet is None) == (replay is None):
        raise typer.BadParameter("give one of --fleet N and --replay DIR")
    asyncio.run(_serve_sandbox(fleet, seed, replay, speed, port))


async def _serve_sandbox(fleet: int | None, seed: int, recording: Path | None, speed: float, port: int) -> None:
    from sandbox.eosvolt.api import create_api
    from sandbox.eosvolt.server import drive, serving
    from sandbox.fleet.fleet import FleetSource
    from sandbox.recordings.folder import open_recording
    from sandbox.recordings.replay import ReplaySource
    from sandbox.world.clock import SpeedClock
    from sandbox.world.source import Source

    source: Source
    if recording is not None:
        source = ReplaySource(open_recording(recording))
        start = source.start
    else:
        start = datetime.now(UTC)
        source = FleetSource(fleet or 1, seed, start - timedelta(hours=6))  # so that sessions are going on already
        source.advance_to(start)
    clock = SpeedClock(start, speed, time.monotonic)
    async with serving(create_api(source, clock=clock), port=port) as url:
        typer.echo(
            f"EOSVOLT stand-in at {url}, token sandbox-token, from {start:%Y-%m-%d %H:%M} UTC at speed {speed:g}."
        )
        typer.echo(f"Use it with: EOSVOLT_BASE_URL={url} EOSVOLT_TOKEN=sandbox-token chargehand doctor")
        typer.echo("Stop it with Ctrl-C.")
        await drive(source, clock)


@app.command()
def doctor(
    sample: Annotated[
        Path | None, typer.Option(help="Check how this recorded answer of EOSVOLT would be read, and nothing else.")
    ] = None,
) -> None:
    """Check settings, rules, database, the EOSVOLT API and Slack; each failure with its mend."""
    if sample is not None:
        from bot.cli.contract_doctor import examine_sample
        from bot.settings import load_settings as settings_of

        typer.echo(examine_sample(sample, settings_of().contract()))
        return
    from bot.cli.doctor import examine, report
    from bot.cli.slack_doctor import examine_slack
    from bot.settings import load_settings

    async def everything() -> Any:
        settings = load_settings()
        return await examine(settings) + await examine_slack(settings)

    findings = asyncio.run(everything())
    typer.echo(report(findings))
    if any(finding.failed for finding in findings):
        raise typer.Exit(1)


@app.callback()
def _log_to_stderr() -> None:
    """Keep standard output for what was asked for."""
    import structlog

    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _load_rules(paths: list[Path]) -> Any:
    from rules.documents.files import load_rules

    return load_rules(paths)


def _opened(out: Path | None) -> Any:
    return nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8")


def _mendable(error: Exception) -> str | None:
    """The message of an error that a person can mend; None for one that is ours."""
    from alembic.util import CommandError
    from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

    from bot.settings import SettingsError
    from eosvolt.contract import ContractError
    from eosvolt.errors import EosvoltError, TokenUnusable
    from rules.alerts.explain import ExplainError
    from rules.language.errors import RuleErrors
    from rules.trials.backtest import CannotBacktest
    from rules.trials.cases import CaseErrors
    from sandbox.eosvolt.server import PortInUseError
    from sandbox.recordings.recording import RecordingError

    of_rules = (RuleErrors, CaseErrors, ExplainError, CannotBacktest)
    of_others = (SettingsError, ContractError, EosvoltError, TokenUnusable, RecordingError, PortInUseError)
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
