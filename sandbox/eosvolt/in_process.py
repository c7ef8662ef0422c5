"""An httpx transport that calls an ASGI application in this process, for replays that make very many small calls.

httpx.ASGITransport looks for an optional package at every call, which costs more than the call where it is absent.
This one runs on asyncio alone and does not stream: an answer is whole before it is given.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

import httpx

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class InProcessTransport(httpx.AsyncBaseTransport):
    """Give it to httpx.AsyncClient(transport=...); the application's own errors come out as they are."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One call: the request as an ASGI scope, and the answer's messages as a response."""
        content = await request.aread()
        raw_path, _, query = request.url.raw_path.partition(b"?")
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": ("127.0.0.1", 0),
        }
        started: Message = {}
        chunks: list[bytes] = []

        asked: list[bytes] = [content]

        async def receive() -> Message:
            if not asked:
                await asyncio.Event().wait()  # nobody hangs up here: whoever does cancels the call
            return {"type": "http.request", "body": asked.pop(), "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._app(scope, receive, send)
        answer = httpx.ByteStream(b"".join(chunks))
        return httpx.Response(started["status"], headers=started["headers"], stream=answer)
