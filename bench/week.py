"""A week of the service in as little time as it takes: `python -m bench.week --connectors 10000`.

The service's own jobs run with a clock that jumps from poll to poll, over HTTP between a living fleet, which breaks,
loses its links and charges, and the stand-in Slack. Four times a day EOSVOLT does not answer. What is over is kept for
two days, so that retention bites within the week. It prints memory, database and queue of each day, and exits 1 where
memory grows, the database does not stay at its size or a message waits at the end. SIGTERM ends it at the next poll,
and the figures are those of the hours until then.
"""

import argparse
import asyncio
import logging
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Engine

from bench.rows.slash_command import settings_for
from bench.sandboxes import Sandboxes, living
from bench.world import T0
from bot.service import evaluating
from bot.service.app import Service, build
from bot.service.delivering.workers import deliver
from bot.service.operating.keeping import Keeping
from bot.service.polling import polls
from notify.outbox import backlog
from storage.engine import Database
from storage.migrate import upgrade
from storage.upkeep.checks import sizes

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLUGS = 2.5
"""Connectors of a charger in the living fleet, about."""
RULES = Path(__file__).parents[1] / "rules" / "library"
MOST_GROWTH = 1.0  # MB an hour
MOST_ROUNDS = 900
"""Seconds of a tick in which messages may go out: channels take about one a second."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How large a fleet, how many days, how long from poll to poll, and how long what is over is kept."""

    connectors: int
    days: float
    step: timedelta
    kept: timedelta


@dataclass(frozen=True, slots=True)
class Sample:
    """How the service stands after some simulated hours."""

    hours: float
    ticks: int
    rss_mb: float
    database_mb: float
    queue: int
    rows: int


@dataclass(slots=True)
class Week:
    """The samples of each hour, and how much was said and moved."""

    samples: list[Sample] = field(default_factory=list)
    moved: int = 0
    said: int = 0
    seconds: float = 0.0
    hours: float = 0.0

    def after(self, hours: float) -> list[Sample]:
        """The samples after the warm-up."""
        return [one for one in self.samples if one.hours >= hours]

    def growth(self, hours: float) -> tuple[float, float]:
        """MB that memory grows by an hour, and by 1,000 ticks, after a warm-up of so many hours."""
        late = self.after(hours)
        if len(late) < 2:
            return 0.0, 0.0
        rss = [one.rss_mb for one in late]
        by_hour = statistics.linear_regression([one.hours for one in late], rss).slope
        return by_hour, statistics.linear_regression([one.ticks / 1000 for one in late], rss).slope


async def live(world: Sandboxes, database_url: str, wanted: Wanted) -> Week:
    """Let the service live through it."""
    moment = [T0]
    changes = {"chargehand_rules": (str(RULES),), "chargehand_poll_interval": wanted.step.total_seconds()}
    settings = settings_for(world.addresses, database_url).model_copy(update=changes)
    service = build(settings, clock=lambda: moment[0], host="127.0.0.1")
    upgrade(service.database)
    keeping = Keeping(service.jobs, wanted.kept, wanted.kept)
    week, began, ticks, ended = Week(), time.monotonic(), 0, asyncio.Event()
    try:
        world.let_it_be(T0)
        await polls.poll(service.jobs, T0)
        await service.rules.begin(None, T0)
        await service.identity.learn()
        end, hour = T0 + wanted.days * DAY, T0 + HOUR
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        while moment[0] < end and not ended.is_set():
            moment[0] += wanted.step
            ticks += 1
            world.let_it_be(moment[0], down=moment[0].hour % 6 == 0 and moment[0].minute < 5)
            await _tick(service, week, moment)
            if moment[0] >= hour:
                hour += HOUR
                await keeping.run(moment[0])
                week.samples.append(_sample(service.database, moment[0], ticks))
                _tell(week)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        week.seconds, week.hours = time.monotonic() - began, (moment[0] - T0) / HOUR
        await service.client.aclose()
        await service.answering.close()
        service.database.close()
    return week


