"""The watcher of the service itself: polls, token, pace, Slack, jobs, deliveries, disk and database, each a watch.

It looks and tells, once an occurrence, through the outbox; it mends nothing. What keeps the database from being
written cannot be told through it: that is logged, said by `/healthz`, and told once it is over.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from bot.service.jobs import Jobs
from bot.service.rule_files import Held
from bot.service.ticker import LOUD_STEP, JobState, Step, cause_of
from bot.slack.charge.alerting.rule_files import GONE
from bot.slack.client import WORKSPACE_WIDE
from notify.claims import EDITS_LIMITED, RATE_LIMITED, UNREADABLE, UNWRITTEN
from notify.outbox import TROUBLE
from notify.text.words import duration
from notify.troubles import Finding, Told, note_findings
from storage.ahead import done, is_ahead
from storage.engine import Database
from storage.health import FAILED, WHOLE_API, Counted, Pace, load_pace, record_counts
from storage.polls import PollState, poll_states
from storage.schema import COUNT, OUTBOX, REFUSED

log = structlog.get_logger()

SHORTEST_STALE = timedelta(minutes=4)
STALE_INTERVALS = 4
TOKEN_AFTER = timedelta(minutes=2)
LIMITED_AFTER = timedelta(minutes=15)
SLACK_AFTER = timedelta(minutes=1)
LATE_INTERVALS = 4
SHORTEST_LATE = timedelta(minutes=4)
BACKLOG_AFTER = timedelta(minutes=5)
UNSENT_AFTER = timedelta(minutes=1)
"""From when on a message that Slack did not take is no longer well, though nobody is told of it yet."""
LEAST_FREE = 200_000_000
DATABASE_AFTER = timedelta(minutes=1)
AT_ONCE = timedelta()
CLOCK_TOLD_FOR = timedelta(minutes=15)
"""How long a step of the clock stands as a trouble: so long what is dated around it may look odd."""

MOST_SKEW = timedelta(minutes=2)
"""How far our clock and EOSVOLT's may be apart before one of them is said to be wrong."""

