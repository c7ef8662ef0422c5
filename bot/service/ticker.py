"""Runs the table of jobs: each at its pace or when it is woken, never twice at a time, until told to stop.

APScheduler only ticks, and by monotonic time: what is due is known to the database, and a wall clock that somebody
puts forward or back hurries nothing and holds nothing up. A job that fails is logged and runs again at its next tick;
ticks that came while it ran are one.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

log = structlog.get_logger()

STOP_SECONDS = 5.0
"""How long a running job may take to end when the service stops; what it was doing is safe either way."""

LOOK_SECONDS = 1.0
"""How often the wall clock is compared with monotonic time: so late at most a tick is after a step."""

LEAST_STEP = timedelta(seconds=2)
"""A smaller difference is none: NTP slews both clocks alike, and puts neither so little."""

LOUD_STEP = timedelta(minutes=1)
"""What moved by less is said at the lowest level: a clock that stands still moves back so every other second."""


@dataclass(slots=True)
class Job:
    """One line of the table. `every` None: runs only when woken. `alone`: it waits for nothing that others share.

    It runs first when the service starts, or, where not `at_once`, after its pace.
    """

    name: str
    run: Callable[[datetime], Awaitable[object]]
    every: timedelta | None = None
    alone: bool = False
    at_once: bool = True
    awake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job last ran: when it last came to a good end, and the error since, if any."""

    every: timedelta | None
    good_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was put forward, or back where `by` is negative; it tells `at` since then."""

    at: datetime
    by: timedelta


def cause_of(error: BaseException) -> str:
    """What broke, in one line for people: the kind of error, and what the database's driver says of it."""
    if isinstance(error, BaseExceptionGroup):
        return cause_of(error.exceptions[0])
    said = str(getattr(error, "orig", None) or "").strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}"[:200] if said else type(error).__name__


