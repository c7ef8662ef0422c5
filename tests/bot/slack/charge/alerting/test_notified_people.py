"""A rule may speak to a person: its card stands in the direct messages, and its buttons work there."""

import pytest
import sqlalchemy as sa

from rules.actions.audience import place_of, wrong_place
from sandbox.slack import Message
from storage.schema import ALERT
from tests.bot.house import FAULTED, House, polled_anew


@pytest.mark.parametrize(
    ("written", "place", "wrong"),
    [
        ("#ev-alerts", "#ev-alerts", ""),
        ("U0ADA00001", "U0ADA00001", ""),
        ("<@U0ADA00001>", "U0ADA00001", ""),
        ("<@U0ADA00001|ada>", "U0ADA00001", ""),
        ("@U0ADA00001", "U0ADA00001", ""),
        ("@ada", "@ada", "is no member id: a person is told by it"),
        ("EV-Alerts", "EV-Alerts", "is no Slack channel"),
    ],
)
def test_a_person_is_named_by_the_member_id(written: str, place: str, wrong: str) -> None:
    assert place_of(written) == place
    assert wrong in wrong_place(place)[0]
    assert bool(wrong_place(place)[0]) is bool(wrong)


async def test_the_card_comes_as_a_direct_message_and_is_acknowledged_there(closed_house: House) -> None:
    house = closed_house
    ada = house.workspace.user("@ada").id
    house.break_connector(next(iter(house.fleet.world.connectors)))
    await house.start({**FAULTED, "notify": [f"<@{ada}>"]})
    direct = house.workspace.direct_channel(ada)
    await polled_anew(house.running)
    house.clock.ahead += house.running.jobs.routing(house.clock()).group_wait * 2
    card: Message = await house.wait_for(lambda: next(iter(direct.messages), None))
    assert "out of order" in card.plain() or "Faulted" in card.plain()
    assert house.workspace.channel("#ev-alerts").messages == []
    await house.click("ada", card, "acknowledge_incident")

    def acknowledged() -> bool:
        with house.running.database.read() as connection:
            return ada in set(connection.execute(sa.select(ALERT.c.acknowledged_by)).scalars())

    await house.wait_for(acknowledged)
