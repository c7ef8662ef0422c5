"""A channel that took nothing for a while is told, once it takes messages again, what still holds, as it is now."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.channel_refusals import probe_soon
from notify.digests.digest import enqueue_digest
from notify.outbox import EVENT, insert_items, new_item
from notify.routing import Routing
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from storage.schema import OUTBOX, REFUSED
from tests.bot.service.delivery.bench import ALERTS, OPS, Bench, words_of
from tests.notify.records import (
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_rule,
    one_alert,
    resolve_incident,
    resolved,
)

pytestmark = pytest.mark.on_either_database

CHANNELS = {"faulted": ("#ev-alerts",)}


@pytest.fixture
async def bench(server: SlackServer, clock: HandClock, database: Database) -> Bench:
    """On both kinds of database; without a fallback channel."""
    made = Bench(server, clock, database)
    made.delivery(fallback_channel=None)
    return made


def tell(bench: Bench, *transitions: Any) -> None:
    with bench.database.write() as connection:
        enqueue_alert_messages(connection, transitions, Routing(bench.now, CHANNELS))


def alerts(bench: Bench, count: int) -> None:
    """Alerts that fire now, each in an incident of its own."""
    with bench.database.write() as connection:
        insert_location(connection)
        insert_rule(connection)
        for number in range(1, count + 1):
            insert_incident(connection, number)
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number, incident_id=number)
    tell(bench, *(fired(number, bench.now, number) for number in range(1, count + 1)))
    bench.after(30)


async def standing_card(bench: Bench) -> None:
    with bench.database.write() as connection:
        one_alert(connection)
    tell(bench, fired(at=bench.now))
    bench.after(30)
    assert await bench.deliver() == 1


def end(bench: Bench, incident_id: int = 1) -> None:
    with bench.database.write() as connection:
        resolve_incident(connection, bench.now, incident_id=incident_id)
    tell(bench, resolved(incident_id, bench.now, incident_id))


async def for_a_while(bench: Bench, seconds: int, step: int = 5) -> None:
    for _ in range(0, seconds, step):
        bench.after(step)
        await bench.deliver()


def refused(bench: Bench) -> list[Any]:
    with bench.database.read() as connection:
        return list(connection.execute(sa.select(REFUSED)).all())


REFUSALS = {
    "not_in_channel": (lambda w: w.remove_bot("#ev-alerts"), lambda w: w.channel(ALERTS).members.append("U0CHARGE01")),
    "is_archived": (lambda w: w.archive("#ev-alerts"), lambda w: w.unarchive("#ev-alerts")),
}


@pytest.mark.parametrize(("goes", "comes"), REFUSALS.values(), ids=REFUSALS)
async def test_an_alert_that_fired_while_its_channel_took_nothing_is_said_once_it_does(
    bench: Bench, goes: Any, comes: Any
) -> None:
    goes(bench.workspace)
    alerts(bench, 1)
    await for_a_while(bench, 60)
    assert bench.messages() == []
    comes(bench.workspace)
    await for_a_while(bench, 300)
    (card,) = bench.messages()
    assert "1 firing" in card.text
    assert refused(bench) == []


@pytest.mark.parametrize(("goes", "comes"), REFUSALS.values(), ids=REFUSALS)
async def test_a_card_that_stood_before_is_edited_where_it_stands(bench: Bench, goes: Any, comes: Any) -> None:
    await standing_card(bench)
    goes(bench.workspace)
    with bench.database.write() as connection:
        acknowledge_incident(connection, 1, "U0OLE00002", bench.now)
    await for_a_while(bench, 60)
    assert "Acknowledged" not in bench.messages()[0].text
    comes(bench.workspace)
    await for_a_while(bench, 300)
    (card,) = bench.messages()
    assert "Acknowledged" in card.text


async def test_one_message_tries_a_channel_again_with_pauses_that_grow_to_five_minutes(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    alerts(bench, 3)
    await for_a_while(bench, 3600)
    tried = [call.at for call in bench.workspace.calls if call.method == "chat.postMessage"]
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    expected = [10, 20, 40, 80, 160, *[300] * 20]
    # a tick every 5 seconds finds it due up to that much later
    assert all(pause <= seen <= pause + 5 for pause, seen in zip(expected, pauses, strict=False)), pauses


async def test_an_invitation_makes_the_next_try_come_at_once(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    alerts(bench, 1)
    await for_a_while(bench, 900)
    bench.workspace.unarchive("#ev-alerts")
    assert await bench.deliver() == 0
    with bench.database.write() as connection:
        assert probe_soon(connection, bench.now) == 1
    assert await bench.deliver() == 1


async def test_many_open_incidents_speak_through_the_storm_budget_and_the_ended_are_counted(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    alerts(bench, 9)
    await for_a_while(bench, 60)
    end(bench, 1)
    end(bench, 2)
    await for_a_while(bench, 600)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 310)
    storm, line = sorted(bench.messages(), key=lambda message: "took no messages" in words_of(message))
    assert "7" in storm.text
    assert "2 alerts came and went" in line.text
    assert "archived" in words_of(line)


async def test_news_that_is_no_longer_so_is_a_count_and_news_that_holds_is_said(bench: Bench) -> None:
    await standing_card(bench)
    bench.workspace.archive("#ev-alerts")
    with bench.database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
    tell(bench, fired(2, bench.now))
    await for_a_while(bench, 60)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 300)
    card, reply = bench.messages()
    assert "2 firing" in card.text
    assert "1 more" in reply.text


async def test_an_end_that_is_told_late_is_a_count_and_the_card_says_it(bench: Bench) -> None:
    await standing_card(bench)
    bench.workspace.archive("#ev-alerts")
    end(bench)
    await for_a_while(bench, 1200)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 310)
    card, line = bench.messages()
    assert "Resolved" in card.text
    assert "1 update of alerts no longer true" in line.text
    assert line.thread_ts is None


async def test_of_digests_the_newest_is_said_and_of_events_those_that_are_not_too_old(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    facts = {"rule": "ended", "description": "", "severity": "info", "event": "charger.offline", "location_name": "L"}
    with bench.database.write() as connection:
        insert_rule(connection, "ended")
        for age in (7200, 60):
            at = (bench.now - timedelta(seconds=age)).isoformat()
            told = {**facts, "event_at": at, "location_id": "l1", "labels": {}}
            item = new_item(
                f"e{age}", EVENT, "#ev-alerts", due_at=bench.now, now=bench.now, rule_id="ended", facts=told
            )
            insert_items(connection, [item])
        for day in (1, 2, 3):
            digest = {"day": f"2026-03-0{day}", "zone": None}
            made = bench.now + timedelta(seconds=day)
            slot = f"2026-03-0{day}T08:00"
            enqueue_digest(connection, "daily", "UTC", slot, facts=digest, channel="#ev-alerts", now=made)
    await for_a_while(bench, 60)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 310)
    words = [words_of(message) for message in bench.messages()]
    assert sum("1 event too old to tell, 2 older digests left out" in text for text in words) == 1
    left = [item for item in bench.items() if item.abandoned_at is None and item.kind in {"event", "digest"}]
    assert [item.natural_key for item in left] == ["e60", "digest:daily:UTC:2026-03-03T08:00:#ev-alerts"]
    assert all(item.message_ts for item in left)


async def test_what_moved_to_the_fallback_stays_there_and_the_channel_is_told_how_much(bench: Bench) -> None:
    bench.delivery(fallback_channel="#ev-ops")
    bench.workspace.archive("#ev-alerts")
    alerts(bench, 1)
    await for_a_while(bench, 60)
    (card,) = bench.messages(OPS)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 300)
    end(bench)
    await for_a_while(bench, 30)
    assert "Resolved" in card.text
    assert len(bench.messages(OPS)) == 2
    (line,) = bench.messages(ALERTS)
    assert "1 message said in" in line.text


async def test_what_moved_to_a_fallback_that_refuses_too_comes_home(bench: Bench) -> None:
    bench.delivery(fallback_channel="#ev-ops")
    bench.workspace.archive("#ev-alerts")
    bench.workspace.archive("#ev-ops")
    alerts(bench, 1)
    await for_a_while(bench, 60)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 310)
    (card,) = bench.messages(ALERTS)
    assert "1 firing" in card.text
    assert "which did not take it" not in words_of(card)


async def test_a_standing_card_whose_news_spoke_elsewhere_is_edited_where_it_stands_too(bench: Bench) -> None:
    bench.delivery(fallback_channel="#ev-ops")
    await standing_card(bench)
    bench.workspace.remove_bot("#ev-alerts")
    with bench.database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
    tell(bench, fired(2, bench.now))
    await for_a_while(bench, 30)
    (elsewhere,) = bench.messages(OPS)
    assert "2 firing" in elsewhere.text
    await bench.workspace.join(bench.workspace.team.bot_user, "#ev-alerts")
    await for_a_while(bench, 300)
    assert "2 firing" in bench.messages(ALERTS)[0].text
    end(bench)
    await for_a_while(bench, 30)
    assert ["Resolved" in message.text for message in (elsewhere, bench.messages(ALERTS)[0])] == [True, True]


async def test_an_error_that_may_pass_is_tried_again_before_the_channel_counts_as_refusing(bench: Bench) -> None:
    alerts(bench, 1)
    for error in ("request_timeout", "message_limit_exceeded", "accesslimited", "some_new_error"):
        bench.workspace.faults.refuse_next("chat.postMessage", error)
    await for_a_while(bench, 60, step=1)
    assert len(bench.messages()) == 1
    assert refused(bench) == []


async def test_an_error_that_does_not_pass_makes_the_channel_wait_and_costs_nothing(bench: Bench) -> None:
    alerts(bench, 1)
    bench.workspace.faults.refuse_next("chat.postMessage", "some_new_error", times=7)
    await for_a_while(bench, 60, step=1)
    assert [row.error for row in refused(bench)] == ["some_new_error"]
    await for_a_while(bench, 120)
    assert len(bench.messages()) == 1
    assert refused(bench) == []


async def test_rows_given_up_for_other_reasons_are_not_counted_as_lost(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    alerts(bench, 1)
    end(bench)
    await for_a_while(bench, 60)
    bench.workspace.unarchive("#ev-alerts")
    await for_a_while(bench, 310)
    with bench.database.read() as connection:
        given_up = connection.execute(sa.select(OUTBOX.c.error).where(OUTBOX.c.abandoned_at.is_not(None))).scalars()
        assert list(given_up) == ["over before it could be said"]
