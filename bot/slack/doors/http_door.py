"""The HTTP door: Slack's signed requests, and the pages that tell how the service is.

A body is read only where it is announced as small and its headers could be Slack's, and believed only once its
signature is checked; everything else is answered and forgotten.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import structlog
import uvicorn
from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import SettingsError
from bot.slack.doors.connections import BoundedConnection
from bot.slack.doors.signatures import RequestRefused, check_signature, read_claim

log = structlog.get_logger()

LARGEST_BODY = 1_000_000
"""Bytes. What Slack sends is far smaller: a view holds 100 blocks of 3,000 characters at most."""
BODY_SECONDS = 5.0
EVENTS = "/slack/events"
PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]
"""What a page tells: whether all is well, and the facts."""


class HttpDoor:
    """An HTTP server with some pages, and with `POST /slack/events` where an app and its signing secret are given."""

    def __init__(
        self,
        host: str,
        port: int,
        pages: Mapping[str, Page],
        app: AsyncApp | None = None,
        secret: str = "",
        *,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        self._host = host
        self.port = port
        self._pages = pages
        self._app = app
        self._secret = secret
        self._metrics = metrics
        self._proxies = list(proxies)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None

    async def open(self) -> None:
        """Listen; raises SettingsError where the port cannot be had. Port 0 lets the system choose."""
        routes = [Route(EVENTS, self._take, methods=["POST"])] if self._app is not None else []
        routes += [Route(path, _telling(page)) for path, page in self._pages.items()]
        if self._metrics is not None:
            routes.append(Route("/metrics", _measuring(self._metrics)))
        self._listener = _listen(self._host, self.port)
        self.port = self._listener.getsockname()[1]
        pages = Starlette(routes=routes)
        pages.router.redirect_slashes = False  # a stranger's Host header is sent nowhere
        config = uvicorn.Config(
            self._past_router(pages) if self._app is not None else pages,
            http=BoundedConnection,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=bool(self._proxies),
            forwarded_allow_ips=self._proxies,  # whoever else names a caller is the caller
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

    def _past_router(self, pages: ASGIApp) -> ASGIApp:
        """The pages, with what Slack posts taken before them: most requests are Slack's, and need no router."""

        async def route(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == EVENTS and scope["method"] == "POST":
                answer = await self._take(Request(scope, receive))
                await answer(scope, receive, send)
            else:
                await pages(scope, receive, send)

        return route

    async def _take(self, request: Request) -> Response:
        assert self._app is not None  # noqa: S101 - routed only then
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        try:
            body = await read_signed(headers, request.receive, self._secret)
            asked = AsyncBoltRequest(body=_as_bolt_reads(body.decode()), headers=dict(headers))
            if not isinstance(asked.body.get("event", {}), dict):
                raise TypeError("an event is a mapping")  # noqa: TRY301 - answered as any other body that is none
        except RequestRefused as refused:
            caller = request.client.host[:60] if request.client is not None else None
            log.warning("a request to /slack/events is refused", reason=refused.reason, caller=caller)
            answer = {"error": "invalid request"}
            return JSONResponse(answer, status_code=refused.status, headers={"connection": "close"})
        except (ValueError, TypeError, AttributeError, KeyError):  # signed, and yet no text, no JSON or no mapping
            return JSONResponse({"error": "invalid request"}, status_code=400)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            return to_starlette_response(await self._app.async_dispatch(asked))
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # a mapping that is none of Slack's
            log.warning("a signed request to /slack/events cannot be read", error=type(error).__name__)
            return JSONResponse({"error": "invalid request"}, status_code=400)


def _as_bolt_reads(body: str) -> str:
    """A form in which some value holds the word `payload`, so that Bolt does not take it for an interaction.

    Bolt looks for that word anywhere in the body, and where no field has that name it knows of nothing at all.
    """
    if "payload" not in body or body.lstrip().startswith("{"):
        return body
    if any(name == "payload" for name, _ in parse_qsl(body, keep_blank_values=True)):
        return body
    return body.replace("payload", "%70ayload")


async def read_signed(headers: Mapping[str, str], receive: Receive, secret: str) -> bytes:
    """The body of a request that Slack signed, by its headers (names in small letters) and what comes of it.

    Raises RequestRefused for any other request, and ClientDisconnect.
    """
    claim = read_claim(headers)
    announced = headers.get("content-length", "")
    digits = announced.lstrip("0")
    if announced.isdecimal() and (len(digits) > len(str(LARGEST_BODY)) or int(digits or 0) > LARGEST_BODY):
        raise RequestRefused(413, "its body is over 1 MB")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while (piece := await _next_piece(receive)).get("more_body", False):
                _add(body, piece)
            _add(body, piece)
    except TimeoutError:
        raise RequestRefused(408, "its body did not come in time") from None
    signed = bytes(body)
    check_signature(claim, signed, secret, time.time())
    return signed


async def _next_piece(receive: Receive) -> Message:
    piece = await receive()
    if piece["type"] != "http.request":
        raise ClientDisconnect
    return piece


def _add(body: bytearray, piece: Message) -> None:
    body += piece.get("body", b"")
    if len(body) > LARGEST_BODY:
        raise RequestRefused(413, "its body is over 1 MB")


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _telling(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def tell(_request: Request) -> Response:
        well, facts = await page()
        return JSONResponse(facts, status_code=200 if well else 503)

    return tell


def _measuring(page: Callable[[], Awaitable[bytes]]) -> Callable[[Request], Awaitable[Response]]:
    async def measure(_request: Request) -> Response:
        return Response(await page(), media_type=PROMETHEUS_TEXT)

    return measure


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # only where the protocol is named does asyncio send small parts at once, instead of 40 ms later
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1_024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"PORT: cannot listen on {port}: {error.strerror}. Stop what uses it, or choose another."
        ) from None
    return listener
