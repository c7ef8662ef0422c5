"""Keeps the database at its size: takes away, a few rows at a time, what has been kept long enough.

Between two steps whoever waits to write has a turn. Nothing here decides what may go.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from bot.service.jobs import Jobs
from bot.settings import Settings
from rules.documents.document import Rule
from rules.registry.store import stored_rules
from storage.upkeep.checks import Sizes, sizes
from storage.upkeep.lives import Lengths
from storage.upkeep.prune import steps

log = structlog.get_logger()

REST_SECONDS = 0.05
"""Between two steps: pruning takes a small part of the database's time, however much there is to go."""

MOST_AT_ONCE = timedelta(minutes=5)
"""How long one run may take; the rest waits for the next."""


@dataclass(slots=True)
class Keeping:
    """What keeping works with; `sizes` are those after the last run."""

    jobs: Jobs
    history: timedelta
    detail: timedelta
    sizes: Sizes | None = None

    async def run(self, now: datetime) -> None:
        """Prune what is over at `now`, and measure what is left."""
        events = longest_events(self.jobs.rules.documents.values())
        todo = steps(self.jobs.database, now, Lengths(self.history, self.detail, events))
        loop = asyncio.get_running_loop()
        until, gone = loop.time() + MOST_AT_ONCE.total_seconds(), 0
        while loop.time() < until and (step := await asyncio.to_thread(next, todo, None)) is not None:
            gone += step[1]
            await asyncio.sleep(REST_SECONDS)
        if gone:
            log.info("what was kept long enough is gone", rows=gone)
        self.sizes = await asyncio.to_thread(self._measure)

    def _measure(self) -> Sizes:
        with self.jobs.database.read() as connection:
            return sizes(connection)


def longest_events(rules: Iterable[Rule]) -> timedelta:
    """How far back a rule in force may look for what happened, and a day."""
    return max((rule.max_age for rule in rules), default=timedelta()) + timedelta(days=1)


def lengths_of(settings: Settings, connection: Connection) -> Lengths:
    """How long rows are kept, by the settings and the rules in force."""
    documents = stored_rules(connection)
    return Lengths(settings.history_kept, settings.detail_kept, longest_events(documents.values()))
