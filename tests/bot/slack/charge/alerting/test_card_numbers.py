"""Alerts by the number of their card, with its sign or without: done, or answered with what to write."""

from typing import Any

import pytest
import sqlalchemy as sa

from storage.schema import ALERT, SILENCE
from tests.bot.house import FAULTED, House
from tests.bot.slack.listeners.test_forms import opened

AT_ONCE = FAULTED | {"for": "0s"}


@pytest.fixture
async def carded(closed_house: House) -> House:
    """A house with one card, of one broken connector."""
    closed_house.break_connector(closed_house.free())
    await closed_house.start(AT_ONCE)
    await closed_house.card_of_an_alert()
    return closed_house


def one(house: House, *columns: Any) -> Any:
    with house.running.database.read() as connection:
        return connection.execute(sa.select(*columns)).one()


async def test_a_number_that_no_card_has_is_answered_with_those_that_there_are(carded: House) -> None:
    for words, said, example in [
        ("ack 99", "Nothing has the id, and no card the number 99", "/charge ack #1"),
        ("ack #99", "No card has the number #99", "/charge ack #1"),
        ("ack #9999999999999999999", "No card has the number", "/charge ack #1"),
        ("unack #99", "No card has the number #99", "/charge unack #1"),
        ("note #99 Seen it", "No card has the number #99", "/charge note #1 Seen it"),
        ("assign #99 <@U0VERA0003>", "No card has the number #99", "/charge assign #1 me"),
        ("alerts #99", "No card has the number #99", "/charge alerts #1"),
        ("silence #99 for 1h x", "No card has the number #99", "/charge silence #1 for 2h REASON"),
        ("subscribe me #99", "No card has the number #99", "/charge subscribe me #1"),
    ]:
        answer = (await carded.ask(words)).plain().replace("`", "")
        assert said in answer, words
        assert example in answer, words
    assert one(carded, ALERT.c.acknowledged_by).acknowledged_by is None


async def test_a_number_without_its_sign_is_a_card_where_nothing_has_that_id(carded: House) -> None:
    assert "Acknowledged: 1 alert." in (await carded.ask("ack 1")).plain()
    assert "Not acknowledged any more" in (await carded.ask("unack 1")).plain()
    assert "Noted" in (await carded.ask("note 1 Technician comes")).plain()


async def test_a_card_is_silenced_by_its_number_as_its_rule_and_thing(carded: House) -> None:
    assert "concerns 1 alert that fires now" in (await carded.ask("silence #1 for 1h On site")).plain()
    alert = one(carded, ALERT.c.rule_id, ALERT.c.connector_id)
    assert tuple(one(carded, SILENCE.c.rule_id, SILENCE.c.connector_id)) == tuple(alert)


async def test_a_card_of_several_alerts_or_none_tells_what_to_write(closed_house: House) -> None:
    house = closed_house
    for connector in house.free(0), house.free(1):
        house.break_connector(connector)
    await house.start(AT_ONCE | {"group_by": []})
    await house.card_of_an_alert()
    view = await opened(house, "silence #1 for 1h On site", "silence")
    assert "The 2 alerts that it names" in str(view.blocks)
    answer = await house.ask("silence #1 for 1h On site")
    assert "2 alerts fire of #1" in answer.plain().replace("`", "")
    assert "/charge silence connector=" in answer.plain()
