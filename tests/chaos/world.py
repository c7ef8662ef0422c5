"""The world in which chaos is made: the two stand-ins, a database, and so many services on it.

What is true is EOSVOLT's side; what is said is Slack's side; `differences` compares the two once it is quiet.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.engine import Database
from storage.schema import ALERT, COMMAND, LEASE_TERM, OUTBOX
from storage.sharing.leases import LENGTH
from tests.bot.house import TOKEN, House
from tests.chaos.processes import Replica, environment

CHANNEL = "#ev-alerts"
RULE = {
    "name": "connector-faulted",
    "description": "A connector is out of order",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "severity": "critical",
    "group_by": ["connector"],
    "notify": [CHANNEL],
}


@dataclass
class World:
    """The stand-ins and the services between them."""

    house: House
    folder: Path
    replicas: list[Replica] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def settle_in(self, replicas: int) -> None:
        """Make so many services, not started yet."""
        rules = self.folder / "rules.yaml"
        rules.write_text(json.dumps([RULE]))
        own = self.house.workspace
        settings = {
            "EOSVOLT_BASE_URL": self.house.eosvolt,
            "EOSVOLT_TOKEN": TOKEN,
            "SLACK_BOT_TOKEN": own.bot_token,
            "SLACK_APP_TOKEN": own.app_token,
            "SLACK_API_URL": self.house.server.api_url,
            "DATABASE_URL": self.house.database_url,
            "CHARGEHAND_RULES": str(rules),
            "CHARGEHAND_ALERT_CHANNEL": CHANNEL,
            "CHARGEHAND_CARD_BUDGET": "50",
            "CHARGEHAND_POLL_INTERVAL": "1",
        }
        for number in range(replicas):
            log, clock = self.folder / f"service-{number}.log", self.folder / f"clock-{number}"
            self.replicas.append(Replica(log, environment(settings), clock))

    def connectors(self) -> list[str]:
        """Every connector of the fleet."""
        return [one["id"] for charger in self.house.fleet.world.chargers for one in charger.fields["connectors"]]

    def broken(self) -> set[str]:
        """The connectors that are out of order now."""
        return {
            one["id"]
            for charger in self.house.fleet.world.chargers
            for one in charger.fields["connectors"]
            if one["status"] == "Faulted"
        }

    def differences(self) -> list[str]:
        """What is said otherwise than it is; empty where all is said, once, and right."""
        with self._read() as connection:
            firing = set(connection.execute(sa.select(ALERT.c.subject).where(ALERT.c.state == "firing")).scalars())
            items = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.rolled_into.is_(None))).all()
            repeated = _more_than_once(connection.execute(sa.select(ALERT.c.subject).where(_OPEN)).scalars())
        told = [f"{one} is out of order and not told" for one in self.broken() - firing]
        told += [f"{one} is in order and told as out of order" for one in firing - self.broken()]
        told += [f"{one} has two open alerts" for one in repeated]
        messages = [one for one in self.house.workspace.channel(CHANNEL).messages if not one.deleted]
        standing = {one.ts for one in messages}
        for item in items:
            if item.abandoned_at is None and item.shown_version < item.version:
                told.append(f"{item.kind} {item.natural_key} waits: {item.error}")
            if item.message_ts is not None and item.channel == CHANNEL and item.message_ts not in standing:
                told.append(f"{item.natural_key} stands nowhere")
        told += [f"the message {one} stands twice" for one in _more_than_once(map(_item_of, messages))]
        return told

    def gaps(self) -> list[float]:
        """How long nobody led, at each change, from the last sign of the leader before; on PostgreSQL."""
        with self._read() as connection:
            terms = connection.execute(sa.select(LEASE_TERM).order_by(LEASE_TERM.c.token)).all()
        return [
            max((term.began_at - term.before_until + LENGTH).total_seconds(), 0.0)
            for term in terms
            if term.before_until.year > 1970
        ]

    def commands(self) -> int:
        """How many commands EOSVOLT took more often than they were asked for."""
        with self._read() as connection:
            asked = connection.execute(sa.select(sa.func.count()).select_from(COMMAND)).scalar_one()
        return max(len(self.house.api.commands) - int(asked), 0)

    @cached_property
    def database(self) -> Database:
        """The services' database."""
        return Database(self.house.database_url)

    def _read(self) -> Any:
        return self.database.read()

    async def start(self) -> None:
        """Start every service that does not run, and wake those that stand still."""
        for replica in self.replicas:
            if replica.frozen:
                replica.wake()
            replica.step(0)
            await replica.start()

    async def quiet(self, seconds: float) -> list[str]:
        """Wait until all is said as it is; what is not, after so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            try:
                left = await asyncio.to_thread(self.differences)
            except sa.exc.DatabaseError as error:
                left = [f"the database cannot be read: {error.orig}"]
            if not left or loop.time() > until:
                return left
            await self.start()
            await asyncio.sleep(1)


_OPEN = ALERT.c.state.in_(["pending", "firing"])


def _more_than_once(values: Any) -> list[str]:
    return [value for value, times in Counter(values).items() if value is not None and times > 1]


def _item_of(message: Any) -> str | None:
    payload = (message.metadata or {}).get("event_payload", {})
    return str(payload) if payload else None


def now() -> datetime:
    """The machine's own clock: the services have no other."""
    return datetime.now(UTC)
