"""Roles given and taken in Slack: after a preview, kept, in the log, and never what the settings say."""

from typing import Any

import sqlalchemy as sa

from sandbox.slack.workspace.model import User
from storage.schema import AUDIT, ROLE_GRANT
from tests.bot.house import House
from tests.bot.slack.charge.confirming import confirmed

VERA, OLE, ONCALL = "<@U0VERA0003|vera>", "<@U0OLE00002>", "<!subteam^S0ONCALL01|@oncall>"


def acts(house: House) -> list[tuple[Any, ...]]:
    with house.running.database.read() as connection:
        columns = (AUDIT.c.user, AUDIT.c.action, AUDIT.c.subject, AUDIT.c.outcome)
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(AUDIT.c.id))]


async def test_a_role_is_shown_first_given_once_and_counts_at_once_and_after_a_restart(house: House) -> None:
    assert "needs the role operator" in (await house.ask(f"stop {house.free()}", "vera")).plain()
    preview = await house.ask("grant @vera operator.")
    assert "Give <@U0VERA0003> the role *operator*? An operator also acts" in preview.plain()
    assert "needs the role operator" in (await house.ask(f"stop {house.free()}", "vera")).plain(), "nothing yet"
    value = next(e["value"] for b in preview.blocks if b["type"] == "actions" for e in b["elements"])
    await house.click("ada", preview, "confirm_words")
    await house.wait_for(lambda: "is *operator* from now on" in preview.plain())
    assert "needs the role" not in (await house.ask(f"stop {house.free()}", "vera")).plain()
    shown = (await house.ask("roles", "vera")).plain()
    assert "You are *operator*, given in Slack (<@U0ADA00001> did)" in shown
    assert "<@U0VERA0003>: operator, by <@U0ADA00001>" in shown
    await house.stop()
    await house.start()
    assert "needs the role" not in (await house.ask(f"stop {house.free()}", "vera")).plain()
    assert acts(house) == [("U0ADA00001", "grant", "U0VERA0003", "operator")]
    assert '"nonce"' in value


async def test_one_button_gives_a_role_once(house: House) -> None:
    preview = await house.ask(f"grant {VERA} operator")
    blocks = list(preview.blocks)
    await house.click("ada", preview, "confirm_words")
    await house.wait_for(lambda: "from now on" in preview.plain())
    await confirmed(house, f"revoke {VERA}")
    preview.blocks = blocks
    await house.click("ada", preview, "confirm_words")
    await house.wait_for(lambda: "was confirmed before" in preview.plain())
    assert [act[1] for act in acts(house)] == ["grant", "revoke"]


async def test_a_group_is_given_a_role_and_loses_it(house: House) -> None:
    house.workspace.groups["S0ONCALL01"].users.append("U0VERA0003")
    told = (await confirmed(house, f"grant {ONCALL} admin")).plain()
    assert "`@oncall` has the role *admin* from now on" in told
    shown = (await house.ask("roles", "vera")).plain()
    assert "You are *admin*, given in Slack, through the group @oncall" in shown
    assert "needs the role" not in (await house.ask("audit", "vera")).plain()
    by_name = (await house.ask(f"revoke {VERA}")).plain()
    assert "They are admin given in Slack, through the group @oncall, and not by name" in by_name
    assert "/charge revoke @oncall" in by_name
    taken = await confirmed(house, "revoke @oncall")
    assert "`@oncall` has the role *admin* no more" in taken.plain()
    assert "needs the role admin" in (await house.ask("audit", "vera")).plain()
    assert [act[1:] for act in acts(house)] == [("grant", "S0ONCALL01", "admin"), ("revoke", "S0ONCALL01", "revoked")]


async def test_a_group_that_slack_lost_can_still_be_taken_its_role(house: House) -> None:
    await confirmed(house, f"grant {ONCALL} admin")
    house.workspace.groups.clear()
    house.running.responder.permissions._remembered.clear()
    await confirmed(house, "revoke oncall")
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(ROLE_GRANT)).all() == []


async def test_what_the_settings_name_is_not_given_again_nor_taken_and_says_where_it_stands(house: House) -> None:
    told = (await house.ask(f"revoke {ONCALL}")).plain()
    assert (
        "They are operator by CHARGEHAND_OPERATORS, through the group @oncall, which cannot be changed from Slack"
        in told
    )
    assert "takes the name out of CHARGEHAND_OPERATORS" in told
    told = (await house.ask(f"grant {ONCALL} operator")).plain()
    assert "They are operator already, by CHARGEHAND_OPERATORS" in told
    await confirmed(house, f"grant {ONCALL} admin")
    told = (await house.ask(f"revoke {ONCALL}")).plain()
    assert "They stay operator, by CHARGEHAND_OPERATORS" in told


