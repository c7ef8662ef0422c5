"""Polls side by side in the whole service: what is slow, silent or limited stops nothing that it is not needed for."""

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating, ticker
from bot.service.polling.rounds import poll_job
from rules.alerts.evaluate import evaluate_rule
from rules.alerts.query import CompiledRule
from storage.schema import ALERT, RULE
from tests.bot.house import FAULTED, House, polled_anew, wake_polls

AT_ONCE = {**FAULTED, "for": "0s"}


async def fires(house: House) -> None:
    """Break a connector, and wait until the alert about it stands in its channel; its group has had its wait."""
    house.break_connector(house.free())
    while not await asyncio.to_thread(_has_fired, house):
        await house.workspace.next_change(0.05)
    house.clock.ahead += timedelta(seconds=31)
    await said(house, "connector-faulted: ")


def _has_fired(house: House) -> bool:
    with house.running.database.read() as connection:
        fired = sa.select(ALERT.c.id).where(ALERT.c.rule_id == "connector-faulted", ALERT.c.state == "firing")
        return connection.execute(fired.limit(1)).first() is not None


async def said(house: House, words: str) -> None:
    """Wait until these words stand in the alert channel."""
    channel = house.workspace.channel("#ev-alerts")
    await house.wait_for(lambda: [one for one in channel.messages if words in one.plain()])


@pytest.mark.parametrize("seconds", [1.0, math.inf], ids=["a byte a second", "no byte at all"])
async def test_slow_sessions_and_prices_delay_no_alert_about_chargers(
    closed_house: House, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "STOP_SECONDS", 0.1)  # polls that cannot end are cut off at the stop
    service = await closed_house.start(AT_ONCE)
    closed_house.api.faults.slow = {"sessions": seconds, "pricing": seconds}
    for resource in ("sessions", "prices"):
        service.ticker.wake(poll_job(resource))
    before = {name: state.good_at for name, state in service.ticker.states.items()}
    await fires(closed_house)
    assert service.ticker.states[poll_job("sessions")].good_at == before[poll_job("sessions")]


async def test_retry_after_on_sessions_alone_stops_no_charger(closed_house: House) -> None:
    closed_house.api.faults.limited = {"sessions": 3600}
    service = await closed_house.start(AT_ONCE)
    await fires(closed_house)
    closed_house.clock.ahead += timedelta(minutes=20)
    await service.watchdog.watch(closed_house.clock())
    health = (await closed_house.ask("health")).plain()
    assert "EOSVOLT slows down the polling of sessions" in health


async def test_a_rule_that_raises_is_told_by_its_name_and_holds_up_no_other(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate_rule

    def break_one(connection: sa.Connection, rule: CompiledRule, *more: Any) -> Any:
        if rule.id == "broken-one":
            raise RuntimeError("a fault of its own")
        return whole(connection, rule, *more)

    monkeypatch.setattr(evaluating, "evaluate_rule", break_one)
    service = await closed_house.start({**AT_ONCE, "name": "broken-one"}, AT_ONCE)
    await fires(closed_house)
    await service.watchdog.watch(closed_house.clock())
    service.ticker.wake("deliver")
    await said(closed_house, "The rule `broken-one` cannot run")
    rules = (await closed_house.ask("rules")).plain()
    assert "`broken-one`, critical, from `test` · *cannot run*: `RuntimeError`" in rules
    monkeypatch.undo()
    wake_polls(service)
    await closed_house.wait_for(lambda: not service.jobs.broken)
    await service.watchdog.watch(closed_house.clock())
    assert "cannot run" not in (await closed_house.ask("rules")).plain()


async def test_a_stored_rule_that_cannot_be_read_holds_up_no_other(closed_house: House) -> None:
    service = await closed_house.start({**AT_ONCE, "name": "broken-one"}, AT_ONCE)
    with service.database.write() as connection:
        document = {**AT_ONCE, "name": "broken-one", "when": "connector.colour == 3"}
        connection.execute(sa.update(RULE).where(RULE.c.id == "broken-one").values(document=document))
    await service.rules.adopt_stored()
    await fires(closed_house)
    await service.watchdog.watch(closed_house.clock())
    await said(closed_house, "The rule `broken-one` cannot run")
    assert '*cannot run*: `unknown field "connector.colour"' in (await closed_house.ask("rules")).plain()


async def test_what_fails_while_alerts_are_evaluated_keeps_no_price_from_being_read(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("nothing works")

    monkeypatch.setattr(evaluating, "rules_to_evaluate", fail)
    service = await closed_house.start(AT_ONCE)
    await polled_anew(service)
    await closed_house.wait_for(lambda: service.ticker.states["evaluate"].error)

    def priced() -> int:
        with service.database.read() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM location WHERE price IS NOT NULL").scalar_one())

    service.ticker.wake(poll_job("prices"))
    while not await asyncio.to_thread(priced):
        await closed_house.workspace.next_change(0.05)
