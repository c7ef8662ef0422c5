"""The demo: the whole service on this machine against a stand-in Slack and a stand-in EOSVOLT; no account needed.

Only the two outer worlds are stand-ins. What the page shows was polled, recorded, evaluated, enqueued and delivered
by the service as it is. Only the command line imports this module, because it knows the sandbox.
"""

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.cli.demo_panel import DemoClock, World
from bot.logs import configure_logs
from bot.service import evaluating, jobs
from bot.service.app import Service, build, utc_now
from bot.service.polling import polls
from bot.settings import Settings
from rules.documents.document import Rule, rule_from_document
from rules.documents.files import load_rules
from rules.documents.reader import DIGESTS
from rules.documents.windows import SINCE_THE_LAST
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.server import PortInUseError, drive, listen, serving
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import SlackServer, SlackWorkspace
from sandbox.slack.workspace import posting
from sandbox.slack.workspace.state import SLACKBOT
from storage.migrate import upgrade

HOST = "127.0.0.1"
LIBRARY = Path(__file__).resolve().parents[2] / "rules" / "library"
TOKEN = "sandbox-token"  # noqa: S105 - a stand-in's token is no secret
POLL_SECONDS = 10
FLEET_LEAD = timedelta(hours=6)
RULES_LEAD = timedelta(hours=1)
DIGEST_ZONE = "Europe/Copenhagen"
FAULTS = (
    (timedelta(minutes=47), "GroundFailure"),
    (timedelta(minutes=36), "ConnectorLockFailure"),
    (timedelta(seconds=10), "PowerMeterFailure"),
)
"""How long the first connectors have been out of order at the start; the last one fires before one's eyes."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: its addresses, its parts, and ids to try."""

    page: str
    eosvolt: str
    service: Service
    workspace: SlackWorkspace
    fleet: FleetSource
    faulted: str
    free: str

    @property
    def repair(self) -> str:
        """A command for a terminal that repairs the faulted connector."""
        return f'curl -X POST {self.eosvolt}/__sandbox__/connectors/{self.faulted} -d \'{{"status": "Available"}}\''


async def run_demo(
    *,
    port: int = 8080,
    chargers: int = 24,
    seed: int = 7,
    database_url: str | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Run the demo until Ctrl-C; PortInUseError where the page's port cannot be had."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGINT, signal.SIGTERM)
    for number in wanted:
        loop.add_signal_handler(number, stopping.set)
    try:
        async with running_demo(
            port=port, chargers=chargers, seed=seed, database_url=database_url, prepare_logs=_quiet_logs
        ) as demo:
            for line in what_to_try(demo):
                say(line)
            await stopping.wait()
            say("Stopping.")
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def running_demo(
    *,
    port: int = 0,
    chargers: int = 24,
    seed: int = 7,
    database_url: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    prepare_logs: Callable[[Settings], object] = lambda _: None,
) -> AsyncIterator[Demo]:
    """The demo while the block runs. Without a database it keeps its state in a temporary folder, thrown away after.

    `clock` is the time of the fleet and of the service alike; `prepare_logs` is called before anything is logged.
    """
    listen(HOST, port).close()  # a port in use is said before anything is started
    clock = DemoClock(clock)
    now = clock()
    fleet = FleetSource(chargers, seed, now - FLEET_LEAD)  # so that sessions are going on already
    workspace = SlackWorkspace()
    api = create_api(fleet, clock=clock, token=TOKEN)
    async with contextlib.AsyncExitStack() as stack:
        eosvolt = await _serve_eosvolt(stack, api, port)
        world = World(fleet, api, clock, (digest_schedule(now), DIGEST_ZONE))
        server = await stack.enter_async_context(SlackServer(workspace, port=port, host=HOST, levers=world.levers()))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chargehand-demo-"))
        settings = demo_settings(eosvolt, server, database_url or f"sqlite:///{folder}/demo.db")
        prepare_logs(settings)
        service = build(settings, clock=clock, host=HOST)
        stack.push_async_callback(service.stop)
        await watch_before(service, api, now)
        fleet.advance_to(now)
        faulted, free = break_connectors(fleet, now)
        driving = asyncio.create_task(drive(fleet, clock))
        stack.push_async_callback(_end, driving)
        demo = Demo(server.url, eosvolt, service, workspace, fleet, faulted, free)
        _welcome(demo, now)
        # the digest's first slot is this very minute, so the rules hold from its beginning
        await service.start(demo_rules(now), now.replace(second=0, microsecond=0))
        yield demo


def demo_settings(eosvolt: str, server: SlackServer, database_url: str) -> Settings:
    """The service's settings for the stand-ins; nothing of the environment's own accounts is used."""
    workspace = server.workspace
    secrets: dict[str, Any] = {
        "eosvolt_token": SecretStr(TOKEN),
        "slack_bot_token": SecretStr(workspace.bot_token),
        "slack_app_token": SecretStr(workspace.app_token),
        "slack_signing_secret": None,
        "chargehand_id_tag_key": None,
    }
    files: dict[str, Any] = {f"{name}_file": None for name in secrets}
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # a name that pydantic-settings takes, and mypy does not see
        **secrets,
        **files,
        eosvolt_base_url=eosvolt,
        slack_api_url=server.api_url,
        port=None,
        database_url=database_url,
        chargehand_rules=(str(LIBRARY),),
        chargehand_timezone="Europe/Copenhagen",
        chargehand_poll_interval=POLL_SECONDS,
        chargehand_admins=(),
        chargehand_workspace_admins=True,  # Ada
        chargehand_outsiders_may_look=False,
        chargehand_operators=("@oncall",),
        chargehand_alert_channel="#ev-alerts",
        chargehand_price_approval_channel=None,
        chargehand_card_budget=20,  # its connectors are out of order from the start: cards show more than a roll-up
        chargehand_contract=None,
        chargehand_plain_id_tags=False,
        log_format="console",
    )


