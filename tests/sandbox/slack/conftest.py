"""A running stand-in for each test, and the app in either mode."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import SlackServer, SlackWorkspace
from tests.sandbox.slack.app import Heard, client_of, in_http_mode, in_socket_mode, workspace_without_limits


@pytest.fixture
async def workspace() -> SlackWorkspace:
    return workspace_without_limits()


@pytest.fixture
async def server(workspace: SlackWorkspace) -> AsyncIterator[SlackServer]:
    async with SlackServer(workspace) as running:
        yield running


@pytest.fixture
def client(server: SlackServer) -> AsyncWebClient:
    return client_of(server)


@pytest.fixture
async def socket_app(server: SlackServer) -> AsyncIterator[Heard]:
    async with in_socket_mode(server) as heard:
        yield heard


@pytest.fixture(params=["socket mode", "HTTP mode"])
async def app(request: pytest.FixtureRequest, server: SlackServer) -> AsyncIterator[Heard]:
    run = in_socket_mode if request.param == "socket mode" else in_http_mode
    async with run(server) as heard:
        yield heard
