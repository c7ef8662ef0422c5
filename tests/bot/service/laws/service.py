"""One minute of the service as a process of its own, which ends itself by SIGKILL after so many words to its database.

A statement is where a process may die: between two of them nothing is written down.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import event

from bot.service import evaluating, jobs
from bot.service.delivering.delivery import Delivery
from bot.service.delivering.pace import Pace
from bot.service.delivering.workers import deliver
from bot.service.jobs import Jobs, run_inline
from bot.service.polling import polls
from bot.service.speaking import speak
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from storage.engine import Database
from tests.bot.service.hostile.fleet import PLAN
from tests.forks import kill_myself


def live_a_minute(told: dict[str, Any]) -> None:
    """Poll, evaluate, remind and deliver once, at the moment that is told."""
    asyncio.run(_live_a_minute(told))


async def _live_a_minute(told: dict[str, Any]) -> None:
    now = datetime.fromisoformat(told["now"])
    database = Database(told["database"], durable=False)
    left = told["dies_after"]

    def heard(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            kill_myself()

    @event.listens_for(database.engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        if left:
            connection.set_trace_callback(heard)

    token = TokenSource.from_text("sandbox-token")
    async with EosvoltClient(told["eosvolt"], token, load_contract(), attempts=1, clock=lambda: now) as client:
        work = Jobs(database, client, PLAN, run=run_inline, alert_channel="#ev-ops", card_budget=1000)
        jobs.take_up_rules(work)
        fresh = await polls.poll(work, now)
        if fresh:
            evaluating.evaluate(work, now, fresh)
        speak(work, now)
        slack = AsyncWebClient(token=told["token"], base_url=told["slack"])
        pace = Pace(timedelta(), 10_000)
        await deliver(Delivery(database, slack, f"life {told['life']}", "#ev-ops", pace=pace), now)
    database.close()
