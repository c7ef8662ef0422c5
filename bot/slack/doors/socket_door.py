"""The Socket Mode door: one websocket to Slack, and the watchdog that proves it alive.

It opens even while Slack cannot be reached or answers nonsense, and keeps trying; only a token that Slack refuses,
which a person must mend, stops the start.
"""

import asyncio
import time
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.slack.doors.identity import TOKEN_ERRORS, refused_token
from bot.slack.web_client import SLACK_FAULTS, error_name

log = structlog.get_logger()

PING_SECONDS = 10.0
FIRST_CONNECT_SECONDS = 10.0
PONGS_MISSED = 6


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
            self._handler.client.wss_uri = await self._ask_for_address(self._handler.client)
        except SLACK_FAULTS as error:
            if isinstance(error, SlackApiError) and error_name(error) in TOKEN_ERRORS:
                await self.close()
                raise refused_token("SLACK_APP_TOKEN", error) from None
            log.warning("Socket Mode cannot be opened yet", error=error_name(error))
        connecting = self._connect()
        self._watching = asyncio.create_task(self._watch())
        await asyncio.wait({connecting}, timeout=FIRST_CONNECT_SECONDS)

    async def is_alive(self) -> bool:
        """Whether the connection is open and Slack answered a ping of ours lately."""
        if self._handler is None:
            return False
        pong_at = self._handler.client.last_ping_pong_time
        heard = pong_at is None or abs(time.time() - pong_at) < PONGS_MISSED * self._ping_seconds
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
            client.wss_uri = client.wss_uri or await self._ask_for_address(client)
            if client.wss_uri is not None:
                await client.connect()
        except SLACK_FAULTS as error:
            log.warning("Socket Mode could not be connected", error=error_name(error))

    async def _ask_for_address(self, client: Any) -> str | None:
        """A websocket's address, to be used once; None where Slack gives none. The SDK's own call sleeps over a 429."""
        answer = await client.web_client.apps_connections_open(app_token=self._token)
        url = answer.get("url")
        if isinstance(url, str) and url.startswith(("wss://", "ws://")):
            return url
        log.warning("Slack gave no address for Socket Mode")
        return None
