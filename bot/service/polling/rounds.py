"""What the service does over and over: polls of EOSVOLT side by side, and one evaluation of what they brought.

Each resource is polled by a job of its own, so that a slow or limited one holds up no other. Evaluation is one job, and
goes by the polls in the order in which they began. When a job runs is the ticker's to say.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.service import evaluating
from bot.service.automating import automate
from bot.service.jobs import Jobs
from bot.service.polling import polls
from bot.service.polling.poll_plan import PRICES, RESOURCES
from bot.service.polling.price_polls import PricePolls
from bot.service.speaking import speak
from bot.service.ticker import Job
from commands.outcomes.sending import wants_faster_polls
from storage.engine import Database
from storage.polls import PollState, poll_states

log = structlog.get_logger()

EVALUATE = "evaluate"
FASTER_POLLS_EVERY = timedelta(seconds=4)  # less than the pace of commands, or every second one would come too early
SHOWN_BY = ("chargers", "sessions")
"""The resources whose polls show what came of a command."""


def poll_job(resource: str) -> str:
    """The name of the job that polls a resource."""
    return f"poll {resource}"


@dataclass(slots=True)
class Rounds:
    """The polls and the evaluation of one service. `wake` lets a job run soon; `rules` is held while rules are used."""

    jobs: Jobs
    prices: PricePolls
    rules: asyncio.Lock
    wake: Callable[[str], None]

    def table(self) -> list[Job]:
        """The jobs of the rounds, each at the interval of the polls: which are due is known to the plan."""
        of_resources = [
            Job(poll_job(resource), partial(self.poll, resource), self.jobs.plan.interval) for resource in RESOURCES
        ]
        return [
            *of_resources,
            Job(poll_job(PRICES), self.prices.poll, self.jobs.plan.interval),
            Job(EVALUATE, self.evaluate, self.jobs.plan.interval),
        ]

    async def poll(self, resource: str, now: datetime) -> None:
        """Poll one resource, and have what is good evaluated."""
        if await polls.poll_resource(self.jobs, resource, now):
            self.wake(EVALUATE)
            if resource == "chargers":
                self.wake(poll_job("locations"))  # one of them may stand at a location that is not known yet
        self.wake("commands")
        self.wake("digests")

    async def evaluate(self, _now: datetime) -> None:
        """Evaluate what good polls have brought since, at their moment; then let what waits for readings look again."""
        at = self.jobs.news.take()
        if at is None:
            return
        try:
            await self._evaluate(at)
        except BaseException:
            self.jobs.news.again()
            raise
        for job in ("commands", "digests", "deliver"):
            self.wake(job)

    async def _evaluate(self, at: datetime) -> None:
        states: dict[str, PollState] = await asyncio.to_thread(_states, self.jobs.database)
        fresh = polls.fresh(self.jobs, states, at)
        async with self.rules:
            try:
                moved = await asyncio.to_thread(evaluating.evaluate, self.jobs, at, fresh)
                if moved:
                    log.info("alerts moved", transitions=len(moved))
            finally:
                await asyncio.to_thread(speak, self.jobs, at)
                await asyncio.to_thread(automate, self.jobs, at)

    async def hurry(self, now: datetime) -> None:
        """Poll sooner where the outcome of a command waits to be seen."""
        wants, polled = await asyncio.to_thread(_waits_for_polls, self.jobs.database, now)
        if wants and (polled is None or now - polled >= min(FASTER_POLLS_EVERY, self.jobs.plan.interval)):
            for resource in SHOWN_BY:
                self.wake(poll_job(resource))


def _states(database: Database) -> dict[str, PollState]:
    with database.read() as connection:
        return poll_states(connection)


def _waits_for_polls(database: Database, now: datetime) -> tuple[bool, datetime | None]:
    """Whether the outcome of a command waits for polls, and when chargers were last asked for."""
    with database.read() as connection:
        state = poll_states(connection, now).get("chargers")
        return wants_faster_polls(connection, now), state.attempted_at if state is not None else None
