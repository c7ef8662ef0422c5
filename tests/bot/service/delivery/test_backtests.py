"""A digest of alerts says what a backtest made of its suggestion, or why there is none; it waits for none long."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service.delivering import backtests
from bot.service.delivering.backtests import prepare_backtests
from bot.trials import suggested
from notify.digests.backtests import BACKTESTS
from notify.digests.digest import enqueue_due_digests, refresh_digests
from notify.routing import Routing
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from storage.schema import OUTBOX, RULE
from tests.bot.service.delivery.bench import DAILY, Bench
from tests.notify.digests.test_digest import EIGHT, Daily, prepared
from tests.notify.records import insert_rule, insert_session
from tests.readings import MINUTE, T0, charger, connector
from tests.rules.engine import FAULTED, Engine

pytestmark = pytest.mark.on_either_database

CHANNELS = {"daily": ("#ev-daily",)}
QUICK = {key: value for key, value in FAULTED.items() if key != "while"} | {"for": "2m", "keep_firing_for": "1m"}
FAULTS = (5, 5, 5, 5, 5, 30)
"""For how many minutes the connector was out of order, each time."""


def lived(database: Database) -> None:
    """What the service saw of six faults, as polls told it."""
    engine = Engine(database, QUICK, now=T0)
    minute = 0
    for lasted in FAULTS:
        for status in ["Available"] * 10 + ["Faulted"] * lasted:
            engine.tick(T0 + minute * MINUTE, charger(connector("c1", status)))
            minute += 1
    engine.tick(T0 + minute * MINUTE, charger(connector("c1", "Available")))


@pytest.fixture
def desk(server: SlackServer, clock: HandClock, database: Database) -> Bench:
    """The morning after a day on which one rule fired six times, five of them for short."""
    lived(prepared(database))
    bench = Bench(server, clock, database)
    bench.after((EIGHT - bench.now).total_seconds())
    with database.write() as connection:
        assert enqueue_due_digests(connection, [Daily(digest="alerts")], Routing(bench.now, CHANNELS))
    return bench


def said(bench: Bench) -> str:
    (message,) = (one for one in bench.messages(DAILY) if one.thread_ts is None)
    return json.dumps(message.blocks, ensure_ascii=False)


async def test_a_suggestion_comes_with_its_backtest_and_keeps_it_when_corrected(desk: Bench) -> None:
    await desk.deliver()
    assert "1 would have fired. *Backtest* of" in said(desk)
    assert ": 1 in place of 6. Shown first, and then changed: `/charge rules edit faulted for: 12m`" in said(desk)
    noted = desk.items()[0].facts[BACKTESTS]
    with desk.database.write() as connection:
        insert_session(connection, "late", EIGHT - timedelta(hours=12), connector_id="c1", location_id="l1")
        assert refresh_digests(connection, ["daily"], Routing(desk.now, CHANNELS))
        # the rule has changed since: what was said of it stays
        connection.execute(sa.update(RULE).where(RULE.c.id == "faulted").values(enabled=False))
    await desk.deliver()
    (row,) = (item for item in desk.items() if item.kind == "digest")
    assert (row.version, row.shown_version, row.facts[BACKTESTS]) == (2, 2, noted)
    assert "1 in place of 6" in said(desk)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"enabled": False}, suggested.GONE),
        ({"document": QUICK | {"when": "connector.power < 1 kW"}}, "no history is kept of connector.power"),
        ({"document": QUICK | {"when": "connector.nonsense > 1"}}, suggested.BROKEN),
    ],
)
async def test_what_cannot_be_backtested_says_why_and_the_digest_goes(
    desk: Bench, change: dict[str, Any], reason: str
) -> None:
    with desk.database.write() as connection:
        connection.execute(sa.update(RULE).where(RULE.c.id == "faulted").values(**change))
    await desk.deliver()
    assert f"1 would have fired. No backtest: `{reason}`. Shown first" in said(desk)


async def test_a_backtest_that_takes_too_long_is_left_at_the_next_poll(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtests, "time", SimpleNamespace(monotonic=partial(next, count(step=6.0))))
    await prepare_backtests(desk.delivery(), desk.items()[0])
    monkeypatch.undo()
    assert desk.items()[0].facts[BACKTESTS] == {"faulted": {"why": suggested.TOO_LONG}}
    await desk.deliver()
    assert f"No backtest: `{suggested.TOO_LONG}`" in said(desk)


async def test_a_history_that_takes_too_long_to_read_is_not_waited_for(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_on = asyncio.Event()

    async def run(function: Any, *given: Any) -> Any:
        if function.__name__ == "try_suggestions":
            await read_on.wait()
        return await asyncio.to_thread(function, *given)

    monkeypatch.setattr(backtests, "SECONDS", 0.01)
    desk.delivery(run=run)
    await desk.deliver()
    assert f"No backtest: `{suggested.TOO_LONG}`" in said(desk)


async def test_a_digest_of_other_kinds_or_without_a_noisy_rule_tries_nothing(desk: Bench) -> None:
    await desk.deliver()
    with desk.database.write() as connection:
        connection.execute(sa.delete(OUTBOX))
        insert_rule(connection, "other", created_at=T0)
        assert enqueue_due_digests(connection, [Daily(name="other")], Routing(desk.now, {"other": ("#ev-daily",)}))
    await desk.deliver()
    assert [BACKTESTS in item.facts for item in desk.items() if item.kind == "digest"] == [False]
