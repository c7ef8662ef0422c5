"""A slash command over signed HTTP from 50 connections, answered by the whole service and by a bare Bolt application.

Both run in this process, one at a time; the stand-in Slack, which types and takes the answers, has the other core.
"""

import asyncio
import statistics
from pathlib import Path

from pydantic import SecretStr

from bench.house import WrongWorldError
from bench.measuring import Stopwatch
from bench.peers.bare_bolt import bare_bolt
from bench.sandboxes import TOKEN, Addresses, Sandboxes, Typed, sandboxes
from bench.sizes import Size
from bot.service.app import build
from bot.service.polling import polls
from bot.settings import Settings
from rules.documents.document import Rule
from storage.migrate import upgrade

PEOPLE = 50
FLEET = 400
TEXT = "status"


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Rounds of both, in turn."""
    with sandboxes(FLEET) as world:
        asyncio.run(_rounds(watch, f"sqlite:///{folder}/slash.db", world, size))


def settings_for(addresses: Addresses, database_url: str) -> Settings:
    """The settings of a service between the stand-ins, in HTTP mode on a port that the system chooses."""
    given = {
        "eosvolt_base_url": addresses.eosvolt,
        "eosvolt_token": SecretStr(TOKEN),
        "slack_bot_token": SecretStr(addresses.bot_token),
        "slack_signing_secret": SecretStr(addresses.signing_secret),
        "slack_api_url": addresses.slack,
        "port": 0,
        "database_url": database_url,
        "chargehand_workspace_admins": True,
        "chargehand_alert_channel": "#ev-alerts",
    }
    return Settings(_env_file=None, **given)  # type: ignore[call-arg,arg-type]  # mypy does not see the name


async def _rounds(watch: Stopwatch, database_url: str, world: Sandboxes, size: Size) -> None:
    service = build(settings_for(world.addresses, database_url), host="127.0.0.1")
    upgrade(service.database)
    await polls.poll(service.jobs, service.clock())  # before, every answer says that there is no data yet
    await service.start(list[Rule]())
    assert service.http is not None
    ours = f"http://127.0.0.1:{service.http.port}/slack/events"
    try:
        async with bare_bolt(world.addresses) as bare:
            for number in range(size.laps + 1):
                for name, url in (("bare bolt", bare), ("slash", ours)):
                    typed = await asyncio.to_thread(world.type_commands, url, TEXT, size.requests, PEOPLE)
                    if number:  # the first round makes connections and fills caches
                        _note(watch, name, typed)
                if not watch.has_time(0.8):
                    break
    finally:
        await service.stop()


def _note(watch: Stopwatch, name: str, typed: Typed) -> None:
    if typed.failed:
        raise WrongWorldError(f"{typed.failed} slash commands were not acknowledged or not answered")
    watch.note(f"{name} p99", statistics.quantiles(typed.acknowledged, n=100)[98] * 1000, "ms")
    watch.note(f"{name} throughput", len(typed.acknowledged) / typed.seconds, "/s")
