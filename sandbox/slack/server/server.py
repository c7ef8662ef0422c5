"""The stand-in's one HTTP server: Web API, websockets, uploads, response URLs and the page, on loopback alone.

It carries out the faults that tests order and decides nothing else; the methods do.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.server import page, saved_workspace
from sandbox.slack.server.panel import Lever, PanelServer
from sandbox.slack.web_api.api import call_method
from sandbox.slack.workspace.answers import use_response_url
from sandbox.slack.workspace.faults import Fault
from sandbox.slack.workspace.workspace import SlackWorkspace

Json = dict[str, Any]

BODY_BYTES_MAX = 64 * 1024 * 1024
SHUTDOWN_SECONDS = 0.5
SAVE_SECONDS = 1.0


class SlackServer:
    """Serves a workspace while entered: `async with SlackServer(workspace) as server: server.url`.

    `port` 0 lets the system choose. `save_to` names a JSON file, written at most once a second after changes and at
    the end; read it again with `saved.load`. `levers` stand in the panel beside the page.
    """

    def __init__(
        self,
        workspace: SlackWorkspace,
        port: int = 0,
        host: str = "127.0.0.1",
        save_to: Path | None = None,
        levers: Sequence[Lever] = (),
    ) -> None:
        self.workspace = workspace
        self.host = host
        self.port = port
        self.save_to = save_to
        self.levers = levers
        self._runner: web.AppRunner | None = None
        self._saver: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The page's address, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def api_url(self) -> str:
        """What slack_sdk's clients take as `base_url`."""
        return f"{self.url}/api/"

    async def __aenter__(self) -> "SlackServer":
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link/", self._websocket)
        app.router.add_post("/commands/{tail:.+}", self._response_url)
        app.router.add_post("/actions/{tail:.+}", self._response_url)
        app.router.add_post("/app/{tail:.+}", self._response_url)
        app.router.add_post("/upload/v1/{file}", self._upload)
        app.router.add_get("/files-pri/{file}/{name:.*}", self._download)
        PanelServer(self.levers).add_routes(app)
        page.PageServer(self.workspace).add_routes(app)
        # A client that is gone stops its call where it stands, as a killed process's call would stop.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        self.workspace.base_url = self.url
        self.workspace.link.open()
        if self.save_to is not None:
            self._saver = asyncio.create_task(self._save_changes(self.save_to))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saver is not None and self.save_to is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            saved_workspace.save(self.workspace, self.save_to)
        await self.workspace.link.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _save_changes(self, path: Path) -> None:
        while True:
            if await self.workspace.next_change(3600):
                await asyncio.sleep(SAVE_SECONDS)
                saved_workspace.save(self.workspace, path)

    async def _stand(self, request: web.Request, fault: Fault) -> web.Response | None:
        """Carry out a fault; an answer here is given instead of the real one."""
        if fault.hold is not None:
            await fault.hold.stand()
        if fault.delay:
            await self.workspace.deadlines.until(self.workspace.clock() + fault.delay)
        if fault.drop:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        if fault.error is not None:
            refusal = SlackError(fault.error, retry_after=fault.retry_after)
            return refused(refusal)
        if fault.text is not None:
            return web.Response(text=fault.text, content_type=fault.content_type)
        if fault.status is not None:
            return web.Response(status=fault.status, text="upstream connect error", content_type="text/html")
        return None

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        fault = self.workspace.faults.take(method)
        try:
            given = await arguments_of(request)
            if fault is not None and fault.when == "before" and (instead := await self._stand(request, fault)):
                return instead
            body = call_method(self.workspace, method, token_of(request, given), given)
            if (hold := self.workspace.faults.hanging.get(str(given.get("channel")))) is not None:
                fault = Fault("after", drop=True, hold=hold)
        except SlackError as refusal:
            return refused(refusal)
        if fault is not None and fault.when == "after" and (instead := await self._stand(request, fault)):
            return instead
        headers = {"x-oauth-scopes": ",".join(self.workspace.scopes)} if method == "auth.test" else {}
        return web.json_response(body, headers=headers)

    async def _response_url(self, request: web.Request) -> web.StreamResponse:
        fault = self.workspace.faults.take("response_url")
        if fault is not None and fault.when == "before" and (instead := await self._stand(request, fault)):
            return instead
        try:
            use_response_url(self.workspace, request.path.lstrip("/"), json.loads(await request.text()))
        except (SlackError, ValueError) as refusal:
            name = refusal.name if isinstance(refusal, SlackError) else "invalid_payload"
            status = 404 if name in {"used_url", "expired_url"} else 400
            return web.json_response({"ok": False, "error": name}, status=status)
        if fault is not None and fault.when == "after" and (instead := await self._stand(request, fault)):
            return instead
        if request.path.startswith("/commands/"):
            return web.Response(text="ok")
        return web.json_response({"ok": True})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or file.is_complete:
            return web.Response(status=404, text="Not found")
        if request.content_type.startswith("multipart/"):
            parts = await request.post()
            uploads = [p.file.read() for p in parts.values() if isinstance(p, web.FileField)]
            content = uploads[0] if uploads else b""
        else:
            content = await request.read()
        if len(content) != file.length:
            return web.Response(status=400, text=f"length {len(content)} is not the announced {file.length}")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        file = self.workspace.find_file(f"/{request.match_info['file']}/")
        if token_of(request, {}) != self.workspace.bot_token:
            return web.Response(status=403, text="the bot's token is needed here, as in Slack")
        if file is None or not file.is_complete:
            return web.Response(status=404, text="Not found")
        return web.Response(body=file.content, content_type=file.mimetype)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self.workspace.tickets:
            return web.Response(status=403, text="this address was used, or never given")
        self.workspace.tickets.discard(ticket)
        # Pongs are sent by hand, so that a connection can fall silent.
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        connection = await self.workspace.link.attach(socket)
        if connection is None:
            await socket.close()
            return socket
        try:
            async for message in socket:
                if connection.silent:
                    continue
                if message.type == WSMsgType.TEXT:
                    connection.receive(message.data)
                elif message.type == WSMsgType.PING:
                    await socket.pong(message.data)
        finally:
            self.workspace.link.detach(connection)
        return socket


def refused(refusal: SlackError) -> web.Response:
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    return web.json_response(refusal.body(), status=refusal.status, headers=headers)


def token_of(request: web.Request, given: Json) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else given.get("token")


async def arguments_of(request: web.Request) -> Json:
    """Arguments from the query and the body, JSON or form; raises `invalid_json` or `json_not_object`."""
    given: Json = dict(request.query)
    if not request.can_read_body:
        return given
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.text() or "{}")
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return given | body
    return given | {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
