"""A call without an answer leaves exactly one message, wherever the app may look; elsewhere a resend says so."""

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.service.delivering.workers import deliver
from notify.alert_cards.card import enqueue_alert_messages
from notify.claims import claim_next
from notify.routing import Routing
from sandbox.slack.workspace.faults import Faults
from tests.bot.service.delivery.bench import ALERTS, Bench, words_of
from tests.notify.records import fired, insert_alert, insert_connector, one_alert

POST = "chat.postMessage"
READ = "conversations.history"
LOSSES: dict[str, list[Callable[[Faults], None]]] = {
    "lost answer": [lambda faults: faults.lose_next_answer(POST)],
    "lost request": [lambda faults: faults.drop_next_request(POST)],
    "503 before acting": [lambda faults: faults.fail_next(POST, 503)],
    "503 after acting": [lambda faults: faults.fail_next(POST, 503, after_acting=True)],
    "fatal_error": [lambda faults: faults.refuse_next(POST, "fatal_error")],
    "three lost requests": [lambda faults: faults.drop_next_request(POST, times=3)],
    "lost request, then 503 after acting": [
        lambda faults: faults.drop_next_request(POST),
        lambda faults: faults.fail_next(POST, 503, after_acting=True),
    ],
    "429 while looking": [
        lambda faults: faults.lose_next_answer(POST),
        lambda faults: faults.limit_next(READ, retry_after=20),
    ],
    "faults while looking": [
        lambda faults: faults.lose_next_answer(POST),
        lambda faults: faults.drop_next_request(READ),
        lambda faults: faults.fail_next(READ, 500),
    ],
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_whatever_is_lost_one_message_stands(bench: Bench, loss: list[Callable[[Faults], None]]) -> None:
    bench.say()
    for order in loss:
        order(bench.workspace.faults)
    assert await bench.deliver() == 0
    await bench.settle()
    (message,) = bench.messages()
    item = bench.item()
    assert (item.message_ts, item.shown_version, item.uncertain, item.error) == (message.ts, 1, False, None)
    assert "may repeat" not in words_of(message)


async def test_a_message_without_an_answer_is_not_sent_again_before_it_was_looked_for(bench: Bench) -> None:
    bench.say()
    bench.workspace.faults.lose_next_answer(POST)
    await bench.deliver()
    assert bench.item().uncertain
    bench.after(4)
    assert await bench.deliver() == 0
    assert bench.calls("conversations.history") == 0
    bench.after(60)
    assert await bench.deliver() == 1
    assert (bench.calls("conversations.history"), bench.calls(POST)) == (1, 1)


async def test_news_that_came_while_an_answer_was_lost_edits_the_message_that_stands(bench: Bench) -> None:
    bench.say("old")
    bench.workspace.faults.lose_next_answer(POST)
    await bench.deliver()
    bench.say("new")
    await bench.settle()
    (message,) = bench.messages()
    assert "new" in message.text
    assert bench.calls("chat.update") == 1


async def test_a_message_is_found_behind_many_others(bench: Bench) -> None:
    bench.say()
    bench.workspace.faults.lose_next_answer(POST)
    await bench.deliver()
    for number in range(450):
        await bench.workspace.say("ole", "#ev-alerts", f"chatter {number}")
    await bench.settle()
    assert sum(m.bot_id is not None for m in bench.messages()) == 1
    assert bench.calls("conversations.history") == 3


async def test_a_lost_reply_is_looked_for_in_its_thread(bench: Bench) -> None:
    channels = {"faulted": ("#ev-alerts",)}
    with bench.database.write() as connection:
        one_alert(connection)
        enqueue_alert_messages(connection, [fired()], Routing(bench.now, channels))
    bench.after(30)
    await bench.deliver()
    with bench.database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
        enqueue_alert_messages(connection, [fired(2)], Routing(bench.now, channels))
    bench.workspace.faults.lose_next_answer(POST)
    await bench.settle()
    card, reply = bench.messages()
    assert (reply.thread_ts, reply.broadcast) == (card.ts, True)
    assert (bench.calls("conversations.replies"), bench.calls("conversations.history")) == (1, 0)


async def test_a_lost_edit_is_made_again(bench: Bench) -> None:
    bench.say("old")
    await bench.deliver()
    bench.say("new")
    bench.workspace.faults.lose_next_answer("chat.update")
    assert await bench.deliver() == 0
    await bench.settle()
    (message,) = bench.messages()
    assert "new" in message.text
    assert (bench.calls("chat.update"), bench.calls("conversations.history")) == (2, 0)


@pytest.mark.parametrize("fault", ["missing_scope", "not_in_channel"])
async def test_where_the_history_cannot_be_read_a_resend_says_that_it_may_repeat(bench: Bench, fault: str) -> None:
    bench.say()
    bench.workspace.faults.drop_next_request(POST)
    await bench.deliver()
    bench.workspace.faults.refuse_next("conversations.history", fault)
    await bench.settle()
    (message,) = bench.messages()
    assert "This may repeat an earlier message." in words_of(message)


async def test_without_the_history_scope_at_all_nothing_is_lost(bench: Bench) -> None:
    bench.workspace.scopes = tuple(s for s in bench.workspace.scopes if "history" not in s and "read" not in s)
    bench.say()
    bench.workspace.faults.lose_next_answer(POST)
    await bench.deliver()
    await bench.settle()
    first, second = bench.messages()
    assert "may repeat" not in words_of(first)
    assert "This may repeat an earlier message." in words_of(second)


@pytest.mark.parametrize("loss", [Faults.lose_next_answer, Faults.drop_next_request])
async def test_a_second_card_is_not_taken_for_the_first_that_still_stands(
    bench: Bench, loss: Callable[[Faults, str], None]
) -> None:
    bench.say("old")
    await bench.deliver()
    bench.after(4000)
    bench.workspace.edit_window = 3600.0
    bench.say("new")
    loss(bench.workspace.faults, POST)
    await bench.settle()
    old, new = bench.messages()
    assert "old" in old.text
    assert "new" in new.text
    assert bench.item().message_ts == new.ts
    assert bench.calls("chat.update") == 1


async def test_a_worker_that_vanished_is_replaced_when_its_lease_is_over(bench: Bench) -> None:
    class VanishError(Exception):
        pass

    def vanish(point: str) -> None:
        if point == "after_call":
            raise VanishError

    bench.say()
    with pytest.raises(VanishError):
        await deliver(bench.delivery("gone", crash_at=vanish), bench.now)
    assert await bench.deliver() == 0
    bench.after(240)
    assert await bench.deliver() == 1
    assert len(bench.messages()) == bench.calls(POST) == 1


async def test_a_worker_whose_claim_another_has_taken_over_sends_nothing(bench: Bench) -> None:
    def lose_the_claim(point: str) -> None:
        if point == "claimed":
            with bench.database.write() as connection:
                later = bench.now + timedelta(seconds=100)
                assert claim_next(connection, "other", later, timedelta(seconds=90)) is not None

    bench.say()
    assert await deliver(bench.delivery("slow", crash_at=lose_the_claim), bench.now) == 0
    assert bench.messages() == []
    assert bench.item().claimed_by == "other"


async def test_no_connection_is_no_doubt(bench: Bench) -> None:
    bench.say(channel=ALERTS)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/api/"
        slack = AsyncWebClient(token=bench.workspace.bot_token, base_url=address)
        bench.delivery(slack=slack)
        assert await bench.deliver() == 0
    assert (bench.item().uncertain, bench.item().abandoned_at) == (False, None)
    bench.delivery(slack=bench.client())
    await bench.settle(steps=2)
    assert len(bench.messages(ALERTS)) == 1
    assert bench.calls("conversations.history") == 0