async def _tick(service: Service, week: Week, moment: list[datetime]) -> None:
    """What the ticker would call from one poll to the next."""
    now, jobs = moment[0], service.jobs
    fresh = await polls.poll(jobs, now)
    week.moved += len(await asyncio.to_thread(evaluating.evaluate, jobs, now, fresh))
    await service.remind(now)
    await service.say_digests(now)
    if now.minute % 10 == 0:
        await service.correct_digests(now)
    for _ in range(MOST_ROUNDS):
        if not waiting(service.database.engine, now):
            break
        week.said += await deliver(service.delivery, now)
        now += timedelta(seconds=1)


def waiting(engine: Engine, now: datetime) -> int:
    """How many messages are due and not said."""
    with engine.connect() as connection:
        return backlog(connection, now).due


def _sample(database: Database, now: datetime, ticks: int) -> Sample:
    with database.read() as connection:
        told = sizes(connection)
    return Sample(
        (now - T0) / HOUR, ticks, rss_mb(), told.total / 1e6, waiting(database.engine, now), sum(told.rows.values())
    )


def rss_mb() -> float:
    """The memory of this process, as the system counts it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _tell(week: Week) -> None:
    last = week.samples[-1]
    print(
        f"hour {last.hours:5.0f}: {last.ticks} ticks, {last.rss_mb:.1f} MB of memory, {last.database_mb:.1f} MB on disk"
        f" in {last.rows} rows, {last.queue} messages wait, {week.moved} transitions, {week.said} said",
        flush=True,
    )


def week(wanted: Wanted, database_url: str | None = None) -> Week:
    """A week between a living fleet and the stand-in Slack, which have a process of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="chargehand-week-") as folder,
        living(round(wanted.connectors / PLUGS), T0) as world,
    ):
        return asyncio.run(live(world, database_url or f"sqlite:///{folder}/week.db", wanted))


def troubles(lived: Week, warm: float) -> list[str]:
    """What is not as it should be after the warm-up: memory that grows, a database that does, messages that wait."""
    told, late = list[str](), lived.after(warm)
    if not late:
        return ["it was over before the warm-up"]
    if lived.growth(warm)[0] >= MOST_GROWTH:
        told.append("memory grows")
    half = len(late) // 2
    if half and max(one.database_mb for one in late[half:]) > 1.1 * max(one.database_mb for one in late[:half]):
        told.append("the database grows")
    if late[-1].queue:
        told.append(f"{late[-1].queue} messages wait at the end")
    return told


def told(lived: Week, warm: float) -> str:
    """The figures in some lines: each day's, then the slopes."""
    by_hour, by_ticks = lived.growth(warm)
    days = [one for one in lived.samples if one.hours % 24 == 0]
    lines = [
        f"| {one.hours / 24:.0f} | {one.rss_mb:.0f} MB | {one.database_mb:.1f} MB | {one.rows} | {one.queue} |"
        for one in days
    ]
    slopes = (
        f"memory grows by {by_hour:.3f} MB an hour ({by_ticks:.2f} MB in 1,000 ticks) after {warm:g} hours;"
        f" {lived.moved} transitions, {lived.said} messages; {lived.hours:g} hours lived in {lived.seconds:.0f} s"
    )
    return "\n".join(
        [
            "| day | memory | database | rows | messages that wait |",
            "| --- | --- | --- | --- | --- |",
            *lines,
            slopes,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, live the week, tell the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.week", description=__doc__)
    parser.add_argument("--connectors", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--step", type=float, default=5.0, help="minutes from poll to poll")
    parser.add_argument("--kept", type=float, default=2.0, help="days that are kept of what is over")
    parser.add_argument("--warm", type=float, default=72.0, help="hours until the figures count")
    parser.add_argument("--database", help="the address of a database; a SQLite file of its own without it")
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wanted = Wanted(given.connectors, given.days, timedelta(minutes=given.step), timedelta(days=given.kept))
    lived = week(wanted, given.database)
    print(told(lived, given.warm))
    wrong = troubles(lived, given.warm)
    print("; ".join(wrong) or "all is well")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
