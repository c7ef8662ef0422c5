"""What a digest of alerts suggests for its noisy rules, tried on the past: a backtest of each, as it is and changed.

It reads, and says of what cannot be tried why. It notes nothing, says nothing and changes no rule.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from bot.trials.rehearsal import Rehearsal, backtest_rules
from notify.digests.backtests import Trial, suggestions
from rules.documents.document import Rule, rule_from_document
from rules.trials.backtest import Backtest, CannotBacktest
from storage.engine import Database
from storage.schema import RULE

log = structlog.get_logger()

DAYS = timedelta(days=7)
"""How far back it goes: a week holds every day and night that a rule may know."""

SECONDS = 10.0
"""How long the backtests of one message may take in all: with its chart and its sending, less than its lease."""

TOO_LONG = "its history is too long to be gone through for a digest"
GONE = "it is in force no more"
BROKEN = "it went wrong; the log says how"


class _OutOfTime(CannotBacktest):
    """The time of a backtest is up."""


class _Hurried(Rehearsal):
    """Counts what would be said until its time is up."""

    def __init__(self, default_zone: str, is_over: Callable[[], bool]) -> None:
        super().__init__(default_zone=default_zone)
        self.is_over = is_over

    def deliver(self, connection: Connection, now: datetime) -> None:
        """As a rehearsal does. Raises CannotBacktest when the time is up."""
        if self.is_over():
            raise _OutOfTime(TOO_LONG)
        super().deliver(connection, now)


def try_suggestions(
    database: Database, facts: Mapping[str, Any], interval: timedelta, is_over: Callable[[], bool]
) -> dict[str, Trial]:
    """What each noisy rule would have done in the last week, as it is and with the `for` that is suggested."""
    wanted = suggestions(facts)
    with database.read() as connection:
        asked = sa.select(RULE.c.id, RULE.c.document, RULE.c.source).where(RULE.c.id.in_(list(wanted)))
        rows = {row.id: row for row in connection.execute(asked.where(RULE.c.enabled.is_(True)))}
    told: dict[str, Trial] = {name: {"why": GONE} for name in wanted if name not in rows}
    zone = facts.get("chart", {}).get("default_zone", "UTC")
    for name, row in rows.items():
        try:
            changed = {**row.document, "for": wanted[name]}
            rules = [rule_from_document(document, row.source) for document in (row.document, changed)]
            told[name] = _trial(list(_backtested(database, rules, interval, zone, is_over)))
        except Exception:  # one that goes wrong takes none of the others with it
            log.exception("what a digest suggests cannot be backtested", rule=name)
            told[name] = {"why": BROKEN}
    return told


def _backtested(
    database: Database, rules: list[Rule], interval: timedelta, zone: str, is_over: Callable[[], bool]
) -> Iterator[Backtest | CannotBacktest]:
    try:
        yield from backtest_rules(
            database, rules, days=DAYS, interval=interval, default_zone=zone, speaker=lambda: _Hurried(zone, is_over)
        )
    except CannotBacktest as wrong:
        yield wrong


def _trial(found: list[Backtest | CannotBacktest]) -> Trial:
    for one in found:
        if isinstance(one, CannotBacktest):
            return {"why": str(one).rpartition("cannot be backtested: ")[2].partition("; ")[0]}
    was, would = (one for one in found if isinstance(one, Backtest))
    return {"was": len(was.firings), "would": len(would.firings), "known_s": would.known.total_seconds()}
