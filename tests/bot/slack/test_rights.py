"""The rights matrix: every word of /charge, asked by every role, by a guest and by a stranger, through the real app."""

import pytest

from bot.slack.charge.registry import WORDS
from bot.slack.permissions import Role
from sandbox.slack.workspace.model import User
from tests.bot.house import House

RIGHTS = {
    Role.VIEWER: """
        help; status; locations; location; chargers; charger; sessions; session; automations; price; report; health;
        missing; alerts; rules; rules show; rules history; rules backtest; rules library; digest; digest list;
        digest preview; why; silences; roles; subscribe; subscriptions; unsubscribe; chart energy;
        chart status; chart uptime; chart revenue; chart alerts
    """,
    Role.OPERATOR: """
        start; stop; reset; unlock; enable; disable; do; drivers; teams; keys; export; export alerts; export uptime;
        ack; unack; assign; note; silence; silence end; digest now
    """,
    Role.ADMIN: """
        automations on; automations off; automations dry-run; missing accept; export audit; rules add; rules edit;
        rules on; rules off; rules delete; rules accept; digest new; digest pause; digest resume; grant; revoke; audit
    """,
}
"""Every word with the least role that may say it; `price` shows to all, and changes for admins alone.

Everybody who may look may subscribe themselves; what that needs of a channel is tested beside the words.
"""
NEEDS = {word.strip(): role for role, words in RIGHTS.items() for word in words.replace("\n", " ").split(";")}
PEOPLE = {"vera": Role.VIEWER, "ole": Role.OPERATOR, "ada": Role.ADMIN, "gwen": None, "eve": None}
DENIED = ("needs the role", "for full members of this workspace")


def test_every_word_has_a_right_and_every_right_a_word() -> None:
    assert {word.word: word.needs for word in WORDS} == NEEDS


@pytest.fixture
async def crowd(closed_house: House) -> House:
    """The service at work among a viewer, an operator, an admin, a guest and somebody of another workspace."""
    house = closed_house
    house.workspace.users["U0GWEN0008"] = User("U0GWEN0008", "gwen", "Gwen", is_guest=True)
    house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", is_admin=True, home_team="T0PARTNERS")
    house.changes["chargehand_admins"] = ("U0EVE00009", "U0GWEN0008")
    await house.start()
    return house


@pytest.mark.parametrize("person", PEOPLE)
async def test_each_word_is_answered_to_those_who_may_say_it_and_to_nobody_else(crowd: House, person: str) -> None:
    role = PEOPLE[person]
    for word, needed in NEEDS.items():
        answer = (await crowd.ask(word, person)).plain()
        allowed = role is not None and role >= needed
        assert any(denial in answer for denial in DENIED) is not allowed, f"{person}: {word}: {answer}"
        if role is not None and not allowed:
            assert f"needs the role {needed.word}; you are {role.word}" in answer, word


@pytest.mark.parametrize("person", ["gwen", "eve"])
async def test_a_guest_and_a_stranger_who_may_look_do_nothing_else(closed_house: House, person: str) -> None:
    house = closed_house
    house.workspace.users["U0GWEN0008"] = User("U0GWEN0008", "gwen", "Gwen", is_guest=True)
    house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", is_admin=True, home_team="T0PARTNERS")
    house.changes |= {"chargehand_outsiders_may_look": True, "chargehand_admins": ("U0EVE00009", "U0GWEN0008")}
    await house.start()
    for word, needed in NEEDS.items():
        answer = (await house.ask(word, person)).plain()
        assert ("for full members" in answer) is (needed > Role.VIEWER), f"{word}: {answer}"
