"""Requests in a world that fails: a listener that breaks after its ack, Slack at its limit, events that come again."""

import asyncio
import threading
from functools import partial

import pytest
import sqlalchemy as sa

from bot.slack.crowd.intents import Patience, TooLateError
from bot.slack.crowd.turns import Turns
from bot.slack.listeners.responder import HeardBeforeError
from sandbox.slack import Message
from storage.engine import Database
from storage.heard import KEPT, claim_request
from storage.schema import HEARD, SILENCE
from tests.bot.house import CALM, House


def damage(house: House, table: str) -> None:
    with house.running.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone")


def replies(house: House, channel: str = "#ev-ops") -> list[Message]:
    place = house.workspace.channel(channel)
    return [m for m in place.messages if m.user == house.workspace.team.bot_user]


def is_told(house: House, user: str, number: int) -> bool:
    return len(house.workspace.ephemerals(user)) == number


async def test_a_listener_that_fails_after_its_ack_is_acknowledged_and_the_person_is_told(either_house: House) -> None:
    damage(either_house, "connector")
    answer = await either_house.ask("status")  # which fails where Slack is not answered with 200
    assert "fault" in answer.plain()


async def test_one_that_fails_in_the_very_moment_of_its_ack_is_acknowledged_too(either_house: House) -> None:
    listed = await either_house.ask("chargers")
    (row,) = [block for block in listed.blocks if block["type"] == "actions"]
    (button,) = [element for element in row["elements"] if element["action_id"] == "next_page"]
    button["value"] = "{"  # which no listener of ours can read
    whispers = len(either_house.workspace.ephemerals("ada"))
    await either_house.click("ada", listed, "next_page")
    assert "fault" in (await either_house.next_whisper("ada", whispers)).plain()


async def test_a_mention_whose_listener_fails_is_told_so(either_house: House) -> None:
    damage(either_house, "connector")
    await either_house.workspace.mention("ada", "#ev-ops", "status")
    assert "fault" in (await either_house.next_whisper("ada", 0)).plain()


async def test_a_mention_is_answered_later_where_slack_is_at_its_limit(either_house: House) -> None:
    either_house.workspace.faults.limit_next("chat.postMessage", 1)
    await either_house.workspace.mention("ada", "#ev-ops", "status")
    await either_house.wait_for(lambda: replies(either_house))
    assert "connectors" in replies(either_house)[0].plain()
    calls = [call.error for call in either_house.workspace.calls if call.method == "chat.postMessage"]
    assert calls == [None], "the refused one was never made, and no other was"


async def test_an_answer_is_given_later_where_its_address_is_at_its_limit(house: House) -> None:
    house.workspace.faults.limit_next("response_url", 1)
    assert "connectors" in (await house.ask("status")).plain()


async def test_a_command_beyond_what_may_wait_is_told_so_in_its_acknowledgement(either_house: House) -> None:
    responder = either_house.running.responder
    responder.turns = Turns(most_waiting=0)
    answer = await either_house.ask(f"silence {either_house.free()} for 2h Technician on site", "ole")
    assert "Try again in a minute" in answer.plain()
    responder.turns = Turns()
    assert (await either_house.ask("silences")).plain().startswith("0 silences")


async def test_a_command_that_still_waits_when_the_service_stops_leaves_no_warning(either_house: House) -> None:
    """pytest raises after the test what is said of an answer that was prepared and never begun."""
    turns = Turns(at_once=0)
    either_house.running.responder.turns = turns
    outcome = await either_house.workspace.slash("ada", "#ev-ops", "/charge", "status")
    await either_house.wait_for(lambda: turns.waiting == 1)
    assert outcome.error is None
    await either_house.stop()
    assert either_house.workspace.ephemerals("ada") == []


