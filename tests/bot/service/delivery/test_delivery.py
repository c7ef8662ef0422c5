"""What is due comes to stand in its channel: posted, edited in place, told in the thread, at Slack's own pace."""

import asyncio

import sqlalchemy as sa

from bot.service.delivering.workers import deliver
from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.routing import Routing
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from storage.schema import OUTBOX
from tests.bot.service.delivery.bench import ALERTS, DAILY, OPS, Bench, words_of
from tests.notify.records import HOSTILE, fired, insert_alert, insert_connector, one_alert, resolve_incident, resolved

CHANNELS = {"faulted": ("#ev-alerts",)}


def fire(bench: Bench) -> None:
    with bench.database.write() as connection:
        one_alert(connection)
        enqueue_alert_messages(connection, [fired(at=bench.now)], Routing(bench.now, CHANNELS))
    bench.after(30)


async def test_a_message_is_posted_once_by_name_and_its_place_is_kept_by_id(bench: Bench) -> None:
    bench.say()
    assert await bench.deliver() == 1
    assert await bench.deliver() == 0
    (message,) = bench.messages()
    item = bench.item()
    assert (item.message_channel, item.message_ts) == (ALERTS, message.ts)
    assert (item.shown_version, item.claimed_by, item.sent_at) == (1, None, item.shown_at)
    assert message.metadata == {"event_type": "chargehand_message", "event_payload": {"item": item.id, "version": 1}}


async def test_a_card_is_edited_in_place_and_its_end_told_in_the_thread_and_to_the_channel(bench: Bench) -> None:
    fire(bench)
    assert await bench.deliver() == 1
    (card,) = bench.messages()
    assert "1 firing" in card.text
    with bench.database.write() as connection:
        acknowledge_incident(connection, 1, "U0OLE00002", bench.now)
    assert await bench.deliver() == 1
    assert "Acknowledged" in card.text
    with bench.database.write() as connection:
        resolve_incident(connection, bench.now)
        enqueue_alert_messages(connection, [resolved(at=bench.now)], Routing(bench.now, CHANNELS))
    assert await bench.deliver() == 2
    card, reply = bench.messages()
    assert "Resolved" in card.text
    assert (reply.thread_ts, reply.broadcast) == (card.ts, True)
    assert bench.calls("chat.postMessage") == 2


async def test_the_newest_version_is_sent_though_news_came_after_the_claim(bench: Bench) -> None:
    bench.say("old")
    news: list[str] = ["new"]

    def say_news(point: str) -> None:
        if point == "claimed" and news:
            bench.say(news.pop())

    assert await deliver(bench.delivery(crash_at=say_news), bench.now) == 1
    (message,) = bench.messages()
    assert "new" in message.text
    assert "old" not in message.text
    assert bench.item().shown_version == bench.item().version == 2


async def test_a_429_makes_its_own_channel_wait_for_as_long_as_slack_says(bench: Bench) -> None:
    bench.say(key="a1")
    bench.after(0.01)
    bench.say(key="a2")
    bench.workspace.faults.limit_next("chat.postMessage", retry_after=30)
    assert await bench.deliver() == 0
    bench.say(key="d", channel="#ev-daily")
    assert await bench.deliver() == 1
    assert [len(bench.messages(channel)) for channel in (ALERTS, DAILY)] == [0, 1]
    bench.after(29)
    assert await bench.deliver() == 0
    bench.after(60)
    assert await bench.deliver() == 2
    assert len(bench.messages()) == 2


async def test_one_message_a_second_a_channel_loses_and_doubles_nothing(bench: Bench) -> None:
    bench.workspace.rate_limited = True
    for number in range(5):
        bench.say(f"number {number}", key=f"n{number}")
        bench.after(0.01)
    for _ in range(40):
        await bench.deliver()
        bench.after(1.1)
    assert [m.text.split("number ")[1][0] for m in bench.messages()] == ["0", "1", "2", "3", "4"]


async def test_two_workers_send_each_message_once(server: SlackServer, clock: HandClock, database: Database) -> None:
    bench = Bench(server, clock, database)
    for number in range(10):
        bench.say(key=f"n{number}")
    first = bench.workspace.faults.hold_next_request("chat.postMessage")
    one = asyncio.ensure_future(bench.deliver("one"))
    await first.reached()
    # on PostgreSQL, where several processes deliver, the channel's turn is the first one's
    others = 9 if database.engine.dialect.name == "sqlite" else 0
    assert await bench.deliver("other") == others
    first.release()
    assert await one == 10 - others
    assert len(bench.messages()) == 10


async def test_a_channel_renamed_since_its_name_was_read_is_found_by_its_new_name(bench: Bench) -> None:
    bench.say(key="a")
    await bench.deliver()
    bench.workspace.channel(DAILY).name = "ev-morning"
    bench.say(key="b", channel="#ev-morning")
    await bench.deliver()
    assert len(bench.messages(DAILY)) == 1
    assert bench.messages(OPS) == []


async def test_hostile_names_pass_slacks_own_checks(bench: Bench) -> None:
    with bench.database.write() as connection:
        one_alert(connection)
        for number, name in enumerate(HOSTILE, start=2):
            insert_connector(connection, f"c{number}", charger_name=name)
            evidence = {"error_code": name, "vendor_error_code": name}
            insert_alert(connection, number, evidence=evidence, subject=name)
        enqueue_alert_messages(connection, [fired()], Routing(bench.now, CHANNELS))
    for number, name in enumerate(HOSTILE):
        bench.say(f"x{name}", key=f"n{number}")
    bench.after(30)
    assert await bench.deliver() == len(HOSTILE) + 1
    assert all(call.error is None for call in bench.workspace.calls)
    assert not any("could not be written" in words_of(message) for message in bench.messages())


async def test_a_template_that_fails_says_the_plain_facts_and_the_error(bench: Bench) -> None:
    bench.say()
    with bench.database.write() as connection:
        connection.execute(sa.update(OUTBOX).values(facts={"title": "no text"}))
    assert await bench.deliver() == 1
    (message,) = bench.messages()
    assert "the message could not be written (`KeyError" in message.text


async def test_words_that_slack_refuses_are_said_plainly_in_the_same_channel(bench: Bench) -> None:
    bench.say("what matters")
    bench.workspace.faults.refuse_next("chat.postMessage", "invalid_blocks")
    assert await bench.deliver() == 1
    (message,) = bench.messages()
    assert "what matters" in message.text
    assert "Slack refused the whole message: `invalid_blocks`" in message.text
