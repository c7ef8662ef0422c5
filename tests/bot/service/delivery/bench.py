"""A delivery against the stand-in workspace, on one clock that a test moves by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from slack_sdk.web.async_client import AsyncWebClient

from bot.service.delivering.delivery import Delivery
from bot.service.delivering.pace import Pace
from bot.service.delivering.workers import deliver
from notify.outbox import enqueue_message
from sandbox.slack import HandClock, Message, SlackServer, SlackWorkspace
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import T0

ALERTS, DAILY, OPS = "C0ALERTS01", "C0DAILY002", "C0OPS00003"


@dataclass
class Bench:
    """One stand-in workspace, one database and one moment; the workspace's clock goes with it."""

    server: SlackServer
    clock: HandClock
    database: Database
    now: datetime = T0
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    @property
    def workspace(self) -> SlackWorkspace:
        return self.server.workspace

    def client(self, **options: Any) -> AsyncWebClient:
        return AsyncWebClient(token=self.workspace.bot_token, base_url=self.server.api_url, **options)

    def delivery(self, worker: str = "one", **options: Any) -> Delivery:
        """The delivery of one worker, with the client that the SDK gives by default."""
        if worker not in self.deliveries or options:
            slack = options.pop("slack", None) or self.client()
            settings = {"fallback_channel": "#ev-ops", "pace": Pace(timedelta(), 10_000), **options}
            self.deliveries[worker] = Delivery(self.database, slack, worker, **settings)
        return self.deliveries[worker]

    def after(self, seconds: float) -> None:
        """Let time pass, for the service and for Slack."""
        self.now += timedelta(seconds=seconds)
        self.clock.advance(seconds)

    async def deliver(self, worker: str = "one") -> int:
        return await deliver(self.delivery(worker), self.now)

    async def settle(self, steps: int = 6, seconds: float = 100) -> None:
        """Deliver again and again, with time enough between for every wait and lease to run out."""
        for _ in range(steps):
            await self.deliver()
            self.after(seconds)

    def say(self, text: str = "something happened", channel: str = "#ev-alerts", key: str = "n", **more: Any) -> None:
        """Enqueue a notice, or news of it under the same key."""
        with self.database.write() as connection:
            said = {"title": "A notice", "text": text}
            enqueue_message(
                connection, natural_key=key, kind="notice", channel=channel, facts=said, now=self.now, **more
            )

    def messages(self, channel: str = ALERTS) -> list[Message]:
        return [m for m in self.workspace.channel(channel).messages if not m.deleted]

    def calls(self, method: str) -> int:
        return sum(call.method == method for call in self.workspace.calls)

    def items(self) -> Sequence[Any]:
        with self.database.read() as connection:
            return connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.created_at, OUTBOX.c.natural_key)).all()

    def item(self) -> Any:
        (item,) = self.items()
        return item


def words_of(message: Message) -> str:
    """Everything that a message shows."""
    return f"{message.text} {message.all_blocks}"
