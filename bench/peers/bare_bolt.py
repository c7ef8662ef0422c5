"""The least that a Bolt application can do with a slash command: check its signature, acknowledge, answer.

Starlette and uvicorn as Bolt's own adapter has them; no database, no rights, no words but one sentence.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.sandboxes import Addresses
from sandbox.eosvolt.server import serving

ANSWER = "All is well."


@asynccontextmanager
async def bare_bolt(addresses: Addresses) -> AsyncIterator[str]:
    """The application, served; gives its request URL."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=addresses.bot_token)

    client = AsyncWebClient(addresses.bot_token, base_url=addresses.slack)
    app = AsyncApp(signing_secret=addresses.signing_secret, client=client, authorize=authorize)

    @app.command("/charge")
    async def on_charge(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(ANSWER, response_type="ephemeral")

    bolt = AsyncSlackRequestHandler(app)

    async def take(request: Request) -> Response:
        return await bolt.handle(request)

    async with serving(Starlette(routes=[Route("/slack/events", take, methods=["POST"])])) as url:
        yield f"{url}/slack/events"
