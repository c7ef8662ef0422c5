"""A card that vanished is posted anew; a channel that refuses for good costs no message: it moves, and says why."""

import asyncio

import sqlalchemy as sa

from notify.alert_cards.card import enqueue_alert_messages
from notify.routing import Routing
from sandbox.slack import Channel
from storage.schema import OUTBOX
from tests.bot.service.delivery.bench import ALERTS, OPS, Bench, words_of
from tests.notify.records import fired, insert_alert, insert_connector, one_alert

CHANNELS = {"faulted": ("#ev-alerts",)}


async def with_card_and_a_reply_due(bench: Bench) -> None:
    """A card that stands in #ev-alerts, and a second member that is still to be told in its thread."""
    with bench.database.write() as connection:
        one_alert(connection)
        enqueue_alert_messages(connection, [fired()], Routing(bench.now, CHANNELS))
    bench.after(30)
    await bench.deliver()
    with bench.database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
        enqueue_alert_messages(connection, [fired(2)], Routing(bench.now, CHANNELS))


async def test_a_deleted_message_is_posted_anew_when_there_is_news(bench: Bench) -> None:
    bench.say("old")
    await bench.deliver()
    bench.workspace.delete_message(bench.messages()[0])
    bench.say("new")
    await bench.settle(steps=2)
    (message,) = bench.messages()
    assert "new" in message.text
    assert bench.item().message_ts == message.ts


async def test_a_message_closed_to_edits_is_posted_anew(bench: Bench) -> None:
    bench.say("old")
    await bench.deliver()
    bench.workspace.edit_window = 60.0
    bench.after(61)
    bench.say("new")
    await bench.settle(steps=2, seconds=1)
    assert ["old" in m.text for m in bench.messages()] == [True, False]
    assert bench.item().message_ts == bench.messages()[1].ts


async def test_a_reply_whose_card_was_deleted_waits_for_the_new_card(bench: Bench) -> None:
    await with_card_and_a_reply_due(bench)
    bench.workspace.delete_message(bench.messages()[0])
    await bench.settle()
    card, reply = bench.messages()
    assert "2 firing" in card.text
    assert reply.thread_ts == card.ts


async def test_a_thread_that_is_gone_makes_its_card_be_posted_anew(bench: Bench) -> None:
    await with_card_and_a_reply_due(bench)
    with bench.database.write() as connection:  # the card has no news of its own, so only the reply finds out
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.kind == "alert_card").values(shown_version=2))
    bench.workspace.delete_message(bench.messages()[0])
    await bench.settle()
    card, reply = bench.messages()
    assert "2 firing" in card.text
    assert reply.thread_ts == card.ts


async def test_an_archived_channel_sends_its_message_to_the_fallback_with_the_reason(bench: Bench) -> None:
    bench.workspace.archive("#ev-alerts")
    bench.say("important")
    await bench.settle(steps=2)
    assert bench.messages(ALERTS) == []
    (message,) = bench.messages(OPS)
    assert "important" in message.text
    assert "which did not take it: `is_archived`" in words_of(message)


async def test_news_of_a_card_in_an_archived_channel_speaks_elsewhere_in_a_card_of_its_own(bench: Bench) -> None:
    await with_card_and_a_reply_due(bench)
    bench.workspace.archive("#ev-alerts")
    await bench.settle()
    (card,) = bench.messages(OPS)
    assert "2 firing" in card.text
    assert "which did not take it" in words_of(card)
    assert len(bench.messages(ALERTS)) == 1


async def test_a_channel_without_the_bot_and_one_that_is_not_there_say_so(bench: Bench) -> None:
    bench.workspace.remove_bot("#ev-daily")
    bench.say("one", channel="#ev-daily", key="a")
    bench.say("two", channel="#no-such-channel", key="b")
    bench.say("three", channel="C0NOSUCH00", key="c")
    await bench.settle(steps=2)
    words = [words_of(message) for message in bench.messages(OPS)]
    assert sorted("not_in_channel" in text for text in words) == [False, False, True]
    assert sum("channel_not_found" in text for text in words) == 2


async def test_a_fallback_that_refuses_too_holds_up_nothing_else(bench: Bench) -> None:
    for channel in ("#ev-alerts", "#ev-ops"):
        bench.workspace.archive(channel)
    bench.say("waits", key="a")
    bench.say("said", channel="#ev-daily", key="b")
    await bench.settle()
    states = {item.natural_key: (item.abandoned_at, item.error) for item in bench.items() if item.kind == "notice"}
    assert states == {"a": (None, "is_archived"), "b": (None, None)}


async def test_a_token_that_must_be_mended_costs_no_message(bench: Bench) -> None:
    bench.say("patience")
    bench.delivery()  # its client keeps the old token
    token, bench.workspace.bot_token = bench.workspace.bot_token, "xoxb-rotated"
    await bench.settle(steps=3, seconds=400)
    assert (bench.item().abandoned_at, bench.item().error) == (None, "invalid_auth")
    bench.workspace.bot_token = token
    await bench.settle(steps=2, seconds=400)
    assert len(bench.messages(ALERTS)) == 1
    assert bench.messages(OPS) == []


async def test_without_a_fallback_a_refused_message_waits_with_its_error(bench: Bench) -> None:
    bench.delivery(fallback_channel=None)
    bench.workspace.archive("#ev-alerts")
    bench.say()
    assert await bench.deliver() == 0
    assert (bench.item().error, bench.item().abandoned_at) == ("is_archived", None)


async def test_the_names_of_a_large_workspace_are_read_on_where_a_429_stopped(bench: Bench) -> None:
    for number in range(2500):
        channel_id = f"C0MANY{number:04}"
        bench.workspace.channels[channel_id] = Channel(channel_id, f"many-{number}", [bench.workspace.team.bot_user])
    bench.say(channel="#many-2499")
    hold = bench.workspace.faults.hold_next_request("conversations.list")
    running = asyncio.ensure_future(bench.deliver())
    await hold.reached()
    bench.workspace.faults.limit_next("conversations.list", retry_after=60)  # for the second page
    hold.release()
    assert await running == 0
    bench.after(180)
    assert await bench.deliver() == 1
    assert len(bench.messages("C0MANY2499")) == 1
    assert sum(call.method == "conversations.list" and call.error is None for call in bench.workspace.calls) == 3
