"""One run of the service as a process of its own, which a test kills.

It delivers, or carries out commands, at the moment it is told, and sends itself SIGKILL at the point it is told.
"""

import asyncio
import os
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.service.commanding import run_commands
from bot.service.delivering.delivery import Delivery
from bot.service.delivering.workers import deliver
from bot.service.jobs import Jobs
from commands.outcomes.sending import recover_commands
from eosvolt.client import EosvoltClient
from eosvolt.tokens import TokenSource
from storage.engine import Database
from tests.eosvolt.accounts import contract_of
from tests.forks import kill_myself


def serve_once(told: dict[str, Any]) -> None:
    """Do what one tick of the service does, until the point of death."""
    asyncio.run(_serve_once(told))


async def _serve_once(told: dict[str, Any]) -> None:
    def crash_at(point: str) -> None:
        if point == told.get("crash_at"):
            kill_myself()

    now = datetime.fromisoformat(told["now"])
    database = Database(told["database"])
    if "slack" in told:
        slack = AsyncWebClient(token=told["token"], base_url=told["slack"])
        await deliver(Delivery(database, slack, f"pid-{os.getpid()}", "#ev-ops", crash_at=crash_at), now)
    if "eosvolt" in told:
        with database.write() as connection:
            recover_commands(connection, now)
        token = TokenSource.from_text(told["token"])
        async with EosvoltClient(told["eosvolt"], token, contract_of(told["tongue"]), attempts=1) as client:
            await run_commands(Jobs(database, client), now, crash_at=crash_at)
    database.close()
