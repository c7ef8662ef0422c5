"""A click on a database that fails is answered with the mend; what is said of it is true, also of a slow commit."""

import asyncio
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.crowd.intents import NotKnownYetError
from bot.slack.listeners.responder import Responder
from notify.text.action_ids import ActionId
from sandbox.slack import Message
from storage.schema import ALERT, AUDIT
from tests.bot.house import FAULTED, House


async def firing_card(house: House) -> Message:
    await house.card_of_an_alert()
    messages = house.workspace.channel("#ev-alerts").messages
    card: Message = await house.wait_for(lambda: next((one for one in messages if "firing" in one.text), None))
    return card


async def test_a_click_on_a_full_disk_says_that_nothing_was_done_and_what_to_do(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await firing_card(house)
    full = "CREATE TRIGGER full BEFORE UPDATE ON alert BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    with house.running.database.write() as connection:
        connection.exec_driver_sql(full)
    await house.click("ole", card, ActionId.ACKNOWLEDGE_INCIDENT)
    answer = (await house.next_whisper("ole", 0)).plain()
    assert "Nothing was done: the disk of the database is full" in answer
    assert "Make room on it" in answer
    assert "SQL" not in answer
    with house.running.database.write() as connection:
        assert connection.execute(sa.select(ALERT.c.acknowledged_at)).scalars().all() == [None]
        connection.exec_driver_sql("DROP TRIGGER full")
    await house.click("ole", card, ActionId.ACKNOWLEDGE_INCIDENT)
    await house.wait_for(lambda: "Acknowledged" in card.text)


async def test_a_commit_that_takes_longer_is_not_known_yet_and_acted_on_once_it_is(house: House) -> None:
    responder = house.running.responder
    responder.intents.write_seconds, responder.intents.commit_seconds = 2, 0.05
    may_commit, woken = threading.Event(), asyncio.Event()
    responder.wake_commands = woken.set

    def wait(_: Any) -> None:
        assert may_commit.wait(10)

    def note(connection: sa.Connection) -> None:
        entry = {"at": house.clock(), "user": "U1", "action": "x", "subject": "", "facts": {}, "outcome": ""}
        connection.execute(sa.insert(AUDIT).values(entry))
        sa.event.listen(connection, "commit", wait)

    with pytest.raises(NotKnownYetError):
        await responder.write(note)
    assert not woken.is_set()
    may_commit.set()
    await asyncio.wait_for(woken.wait(), 10)
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(AUDIT.c.action)).scalars().all() == ["x"]


async def test_the_person_is_told_that_it_is_not_known_yet(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await firing_card(house)

    async def slow(*_: Any) -> None:
        raise NotKnownYetError

    monkeypatch.setattr(Responder, "write", slow)
    await house.click("ole", card, ActionId.ACKNOWLEDGE_INCIDENT)
    assert "It is not known yet whether this was done" in (await house.next_whisper("ole", 0)).plain()
