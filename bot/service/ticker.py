"""Runs the table of jobs: each at its pace or when it is woken, never twice at a time, until told to stop.

APScheduler only ticks: what is due is known to the database. A job that fails is logged and runs again at its next
tick; ticks that came while it ran are one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = structlog.get_logger()

STOP_SECONDS = 5.0
"""How long a running job may take to end when the service stops; what it was doing is safe either way."""


@dataclass(slots=True)
class Job:
    """One line of the table. `every` None: runs only when woken."""

    name: str
    run: Callable[[datetime], Awaitable[object]]
    every: timedelta | None = None
    awake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job last ran: when it last came to a good end, and the error since, if any."""

    every: timedelta | None
    good_at: datetime | None = None
    error: str | None = None


class Ticker:
    """The jobs at work. `clock` is read once for each run of a job."""

    def __init__(self, jobs: Sequence[Job], clock: Callable[[], datetime]) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._clock = clock
        self.states = {job.name: JobState(job.every) for job in jobs}
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def wake(self, name: str) -> None:
        """Let a job run as soon as it can, once however often it is woken until then."""
        self._jobs[name].awake.set()

    def start(self) -> None:
        """Run every job once now, then at its pace."""
        for job in self._jobs.values():
            self._tasks.append(asyncio.create_task(self._work(job), name=f"job {job.name}"))
            if job.every is None:
                continue
            self.wake(job.name)
            self._scheduler.add_job(
                self._tick,
                "interval",
                args=[job.name],
                seconds=job.every.total_seconds(),
                id=job.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        self._scheduler.start()

    async def stop(self) -> None:
        """Take no new work, let what runs come to its end, but not for ever."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for job in self._jobs.values():
            job.awake.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            log.warning("a job did not end in time and is cut off", job=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_alive(self) -> bool:
        """Whether every job still has its worker."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def _tick(self, name: str) -> None:
        self.wake(name)

    async def _work(self, job: Job) -> None:
        while True:
            await job.awake.wait()
            if self._stopping:
                return
            job.awake.clear()
            try:
                await job.run(self._clock())
                self.states[job.name] = JobState(job.every, good_at=self._clock())
            except Exception as error:
                self.states[job.name] = replace(self.states[job.name], error=type(error).__name__)
                log.exception("a job failed; it runs again at its next tick", job=job.name)
