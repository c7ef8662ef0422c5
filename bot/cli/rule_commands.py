"""The commands about rules: check, test, explain and backtest.

Each imports what it needs when it runs. None puts a rule in force, and none writes to the service's database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Check, test, try and explain rules.", no_args_is_help=True)

RulePaths = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files or folders.")]


@app.command("check")
def rules_check(paths: RulePaths) -> None:
    """Say whether rule files are right; all that is wrong with them at once, with the column and the nearest word."""
    from rules.documents.files import load_rule_files
    from rules.registry.runnable import check_runnable

    files = load_rule_files(paths)
    check_runnable(files.rules)
    noun = "rule is" if len(files.rules) == 1 else "rules are"
    routes, quiet = len(files.plan.routes), files.plan.quiet_hours is not None
    more = [f"{routes} route{'' if routes == 1 else 's'}"] if routes else []
    told = "".join(f"; {part}" for part in [*more, *(["quiet hours"] if quiet else [])])
    typer.echo(f"{len(files.rules)} {noun} right: {', '.join(rule.name for rule in files.rules)}{told}")


@app.command("test")
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


@app.command("explain")
def rules_explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The name of a rule in force.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The id of a connector, charger or other thing.")],
) -> None:
    """Say clause by clause why a rule says what it says of one thing, from the database of the service."""
    from bot.settings import load_settings
    from bot.trials.reports import render_explanation
    from rules.explanations.explain import explain

    zone = load_settings().chargehand_timezone
    with _stored_state() as database, database.read() as connection:
        typer.echo(render_explanation(explain(connection, rule, subject, datetime.now(UTC), zone)))


@app.command("backtest")
def rules_backtest(
    file: Annotated[Path, typer.Argument(metavar="RULE-FILE", help="A file with alert rules.")],
    days: Annotated[int, typer.Option(help="How many days back from the last good poll.", min=1, max=400)] = 14,
) -> None:
    """Say how often rules would have fired in the past, from the history that the service has kept."""
    from bot.settings import load_settings
    from bot.trials.rehearsal import backtest_rules
    from bot.trials.reports import render_backtest
    from rules.documents.files import load_rules
    from rules.trials.backtest import CannotBacktest

    settings = load_settings()
    with _stored_state() as database:
        for report in backtest_rules(
            database,
            load_rules([file]),
            days=timedelta(days=days),
            interval=settings.poll_interval,
            default_zone=settings.chargehand_timezone,
        ):
            typer.echo(str(report) if isinstance(report, CannotBacktest) else render_backtest(report))


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