async def test_many_commands_at_once_are_each_acknowledged_and_answered(either_house: House) -> None:
    async with asyncio.TaskGroup() as typing:
        said = [
            typing.create_task(either_house.workspace.slash(user, "#ev-ops", "/charge", text))
            for user in ("ada", "ole", "vera")
            for text in ("status", "chargers", "alerts", "rules", "silences", "help", "start nonsense", "nonsense") * 3
        ]
    assert [outcome.result().error for outcome in said] == [None] * 72
    for user in ("ada", "ole", "vera"):
        await either_house.wait_for(partial(is_told, either_house, user, 24))
        texts = [message.plain() for message in either_house.workspace.ephemerals(user)]
        assert len(set(texts)) >= 7
        assert all(texts.count(text) % 3 == 0 for text in texts)


async def test_an_event_that_comes_again_after_a_restart_is_not_answered_again(either_house: House) -> None:
    house = either_house
    await house.workspace.mention("ada", "#ev-ops", "status")
    await house.wait_for(lambda: replies(house))
    event = house.workspace.deliveries[-1].payload
    house.workspace.link.deliver_event(event)
    await house.stop()
    await house.start()
    house.workspace.link.deliver_event(event)
    await house.workspace.mention("ada", "#ev-ops", "health")
    await house.wait_for(lambda: len(replies(house)) > 1)
    assert [("connectors" in reply.plain(), "Polling" in reply.plain()) for reply in replies(house)] == [
        (True, False),
        (False, True),
    ]


async def test_a_silence_that_a_mention_asked_for_is_made_once(house: House) -> None:
    await house.workspace.mention("ole", "#ev-ops", f"silence {house.free()} for 2h Technician on site")
    await house.wait_for(lambda: replies(house))
    event = house.workspace.deliveries[-1].payload
    await house.stop()
    await house.start()
    house.workspace.link.deliver_event(event)
    assert "Technician" in (await house.ask("silences")).plain()
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(SILENCE)).scalar_one() == 1


def test_a_request_is_claimed_once_and_forgotten_after_days(database: Database) -> None:
    with database.write() as connection:
        assert claim_request(connection, "trigger:1", CALM)
        assert not claim_request(connection, "trigger:1", CALM)
        assert claim_request(connection, "event:1", CALM)
    with database.write() as connection:
        assert not claim_request(connection, "trigger:1", CALM + KEPT)
        assert claim_request(connection, "trigger:2", CALM + KEPT * 2)
        assert connection.execute(sa.select(HEARD.c.name)).scalars().all() == ["trigger:2"]


async def test_an_intent_whose_commit_has_begun_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit ends only once the time for writing is over."""
    responder = house.running.responder
    responder.intents.write_seconds, responder.intents.commit_seconds = 1.5, 30
    is_over = threading.Event()
    give_up = Patience.give_up

    def noted(patience: Patience) -> bool:
        is_over.set()
        return give_up(patience)

    monkeypatch.setattr(Patience, "give_up", noted)

    def slow_commit(connection: sa.Connection) -> str:
        sa.event.listen(connection, "commit", lambda _: is_over.wait(30))
        return "written"

    assert await responder.write(slow_commit) == "written"
    assert is_over.is_set()


async def test_an_intent_that_was_given_up_is_never_written(house: House) -> None:
    responder = house.running.responder
    responder.intents.write_seconds = 0.05

    is_over = threading.Event()

    def slow(connection: sa.Connection) -> None:
        claim_request(connection, "late", CALM)
        is_over.wait(30)

    with pytest.raises(TooLateError):
        await responder.write(slow)
    is_over.set()
    responder.intents.write_seconds = 30
    await responder.write(lambda connection: None)  # after the slow one
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(HEARD.c.name)).scalars().all() == []


async def test_an_intent_of_a_request_that_was_acted_on_is_not_written_again(house: House) -> None:
    responder = house.running.responder
    await responder.write(lambda connection: None, "trigger:9")
    with pytest.raises(HeardBeforeError):
        await responder.write(lambda connection: pytest.fail("it was written"), "trigger:9")