WATCHED = "watched"


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that one look sees. `began_at` is the service's start: what happened before it is not its delay.

    `unsent` is how many messages have waited for BACKLOG_AFTER, or for UNSENT_AFTER where Slack did not take them,
    since when, and the last error of the oldest; `refused` the channels that take nothing, since when, why, and how
    much waits for each; `unwritten` how many messages wait whose rows or words are damaged. `free_bytes` None: not
    known. `clock_put` is how the wall clock was put lately,
    where it was by much.
    """

    now: datetime
    began_at: datetime
    polls: Mapping[str, PollState]
    intervals: Mapping[str, timedelta]
    absent: frozenset[str]
    unauthorized: frozenset[str]
    pace: Pace
    slack_alive: bool
    jobs: Mapping[str, JobState]
    unsent: tuple[int, datetime, str | None] | None = None
    slack_error: str | None = None
    refused: Mapping[str, tuple[datetime, str, int]] = field(default_factory=dict)
    unwritten: int = 0
    free_bytes: int | None = None
    clock_put: Step | None = None
    nobody_may_act: bool = False
    rule_files: Held | None = None


def _polls(sight: Sight) -> Iterator[Finding]:
    polling = sight.jobs.get("poll")
    if polling is not None and polling.error is not None:
        return  # what EOSVOLT said could not be written down or gone on with: told as a job, not blamed on EOSVOLT
    for name, state in sight.polls.items():
        if name in sight.unauthorized or (name in sight.absent and state.good_at is None):
            continue  # told as `token`, or no part of the account
        limit = max(SHORTEST_STALE, STALE_INTERVALS * sight.intervals[name] * sight.pace.slowness)
        good_at = done(state.good_at, sight.now)
        if sight.now - max(good_at or sight.began_at, sight.began_at) > limit:
            yield Finding(f"polls:{name}", AT_ONCE, good_at, facts={"error": state.error})


def _shortfalls(sight: Sight) -> Iterator[Finding]:
    for name, state in sight.polls.items():
        if state.error and not state.failures:  # a good poll of a list that never reached its total
            yield Finding(f"shortfall:{name}", AT_ONCE, facts={"error": state.error})


def _token(sight: Sight) -> Iterator[Finding]:
    if sight.unauthorized:
        yield Finding("token", TOKEN_AFTER, facts={"resources": sorted(sight.unauthorized)})


def _rate_limit(sight: Sight) -> Iterator[Finding]:
    if sight.pace.slowness > 1:
        yield Finding("rate_limit", LIMITED_AFTER, sight.pace.slowed_at, facts={"slowness": sight.pace.slowness})


def _slack(sight: Sight) -> Iterator[Finding]:
    if not sight.slack_alive or sight.slack_error is not None:
        yield Finding("slack", SLACK_AFTER, facts={"error": sight.slack_error})


def _late_jobs(sight: Sight) -> Iterator[Finding]:
    for name, state in sight.jobs.items():
        if state.every is None:
            continue
        well_at = max(state.good_at or sight.began_at, sight.began_at)
        if sight.now - well_at > max(SHORTEST_LATE, LATE_INTERVALS * state.every):
            yield Finding(f"job:{name}", AT_ONCE, well_at, facts={"error": state.error})


def _backlog(sight: Sight) -> Iterator[Finding]:
    if sight.now - sight.began_at < BACKLOG_AFTER:
        return  # what the last service left has only begun to be sent
    if sight.unsent is not None and sight.slack_alive and sight.slack_error is None:
        count, since, error = sight.unsent
        yield Finding("backlog", BACKLOG_AFTER, since, facts={"count": count, "error": error})


def _refused(sight: Sight) -> Iterator[Finding]:
    for channel, (since, error, waits) in sight.refused.items():
        yield Finding(f"refused:{channel}", AT_ONCE, since, not_to=channel, facts={"error": error, "waits": waits})


def _unwritten(sight: Sight) -> Iterator[Finding]:
    if sight.unwritten:
        yield Finding("unwritten", AT_ONCE, facts={"count": sight.unwritten})


def _disk(sight: Sight) -> Iterator[Finding]:
    if sight.free_bytes is not None and sight.free_bytes < LEAST_FREE:
        yield Finding("disk", AT_ONCE, facts={"free_mb": sight.free_bytes // 1_000_000})


def _rule_files(sight: Sight) -> Iterator[Finding]:
    held = sight.rule_files
    if held is not None and held.broken:
        facts = {"error": held.broken[:1_000]}
        yield Finding("rules_broken", AT_ONCE, held.since, for_people=True, follows=True, facts=facts)
    elif held is not None:
        yield Finding(GONE, AT_ONCE, held.since, for_people=True, facts={"count": held.gone})


def _nobody(sight: Sight) -> Iterator[Finding]:
    if sight.nobody_may_act:
        yield Finding("nobody", AT_ONCE)


def _clock(sight: Sight) -> Iterator[Finding]:
    if sight.clock_put is not None:
        by = sight.clock_put.by
        put = "forward" if by > timedelta() else "back"
        yield Finding("clock", AT_ONCE, sight.clock_put.at, facts={"put": put, "by": duration(abs(by))})
    skew = sight.pace.clock_skew
    if skew is not None and abs(skew) > MOST_SKEW:
        side = "ahead of" if skew < timedelta() else "behind"
        yield Finding("clock_skew", AT_ONCE, facts={"side": side, "by": duration(abs(skew))})


WATCHES: tuple[Callable[[Sight], Iterator[Finding]], ...] = (
    _polls,
    _shortfalls,
    _token,
    _rate_limit,
    _slack,
    _late_jobs,
    _backlog,
    _refused,
    _unwritten,
    _disk,
    _clock,
    _nobody,
    _rule_files,
)
"""Every watch: what it finds wrong in a sight, since when, and after how long it is told."""


def find_troubles(sight: Sight) -> list[Finding]:
    """Everything that is wrong in a sight."""
    return [finding for watch in WATCHES for finding in watch(sight)]


@dataclass(slots=True)
class Watchdog:
    """Looks at the service. `people` are told where no alert channel is set, by their Slack user ids."""

    jobs: Jobs
    began_at: datetime
    job_states: Callable[[], Mapping[str, JobState]]
    slack_alive: Callable[[], Any]  # awaited
    people: Sequence[str] = ()
    nobody_may_act: bool = False  # so the settings say
    rule_files: Callable[[], Held | None] = lambda: None
    unwritable_since: datetime | None = None
    unwritable_cause: str | None = None
    steps: tuple[Step, ...] = ()  # of the wall clock, lately

    def note_step(self, step: Step) -> None:
        """The wall clock was put: all that was seen before is as long ago as it was, by the clock as it is now."""
        self.began_at += step.by
        if self.unwritable_since is not None:
            self.unwritable_since += step.by
        earlier = (replace(one, at=one.at + step.by) for one in self.steps)
        self.steps = (*(one for one in earlier if step.at - one.at < CLOCK_TOLD_FOR), step)

    def _clock_put(self, now: datetime) -> Step | None:
        """The last step that is worth a word; where there are only small ones, what they come to together."""
        lately = [step for step in self.steps if now - step.at < CLOCK_TOLD_FOR]
        loud = [step for step in lately if abs(step.by) >= LOUD_STEP]
        together = sum((step.by for step in lately), timedelta())
        if not loud and abs(together) >= LOUD_STEP:
            return Step(lately[0].at, together)
        return loud[-1] if loud else None

    def _as_long_ago(self, state: PollState, now: datetime) -> PollState:
        """How polling stands, with a good poll before a step of the clock as long ago as it really was."""
        good_at = state.good_at
        for step in self.steps:
            if good_at is not None and (is_ahead(good_at, now) or step.by > timedelta() >= good_at + step.by - step.at):
                good_at += step.by
        return replace(state, good_at=good_at)

    async def watch(self, now: datetime) -> Told:
        """Look once, and write down what is new; a database that cannot be written is logged instead."""
        alive = bool(await self.slack_alive())
        try:
            told: Told = await asyncio.to_thread(self._look, now, alive)
        except Exception as error:
            if cause_of(error) != self.unwritable_cause:
                log.exception("the database cannot be written", error=cause_of(error))
            self.unwritable_since, self.unwritable_cause = self.unwritable_since or now, cause_of(error)
            return Told()
        self.unwritable_since = self.unwritable_cause = None
        for key in told.raised:
            log.error("something is wrong with the service", trouble=key)
        for key in told.ended:
            log.info("a trouble of the service is over", trouble=key)
        return told

    def _look(self, now: datetime, slack_alive: bool) -> Told:
        channel = self.jobs.alert_channel
        with self.jobs.database.write() as connection:
            record_counts(connection, [Counted(WHOLE_API, WATCHED)], now)  # a write that proves that one can be made
            findings = find_troubles(self.sight(connection, now, slack_alive))
            if self.unwritable_since is not None and now - self.unwritable_since >= DATABASE_AFTER:
                was = [Finding("database", AT_ONCE, self.unwritable_since)]
                note_findings(connection, [*findings, *was], now, channel=channel, people=self.people)
            return note_findings(connection, findings, now, channel=channel, people=self.people)

    def sight(self, connection: Connection, now: datetime, slack_alive: bool) -> Sight:
        """Everything that one look at `now` sees; it only reads."""
        polls = {name: self._as_long_ago(state, now) for name, state in poll_states(connection).items()}
        failed = sa.select(COUNT.c.resource, COUNT.c.last_at).where(
            COUNT.c.kind == FAILED, COUNT.c.reason == "unauthorized"
        )
        refused = {
            row.resource
            for row in connection.execute(failed)
            if (state := polls.get(row.resource)) is not None and state.failures and state.attempted_at == row.last_at
        }
        return Sight(
            now=now,
            began_at=self.began_at,
            polls=polls,
            intervals={name: self.jobs.plan.interval_of(name) for name in polls},
            absent=frozenset(self.jobs.absent),
            unauthorized=frozenset(refused),
            pace=load_pace(connection),
            slack_alive=slack_alive,
            jobs=self.job_states(),
            unsent=_unsent(connection, now),
            slack_error=_slack_error(connection),
            refused=_refused_channels(connection),
            unwritten=_unwritten_messages(connection),
            free_bytes=_free_bytes(self.jobs.database),
            clock_put=self._clock_put(now),
            nobody_may_act=self.nobody_may_act,
            rule_files=self.rule_files(),
        )


_WAITS = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.abandoned_at.is_(None), OUTBOX.c.rolled_into.is_(None))


_only_paced = OUTBOX.c.error.in_([RATE_LIMITED, EDITS_LIMITED])


def _unsent(connection: Connection, now: datetime) -> tuple[int, datetime, str | None] | None:
    told_by_another = sa.exists().where(REFUSED.c.channel == OUTBOX.c.channel)
    failed = sa.and_(OUTBOX.c.due_at <= now - UNSENT_AFTER, OUTBOX.c.error.is_not(None), ~_only_paced)
    slow = sa.or_(OUTBOX.c.due_at <= now - BACKLOG_AFTER, failed)
    late = (*_WAITS, slow, OUTBOX.c.kind != TROUBLE, ~told_by_another)
    oldest = sa.select(OUTBOX.c.due_at, OUTBOX.c.error).where(*late).order_by(OUTBOX.c.due_at, OUTBOX.c.id).limit(1)
    row = connection.execute(oldest).first()
    if row is None:
        return None
    count = connection.execute(sa.select(sa.func.count()).select_from(OUTBOX).where(*late)).scalar_one()
    return count, row.due_at, row.error


def _slack_error(connection: Connection) -> str | None:
    """The error by which Slack refuses the whole app, if a message waits because of one."""
    refused = sa.select(OUTBOX.c.error).where(*_WAITS, OUTBOX.c.error.in_(sorted(WORKSPACE_WIDE)))
    error: str | None = connection.execute(refused.order_by(OUTBOX.c.due_at, OUTBOX.c.id).limit(1)).scalar()
    return error


def _refused_channels(connection: Connection) -> dict[str, tuple[datetime, str, int]]:
    waits = sa.select(sa.func.count()).select_from(OUTBOX).where(OUTBOX.c.channel == REFUSED.c.channel, *_WAITS)
    rows = connection.execute(
        sa.select(REFUSED.c.channel, REFUSED.c.since, REFUSED.c.error, waits.scalar_subquery().label("waits"))
    )
    return {row.channel: (row.since, row.error, row.waits) for row in rows.all()}


def _unwritten_messages(connection: Connection) -> int:
    damaged = (*_WAITS, OUTBOX.c.error.in_([UNREADABLE, UNWRITTEN]))
    return int(connection.execute(sa.select(sa.func.count()).select_from(OUTBOX).where(*damaged)).scalar_one())


def _free_bytes(database: Database) -> int | None:
    """The room on the disk that holds a SQLite file; another database's disk is not ours to see."""
    path = database.engine.url.database if database.engine.dialect.name == "sqlite" else None
    if not path or path == ":memory:":
        return None
    return shutil.disk_usage(Path(path).resolve().parent).free
