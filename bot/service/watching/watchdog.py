"""The watcher of the service itself: polls, token, pace, Slack, jobs, deliveries, disk, database, rule files, clock.

It looks and tells, once an occurrence, through the outbox; it mends nothing. What keeps the database from being
written cannot be told through it: that is logged, said by `/healthz`, and told once it is over.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from bot.service.jobs import RULE, Broken, Jobs, mute_rules
from bot.service.polling.pace import Paces
from bot.service.rule_files import Held
from bot.service.ticker import LOUD_STEP, JobState, Step, cause_of
from bot.service.watching.watches import AT_ONCE, BACKLOG_AFTER, UNHEARD_AFTER, UNSENT_AFTER, Sight, find_troubles
from bot.slack.client import WORKSPACE_WIDE
from notify.alert_cards.unheard import unheard_alerts
from notify.claims import EDITS_LIMITED, RATE_LIMITED, UNREADABLE, UNWRITTEN
from notify.outbox import TROUBLE
from notify.troubles import Finding, Told, note_findings
from storage.ahead import is_ahead
from storage.engine import Database
from storage.health import FAILED, WHOLE_API, Counted, Pace, load_paces, record_counts
from storage.polls import PollState, poll_states
from storage.recording.doubts import open_doubts
from storage.recording.sight import unread_fields, unseen_things
from storage.schema import COUNT, OUTBOX, REFUSED

log = structlog.get_logger()

DATABASE_AFTER = timedelta(minutes=1)
CLOCK_TOLD_FOR = timedelta(minutes=15)
"""How long a step of the clock stands as a trouble: so long what is dated around it may look odd."""

WATCHED = "watched"


@dataclass(slots=True)
class Watchdog:
    """Looks at the service. `people` are told where no alert channel is set, by their Slack user ids."""

    jobs: Jobs
    began_at: datetime
    job_states: Callable[[], Mapping[str, JobState]]
    slack_alive: Callable[[], Any]  # awaited
    people: Sequence[str] = ()
    nobody_may_act: bool = False  # so the settings say, and with `ask_who_may` Slack's user groups too
    rule_files: Callable[[], Held | None] = lambda: None
    ask_who_may: Callable[[], Awaitable[bool]] | None = None
    clock_stood_still_s: Callable[[], float] = lambda: 0.0
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
        if self.ask_who_may is not None:
            self.nobody_may_act = await self.ask_who_may()
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
            paces=_paces(connection, self.jobs, polls, now),
            slack_alive=slack_alive,
            jobs=self.job_states(),
            unsent=_unsent(connection, now),
            slack_error=_slack_error(connection),
            refused=_refused_channels(connection),
            unwritten=_unwritten_messages(connection),
            mute=mute_rules(self.jobs),
            unheard=_unheard(connection, now),
            free_bytes=_free_bytes(self.jobs.database),
            clock_put=self._clock_put(now),
            clock_still_s=self.clock_stood_still_s(),
            nobody_may_act=self.nobody_may_act,
            rule_files=self.rule_files(),
            broken={
                **self.jobs.broken,
                RULE: {
                    **{name: Broken(self.began_at, why) for name, why in self.jobs.rules.broken.items()},
                    **self.jobs.broken.get(RULE, {}),
                },
            },
            set_aside={one.resource: (one.rows, one.of) for one in unseen_things(connection)},
            unread=unread_fields(connection),
            doubts=open_doubts(connection),
            unended=dict(self.jobs.unended),
        )


def _paces(connection: Connection, jobs: Jobs, polls: Collection[str], now: datetime) -> dict[str, Pace]:
    """The paces in force, as the polls go by them."""
    paces = jobs.paces or Paces(jobs.plan.interval, load_paces(connection))
    return {name: paces.in_force(name, now) for name in polls} | {WHOLE_API: paces.whole(now)}


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


def _unheard(connection: Connection, now: datetime) -> int:
    """How many alerts fire without a channel; those that fired a moment ago are being told."""
    return sum(row.fired_at is None or now - row.fired_at > UNHEARD_AFTER for row in unheard_alerts(connection))


def _free_bytes(database: Database) -> int | None:
    """The room on the disk that holds a SQLite file; another database's disk is not ours to see."""
    path = database.engine.url.database if database.engine.dialect.name == "sqlite" else None
    if not path or path == ":memory:":
        return None
    return shutil.disk_usage(Path(path).resolve().parent).free
