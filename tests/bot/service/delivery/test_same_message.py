"""One message is one: in a direct message after a lost answer, and in a channel that is named in two ways."""

import pytest
import sqlalchemy as sa

from bot.service.delivering.pace import Pace
from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.routing import Routing
from sandbox.slack import HandClock, SlackServer
from storage.engine import Database
from storage.schema import OUTBOX
from tests.bot.service.delivery.bench import ALERTS, DAILY, Bench
from tests.notify.records import fired, one_alert, resolve_incident, resolved

pytestmark = pytest.mark.on_either_database

POST = "chat.postMessage"
ADA = "U0ADA00001"


@pytest.fixture
async def bench(server: SlackServer, clock: HandClock, database: Database) -> Bench:
    """On both kinds of database."""
    return Bench(server, clock, database)


def fire(bench: Bench, *channels: str) -> None:
    with bench.database.write() as connection:
        one_alert(connection)
        enqueue_alert_messages(connection, [fired(at=bench.now)], Routing(bench.now, {"faulted": channels}))
    bench.after(30)


@pytest.mark.parametrize("loss", ["500", "lost"])
async def test_a_direct_message_whose_answer_was_lost_is_looked_up_and_stands_once(bench: Bench, loss: str) -> None:
    bench.say(channel=ADA)
    if loss == "500":
        bench.workspace.faults.fail_next(POST, 500, after_acting=True)
    else:
        bench.workspace.faults.lose_next_answer(POST)
    await bench.settle()
    direct = bench.workspace.direct_channel(ADA).id
    (message,) = bench.messages(direct)
    assert (bench.item().message_channel, bench.item().message_ts) == (direct, message.ts)
    assert "may repeat" not in str(message.all_blocks)
    bench.say("newer words", channel=ADA)
    await bench.settle(steps=2)
    assert "newer words" in message.text
    assert bench.calls(POST) == 1


async def test_a_direct_message_that_never_arrived_is_sent_again_once(bench: Bench) -> None:
    bench.say(channel=ADA)
    bench.workspace.faults.fail_next(POST, 500)
    await bench.settle()
    (message,) = bench.messages(bench.workspace.direct_channel(ADA).id)
    assert "may repeat" not in str(message.all_blocks)


@pytest.mark.parametrize("names", [("#ev-alerts", ALERTS), (ALERTS, "#ev-alerts"), ("ev-alerts", "#ev-alerts")])
async def test_a_channel_named_twice_gets_one_card_and_one_end(bench: Bench, names: tuple[str, ...]) -> None:
    fire(bench, *names)
    await bench.settle(steps=2, seconds=1)
    (card,) = bench.messages()
    with bench.database.write() as connection:
        resolve_incident(connection, bench.now)
        enqueue_alert_messages(connection, [resolved(at=bench.now)], Routing(bench.now, {"faulted": names}))
    await bench.settle(steps=3, seconds=1)
    assert "Resolved" in card.text
    assert [message.is_reply for message in bench.messages()] == [False, True]


async def test_two_names_of_one_channel_have_one_pace(bench: Bench) -> None:
    bench.workspace.rate_limited = True
    delivery = bench.delivery(pace=Pace())
    await delivery.names.id_of(delivery.slack, "#ev-alerts")
    for number, name in enumerate(("#ev-alerts", ALERTS, "#ev-alerts", ALERTS)):
        bench.say(f"number {number}", channel=name, key=f"k{number}")
    for _ in range(8):
        await bench.deliver()
        bench.after(1.2)
    assert len(bench.messages()) == 4
    assert [call.error for call in bench.workspace.calls if call.method == POST] == [None] * 4


async def test_two_channels_that_are_two_get_a_card_each(bench: Bench) -> None:
    fire(bench, "#ev-alerts", DAILY)
    await bench.settle(steps=2, seconds=1)
    assert [len(bench.messages(channel)) for channel in (ALERTS, DAILY)] == [1, 1]


async def test_a_digest_of_a_rule_that_names_its_channel_anew_stands_once(bench: Bench) -> None:
    bench.say("daily", channel="#ev-alerts", key="digest:daily:UTC:1:#ev-alerts")
    await bench.deliver()
    bench.say("daily", channel=ALERTS, key=f"digest:daily:UTC:1:{ALERTS}")
    await bench.settle(steps=2, seconds=1)
    assert len(bench.messages()) == 1


async def test_a_card_from_before_there_were_bars_is_edited_into_one_with_its_small_print_once(bench: Bench) -> None:
    fire(bench, "#ev-alerts")
    await bench.deliver()
    (card,) = bench.messages()
    (bar,) = card.attachments
    card.blocks.insert(-1, {**bar["blocks"][0]})  # as it stood then: the small print above the buttons
    card.attachments = []
    with bench.database.write() as connection:
        acknowledge_incident(connection, 1, ADA, bench.now)
    await bench.settle(steps=2, seconds=1)
    assert [block["type"] for block in card.blocks].count("context") == 0
    assert [one["color"] for one in card.attachments] == ["CC79A7"]
    assert card.plain().count("Kajen 1") == 1


async def test_a_message_that_slack_refuses_whole_is_said_in_words_without_a_bar(bench: Bench) -> None:
    fire(bench, "#ev-alerts")
    await bench.deliver()
    (card,) = bench.messages()
    with bench.database.write() as connection:
        acknowledge_incident(connection, 1, ADA, bench.now)
    bench.workspace.faults.refuse_next("chat.update", "invalid_blocks")
    await bench.settle(steps=2, seconds=1)
    assert "Slack refused the whole message" in card.plain()
    assert card.attachments == []


async def test_a_card_whose_row_is_damaged_is_left_as_it_stands_and_no_sql_is_said(bench: Bench) -> None:
    fire(bench, "#ev-alerts")
    await bench.deliver()
    (card,) = bench.messages()
    before = (card.text, card.all_blocks)
    with bench.database.write() as connection:
        resolve_incident(connection, bench.now)
        enqueue_alert_messages(connection, [resolved(at=bench.now)], Routing(bench.now, {"faulted": ("#ev-alerts",)}))
        connection.execute(sa.text("UPDATE alert SET evidence = '[1]'"))
        if connection.dialect.name == "sqlite":
            connection.execute(sa.text("UPDATE alert SET active_at = 'yesterday'"))
    await bench.settle(steps=3, seconds=1)
    assert (card.text, card.all_blocks) == before
    assert not any("SQL" in f"{message.text} {message.all_blocks}" for message in bench.messages())
    with bench.database.read() as connection:
        errors = connection.execute(sa.select(OUTBOX.c.error).where(OUTBOX.c.kind == "alert_card")).scalars().all()
    assert errors == ["its words cannot be written"]


async def test_a_damaged_row_of_the_outbox_holds_up_no_other(
    server: SlackServer, clock: HandClock, sqlite: Database
) -> None:
    bench = Bench(server, clock, sqlite)
    bench.say("damaged", key="a")
    bench.say("whole", key="b")
    with sqlite.write() as connection:
        connection.execute(sa.text("UPDATE outbox SET facts = '{half' WHERE natural_key = 'a'"))
    await bench.settle(steps=3, seconds=1)
    assert ["whole" in message.text for message in bench.messages()] == [True]
    with sqlite.read() as connection:
        errors = connection.execute(sa.select(OUTBOX.c.error).order_by(OUTBOX.c.natural_key)).scalars().all()
    assert errors == ["its row cannot be read", None]