async def test_what_cannot_be_given_says_why_and_what_to_write(house: House) -> None:
    house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", home_team="T0PARTNERS")
    wrong = {
        "grant": "needs one person or user group",
        "grant operator": "needs one person or user group",
        f"grant {VERA}": "needs one person or user group",
        f"grant {VERA} {OLE} operator": "needs one person or user group",
        f"grant {VERA} viewer": "They were given no role in Slack and are viewer, as everybody is",
        "grant <@U0EVE00009> admin": "somebody of another workspace",
        "grant <@U0NOBODY99> admin": "somebody not known in this workspace",
        "grant @oncal operator": "There is a user group @oncall",
        "grant @<!channel> operator": "Nobody here is called",
        f"grant {'x' * 3000} operator": "Nobody here is called",
        "revoke": "needs one person or user group",
        f"revoke {VERA}": "They were given no role in Slack",
        f"revoke {OLE}": "They are operator by CHARGEHAND_OPERATORS, through the group @oncall, which cannot be",
        "revoke <@U0ADA00001>": "Whoever runs Chargehand changes CHARGEHAND_WORKSPACE_ADMINS",
        "revoke @nobody": "Nobody here is called",
    }
    for said, problem in wrong.items():
        answer = (await house.ask(said)).plain()
        assert problem in answer, said
        assert "/charge " in answer, said
    assert acts(house) == []


async def test_a_viewer_s_click_on_an_admin_s_button_gives_nothing(house: House) -> None:
    preview = await house.ask(f"grant {VERA} admin")
    await house.click("vera", preview, "confirm_words")
    await house.wait_for(lambda: "needs the role admin; you are viewer" in preview.plain())
    assert acts(house) == []


async def test_while_slack_cannot_be_asked_who_somebody_is_nothing_is_given(house: House) -> None:
    house.changes["chargehand_admins"] = ("U0ADA00001",)
    house.workspace.faults.answer_next("users.info", "null")
    house.running.responder.permissions.admins = ("U0ADA00001",)
    house.running.responder.permissions._remembered.clear()
    house.workspace.scopes = ()
    told = (await house.ask(f"grant {VERA} operator")).plain()
    assert "Slack could not be asked who that is" in told
    assert acts(house) == []


async def test_the_role_of_one_person_or_group_is_told_with_where_it_comes_from(house: House) -> None:
    house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", home_team="T0PARTNERS")
    await confirmed(house, f"grant {VERA} operator")
    for said, role in {
        f"roles {VERA}": "<@U0VERA0003> is *operator*, given in Slack (<@U0ADA00001> did)",
        f"roles of {OLE}": "<@U0OLE00002> is *operator*, by CHARGEHAND_OPERATORS, through the group @oncall",
        f"roles {ONCALL}": "`@oncall` has the role *operator*, by CHARGEHAND_OPERATORS. An operator also acts",
        "roles <@U0ADA00001>": "is *admin*, as an admin of the workspace",
        "roles <@U0EVE00009>": "is *outsider*, since for Slack they are of another workspace",
        "roles @nobody": "Nobody here is called",
    }.items():
        assert role in (await house.ask(said, "vera")).plain(), said


async def test_nothing_is_lowered_in_silence(house: House) -> None:
    ada = "<@U0ADA00001>"
    told = (await house.ask(f"grant {ada} operator")).plain()
    assert "They are admin already, as an admin of the workspace (CHARGEHAND_WORKSPACE_ADMINS), which is more" in told
    assert f"/charge roles {ada}" in told.replace("&lt;", "<").replace("&gt;", ">")
    await confirmed(house, f"grant {VERA} admin")
    lower = (await house.ask(f"grant {VERA} operator")).plain()
    assert "That is less: it takes the place of the role admin, which they were given before" in lower
    none = (await house.ask(f"grant {VERA} viewer")).plain()
    assert "Take the role *admin* back from <@U0VERA0003>?" in none
    assert "They then are viewer, as everybody, who reads" in none
    both = (await house.ask(f"grant {OLE} operator")).plain()
    assert "They are operator already, by CHARGEHAND_OPERATORS, through the group @oncall; given by name, it" in both
    await confirmed(house, f"grant {OLE} admin")
    assert (
        "They stay operator, by CHARGEHAND_OPERATORS, through the group" in (await house.ask(f"revoke {OLE}")).plain()
    )
