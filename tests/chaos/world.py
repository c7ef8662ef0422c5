"""The world in which chaos is made: the two stand-ins, a database, people, and so many services on it.

What is true is EOSVOLT's side; what is said is Slack's side; `differences` compares the two once it is quiet.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.engine import Database
from storage.migrate import upgrade
from tests.bot.house import TOKEN, House
from tests.chaos import comparing
from tests.chaos.disk import Disk
from tests.chaos.people import People
from tests.chaos.ports import free_port
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
WRITING = {"chat.postMessage", "chat.update"}
DIGESTS_FOR = timedelta(hours=3)
DIGESTS_EVERY = timedelta(minutes=3)


@dataclass
class World:
    """The stand-ins and the services between them. `away` are the times at which the database was gone or full."""

    house: House
    folder: Path
    disk: Disk | None = None
    replicas: list[Replica] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    killed_at_work: int = 0
    digests: dict[str, datetime] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # what acts themselves saw
    away: list[tuple[datetime, datetime]] = field(default_factory=list)

    def settle_in(self, replicas: int, own_clocks: bool = True) -> None:
        """Make the tables and so many services, not started yet, with a rule and a digest every few minutes."""
        for one in self.broken():  # so that it is quiet at the start
            self.house.fleet.force_connector(one, {"status": "Available", "errorCode": "NoError"}, now())
        upgrade(self.database)
        if self.shared:
            with self.database.write() as connection:
                connection.exec_driver_sql(comparing.RECORD)
        rules = self.folder / "rules.yaml"
        rules.write_text(json.dumps([RULE, *self._digests()]))
        own = self.house.workspace
        settings = {
            "EOSVOLT_BASE_URL": self.house.eosvolt,
            "EOSVOLT_TOKEN": TOKEN,
            "SLACK_BOT_TOKEN": own.bot_token,
            "SLACK_APP_TOKEN": own.app_token,
            "SLACK_API_URL": self.house.server.api_url,
            "CHARGEHAND_RULES": str(rules),
            "CHARGEHAND_ALERT_CHANNEL": CHANNEL,
            "CHARGEHAND_CARD_BUDGET": "50",
            "CHARGEHAND_POLL_INTERVAL": "4",
            "CHARGEHAND_OPERATORS": "@oncall",
            "CHARGEHAND_WORKSPACE_ADMINS": "true",  # so that both who type may act
        }
        for number in range(replicas):
            log, clock = self.folder / f"service-{number}.log", self.folder / f"clock-{number}"
            url = self.house.database_url + (f"&application_name=service-{number}" if self.shared else "")
            port = free_port()
            own_settings = {**settings, "DATABASE_URL": url, "PORT": str(port)}
            replica = Replica(log, environment(own_settings), clock, port=port)
            replica.own_clock &= own_clocks
            self.replicas.append(replica)

    def _digests(self) -> Iterator[dict[str, Any]]:
        """A rule for each digest: so none may be left out for a newer one."""
        first = (now() + timedelta(seconds=65)).replace(second=0, microsecond=0)
        for number in range(DIGESTS_FOR // DIGESTS_EVERY):
            at = first + number * DIGESTS_EVERY
            name = f"digest-{number}"
            self.digests[name] = at
            yield {
                "name": name,
                "description": "What there was yesterday",
                "schedule": f"{at.minute} {at.hour} {at.day} {at.month} *",
                "timezone": "UTC",
                "digest": "sessions",
                "notify": [CHANNEL],
            }

    @property
    def shared(self) -> bool:
        """Whether several services may work on the database."""
        return self.house.database_url.startswith("postgresql")

    @cached_property
    def people(self) -> People:
        """Who types commands."""
        return People(self.house)

    @cached_property
    def database(self) -> Database:
        """The services' database."""
        return Database(self.house.database_url)

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

    @contextmanager
    def gone(self) -> Iterator[None]:
        """The database is gone meanwhile: nobody can lead."""
        begun = now()
        try:
            yield
        finally:
            self.away.append((begun, now()))

    def differences(self) -> list[str]:
        """What is said otherwise than it is; empty where all is said, once, and right."""
        messages = [one for one in self.house.workspace.channel(CHANNEL).messages if not one.deleted]
        with self.database.read() as connection:
            return [
                *comparing.alerts(connection, self.broken(), messages),
                *comparing.cards(connection, CHANNEL, messages),
                *comparing.digests(connection, self.digests, messages, now()),
                *comparing.commands(connection, self.house, self.people, self.accepted()),
                *(comparing.leaders(connection) if self.shared else ()),
            ]

    def accepted(self) -> set[str]:
        """The commands of which a service said that EOSVOLT took them."""
        lines = [line for one in self.replicas if one.log.exists() for line in one.log.read_bytes().splitlines()]
        sent = [json.loads(line) for line in lines if b'"command sent"' in line and line.endswith(b"}")]
        return {one["command"] for one in sent if one["state"] == "succeeded"}

    def gaps(self) -> list[float]:
        """For how many seconds nobody led, at each change of the leader; on PostgreSQL."""
        with self.database.read() as connection:
            return comparing.gaps(connection, self.away)

    def facts(self) -> dict[str, int]:
        """How much there was that could have gone wrong."""
        messages = self.house.workspace.channel(CHANNEL).messages
        with self.database.read() as connection:
            counted = {
                name: int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # ours
                for name, table in (("alerts", "alert"), ("commands", "command"), ("digests", "digest_slot"))
            }
        received = len(self.house.api.received)
        return {**counted, "commands received by EOSVOLT": received, "messages in the channel": len(messages)}

    async def start(self) -> None:
        """Start every service that does not run, and wake those that stand still."""
        for replica in self.replicas:
            if replica.frozen:
                replica.wake()
            replica.step(0)
            await replica.start()

    def written_to_slack(self) -> int:
        """How many messages were posted or changed, whatever came of it."""
        return sum(one.method in WRITING for one in self.house.workspace.calls)

    async def seen(self, counted: Callable[[], int], seconds: float) -> None:
        """Wait until more is counted than now, but not for longer than this."""
        before = counted()
        with contextlib.suppress(TimeoutError):
            await self.house.workspace.wait_for(lambda: counted() != before, seconds)

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

    def heal(self) -> None:
        """Take back every fault that was ordered and not used up."""
        faults = self.house.api.faults
        faults.answers_503 = faults.cut_off = faults.html = faults.commands_unknown = 0
        faults.delay_seconds = 0
        faults.limited.clear()
        self.house.workspace.link.repeats = 0


def now() -> datetime:
    """The machine's own clock: the services have no other."""
    return datetime.now(UTC)
