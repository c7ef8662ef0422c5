"""What newcomers say: answered with what they may have meant, and never by doing it."""

import sqlalchemy as sa

from bot.slack.charge.meant import MEANT
from bot.slack.charge.registry import BY_NAME, find_word
from storage.schema import AUDIT
from tests.bot.house import House

SAID = {
    "whats broken": "/charge alerts",
    "what is wrong?": "/charge alerts",
    "show me offline chargers": "/charge chargers offline",
    "offline": "/charge chargers offline",
    "show me the locations": "/charge locations",
    "list alerts": "/charge alerts",
    "mute 113": "/charge help silence",
    "reboot 113": "/charge help reset",
    "restart everything": "/charge help reset",
    "who is admin": "/charge roles",
    "undo": "/charge help unack",
    "please stop 113": "/charge help stop",
}


async def test_another_word_for_one_is_answered_with_that_and_does_nothing(house: House) -> None:
    for words, meant in SAID.items():
        answer = (await house.ask(words)).plain().replace("`", "")
        assert "There is no word" in answer, words
        assert meant in answer, words
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(AUDIT)).all() == []


def test_what_may_be_meant_is_a_word_that_there_is() -> None:
    for said in {one for meant in MEANT.values() for one in meant}:
        word = find_word(tuple(said.split()))
        assert word is not None, said
        assert word.word != "help" or find_word(tuple(said.split()[1:])) is not None, said
        assert not word.acts or word.word == "roles" or word.word.startswith("chart"), said
    assert not set(MEANT) & set(BY_NAME)


async def test_locations_with_a_name_are_the_one_that_is_called_so(house: House) -> None:
    places = list(house.fleet.world.locations)
    assert places[0].id in (await house.ask(f"locations {places[0].fields['name']}")).plain()
    assert "There is no location with the id `Atlantis`" in (await house.ask("locations Atlantis")).plain()
    assert "*Locations* 1 to" in (await house.ask("locations all")).plain()
