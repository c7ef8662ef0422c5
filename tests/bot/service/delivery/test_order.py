"""What is said first when much is due: a click's answer, then news, the graver first; at Slack's pace."""

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service.delivering.pace import Pace
from bot.service.delivering.workers import begin_deliveries, end_deliveries
from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.routing import Routing
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from storage.schema import OUTBOX
from tests.bot.service.delivery.bench import ALERTS, DAILY, Bench
from tests.notify.records import (
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    resolve_incident,
    resolved,
)

TICK = 1.1
MANY, SOME, FEW = (100, 60, 40) if os.environ.get("CI") else (55, 50, 27)
"""Cards that stand: MANY, SOME and FEW in each of two channels take more edits than Slack takes in a minute."""

CHANNELS = {"faulted": ("#ev-alerts",)}


@pytest.fixture
async def bench(server: SlackServer, clock: HandClock, database: Database) -> Bench:
    """On both kinds of database, with a stand-in that keeps Slack's limits."""
    return Bench(server, clock, database)


def keep_limits(bench: Bench) -> None:
    bench.workspace.rate_limited = True
    bench.workspace.calls.clear()
    bench.delivery(pace=Pace())


def tell(bench: Bench, transitions: Iterable[Any], channels: Any = None) -> None:
    with bench.database.write() as connection:
        enqueue_alert_messages(connection, list(transitions), Routing(bench.now, channels or CHANNELS, budget=1_000))


def new_alerts(bench: Bench, numbers: Iterable[int], severity: str = "critical", channels: Any = None) -> None:
    """Alerts that fire now, each in an incident of its own."""
    with bench.database.write() as connection:
        for number in numbers:
            insert_incident(connection, number, severity=severity)
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number, incident_id=number)
    tell(bench, (fired(number, bench.now, number) for number in numbers), channels)


async def standing(bench: Bench, count: int, channels: Any = None) -> None:
    """Cards that stand, sent before the limits were kept."""
    with bench.database.write() as connection:
        insert_location(connection)
        insert_rule(connection)
    new_alerts(bench, range(1, count + 1), "warning", channels)
    bench.after(40)
    assert await bench.deliver() == count * len(channels["faulted"] if channels else (1,))
    bench.after(120)


def end(bench: Bench, numbers: Iterable[int]) -> None:
    with bench.database.write() as connection:
        for number in numbers:
            resolve_incident(connection, bench.now, incident_id=number)
    tell(bench, (resolved(number, bench.now, number) for number in numbers))


def waiting(bench: Bench) -> int:
    with bench.database.read() as connection:
        waits = sa.select(sa.func.count()).where(OUTBOX.c.shown_version < OUTBOX.c.version)
        return int(connection.execute(waits).scalar_one())


async def all_told(bench: Bench) -> None:
    """Deliver, tick for tick, until nothing waits; more than a few minutes would be too long."""
    for _ in range(200):
        await bench.deliver()
        bench.after(TICK)
        if not waiting(bench):
            return


def refusals(bench: Bench) -> list[str]:
    return [f"{call.method}: {call.error}" for call in bench.workspace.calls if call.error is not None]


async def test_a_critical_fault_speaks_within_seconds_while_many_cards_recover(bench: Bench) -> None:
    await standing(bench, MANY)
    keep_limits(bench)
    end(bench, range(1, MANY + 1))
    bench.after(TICK)
    await bench.deliver()
    assert waiting(bench) > 0
    new_alerts(bench, [MANY + 1])
    bench.after(30)
    due = bench.clock()
    await all_told(bench)
    card = next(message for message in bench.messages() if "critical" in str(message.all_blocks).lower())
    assert float(card.ts) - due < 5
    assert refusals(bench) == []
    assert waiting(bench) == 0
    assert sum("Resolved" in message.text for message in bench.messages() if not message.is_reply) == MANY
    assert [message.text.endswith(f"and {MANY - 1} more") for message in bench.messages() if message.is_reply] == [True]


