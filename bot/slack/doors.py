"""The two doors to Slack, Socket Mode and HTTP, and the health page.

Both give what Slack sends to the same Bolt app. A door opens even while Slack cannot be reached, and keeps trying;
only what a person must mend stops the start.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import structlog
import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.settings import SettingsError, missing_setting
from bot.slack.permissions import SLACK_FAULTS

log = structlog.get_logger()

PING_SECONDS = 10.0
FIRST_CONNECT_SECONDS = 10.0
PONGS_MISSED = 6
TOKEN_ERRORS = frozenset(
    {"account_inactive", "invalid_auth", "not_allowed_token_type", "not_authed", "token_expired", "token_revoked"}
)
"""Slack's error names for a token that no waiting will mend."""

Health = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]


class SocketDoor:
    """One Socket Mode connection, and the watchdog that proves it alive by its pongs."""

    def __init__(self, app: AsyncApp, app_token: str, ping_seconds: float = PING_SECONDS) -> None:
        self._app = app
        self._token = app_token
        self._ping_seconds = ping_seconds
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, or go on trying in the background; raises SettingsError where Slack refuses the token."""
        self._handler = AsyncSocketModeHandler(self._app, self._token, ping_interval=self._ping_seconds)
        try:
            self._handler.client.wss_uri = await self._handler.client.issue_new_wss_url()
        except SLACK_FAULTS as error:
            if isinstance(error, SlackApiError) and error.response["error"] in TOKEN_ERRORS:
                await self.close()
                raise refused_token("SLACK_APP_TOKEN", error) from None
            log.warning("Socket Mode cannot be opened yet", error=type(error).__name__)
        connecting = self._connect()
        self._watching = asyncio.create_task(self._watch())
        await asyncio.wait({connecting}, timeout=FIRST_CONNECT_SECONDS)

    async def is_alive(self) -> bool:
        """Whether the connection is open and Slack answered a ping of ours lately."""
        if self._handler is None:
            return False
        pong_at = self._handler.client.last_ping_pong_time
        heard = pong_at is None or time.time() - pong_at < PONGS_MISSED * self._ping_seconds
        return heard and bool(await self._handler.client.is_connected())

    async def close(self) -> None:
        """Close the connection; nothing is taken from Slack any more."""
        tasks: list[asyncio.Future[Any] | None] = [self._watching, self._connecting]
        for task in tasks:
            if task is not None:
                task.cancel()
        if self._handler is not None:
            await self._handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's handler has no types
            client = self._handler.client
            tasks += [client.message_processor, client.current_session_monitor, client.message_receiver]
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._ping_seconds)
            if await self.is_alive() or self._handler is None:
                continue
            log.warning("the Socket Mode connection is dead; connecting anew")
            # the SDK tries a used address for ever; without one it asks for a new one
            self._handler.client.wss_uri = None
            if self._connecting is None or self._connecting.done():
                self._connect()

    def _connect(self) -> asyncio.Task[None]:
        assert self._handler is not None  # noqa: S101 - called once it is open
        self._connecting = asyncio.create_task(self._try_to_connect(self._handler.client))
        return self._connecting

    async def _try_to_connect(self, client: Any) -> None:
        try:
            if client.wss_uri is None:
                await client.connect_to_new_endpoint()
            else:
                await client.connect()
        except SLACK_FAULTS as error:
            log.warning("Socket Mode could not be connected", error=str(error))


class HttpDoor:
    """An HTTP server with `/healthz`, and with `POST /slack/events` where an app is given."""

    def __init__(self, host: str, port: int, health: Health, app: AsyncApp | None = None) -> None:
        self._host = host
        self.port = port
        self._health = health
        self._handler = AsyncSlackRequestHandler(app) if app is not None else None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None

    async def open(self) -> None:
        """Listen; raises SettingsError where the port cannot be had. Port 0 lets the system choose."""
        routes = [Route("/healthz", self._tell_health)]
        if self._handler is not None:
            routes.append(Route("/slack/events", self._take, methods=["POST"]))
        self._listener = _listen(self._host, self.port)
        self.port = self._listener.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def close(self) -> None:
        """Stop listening and let running answers end."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        if self._listener is not None:
            self._listener.close()

    async def _take(self, request: Request) -> Response:
        assert self._handler is not None  # noqa: S101 - routed only then
        return await self._handler.handle(request)

    async def _tell_health(self, _request: Request) -> Response:
        well, facts = await self._health()
        return JSONResponse(facts, status_code=200 if well else 503)


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def refused_token(name: str, error: SlackApiError) -> SettingsError:
    """The error for a token that Slack refuses."""
    return SettingsError(
        f"{name} is refused by Slack ({error.response['error']}). "
        + missing_setting(name).partition(" is missing: ")[2]
    )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"PORT: cannot listen on {port}: {error.strerror}. Stop what uses it, or choose another."
        ) from None
    return listener
