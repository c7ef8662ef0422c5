"""A living fleet, its API behind a wire that can be spoilt, and a poller on a database: minute by minute."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bot.service.jobs import Jobs, run_inline
from bot.service.polling import polls
from bot.service.polling.poll_plan import PollPlan
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource
from sandbox.world.source import RefusedError
from storage.engine import Database
from storage.health import PollHealth, poll_health
from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION
from tests.bot.service.hostile.faults import Spoil

START = datetime(2025, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLAN = PollPlan(polls_per_sweep=10, polls_per_location_poll=15)
CONTRACT = """
[limits]
longest_answer_seconds = 0.03
[routes.locations]
limit = 2
[routes.chargers]
limit = 3
"""
# what depends on the moment at which something was seen, not on what was said
_OF_THE_POLL = {
    *("first_seen_at", "changed_at", "changed_seq", "news_seq", "missed_sweeps", "sampled_at", "extra"),
    *("online_changed_at", "status_changed_at", "error_code_changed_at", "power_changed_at", "energy_changed_at"),
    *("last_heartbeat", "heartbeat_age_s", "heartbeat_changed_at", "price_changed_at"),
    *("previous_energy_kwh", "previous_energy_at", "pending_until", "code_missing_since"),
    *("previous_location_id", "previous_charger_id"),  # as they were before a row's last change
}


class Wire(httpx.AsyncBaseTransport):
    """The way to the API; while `spoil` is set, nothing comes through it whole."""

    def __init__(self, api: Api) -> None:
        self._way = InProcessTransport(api)
        self.spoil: Spoil | None = None
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        answer = await self._way.handle_async_request(request)
        if self.spoil is None or answer.status_code != 200:
            return answer
        return await self.spoil(request, await answer.aread())


@dataclass
class Poller:
    """A poller at work on its own world, which is the same for every poller."""

    database: Database
    work: Jobs
    api: Api
    wire: Wire
    token_file: Path
    source: FleetSource
    now: datetime = START

    def clock(self) -> datetime:
        return self.now

    async def poll(self, minutes: int) -> int:
        """Poll every minute; how many of the polls brought something fresh."""
        fresh = 0
        for _ in range(minutes):
            self.now += MINUTE
            live(self.source, self.now)
            fresh += bool(await polls.poll(self.work, self.now))
        return fresh

    def health(self) -> PollHealth:
        with self.database.read() as connection:
            return poll_health(connection, self.now)

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the API said and the database holds, without the moments at which it was seen."""
        told = {}
        with self.database.read() as connection:
            for table in (LOCATION, CHARGER, CONNECTOR, SESSION):
                columns = [column for column in table.c if column.name not in _OF_THE_POLL]
                rows = connection.execute(sa.select(*columns).order_by(table.c.id)).mappings()
                told[table.name] = [dict(row) for row in rows]
        return told


def live(source: FleetSource, now: datetime) -> None:
    """Let something happen that minute, the same in every world: faults come and go, sessions start and end."""
    source.advance_to(now)
    minute = (now - START) // MINUTE
    plugs = list(source.world.connectors)
    plug = plugs[minute % len(plugs)]
    if minute % 2:
        faulted = {"status": "Faulted", "errorCode": f"E{minute}"}
        source.force_connector(plug, faulted if minute % 4 == 1 else {"status": "Available", "errorCode": None}, now)
        return
    opened = sorted(source.world.open_sessions)
    with suppress(RefusedError):
        if opened and minute % 4 == 2:
            source.stop_session(opened[0], now)
        else:
            source.start_session(plug, f"tag {minute}", now)


@asynccontextmanager
async def poller(database: Database, folder: Path) -> AsyncIterator[Poller]:
    """A poller that has not polled yet."""
    source = FleetSource(5, 5, START)
    made: list[Poller] = []
    api = create_api(source, clock=lambda: made[0].now)
    override, token_file = folder / "site.toml", folder / "token"
    override.write_text(CONTRACT)
    token_file.write_text("sandbox-token")
    wire = Wire(api)
    client = EosvoltClient(
        "http://sandbox",
        TokenSource.from_file(token_file),
        load_contract(override),
        transport=wire,
        attempts=1,
        clock=lambda: made[0].now,
    )
    async with client:
        work = Jobs(database, client, PLAN, run=run_inline)
        made.append(Poller(database, work, api, wire, token_file, source))
        yield made[0]