async def test_the_graver_goes_first_and_what_waited_for_five_minutes_goes_between(bench: Bench) -> None:
    await standing(bench, 0)
    bench.delivery(pace=Pace(timedelta(seconds=20)))
    new_alerts(bench, range(1, 21), "info")
    bench.after(1)
    new_alerts(bench, range(21, 41), "critical")
    bench.after(30)
    due = bench.clock()
    for _ in range(40):
        await bench.deliver()
        bench.after(21)
    said = ["critical" if "\N{LARGE RED CIRCLE}" in m.text else "info" for m in bench.messages()]
    before = [kind for kind, m in zip(said, bench.messages(), strict=True) if float(m.ts) < due + 300]
    after = said[len(before) :]
    assert set(before) == {"critical"}
    assert len(before) > 10
    assert after[:10] in (["info", "critical"] * 5, ["critical", "info"] * 5)


async def test_an_edit_that_answers_a_click_goes_before_all_others(bench: Bench) -> None:
    await standing(bench, SOME)
    keep_limits(bench)
    with bench.database.write() as connection:
        for number in range(1, SOME):
            resolve_incident(connection, bench.now, incident_id=number)
        told = [resolved(number, bench.now, number) for number in range(1, SOME)]
        enqueue_alert_messages(connection, told, Routing(bench.now, CHANNELS))
        acknowledge_incident(connection, SOME, "U0OLE00002", bench.now)
    await bench.deliver()
    edits = [call for call in bench.workspace.calls if call.method == "chat.update"]
    assert "Acknowledged" in edits[0].arguments["text"]
    assert len(edits) == 44


async def test_a_click_is_answered_though_the_edits_of_this_minute_are_used_up(bench: Bench) -> None:
    await standing(bench, SOME)
    keep_limits(bench)
    end(bench, range(1, SOME))
    await bench.deliver()
    with bench.database.write() as connection:
        acknowledge_incident(connection, SOME, "U0OLE00002", bench.now)
    bench.after(TICK)
    assert await bench.deliver() == 1
    assert sum("Acknowledged" in message.text for message in bench.messages()) == 1


async def test_edits_in_two_channels_keep_the_one_limit_of_the_workspace(bench: Bench) -> None:
    both = {"faulted": ("#ev-alerts", "#ev-daily")}
    await standing(bench, FEW, both)
    keep_limits(bench)
    end(bench, range(1, FEW + 1))
    await all_told(bench)
    assert refusals(bench) == []
    assert all("Resolved" in m.text for channel in (ALERTS, DAILY) for m in bench.messages(channel))


async def test_within_a_thread_the_card_is_edited_before_its_news_is_said(bench: Bench) -> None:
    await standing(bench, 1)
    keep_limits(bench)
    with bench.database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2, incident_id=1)
    tell(bench, [fired(2, bench.now, 1)])
    await bench.deliver()
    assert [call.method for call in bench.workspace.calls][-2:] == ["chat.update", "chat.postMessage"]


async def test_a_channel_that_hangs_holds_up_no_other(bench: Bench) -> None:
    bench.say("hangs", channel="C0ALERTS01", key="a")
    held = bench.workspace.faults.hold_next_request("chat.postMessage")
    delivery = bench.delivery()
    (stuck,) = await begin_deliveries(delivery, bench.now)
    await held.reached()
    for number in range(3):
        bench.say("goes on", channel="C0DAILY002", key=f"b{number}")
        (other,) = await begin_deliveries(delivery, bench.now)
        assert await other == 1
    assert not stuck.done()
    held.release()
    assert await stuck == 1
    await end_deliveries(delivery, 1)


async def test_a_click_that_a_429_held_up_is_shown_once_it_is_over(bench: Bench) -> None:
    await standing(bench, 2)
    bench.workspace.faults.limit_next("chat.update", retry_after=20)
    end(bench, [1])
    await bench.deliver()
    new_alerts(bench, [3])
    bench.after(10)
    with bench.database.write() as connection:
        acknowledge_incident(connection, 2, "U0OLE00002", bench.now)
    assert await bench.deliver() == 0  # all edits wait, and the new card for its group
    bench.after(20.5)
    assert await bench.deliver() == 3
    assert refusals(bench) == ["chat.update: ratelimited"] or refusals(bench) == []