class Timekeeper:
    """A wall clock and monotonic time side by side: `look` tells the moment, and a step of the clock since the last."""

    def __init__(self, clock: Callable[[], datetime], ticks: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ticks = ticks
        self._shown, self._apart = self._measured()
        self._moved = ticks()

    @property
    def stood_still_s(self) -> float:
        """For how many seconds of monotonic time the wall clock has shown the same, as far as looks have told."""
        return 0.0 if self._clock() != self._shown else self._ticks() - self._moved

    def look(self) -> tuple[datetime, Step | None]:
        """The moment by the wall clock, and how far it was put since the last look that saw a step."""
        now, apart = self._measured()
        if now != self._shown:
            self._shown, self._moved = now, self._ticks()
        by = timedelta(seconds=apart - self._apart)
        if abs(by) < LEAST_STEP:
            return now, None
        self._apart = apart
        return now, Step(now, by)

    def _measured(self) -> tuple[datetime, float]:
        now = self._clock()
        return now, now.timestamp() - self._ticks()


class MonotonicTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Fires every so many seconds of monotonic time.

    APScheduler asks for a moment of the wall clock: it is told what that clock shows then if nobody puts it. Who
    notices that somebody did has it asked again.
    """

    def __init__(self, seconds: float, ticks: Callable[[], float]) -> None:
        self._seconds = seconds
        self._ticks = ticks
        self._began = ticks()
        self._due = self._began + seconds

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """When to fire next, if the wall clock goes on as it does now."""
        due = self._due if previous_fire_time is None else self._following()
        return now + timedelta(seconds=max(due - self._ticks(), 0.0))

    def fired(self) -> None:
        """Note that it has fired: the next time is a whole interval of the same beat later."""
        self._due = self._following()

    def _following(self) -> float:
        # a timer that comes a little early stands for the beat that it was set for
        beats = math.floor((self._ticks() - self._began) / self._seconds + 0.1)
        return self._began + (beats + 1) * self._seconds


class Ticker:
    """The jobs at work. `clock` is read once for each run of a job, against the monotonic `ticks`.

    Where it was put forward or back, `on_step` is awaited before any job runs: what is stored may be dated ahead.
    `on_run` is told how many seconds each run took.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        clock: Callable[[], datetime],
        on_step: Callable[[Step], Awaitable[object]] | None = None,
        ticks: Callable[[], float] = time.monotonic,
        on_run: Callable[[str, float], None] = lambda _job, _seconds: None,
    ) -> None:
        self._on_run = on_run
        self._jobs = {job.name: job for job in jobs}
        self._clock = clock
        self._ticks = ticks
        self._keeper = Timekeeper(clock, ticks)
        self._on_step = on_step
        self._owed: Step | None = None  # a step that `on_step` has not seen to its end
        self._stepping = asyncio.Lock()
        self.states = {job.name: JobState(job.every) for job in jobs}
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._triggers: dict[str, MonotonicTrigger] = {}
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def wake(self, name: str) -> None:
        """Let a job run as soon as it can, once however often it is woken until then."""
        self._jobs[name].awake.set()

    def wake_in(self, name: str, seconds: float) -> None:
        """Let a job run after a while that is shorter than its pace."""
        asyncio.get_running_loop().call_later(seconds, self.wake, name)

    def start(self) -> None:
        """Run every job once now, then at its pace."""
        for job in self._jobs.values():
            self._tasks.append(asyncio.create_task(self._work(job), name=f"job {job.name}"))
            if job.every is None:
                continue
            if job.at_once:
                self.wake(job.name)
            if job.alone:
                self._tasks.append(asyncio.create_task(self._beat(job), name=f"beat of {job.name}"))
            else:
                self._schedule(job.name, job.every)
        self._tasks.append(asyncio.create_task(self._look(), name="clock"))
        self._scheduler.start()

    async def stop(self) -> None:
        """Take no new work, let what runs come to its end, but not for ever."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for job in self._jobs.values():
            job.awake.set()
        for task in self._tasks:
            if not task.get_name().startswith("job "):
                task.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            log.warning("a job did not end in time and is cut off", job=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def stood_still_s(self) -> float:
        """For how many seconds the wall clock has not moved."""
        return self._keeper.stood_still_s

    @property
    def is_alive(self) -> bool:
        """Whether every job still has its worker."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def _schedule(self, name: str, every: timedelta) -> None:
        self._triggers[name] = MonotonicTrigger(every.total_seconds(), self._ticks)
        self._scheduler.add_job(
            self._tick,
            self._triggers[name],
            args=[name],
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    async def _tick(self, name: str) -> None:
        self._triggers[name].fired()
        self.wake(name)

    async def _beat(self, job: Job) -> None:
        assert job.every is not None  # noqa: S101 - started only then
        while True:
            await asyncio.sleep(job.every.total_seconds())
            self.wake(job.name)

    async def _look(self) -> None:
        """Look at the clock also where no job does, and keep the ticks to monotonic time where it was put."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._moment()

    def _now(self) -> datetime:
        now, step = self._keeper.look()
        if step is not None:
            self._note(step)
        return now

    async def _moment(self) -> datetime:
        """What the clock tells; a step of it is seen to before anybody works with the moment."""
        async with self._stepping:
            now = self._now()
            if self._owed is not None and self._on_step is not None:
                try:
                    await self._on_step(self._owed)
                except Exception:
                    log.exception("what is dated ahead could not be brought down yet; it is tried again")
                else:
                    self._owed = None
            return now

    def _note(self, step: Step) -> None:
        say = log.warning if abs(step.by) >= LOUD_STEP else log.debug
        say("the clock was put " + ("forward" if step.by > timedelta() else "back"), seconds=step.by.total_seconds())
        before = self._owed.by if self._owed is not None else timedelta()
        self._owed = replace(step, by=before + step.by)
        for name, state in self.states.items():
            if state.good_at is not None:  # so long ago as before, by the clock as it is now
                self.states[name] = replace(state, good_at=state.good_at + step.by)
        for name, trigger in self._triggers.items():
            self._scheduler.reschedule_job(name, trigger=trigger)

    async def _work(self, job: Job) -> None:
        while True:
            await job.awake.wait()
            if self._stopping:
                return
            job.awake.clear()
            began = self._ticks()
            try:
                await job.run(self._now() if job.alone else await self._moment())
                self.states[job.name] = JobState(job.every, good_at=self._clock())
            except Exception as error:
                self.states[job.name] = replace(self.states[job.name], error=cause_of(error))
                log.exception("a job failed; it runs again at its next tick", job=job.name)
            self._on_run(job.name, self._ticks() - began)
