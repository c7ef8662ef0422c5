"""The commands that need the sandbox: replay of a recording, and the stand-in API by itself.

Each imports what it needs when it runs. Nothing here reaches EOSVOLT or Slack.
"""

import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer


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
    import asyncio

    from rules.documents.files import load_rules
    from sandbox.recordings.folder import open_recording

    if database and not database.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+psycopg:")):
        raise typer.BadParameter("only SQLite and PostgreSQL are known", param_hint="--database")
    loaded = load_rules([*rules, *(more_rules or [])])
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
    from bot.service.polling.poll_plan import PollPlan
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


def sandbox(
    fleet: Annotated[int | None, typer.Option(help="A living fleet of N chargers.", metavar="N", min=1)] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet.")] = 1,
    replay: Annotated[Path | None, typer.Option(help="Replay a recording instead.", metavar="DIR")] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Serve what `chargehand record` saved of an account instead.", metavar="DIR")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Speak as the account of this file in examples/contracts: ocpi, laravel, ...")
    ] = None,
    speed: Annotated[float, typer.Option(help="Simulated seconds a second.", min=0)] = 1,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1.", min=0, max=65535)] = 8081,
) -> None:
    """Serve a stand-in for the EOSVOLT API on this machine; no account needed."""
    import asyncio

    from sandbox.eosvolt.accounts.public import TONGUES

    if [fleet, replay, recording].count(None) != 2:
        raise typer.BadParameter("give one of --fleet N, --replay DIR and --recording DIR")
    if account is not None and account not in TONGUES:
        raise typer.BadParameter(f"is one of {', '.join(TONGUES)}", param_hint="--account")
    if recording is not None:
        asyncio.run(_serve_recording(recording, port))
    else:
        asyncio.run(_serve_sandbox(fleet, seed, replay, account, speed, port))


async def _serve_recording(folder: Path, port: int) -> None:
    import asyncio

    from sandbox.eosvolt.recorded import RecordedApi
    from sandbox.eosvolt.server import serving

    async with serving(RecordedApi(folder, lambda: datetime.now(UTC)), port=port) as url:
        typer.echo(f"The recorded account at {url}; any token is good, and nothing can be acted upon.")
        typer.echo(f"Use it with: EOSVOLT_BASE_URL={url} EOSVOLT_TOKEN=any .venv/bin/chargehand doctor")
        typer.echo("Stop it with Ctrl-C.")
        await asyncio.Event().wait()


async def _serve_sandbox(
    fleet: int | None, seed: int, recording: Path | None, account: str | None, speed: float, port: int
) -> None:
    from sandbox.eosvolt.accounts.public import TONGUES
    from sandbox.eosvolt.accounts.spoken import Spoken
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
    api = create_api(source, clock=clock)
    async with serving(Spoken(api, TONGUES[account]) if account else api, port=port) as url:
        typer.echo(
            f"EOSVOLT stand-in at {url}, token sandbox-token, from {start:%Y-%m-%d %H:%M} UTC at speed {speed:g}."
        )
        typer.echo(f"Use it with: EOSVOLT_BASE_URL={url} EOSVOLT_TOKEN=sandbox-token .venv/bin/chargehand doctor")
        typer.echo("Stop it with Ctrl-C.")
        await drive(source, clock)


def _opened(out: Path | None) -> Any:
    return nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8")
