"""One charger with one connector in the living fleet, a rule that acts on it, and the service's jobs on one clock.

A soft reset of the living fleet mends in six of ten cases; here a test says after each what it made of the fault.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row

from bot.kill_points import CrashAt, never_crash
from bot.service.automating import automate
from bot.service.commanding import run_commands
from bot.service.evaluating import evaluate
from bot.service.jobs import Jobs, run_inline, use_rules
from bot.service.polling.poll_plan import PollPlan
from bot.service.polling.polls import poll
from bot.service.speaking import speak
from commands.automations.tries import set_switch
from commands.outcomes.sending import recover_commands
from notify.outbox import ALERT_CARD, ALERT_REPLY, COMMAND_CARD
from notify.render import render_message
from rules.actions.automations import Mode
from rules.documents.document import rule_from_document
from rules.registry.store import load_rules
from sandbox.world.times import to_ms
from storage.engine import Database
from storage.schema import ALERT, COMMAND, OUTBOX, TRY
from tests.bot.service.delivery.site import Site, site_on

CHARGER, CONNECTOR = "100.1", "100.1.1"
RESET = f"/v1/chargers/{CHARGER}/reset"
RULE: dict[str, Any] = {
    "name": "self-healing",
    "for_each": "connector",
    "when": f'charger.id == "{CHARGER}" and connector.status == "Faulted"',
    "while": "charger.online",
    "for": "5m",
    "notify": ["#ev-alerts"],
    "actions": [{"reset": "soft", "within": "3m", "cool_down": "1m"}],
}
SECONDS = 30.0
SPOKEN = {"account": "plain"}  # how the next place speaks


class Died(BaseException):
    """The service is gone."""


class Place(Site):
    """The charger, its rule and the service. `ends` is what a reset makes of the connector: None leaves it Faulted."""

    ends: str | None = "Available"
    resets_seen = 0

    def begin(self, *rules: dict[str, Any], mode: Mode = Mode.ON) -> None:
        self.jobs.automations = mode
        self.jobs.run = run_inline
        self.jobs.plan = PollPlan(interval=timedelta(seconds=SECONDS))
        self.jobs.alert_channel = "#ev-alerts"
        for other in [name for name in self.api.source.world.connectors if name.startswith(f"{CHARGER}.")]:
            if other != CONNECTOR:
                self.api.source.world.remove_connector(other, to_ms(self.clock.now))
        use_rules(self.jobs, [rule_from_document(rule, "test") for rule in rules or (RULE,)], self.clock.now)

    def fault(self, code: str | None = "InternalError") -> None:
        """The connector breaks, now."""
        self.force({"status": "Faulted", "errorCode": code})

    def force(self, changes: dict[str, Any], connector_id: str = CONNECTOR) -> None:
        self.api.source.force_connector(connector_id, changes, self.clock.now)

    async def tick(self, seconds: float = SECONDS, die: CrashAt = never_crash) -> None:
        """Some time passes; then all that the service does about it."""
        self.clock.after(seconds=seconds)
        await self.work(die)

    async def work(self, die: CrashAt = never_crash) -> None:
        now = self.clock.now
        self.show(now)
        fresh = await poll(self.jobs, now)
        die("polled")
        if fresh:
            evaluate(self.jobs, now, fresh)
            die("evaluated")
            speak(self.jobs, now)
        automate(self.jobs, now)
        die("decided")
        await run_commands(self.jobs, now, crash_at=die)
        die("commanded")
        self.react()

    def react(self) -> None:
        """The connector does after each reset what the test says."""
        resets = sum(post.endswith("/reset") for post in self.posts)
        if resets > self.resets_seen:
            self.resets_seen = resets
            self.force({"status": "Faulted"} if self.ends is None else {"status": self.ends, "errorCode": None})

    async def minutes(self, number: float, seconds: float = SECONDS) -> None:
        for _ in range(round(number * 60 / seconds)):
            await self.tick(seconds)

    def restart(self) -> None:
        """Another process on the same database: it knows what is written, and nothing else."""
        before = self.jobs
        self.jobs = Jobs(before.database, before.client, before.plan, alert_channel=before.alert_channel)
        self.jobs.automations, self.jobs.run = before.automations, run_inline
        with self.jobs.database.write() as connection:
            self.jobs.rules = load_rules(connection)
            recover_commands(connection, self.clock.now)

    def show(self, now: datetime) -> None:
        """Show what is due by `now`, as if Slack had answered at once."""
        due = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at <= now)
        place = {"message_channel": "C1", "message_ts": "1.0", "sent_at": sa.func.coalesce(OUTBOX.c.sent_at, now)}
        with self.jobs.database.write() as connection:
            connection.execute(sa.update(OUTBOX).where(*due).values(shown_version=OUTBOX.c.version, **place))

    def rows(self, statement: sa.Select[Any]) -> Sequence[Row[Any]]:
        with self.jobs.database.read() as connection:
            return connection.execute(statement).all()

    def cards(self, kind: str = ALERT_CARD) -> list[str]:
        """The newest words of the cards that stand."""
        rows = self.rows(sa.select(OUTBOX).where(OUTBOX.c.kind == kind, OUTBOX.c.sent_at.is_not(None)))
        with self.jobs.database.read() as connection:
            rendered = [render_message(connection, row, self.clock.now) for row in rows]
        return [f"{message.text}\n{message.all_blocks}" for message in rendered]

    def replies(self) -> list[str]:
        return self.cards(ALERT_REPLY)

    def approvals(self) -> list[str]:
        return self.cards(COMMAND_CARD)

    def tries(self) -> list[tuple[int, str, str]]:
        """Each step that was tried: its place, its state, and why it ended so."""
        rows = self.rows(sa.select(TRY).order_by(TRY.c.alert_id, TRY.c.step))
        return [(row.step, row.state, row.reason) for row in rows]

    def commands(self) -> Sequence[Row[Any]]:
        return self.rows(sa.select(COMMAND).order_by(COMMAND.c.requested_at))

    def alerts(self) -> list[str]:
        return [row.state for row in self.rows(sa.select(ALERT).order_by(ALERT.c.id))]

    def switch(self, mode: Mode) -> int:
        with self.jobs.database.write() as connection:
            return set_switch(connection, mode, "U0ADA00001", self.clock.now)

    def write(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self.jobs.database.write() as connection:
            return function(connection, *arguments)


@asynccontextmanager
async def place_on(database: Database, *rules: dict[str, Any], mode: Mode = Mode.ON) -> AsyncIterator[Place]:
    """The charger, polled once and in order; `rules` act on it. EOSVOLT speaks as `SPOKEN` says."""
    async with site_on(database, SPOKEN["account"]) as site:
        place = Place(site.api, site.link, site.jobs, site.clock, site.tongue)
        place.begin(*rules, mode=mode)
        await place.tick()
        yield place


def stamp(at: datetime) -> str:
    """A moment as Slack is told it."""
    return f"<!date^{int(at.timestamp())}^"