def digest_minutes(now: datetime) -> dict[str, int]:
    """The minute of each hour at which each kind of digest is said, from the one at which the demo begins.

    They take turns, because the same kind again so soon would say the same.
    """
    return {kind: (now.minute + number * 60 // len(DIGESTS)) % 60 for number, kind in enumerate(DIGESTS)}


def digest_schedule(now: datetime) -> str:
    """When some digest is said: every twelve minutes, from the minute at which the demo begins."""
    return f"{','.join(str(minute) for minute in sorted(digest_minutes(now).values()))} * * * *"


def demo_digests(now: datetime) -> list[Rule]:
    """A digest of each kind beside the library's one of sessions: of sessions and money yesterday, else of the hour."""
    hour = {"window": SINCE_THE_LAST}
    windows: dict[str, dict[str, Any]] = {"uptime": hour, "alerts": hour, "maintenance": hour}
    told = {"timezone": DIGEST_ZONE, "notify": ["#ev-daily"]}
    return [
        rule_from_document(
            {
                "name": f"hourly-{kind}",
                "schedule": f"{minute} * * * *",
                "digest": kind,
                **told,
                **windows.get(kind, {}),
            },
            "the demo",
        )
        for kind, minute in digest_minutes(now).items()
        if kind != "sessions"
    ]


def demo_rules(now: datetime) -> list[Rule]:
    """The library's rules, with what would keep a visitor waiting made short; `_welcome` says so."""
    changes: dict[str, dict[str, Any]] = {
        "connector-faulted": {"for": "1m", "keep_firing_for": "30s", "notify": ["#ev-alerts"]},
        "daily-sessions": {
            "schedule": f"{digest_minutes(now)['sessions']} * * * *",
            "timezone": DIGEST_ZONE,
            "notify": ["#ev-daily"],
        },
    }
    library = [
        rule_from_document({**rule.document, **changes.get(rule.name, {})}, "the demo")
        for rule in load_rules([LIBRARY])
    ]
    return [*library, *demo_digests(now)]


async def watch_before(service: Service, api: Api, now: datetime) -> None:
    """Let the alert rules have been in force for a while, by one poll of then.

    What has broken since is news with a card each; what rules find when they are switched on is one summary.
    """
    then, clock = now - RULES_LEAD, api.clock
    api.clock = lambda: then
    await asyncio.to_thread(upgrade, service.database)
    rules = [rule for rule in demo_rules(now) if rule.kind == "alert"]
    await asyncio.to_thread(jobs.use_rules, service.jobs, rules, then)
    fresh = await polls.poll(service.jobs, then)
    await asyncio.to_thread(evaluating.evaluate, service.jobs, then, fresh)
    api.clock = clock


def break_connectors(fleet: FleetSource, now: datetime) -> tuple[str, str]:
    """Let connectors have been out of order for a while; the ids of the first of them, and of one that is free.

    Each at another location where nothing else is broken, so that its repair resolves its card.
    """
    by_location: dict[str, list[dict[str, Any]]] = {}
    for charger in fleet.world.chargers:
        connectors = charger.fields["connectors"] if charger.fields["online"] else [{"id": "", "status": "Offline"}]
        by_location.setdefault(charger.fields["locationId"], []).extend(connectors)
    sound = [
        [connector["id"] for connector in connectors if connector["status"] == "Available"]
        for connectors in by_location.values()
        if not any(connector["status"] in {"Faulted", "Offline"} for connector in connectors)
    ]
    free = [ids for ids in sound if ids]
    for ids, (ago, code) in zip(free, FAULTS, strict=False):
        fleet.force_connector(ids[0], {"status": "Faulted", "errorCode": code}, now - ago)
    return free[0][0], free[-1][-1]


def what_to_try(demo: Demo) -> list[str]:
    """What the terminal says once the demo runs."""
    return [
        "",
        f"  The demo's Slack is at  {demo.page}",
        f"  The demo's EOSVOLT API at {demo.eosvolt}",
        "",
        "Within a minute, #ev-alerts shows connectors that are out of order, and",
        "#ev-daily what was charged yesterday. In any channel, type for example:",
        "",
        "  /charge                     what you may do (Ada is admin, Ole operator, Vera viewer: choose on the page)",
        "  /charge status              the fleet in numbers",
        f"  /charge start {demo.free:<14}asks, starts a session, and its card follows until it charges",
        "",
        "Press Acknowledge on a card. Then repair a connector, under *The world* on the page or here, and see its card",
        "resolve within a minute:",
        "",
        f"  {demo.repair}",
        "",
        "Made short for the demo: polls every 10 s, a digest every 12 minutes instead of at 08:00, out of order",
        "after 1 minute instead of 30, recovered after 30 s instead of 5 minutes. Stop with Ctrl-C.",
    ]


def _quiet_logs(settings: Settings) -> None:
    """Warnings and worse only, so that the terminal keeps showing what to try."""
    configure_logs(settings)
    logging.getLogger().setLevel(logging.WARNING)


def _welcome(demo: Demo, now: datetime) -> None:
    workspace = demo.workspace
    workspace.channel("#ev-daily").topic = "Yesterday's sessions; in this demo every 12 minutes instead of at 08:00"
    text = (
        "*Welcome to the Chargehand demo.* Slack and EOSVOLT are stand-ins on this machine; everything else is the "
        "real service. Within a minute cards appear here, and a digest in <#C0DAILY002>.\n"
        f"Try `/charge`, `/charge status`, `/charge start {demo.free}`, and press Acknowledge on a card. "
        f"Under *The world*, on the left, you break and repair what it watches; or, to repair `{demo.faulted}`, paste "
        f"into a terminal:\n```{demo.repair}```\n"
        "_Made short for the demo: polls every 10 s; a digest comes every 12 minutes instead of at 08:00, each time of "
        "another kind; a connector counts as out of order after 1 minute instead of 30, and as recovered after "
        "30 s instead of 5._"
    )
    posting.post(workspace, workspace.channel("#ev-alerts"), SLACKBOT, text=text)


async def _serve_eosvolt(stack: contextlib.AsyncExitStack, api: Any, page_port: int) -> str:
    # beside the page where that is free, so that the printed command stays the same from run to run
    with contextlib.suppress(PortInUseError):
        if page_port:
            return await stack.enter_async_context(serving(api, HOST, page_port + 1))
    return await stack.enter_async_context(serving(api, HOST, 0))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
