"""Places and chargers by name, nearly by name, or by id, in every word; several that fit are a choice of buttons."""

from typing import Any

import pytest

from sandbox.slack import Message
from tests.bot.house import House


@pytest.fixture
async def named(closed_house: House) -> House:
    """The service at work, with three places and a charger of known names."""
    house, world = closed_house, closed_house.fleet.world
    now = round(house.clock().timestamp() * 1000)
    for row, name in zip(world.locations, ("Quay East", "Quay West", "Town Hall"), strict=False):
        world.locations.change(row, now, {"name": name})
    world.chargers.change(charger_of(house), now, {"name": "Blue Box 7"})
    await house.start()
    return house


def charger_of(house: House) -> Any:
    wanted = house.free().rpartition(".")[0]
    return next(row for row in house.fleet.world.chargers if row.id == wanted)


def place(house: House, number: int) -> str:
    return str(list(house.fleet.world.locations)[number].id)


def buttons(message: Message) -> list[str]:
    return [e["text"]["text"] for b in message.blocks if b["type"] == "actions" for e in b["elements"]]


async def test_a_name_stands_for_its_id_in_every_word(named: House) -> None:
    charger, town = charger_of(named).id, place(named, 2)
    said = {
        "location Town Hall": "Town Hall",
        "location “town hall”.": "Town Hall",
        "price town hall": "VAT included",
        "report week Town Hall": "Town Hall",
        f"location {town}": "Town Hall",
        "charger blue box 7": charger,
        "charger box 7": charger,
        "reset Blue Box 7": f"*Reset* (soft) charger `{charger}`",
        "reset blue box 7 hard": charger,
        "disable blue box 7": charger,
        'chargers location="Town Hall"': "charger",
        "alerts location=“Town Hall”": "No alert",
        "silence Blue Box 7 for 2h Works": "is in force",
        "audit Blue Box 7": "filters are right",
    }
    for words, told in said.items():
        answer = (await named.ask(words)).plain()
        assert told in answer, f"{words}: {answer}"
        assert "There is no" not in answer, words


async def test_several_that_fit_are_a_choice_of_buttons_that_go_on(named: House) -> None:
    choice = await named.ask("location quay")
    assert "2 things are called `quay`. Which do you mean?" in choice.plain()
    assert len(buttons(choice)) == 2
    before = len(named.workspace.ephemerals("ada"))
    await named.click("ada", choice, "run_words_2")
    assert "Quay West" in (await named.next_whisper("ada", before)).plain()
    silence = await named.ask("silence quay for 2h “Works on” site")
    before = len(named.workspace.ephemerals("ada"))
    await named.click("ada", silence, "run_words_1")
    told = (await named.next_whisper("ada", before)).plain()
    assert "is in force" in told
    assert f"location {place(named, 0)}" in told
    filtered = await named.ask("chargers location=quay online")
    before = len(named.workspace.ephemerals("ada"))
    await named.click("ada", filtered, "run_words_1")
    assert "There is no" not in (await named.next_whisper("ada", before)).plain()


async def test_what_is_nearly_a_name_is_asked_about_and_never_taken(named: House) -> None:
    near = await named.ask("location Twon Hall")
    assert "Nothing is called `Twon Hall`. Nearly so:" in near.plain()
    assert len(buttons(near)) == 1
    wrong = (await named.ask("location zebra crossing")).plain()
    assert "There is no location with the id" in wrong
    assert "/charge locations" in wrong


async def test_all_is_no_part_of_a_name_and_is_answered_with_what_may_be_meant(named: House) -> None:
    for words in ("silence all for 2h Storm", "price all set 1", "location all"):
        answer = (await named.ask(words)).plain()
        assert "is not said of everything at once" in answer, words
        assert "things are called" not in answer, words
    assert "/charge silence rule=" in (await named.ask("silence all for 2h Storm")).plain()
    assert "Town Hall" in (await named.ask("location hal")).plain()


async def test_one_word_of_a_name_is_found_though_it_is_mistyped(named: House) -> None:
    for words in ("location Twon", "silence Twon for 1h Works"):
        near = await named.ask(words)
        assert "Nothing is called `Twon`. Nearly so:" in near.plain(), words
        assert [text for text in buttons(near) if "Town Hall" in text], words


async def test_a_command_by_a_name_is_asked_about_with_the_id(named: House) -> None:
    charger = charger_of(named)
    connectors = charger.fields["connectors"]
    answer = await named.ask("start Blue Box 7")
    if len(connectors) > 1:
        assert "Which do you mean?" in answer.plain()
        assert len(buttons(answer)) == min(5, len(connectors))
    else:
        assert connectors[0]["id"] in answer.plain()
    assert named.api.commands == []


async def test_a_value_of_several_words_needs_no_quotes(named: House) -> None:
    east, hall = place(named, 0), place(named, 2)
    for words, said in {
        "subscribe #ev-ops location=Town Hall": f"Town Hall ({hall})",
        "subscribe me severity>=warning location=quay east rule=nope": "There is no rule",
        "subscribe me location=Quay East severity>=critical": f"Quay East ({east})",
        "chargers location=Town Hall online": "location=Town Hall online",
        "alerts location=Town Hall firing": "No alert",
        "audit location=Town Hall": "location=Town Hall",
        f"audit location={hall} subscribe": f"location={hall} subscribe",
    }.items():
        answer = (await named.ask(words)).plain()
        assert said in answer, f"{words}: {answer}"
        assert "no location" not in answer, words
    choice = await named.ask("subscribe me location=Town Hull severity>=warning")
    assert "Nothing is called Town Hull. Nearly so:" in choice.plain().replace("`", "")
    before = len(named.workspace.ephemerals("ada"))
    await named.click("ada", choice, "run_words_1")
    assert "From now on I tell you" in (await named.next_whisper("ada", before)).plain()


async def test_a_channel_that_is_not_there_is_told_before_what_it_is_to_hear(named: House) -> None:
    answer = await named.ask("subscribe #nowhere")
    assert "Slack knows no such channel, or I am not in it: `#nowhere`" in answer.plain()
    assert "/charge subscribe me all" in answer.plain()
    assert "needs to know to what" in (await named.ask("subscribe #ev-ops")).plain()
