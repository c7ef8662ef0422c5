"""Names from outside that try to shout, to break out or to be too long: every answer still passes Slack's checks."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from slack_sdk.models.blocks import Block

from bot.slack.charge.registry import WORDS
from notify.text.limits import LOUD
from sandbox.world.state import World
from tests.bot.house import FAULTED, House, open_house
from tests.examples import part

HOSTILE = [
    "<!channel>",
    "`code` ```pre``` *bold* _it_ ~no~",
    "<https://evil.example|click me>",
    "n" * 300,
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u2066x",
    "&lt;!here&gt;",
    "{{ 7 * 7 }} {% raw %}",
    "a\nb\n\nc",
    "",
]


@pytest.fixture
async def hostile_house(tmp_path: Path) -> AsyncIterator[House]:
    """A house in which every text that EOSVOLT tells is hostile."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", past=True) as house:
        make_hostile(house)
        await house.start(FAULTED)
        yield house


def make_hostile(house: House) -> None:
    world, now = house.fleet.world, round(house.clock().timestamp() * 1000)
    world.load_past(None)
    for number, row in enumerate(world.locations):
        name = HOSTILE[number % len(HOSTILE)]
        world.locations.change(row, now, {"name": name, "address": name, "supportContact": name})
        world.set_price(row.id, now, currency=name or None, unit=name or None, default=0.5)
    for number, row in enumerate(world.chargers):
        name = HOSTILE[number % len(HOSTILE)]
        world.chargers.change(row, now, {"name": name, "vendor": name, "model": name, "firmware": name, "serial": name})
    for number, row in enumerate(list(world.sessions)[-40:]):
        name = HOSTILE[number % len(HOSTILE)]
        world.sessions.change(row, now, {"failReason": name, "stopReason": name, "currency": name[:20]})
    for number, connector_id in enumerate(list(world.connectors)[1:]):
        name = HOSTILE[number % len(HOSTILE)]
        world.set_connector(connector_id, now, errorCode=name, type=name, status=name if number % 3 else "Available")
    house.break_connector(next(iter(world.connectors)), timedelta(minutes=50))


WITH_A_NAME = (
    *("location", "charger", "session", "price", "report", "export sessions 2026-01-01 2026-01-02"),
    *("start", "stop", "reset", "unlock", "enable", "disable"),
)
ON_A_CHARGER = ("reset {}", "reset {} hard", "disable {}", "enable {}")
ON_A_CONNECTOR = ("unlock {}", "disable {}", "start {}", "stop {}")
ON_A_LOCATION = ("location {}", "price {}", "price {} set default 9", "report week {}")


def said_about(world: World) -> list[str]:
    """Every word about everything that is there; in a plain run, about a part of it."""
    said = ["", "status", "locations", "chargers", "chargers faulted", "chargers offline", "sessions", "sessions today"]
    said += ["health", "report", "report month", "alerts", "silences", "rules", "rules show connector-faulted"]
    said += ["silence rule=connector-faulted for 2h <!channel> `code` *bold*"]
    said += ['rules add name: <!channel>; when: `x` == "```"; for: *']
    said += ["rules add name: shout; for_each: charger; when: charger.online; description: <!channel> ``` *x*"]
    connectors = list(world.connectors)[:9]
    many = [words.format(row.id) for words in ON_A_LOCATION for row in world.locations]
    many += [words.format(row.id) for words in ON_A_CHARGER for row in list(world.chargers)[:9]]
    many += [words.format(connector) for words in ON_A_CONNECTOR for connector in connectors]
    many += [f"charger {row.id}" for row in world.chargers]
    many += [f"session {row.id}" for row in list(world.sessions)[-18:]]
    many += [f"why {connector} connector-faulted" for connector in connectors[:3]]
    for text in HOSTILE:
        many += [text, f"chargers {text[:150]}", f"chargers status={text[:50]}", f"sessions {text}"]
        many += [f"{word} {text}" for word in WITH_A_NAME]
    many += [f"{word.word} {text}" for word in WORDS for text in HOSTILE[:3]]
    return [*said, *part(many, 5)]


async def test_every_answer_passes_slack_s_checks(hostile_house: House) -> None:
    house = hostile_house
    await house.card_of_an_alert()
    for text in said_about(house.fleet.world):
        answer = await house.ask(text)
        assert "Chargehand has a fault" not in answer.text, text
        assert not [word for word in LOUD if word in str(answer.blocks) + answer.text and word in answer.text], text
        for block in Block.parse_all(answer.blocks):
            block.validate_json()
        for element in texts(answer.blocks):
            if element["type"] == "mrkdwn":
                assert not [word for word in LOUD if word in element["text"]], text
                assert "<https://evil" not in element["text"], text
                assert "\u202e" not in element["text"], text


async def test_the_home_tab_passes_too(hostile_house: House) -> None:
    house = hostile_house
    await house.card_of_an_alert()
    await house.workspace.open_home("ole")
    home = await house.wait_for(lambda: house.workspace.home("ole"))
    for element in texts(home.blocks):
        assert element["type"] == "plain_text" or not [word for word in LOUD if word in element["text"]]


def texts(value: object) -> list[dict[str, str]]:
    if isinstance(value, dict):
        own = [value] if value.get("type") in {"mrkdwn", "plain_text"} else []
        return own + [found for inner in value.values() for found in texts(inner)]
    return [found for inner in value for found in texts(inner)] if isinstance(value, list) else []
