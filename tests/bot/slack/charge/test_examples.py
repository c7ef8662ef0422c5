"""Examples name what is there: each that an answer or an error gives can be pasted, in a fleet of any names."""

import re
from typing import Any

import pytest

from bot.slack.charge.examples import INVENTED, of_the_fleet
from tests.bot.house import FAULTED, House

WRONG = (
    "silence",
    "silence nothing for 2h x",
    "silence rule=never for 2h x",
    "why",
    "ack",
    "note",
    "assign",
    "unack",
    "rules edit hot",
    "subscribe",
    "chargers lcation=x",
    "chargers fautled",
    "alerts " + "x " * 120,
)
LISTS = ("silences", "chargers", "subscriptions", "help", "help silence", "help alerts")


@pytest.fixture
async def ruled(closed_house: House) -> House:
    """The service with one rule, of a name of its own, that fires on a connector; places have names."""
    house, world = closed_house, closed_house.fleet.world
    now = round(house.clock().timestamp() * 1000)
    for number, row in enumerate(world.locations):
        world.locations.change(row, now, {"name": f"Quay {number}"})
    house.break_connector(house.free())
    await house.start({**FAULTED, "name": "my-own-rule"})
    await house.card_of_an_alert()
    return house


async def test_no_answer_and_no_error_names_what_is_not_there(ruled: House) -> None:
    for words in (*WRONG, *LISTS):
        told = (await ruled.ask(words)).plain()
        # there is no rule yet that was made in Slack, and so could be changed there
        found = [found[0] for found in INVENTED.finditer(told) if not found["alert"] and not found["made_rule"]]
        assert found == [], f"{words}: {told}"
        for rule in re.findall(r"rule=([\w-]+)", told):
            assert rule in {"my-own-rule", "never", "NAME"}, f"{words}: {told}"


async def test_an_example_of_a_place_a_rule_and_an_alert_is_understood_as_it_stands(ruled: House) -> None:
    connection: Any
    with ruled.running.database.read() as connection:
        said = of_the_fleet(
            connection, ("chargers location=ID", "alerts rule=connector-faulted", "alerts #12", "charger 242")
        )
    assert said[0] == 'chargers location="Quay 0"'
    assert said[1] == "alerts rule=my-own-rule"
    for words in said:
        told = (await ruled.ask(words)).plain()
        assert "There is no" not in told, words
        assert "No alert" not in told, words
    assert re.fullmatch(r"alerts #\d+", said[2])


async def test_where_nothing_is_known_the_invented_names_stay(closed_house: House) -> None:
    await closed_house.start()
    with closed_house.running.database.read() as connection:
        rule, library = of_the_fleet(connection, ("ack rule=connector-faulted", "rules add library/connector-faulted"))
    assert rule == "ack rule=connector-faulted"
    assert library == "rules add library/connector-faulted"
