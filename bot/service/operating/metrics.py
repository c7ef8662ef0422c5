"""What Prometheus reads at /metrics: facts from the database at each look, and what this process has counted.

It only tells. What comes from outside (error names) is bounded before it becomes a label, and no channel is named.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection

from bot.service.ticker import JobState
from bot.service.watching.pages import ANSWER_SECONDS
from notify.outbox import backlog
from notify.troubles import open_troubles
from storage.engine import Database
from storage.health import FAILED, RETRIED
from storage.polls import poll_states
from storage.schema import ALERT, COMMAND, COUNT
from storage.sharing.leases import lease
from storage.upkeep.checks import Sizes

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
MOST_ERRORS = 50
"""How many names of errors are told apart; the others are one."""

MEANINGS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "chargehand_up": (
        "gauge",
        (),
        "1: the database answered this look; else 0, and only the process's own counts come",
    ),
    "chargehand_leader": ("gauge", (), "1: this process leads: one of several on PostgreSQL, the only one on SQLite"),
    "chargehand_lease_token": ("gauge", (), "how often another process has taken over on PostgreSQL"),
    "chargehand_lease_seconds_left": (
        "gauge",
        (),
        "how long the leader's lease lasts yet on PostgreSQL; below 0: nobody leads",
    ),
    "chargehand_data_age_seconds": ("gauge", ("resource",), "how long ago EOSVOLT was last read whole"),
    "chargehand_poll_failures": ("gauge", ("resource",), "polls that failed since the last good one"),
    "chargehand_api_errors_total": ("counter", ("resource", "kind", "reason"), "polls that failed or were tried again"),
    "chargehand_queue_messages": ("gauge", (), "messages that are due and not said yet"),
    "chargehand_queue_oldest_seconds": ("gauge", (), "how long the first of them has been due"),
    "chargehand_queue_failing_messages": ("gauge", (), "messages that wait and failed before"),
    "chargehand_alerts": ("gauge", ("state",), "open alerts: pending, firing, and how many of these were acknowledged"),
    "chargehand_commands": ("gauge", ("state",), "commands that are kept, by what came of them"),
    "chargehand_troubles": ("gauge", ("trouble",), "what Chargehand says is wrong with itself, by kind"),
    "chargehand_job_late_seconds": ("gauge", ("task",), "how far a job is behind its pace"),
    "chargehand_job_failing": ("gauge", ("task",), "1: the job's last run failed"),
    "chargehand_database_bytes": ("gauge", (), "the size of the database, measured every 15 minutes"),
    "chargehand_table_rows": ("gauge", ("table",), "the rows of each table, measured every 15 minutes"),
    "chargehand_job_seconds": (
        "histogram",
        ("task",),
        "how long runs of a job took: polls, `evaluate`, deliveries, ...",
    ),
    "chargehand_deliveries_total": ("counter", ("outcome",), "messages sent, and calls that ended otherwise"),
    "chargehand_slack_errors_total": ("counter", ("error",), "errors of Slack's by their name"),
}
"""Every metric: its kind, its labels, and what it means; docs/metrics.md is made from this."""


class Signals:
    """What this process counts as it works."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        name = "chargehand_job_seconds"
        self._jobs = Histogram(name, MEANINGS[name][2], ["task"], buckets=SECONDS, registry=self.registry)
        self._deliveries = _counter("chargehand_deliveries", self.registry)
        self._slack = _counter("chargehand_slack_errors", self.registry)
        self._errors: set[str] = set()

    def note_run(self, job: str, seconds: float) -> None:
        """A job has run for so long."""
        self._jobs.labels(job).observe(seconds)

    def note_delivery(self, outcome: str, error: str | None = None) -> None:
        """A message was sent, or its call ended in another way, with an error of Slack's."""
        self._deliveries.labels(outcome).inc()
        if error is not None:
            self._slack.labels(self._bounded(error)).inc()

    def _bounded(self, error: str) -> str:
        name = error.partition(":")[0][:60]
        if name not in self._errors and len(self._errors) >= MOST_ERRORS:
            return "other"
        self._errors.add(name)
        return name


def _counter(name: str, registry: CollectorRegistry) -> Counter:
    _, labels, meaning = MEANINGS[f"{name}_total"]
    return Counter(name, meaning, labels, registry=registry)


LONGEST_WITHOUT = timedelta(hours=-1)
"""A lease that was given up has ended long ago: what is told of it ends here."""


