"""Roles: from settings, user groups and, where that is set, workspace admins; outsiders act on nothing at all."""

from typing import Any

import pytest

from bot.slack.charge import registry
from bot.slack.doors.identity import Identity, Workspace
from bot.slack.permissions import Permissions, Role, Standing, why_outside
from bot.slack.web_client import WebClient
from sandbox.slack import SlackServer, SlackWorkspace
from sandbox.slack.workspace.model import User
from tests.bot.house import House

ADA, OLE, VERA = "U0ADA00001", "U0OLE00002", "U0VERA0003"
PARTNERS = "T0PARTNERS"


@pytest.fixture
def workspace() -> SlackWorkspace:
    return SlackWorkspace()


def permissions_of(
    server: SlackServer,
    admins: tuple[str, ...] = (),
    operators: tuple[str, ...] = (),
    *,
    workspace_admins: bool = True,
    outsiders_look: bool = False,
) -> Permissions:
    slack = WebClient(server.workspace.bot_token, server.api_url)
    return Permissions(slack, Identity(slack), admins, operators, workspace_admins, outsiders_look)


@pytest.mark.parametrize(
    ("admins", "operators", "expected"),
    [
        ((), (), {ADA: Role.ADMIN, OLE: Role.VIEWER, VERA: Role.VIEWER}),
        ((VERA,), (), {VERA: Role.ADMIN, OLE: Role.VIEWER}),
        ((), (VERA, "@oncall"), {OLE: Role.OPERATOR, VERA: Role.OPERATOR, ADA: Role.ADMIN}),
        ((), ("ONCALL",), {OLE: Role.OPERATOR, VERA: Role.VIEWER}),
        (("S0ONCALL01",), (VERA,), {OLE: Role.ADMIN, VERA: Role.OPERATOR}),
        (("@oncall",), (OLE,), {OLE: Role.ADMIN}),
        ((), ("@nobody-here",), {OLE: Role.VIEWER}),
    ],
)
async def test_a_role_comes_from_settings_groups_and_workspace_admins(
    workspace: SlackWorkspace, admins: tuple[str, ...], operators: tuple[str, ...], expected: dict[str, Role]
) -> None:
    async with SlackServer(workspace) as server:
        permissions = permissions_of(server, admins, operators)
        assert {user: (await permissions.standing_of(user)).role for user in expected} == expected


