"""Roles: from settings, user groups and workspace admins; asked of Slack once a minute; never more when in doubt."""

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.permissions import Permissions, Role, Standing
from sandbox.slack import SlackServer, SlackWorkspace

ADA, OLE, VERA = "U0ADA00001", "U0OLE00002", "U0VERA0003"


@pytest.fixture
def workspace() -> SlackWorkspace:
    return SlackWorkspace()


def client_of(server: SlackServer) -> AsyncWebClient:
    return AsyncWebClient(token=server.workspace.bot_token, base_url=server.api_url, retry_handlers=[])


@pytest.mark.parametrize(
    ("admins", "operators", "expected"),
    [
        ((), (), {ADA: Role.ADMIN, OLE: Role.VIEWER, VERA: Role.VIEWER}),
        ((VERA,), (), {VERA: Role.ADMIN, OLE: Role.VIEWER}),
        ((), (VERA, "@oncall"), {OLE: Role.OPERATOR, VERA: Role.OPERATOR, ADA: Role.ADMIN}),
        ((), ("ONCALL",), {OLE: Role.OPERATOR, VERA: Role.VIEWER}),
        (("S0ONCALL01",), (VERA,), {OLE: Role.ADMIN, VERA: Role.OPERATOR}),
        ((), ("@nobody-here",), {OLE: Role.VIEWER}),
    ],
)
async def test_a_role_comes_from_settings_groups_and_workspace_admins(
    workspace: SlackWorkspace, admins: tuple[str, ...], operators: tuple[str, ...], expected: dict[str, Role]
) -> None:
    async with SlackServer(workspace) as server:
        permissions = Permissions(client_of(server), admins, operators)
        assert {user: (await permissions.standing_of(user)).role for user in expected} == expected


async def test_slack_is_asked_once_for_the_same_answer(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        permissions = Permissions(client_of(server), (), ("@oncall",))
        for _ in range(3):
            await permissions.standing_of(OLE)
    assert [call.method for call in workspace.calls] == ["users.info", "usergroups.list"]


async def test_in_doubt_nobody_gets_more_than_the_settings_name(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        workspace.scopes = ()
        permissions = Permissions(client_of(server), (), (VERA, "@oncall"))
        assert await permissions.standing_of(ADA) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(OLE) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(VERA) == Standing(Role.OPERATOR, unsure=True)


async def test_a_group_without_the_right_to_read_groups_is_doubt_not_an_error(workspace: SlackWorkspace) -> None:
    async with SlackServer(workspace) as server:
        workspace.scopes = ("users:read",)
        permissions = Permissions(client_of(server), (), ("@oncall",))
        assert await permissions.standing_of(OLE) == Standing(Role.VIEWER, unsure=True)
        assert await permissions.standing_of(ADA) == Standing(Role.ADMIN)
