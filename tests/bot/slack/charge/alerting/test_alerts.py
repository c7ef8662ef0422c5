"""Alerts as people ask for them: found where their things are now."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from storage.schema import ALERT
from tests.bot.house import FAULTED, House, polled_anew
from tests.bot.slack.charge.confirming import confirmed


async def found_at(house: House, subject: str, location: str) -> None:
    """Return once an alert is told of at a location: a full list must show a move before it is believed."""
    async with asyncio.timeout(30):
        while subject not in (await house.ask(f"alerts location={location}")).plain():
            await polled_anew(house.running)


async def test_a_charger_that_moved_while_its_alert_fires_is_found_at_its_new_location(closed_house: House) -> None:
    house = closed_house
    house.interval = 60
    broken = house.free()
    house.break_connector(broken)
    await house.start(FAULTED | {"for": "0s"})
    await polled_anew(house.running)
    box = next(row for row in house.fleet.world.chargers if broken in {c["id"] for c in row.fields["connectors"]})
    old = box.fields["locationId"]
    new = next(place.id for place in house.fleet.world.locations if place.id != old)
    await found_at(house, broken, old)

    house.fleet.world.set_charger(box.id, int(house.clock().timestamp() * 1000), locationId=new)
    await polled_anew(house.running)
    house.clock.ahead += timedelta(seconds=61)  # a list of all chargers is asked for after an interval

    await found_at(house, broken, new)
    assert broken not in (await house.ask(f"alerts location={old}")).plain()
    assert "It concerns 1 alert that fires now" in (await house.ask(f"silence location={new} for 2h Moved")).plain()


async def test_a_list_of_alerts_says_in_words_what_each_is_and_the_rule_after_it(closed_house: House) -> None:
    house = closed_house
    broken = house.free()
    house.break_connector(broken)
    await house.start(FAULTED | {"for": "0s", "title": "{connector} out of order for {duration}"})
    await house.card_of_an_alert()
    answer = await house.ask("alerts")
    row = next(line for line in str(answer.plain()).splitlines() if broken in line)
    words, slug = row.split("out of order for over")
    name = str(FAULTED["name"])
    assert name not in words
    assert slug.endswith(f"`{broken}` `{name}`")


async def test_many_alerts_or_any_of_safety_are_acknowledged_only_once_it_is_confirmed(closed_house: House) -> None:
    house = closed_house
    for _ in range(11):
        house.break_connector(house.free())
    safety = FAULTED | {"name": "danger", "for": "0s", "safety": True, "when": f'connector.id == "{house.free()}"'}
    await house.start(FAULTED | {"for": "0s"}, safety)
    await house.card_of_an_alert()

    def acknowledged() -> int:
        with house.running.database.read() as connection:
            seen = sa.select(sa.func.count()).where(ALERT.c.acknowledged_by.is_not(None))
            return int(connection.execute(seen).scalar_one())

    for words, said in {"ack all": "12 alerts of 2 rules", "ack rule=danger": "It is of safety (`danger`)"}.items():
        assert said in (await house.ask(words)).plain(), words
    assert acknowledged() == 0
    assert "of safety" in (await house.ask("ack all")).plain()
    await confirmed(house, "ack rule=danger")
    assert acknowledged() == 1
    assert "Acknowledged: 11 alerts" in (await confirmed(house, "ack all")).plain()
    assert acknowledged() == 12
    assert "already acknowledged" in (await house.ask("ack all")).plain().lower()


async def test_few_alerts_are_acknowledged_at_once(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED | {"for": "0s"})
    await house.card_of_an_alert()
    assert "Acknowledged: 1 alert." in (await house.ask("ack all")).plain()