async def test_workspace_admins_are_admins_only_where_a_setting_says_so(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        assert await permissions_of(server, workspace_admins=False).standing_of(ADA) == Standing(Role.VIEWER)


async def test_slack_is_asked_once_for_the_same_answer(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        permissions = permissions_of(server, (), ("@oncall",))
        for _ in range(3):
            await permissions.standing_of(OLE)
    assert [call.method for call in workspace.calls] == ["users.info", "auth.test", "usergroups.list"]


async def test_in_doubt_nobody_gets_more_than_the_settings_name(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        workspace.scopes = ()
        permissions = permissions_of(server, (), (VERA, "@oncall"))
        assert await permissions.standing_of(ADA) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(OLE) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(VERA) == Standing(Role.OPERATOR, unsure=True)


async def test_a_group_without_the_right_to_read_groups_is_doubt_not_an_error(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        workspace.scopes = ("users:read",)
        permissions = permissions_of(server, (), ("@oncall",))
        assert await permissions.standing_of(OLE) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(ADA) == Standing(Role.ADMIN)


OUTSIDERS = [
    ({"home_team": PARTNERS}, "of another workspace"),
    ({"is_guest": True}, "a guest"),
    ({"is_single_channel_guest": True}, "a guest"),
    ({"deleted": True}, "deactivated"),
    ({"is_bot": True}, "a bot"),
]


@pytest.mark.parametrize(("what", "why"), OUTSIDERS)
async def test_an_outsider_is_nothing_though_admin_everywhere(
    workspace: SlackWorkspace, what: dict[str, Any], why: str
) -> None:
    eve = User("U0EVE00009", "eve", "Eve", is_admin=True, **what)
    workspace.users[eve.id] = eve
    workspace.groups["S0ONCALL01"].users.append(eve.id)
    async with SlackServer(workspace) as server:
        named: list[tuple[tuple[str, ...], ...]] = [(), ((eve.id,),), (("@oncall",),), ((), (eve.id, "@oncall"))]
        for names in named:
            assert await permissions_of(server, *names).standing_of(eve.id) == Standing(Role.OUTSIDER, outside=why)
            looking = permissions_of(server, *names, outsiders_look=True)
            assert await looking.standing_of(eve.id) == Standing(Role.VIEWER, outside=why)


async def test_somebody_whom_slack_does_not_know_here_is_an_outsider(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        standing = await permissions_of(server, ("U0NOBODY99",)).standing_of("U0NOBODY99")
    assert standing.role == Role.OUTSIDER


async def test_an_outsider_stays_one_while_slack_cannot_be_asked(
    workspace: SlackWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", home_team=PARTNERS)
    async with SlackServer(workspace) as server:
        permissions = permissions_of(server)
        await permissions.standing_of("U0EVE00009")
        monkeypatch.setattr("bot.slack.permissions.REMEMBERED_SECONDS", 0.0)
        permissions._remembered = {key: (0.0, value) for key, (_, value) in permissions._remembered.items()}
        workspace.scopes = ()
        assert (await permissions.standing_of("U0EVE00009")).role == Role.OUTSIDER


@pytest.mark.parametrize("odd", ["null", "[]", "{}", '{"ok": true}', '{"ok": true, "user": null}', ""])
async def test_an_odd_answer_about_a_person_is_doubt(workspace: SlackWorkspace, odd: str) -> None:
    async with SlackServer(workspace) as server:
        workspace.faults.answer_next("users.info", odd)
        assert await permissions_of(server).standing_of(ADA) == Standing(Role.VIEWER, unsure=True)


ODD_GROUPS = ["null", "{}", "5", '[5, {"id": "S1"}, {"handle": "oncall", "users": null}]', '[{"users": 5, "id": null}]']


@pytest.mark.parametrize("odd", ODD_GROUPS)
async def test_odd_user_groups_give_nobody_more(workspace: SlackWorkspace, odd: str) -> None:
    async with SlackServer(workspace) as server:
        workspace.faults.answer_next("usergroups.list", f'{{"ok": true, "usergroups": {odd}}}')
        standing = await permissions_of(server, operators=("@oncall", VERA)).standing_of(OLE)
        assert standing.role is Role.VIEWER
        assert standing.unsure == (not odd.startswith("["))


@pytest.mark.parametrize(
    ("admins", "operators", "nobody"),
    [
        ((), (), True),
        (("ada",), (), True),
        ((), ("@nobody-here",), True),
        ((), ("@oncall",), False),
        ((VERA,), (), False),
        ((), ("S0ONCALL01",), False),
    ],
)
async def test_it_is_known_whether_anybody_may_act(
    workspace: SlackWorkspace, admins: tuple[str, ...], operators: tuple[str, ...], nobody: bool
) -> None:
    async with SlackServer(workspace) as server:
        permissions = permissions_of(server, admins, operators, workspace_admins=False)
        assert await permissions.nobody_may_act() is nobody
        assert not await permissions_of(server, admins, operators).nobody_may_act(), "the workspace's admins may"


async def test_while_groups_cannot_be_read_somebody_may_be_able_to_act(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        workspace.scopes = ()
        assert not await permissions_of(server, ("ada",), workspace_admins=False).nobody_may_act()


OURS = Workspace("T1", None, "U1", "B1")
GRID = Workspace("T1", "E1", "U1", "B1")
WHOLE_ORG = Workspace("", "E1", "U1", "B1")


@pytest.mark.parametrize(
    ("us", "told", "is_ours"),
    [
        (OURS, {"team_id": "T1"}, True),
        (OURS, {"team_id": "T2"}, False),
        (OURS, {}, False),
        (GRID, {"team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T1", "T2"]}}, True),
        (GRID, {"team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T2"]}}, False),
        (WHOLE_ORG, {"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, True),
        (WHOLE_ORG, {"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}, False),
        (WHOLE_ORG, {"team_id": ""}, False),
        (OURS, {"team_id": "T1", "is_stranger": True}, False),
    ],
)
def test_who_belongs_to_the_workspace(us: Workspace, told: dict[str, Any], is_ours: bool) -> None:
    assert (why_outside(told, us) == "") is is_ours


ACTS = [word.usage for word in registry.WORDS if word.needs > Role.VIEWER]


@pytest.fixture
async def stranger(house: House) -> House:
    """The service at work, and Eve, an admin of another workspace who is in our channels."""
    house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", is_admin=True, home_team=PARTNERS)
    return house


async def test_a_stranger_neither_looks_nor_acts_by_any_word(stranger: House) -> None:
    for word in registry.WORDS:
        answer = (await stranger.ask(word.word, user="eve")).plain()
        assert "for full members of this workspace" in answer, word.word
    assert "for full members" in (await stranger.ask("nonsense", user="eve")).plain()
    assert "for full members" in (await stranger.ask("", user="eve")).plain()


async def test_a_stranger_s_mention_and_home_tab_show_nothing(stranger: House) -> None:
    await stranger.workspace.mention("eve", "#ev-ops", "status")
    place = stranger.workspace.channel("#ev-ops")
    await stranger.wait_for(lambda: any("full members" in message.plain() for message in place.messages))
    await stranger.workspace.open_home("eve")
    home = await stranger.wait_for(lambda: stranger.workspace.home("eve"))
    assert "full members" in str(home.blocks)


async def test_a_stranger_s_click_confirms_nothing(stranger: House) -> None:
    preview = await stranger.ask(f"start {stranger.free()}", user="ole")
    whispers = len(stranger.workspace.ephemerals("eve"))
    await stranger.click("eve", preview, "confirm_command")
    assert "full members" in (await stranger.next_whisper("eve", whispers)).plain()
    with stranger.running.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM command").scalar_one() == 0


async def test_a_stranger_looks_where_the_setting_says_so_and_still_acts_on_nothing(closed_house: House) -> None:
    closed_house.changes["chargehand_outsiders_may_look"] = True
    closed_house.changes["chargehand_operators"] = ("U0EVE00009",)
    closed_house.workspace.users["U0EVE00009"] = User("U0EVE00009", "eve", "Eve", home_team=PARTNERS)
    await closed_house.start()
    assert "connectors" in (await closed_house.ask("status", user="eve")).plain()
    assert ACTS
    for usage in ACTS:
        answer = (await closed_house.ask(usage, user="eve")).plain()
        assert "for full members of this workspace" in answer, usage
