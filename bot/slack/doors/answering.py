"""Sends answers to Slack's response URLs over connections that stay open from one answer to the next.

Bolt's own way opens a connection, with its handshake, for each answer. What Slack says to an answer is for the caller.
"""

import json
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncRespond
from slack_sdk.errors import SlackRequestError
from slack_sdk.webhook import WebhookResponse

ANSWER_SECONDS = 30
HEADERS = {"Content-Type": "application/json; charset=utf-8"}
BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
"""What a kept connection ends with that the other side let go of; nothing was answered on it then."""


class Answering:
    """The connections of one process; `proxy` as the SDK found it in the environment."""

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, url: str, message: dict[str, Any]) -> WebhookResponse:
        """Post a message, once more where the connection was let go of; raises aiohttp's errors and TimeoutError."""
        body = json.dumps(message).encode()
        try:
            return await self._post(url, body)
        except BROKEN:
            return await self._post(url, body)

    async def close(self) -> None:
        """Let go of the connections, for good."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, url: str, body: bytes) -> WebhookResponse:
        if self._closed:
            raise aiohttp.ClientConnectionError("nothing is answered any more")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
            )
        async with self._session.post(url, data=body, headers=HEADERS, proxy=self._proxy) as told:
            text = (await told.read()).decode(errors="replace")  # Slack's is UTF-8
            return WebhookResponse(url=url, status_code=told.status, body=text, headers=dict(told.headers))


class KeptRespond(AsyncRespond):
    """Bolt's `respond`, over connections that stay open."""

    def __init__(self, answering: Answering, response_url: str) -> None:
        super().__init__(response_url=response_url)
        self._answering = answering

    async def __call__(self, text: str | dict[str, Any] = "", *_: Any, **how: Any) -> WebhookResponse:
        """Send an answer: its text and what else Slack knows of a message."""
        if self.response_url is None or not isinstance(text, str):
            raise SlackRequestError("an answer is a text, and goes to a response URL")
        said = {name: value for name, value in how.items() if value is not None and value != []}
        return await self._answering.send(self.response_url, {"text": text, **said})
