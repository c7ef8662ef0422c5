"""How the service says that it is: three pages for three readers. It looks, and mends nothing.

`/livez` is for whatever restarts the process: its loop turns, and no more. `/readyz` is for whatever waits for it: the
database answers and Slack can reach it, also while EOSVOLT is away. `/healthz` and `/charge health` are for people and
monitors: they say well only where nothing is wrong that is known.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.service.watching.watchdog import Watchdog
from bot.service.watching.watches import Sight, clock_still, find_troubles
from notify.troubles import Finding, open_troubles
from storage.ahead import done
from storage.engine import Database
from storage.polls import PollState
from storage.sharing.leases import Lease, lease

ANSWER_SECONDS = 3.0
"""A database that says nothing for so long is told as one that does not answer."""

SILENT = timedelta()
Page = tuple[bool, dict[str, Any]]


@dataclass(slots=True)
class Wellness:
    """What the pages are made of. `has_workers` says whether every job still has its worker."""

    database: Database
    watchdog: Watchdog
    clock: Callable[[], datetime]
    has_workers: Callable[[], bool]
    slack_alive: Callable[[], Awaitable[bool]]

    async def live(self) -> Page:
        """Whether the process works at all: that this is answered shows that its loop turns."""
        alive = self.has_workers()
        return alive, {"status": "alive" if alive else "a job has no worker"}

    async def ready(self) -> Page:
        """Whether it can serve: its database answers, and Slack can reach it."""
        slack = await self.slack_alive()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.to_thread(self._ping)
        except Exception as error:
            return False, {"status": "the database cannot be read", "error": type(error).__name__, "slack": slack}
        unwritable = self.watchdog.unwritable_since is not None
        status = "ready" if slack else "Slack cannot reach this"
        return slack and not unwritable, {"status": "the database cannot be written" if unwritable else status}

    async def health(self) -> Page:
        """Whether all is well, and the facts; no name of a channel is among them."""
        slack = await self.slack_alive()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                sight, wrong = await asyncio.to_thread(self._look, self.clock(), slack)
                led = await asyncio.to_thread(self._lease)
        except Exception as error:
            return False, {"status": "the database cannot be read", "error": type(error).__name__}
        keys = [finding.what if finding.what == "refused" else finding.key for finding in wrong]
        if led is not None and led.left < timedelta():
            keys.append("leaderless")  # nobody polls or evaluates, and none of these has a watchdog
        facts: dict[str, Any] = {"status": "not well" if keys else "well", "slack": slack, "troubles": keys}
        facts["polls"] = {
            name: state.good_at.isoformat() if state.good_at is not None else None
            for name, state in sight.polls.items()
        }
        if led is not None:
            facts["lease"] = {"holder": led.holder, "token": led.token, "seconds_left": round(led.left.total_seconds())}
        if self.watchdog.unwritable_since is not None:
            facts["database"] = f"cannot be written since {self.watchdog.unwritable_since.isoformat()}"
        return not keys, facts

    async def wrong(self) -> Sequence[Finding]:
        """Everything that is wrong now, for whoever asks in Slack."""
        slack = await self.slack_alive()
        return (await asyncio.to_thread(self._look, self.clock(), slack))[1]

    def _ping(self) -> None:
        with self.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def _lease(self) -> Lease | None:
        if self.database.engine.dialect.name != "postgresql":
            return None
        with self.database.read() as connection:
            return lease(connection)

    def _look(self, now: datetime, slack: bool) -> tuple[Sight, list[Finding]]:
        with self.database.read() as connection:
            sight = self.watchdog.sight(connection, now, slack)
            told = {row.key: row for row in open_troubles(connection)}
        lasting = [one for one in find_troubles(sight) if one.after == SILENT or one.key in told]
        found = {one.key: one for one in (*self._at_once(sight), *lasting)}
        rest = (Finding(key, SILENT, row.since, facts=row.facts) for key, row in told.items() if key not in found)
        return sight, [*found.values(), *rest]

    def _at_once(self, sight: Sight) -> Iterator[Finding]:
        """What is wrong from the first moment, though nobody is woken for it yet."""
        if self.watchdog.unwritable_since is not None:
            yield Finding("database", SILENT, self.watchdog.unwritable_since)
        if not self.has_workers():
            yield Finding("workers", SILENT)
        if not sight.slack_alive:
            yield Finding("slack", SILENT, facts={"error": sight.slack_error})
        if sight.unsent is not None:
            count, since, error = sight.unsent
            yield Finding("backlog", SILENT, since, facts={"count": count, "error": error})
        mine = {name: state for name, state in sight.polls.items() if name not in sight.absent}
        if not any(done(state.good_at, sight.now) is not None for state in mine.values()):
            yield Finding("unpolled", SILENT)
        else:
            yield from _failing_polls(sight, mine.values())
        yield from (replace(still, after=SILENT) for still in clock_still(sight))
        yield from _failing_jobs(sight.jobs)


def _failing_polls(sight: Sight, polls: Collection[PollState]) -> Iterator[Finding]:
    """Nothing of what is asked for all the time was answered; what is read every few hours says nothing about now."""
    shortest = min(sight.intervals[state.resource] for state in polls)
    often = [state for state in polls if sight.intervals[state.resource] == shortest]
    if all(state.failures for state in often):
        yield Finding("failing", SILENT, facts={"error": often[0].error})


def _failing_jobs(jobs: Mapping[str, Any]) -> Iterator[Finding]:
    for name, state in jobs.items():
        if state.error is not None:
            yield Finding(f"job:{name}", SILENT, state.good_at, facts={"error": state.error})