@dataclass(slots=True)
class Metrics:
    """What the page is made of. `sizes` were measured when the database was last pruned."""

    database: Database
    clock: Callable[[], datetime]
    job_states: Callable[[], Mapping[str, JobState]]
    sizes: Callable[[], Sizes | None]
    leads: Callable[[], bool]
    signals: Signals = field(default_factory=Signals)

    async def page(self) -> bytes:
        """The page in Prometheus's text format; a database that does not answer in time is told as one."""
        now = self.clock()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                told = [_gauge("chargehand_up", [((), 1.0)]), *await asyncio.to_thread(self._look, now)]
        except Exception:  # whatever it is, the page says so, and the watchdog tells what
            told = [_gauge("chargehand_up", [((), 0.0)])]
        told.append(_gauge("chargehand_leader", [((), float(self.leads()))]))
        told += _of_jobs(self.job_states(), now)
        told += _of_sizes(self.sizes())
        return generate_latest(_Together([*self.signals.registry.collect(), *told]))

    def _look(self, now: datetime) -> list[Metric]:
        with self.database.read() as connection:
            return list(_of_database(connection, now))


@dataclass(frozen=True, slots=True)
class _Together:
    metrics: list[Metric]

    def collect(self) -> Iterator[Metric]:
        return iter(self.metrics)


Values = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, values: Values) -> Metric:
    _, labels, meaning = MEANINGS[name]
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for told, value in values:
        family.add_metric(told, value)
    return family


def _of_database(connection: Connection, now: datetime) -> Iterator[Metric]:
    polls = poll_states(connection, now)
    ages = {name: state.good_at for name, state in polls.items() if state.good_at is not None}
    yield _gauge("chargehand_data_age_seconds", (((name,), (now - at).total_seconds()) for name, at in ages.items()))
    yield _gauge("chargehand_poll_failures", (((name,), state.failures) for name, state in polls.items()))
    name = "chargehand_api_errors_total"
    errors = CounterMetricFamily(name.removesuffix("_total"), MEANINGS[name][2], labels=MEANINGS[name][1])
    counted = sa.select(COUNT.c.resource, COUNT.c.kind, COUNT.c.reason, COUNT.c["count"])
    for row in connection.execute(counted.where(COUNT.c.kind.in_([FAILED, RETRIED]))):
        errors.add_metric([row.resource, row.kind, row.reason], row[3])
    yield errors
    if connection.dialect.name == "postgresql" and (led := lease(connection)) is not None:
        yield _gauge("chargehand_lease_token", [((), led.token)])
        yield _gauge("chargehand_lease_seconds_left", [((), max(led.left, LONGEST_WITHOUT).total_seconds())])
    waits = backlog(connection, now)
    yield _gauge("chargehand_queue_messages", [((), waits.due)])
    oldest = (now - waits.oldest).total_seconds() if waits.oldest is not None else 0.0
    yield _gauge("chargehand_queue_oldest_seconds", [((), max(oldest, 0.0))])
    yield _gauge("chargehand_queue_failing_messages", [((), waits.failing)])
    yield _gauge("chargehand_alerts", _open_alerts(connection))
    states = sa.select(COMMAND.c.state, sa.func.count()).group_by(COMMAND.c.state)
    yield _gauge("chargehand_commands", (((row[0],), row[1]) for row in connection.execute(states)))
    kinds = Tally(row.key.partition(":")[0] for row in open_troubles(connection))
    yield _gauge("chargehand_troubles", (((kind,), count) for kind, count in sorted(kinds.items())))


def _open_alerts(connection: Connection) -> Values:
    acknowledged = sa.func.count().filter(ALERT.c.state == "firing", ALERT.c.acknowledged_at.is_not(None))
    counted = sa.select(ALERT.c.state, sa.func.count(), acknowledged).where(ALERT.c.state.in_(["pending", "firing"]))
    rows: dict[str, Any] = {row[0]: row for row in connection.execute(counted.group_by(ALERT.c.state))}
    told = {state: rows[state][1] if state in rows else 0 for state in ("pending", "firing")}
    told["acknowledged"] = rows["firing"][2] if "firing" in rows else 0
    return [((state,), float(count)) for state, count in told.items()]


def _of_jobs(states: Mapping[str, JobState], now: datetime) -> list[Metric]:
    late = {
        name: max((now - state.good_at - state.every).total_seconds(), 0.0)
        for name, state in states.items()
        if state.every is not None and state.good_at is not None
    }
    return [
        _gauge("chargehand_job_late_seconds", (((name,), value) for name, value in late.items())),
        _gauge("chargehand_job_failing", (((name,), float(state.error is not None)) for name, state in states.items())),
    ]


def _of_sizes(sizes: Sizes | None) -> list[Metric]:
    if sizes is None:
        return []
    return [
        _gauge("chargehand_database_bytes", [((), sizes.total)]),
        _gauge("chargehand_table_rows", (((table,), rows) for table, rows in sizes.rows.items())),
    ]


def render_metrics_reference() -> str:
    """docs/metrics.md: every metric with its labels and meaning."""
    lines = [
        "# Metrics",
        "",
        "<!-- Written by `python -m bot.cli.docs` from the code. Do not edit. -->",
        "",
        "`/metrics` answers wherever `PORT` is set; `examples/monitoring` has alerts and a dashboard made of these.",
        "The process's own memory, processor time and open files come as `process_...`.",
        "",
        "| metric | kind | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, (kind, labels, meaning) in MEANINGS.items():
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"
