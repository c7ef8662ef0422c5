"""The commands that run the service, show it, and look at its surroundings: run, demo, manifest and doctor.

Each imports what it needs when it runs; none does more than read its arguments and tell what came of it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer


def run() -> None:
    """Run the service: poll, evaluate, deliver, and answer in Slack. Stop it with SIGTERM or Ctrl-C."""
    import asyncio
    import gc

    gc.disable()  # all that is imported stays: looking through it for what does not would be a fifth of the start
    from bot.service.operating.collecting import collect_seldom
    from bot.service.operating.memory import share_one_arena
    from bot.service.operating.process import run_service
    from bot.settings import load_settings

    collect_seldom()
    share_one_arena()
    asyncio.run(run_service(load_settings()))


def demo(
    port: Annotated[int, typer.Option(help="The port of the page on 127.0.0.1.", min=0, max=65535)] = 8080,
    database: Annotated[Path | None, typer.Option(help="Keep the state in this SQLite file.")] = None,
) -> None:
    """Show the product at work on this machine: sandbox, service and a page to try it; no account needed."""
    import asyncio

    from bot.cli.demo import run_demo

    asyncio.run(run_demo(port=port, database_url=f"sqlite:///{database}" if database else None))


def manifest(
    request_url: Annotated[
        str | None, typer.Option(help="The address of POST /slack/events, for HTTP mode; Socket Mode without it.")
    ] = None,
) -> None:
    """Print the Slack app manifest, to be pasted at api.slack.com/apps, Create New App, From a manifest."""
    import json

    from bot.slack import manifest as slack_manifest

    typer.echo(json.dumps(slack_manifest.manifest(request_url=request_url), indent=2))


def record(
    out: Annotated[Path, typer.Option(help="The folder that the answers are written into.", metavar="DIR")],
) -> None:
    """Save an account's answers, read-only, with secrets, names, addresses and tags replaced, to be served again."""
    import asyncio

    import httpx

    from bot.cli.recorder import record_account, write_recording
    from bot.settings import load_settings

    settings = load_settings()
    settings.require("EOSVOLT_BASE_URL")
    now = datetime.now(UTC)
    address, token, contract = settings.eosvolt_base_url or "", settings.token_source(), settings.contract()
    kept = asyncio.run(record_account(address, token, contract, now, onward=httpx.AsyncHTTPTransport()))
    write_recording(kept, out, now)
    typer.echo(f"{len(kept)} answers are in {out}. Read them before you send them to anybody.")
    typer.echo(f"Serve them with: chargehand sandbox --recording {out}")


def doctor(
    sample: Annotated[
        Path | None, typer.Option(help="Check how this recorded answer of EOSVOLT would be read, and nothing else.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Put the lines that mend the contract into this override file.", metavar="FILE")
    ] = None,
    account: Annotated[bool, typer.Option("--account", help="Look at the EOSVOLT account alone.")] = False,
) -> None:
    """Check settings, rules, database, the EOSVOLT API and Slack; each failure with its mend."""
    import asyncio

    from bot.cli.account_doctor import examine_account, examine_sample
    from bot.cli.doctor import examine, examine_eosvolt, report
    from bot.cli.slack_doctor import examine_slack
    from bot.settings import load_settings

    settings = load_settings()
    if sample is not None:
        answer = examine_sample(sample, settings, write)
        typer.echo(answer.text)
        raise typer.Exit(1 if answer.differs else 0)

    async def everything() -> Any:
        if account:
            return await examine_eosvolt(settings)
        return await examine(settings) + await examine_slack(settings)

    findings = asyncio.run(everything())
    typer.echo(report(findings))
    reached = any(finding.name.startswith("GET ") for finding in findings)
    found = asyncio.run(examine_account(settings, datetime.now(UTC), write)) if reached else None
    if found is not None:
        typer.echo(f"\n{found.text}")
    if any(finding.failed for finding in findings) or (found is not None and found.differs):
        raise typer.Exit(1)
