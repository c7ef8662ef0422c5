"""The backtest of what a digest of alerts suggests for its noisy rules: tried and noted before the message is posted.

A message is never lost or held up for it: what cannot be backtested, or not in time, says why, and the figure from how
long its alerts lasted stands. It calls nothing outside, and changes no rule.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Row

from bot.service.delivering.delivery import Delivery
from bot.trials.suggested import SECONDS, TOO_LONG, try_suggestions
from notify.digests.backtests import BACKTESTS, Trial, mark_backtests, suggestions
from storage.engine import Database

log = structlog.get_logger()


async def prepare_backtests(delivery: Delivery, item: Row[Any]) -> None:
    """Backtest what a digest suggests for noisy rules and note what came of it, once a message."""
    if BACKTESTS in item.facts or not suggestions(item.facts):
        return
    over = time.monotonic() + SECONDS
    told: dict[str, Trial] = {}
    try:
        async with asyncio.timeout(2 * SECONDS):  # reading a long history looks at no clock
            told = await delivery.run(
                try_suggestions, delivery.database, item.facts, delivery.interval, lambda: time.monotonic() > over
            )
    except TimeoutError:
        log.warning("a digest goes without its backtests", item=item.id)
        told = {name: {"why": TOO_LONG} for name in suggestions(item.facts)}
    await delivery.run(_mark, delivery.database, item, told)


def _mark(database: Database, item: Row[Any], told: Mapping[str, Trial]) -> None:
    with database.write() as connection:
        mark_backtests(connection, item, told)
