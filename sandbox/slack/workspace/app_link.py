"""The way from Slack to the app: envelopes over websockets, or signed requests to its request URL.

Commands and interactions are sent once and shown as failed after 3 seconds; events are sent again up to three times.
Each socket envelope goes to one connection only. It decides nothing about what an acknowledgement says.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]

ACK_SECONDS = 3.0
# Nearly at once, after one minute, after five (docs.slack.dev/apis/events-api, retries).
RETRY_DELAYS = (0.0, 60.0, 300.0)
CONNECTIONS_MAX = 10


@dataclass(frozen=True)
class Ack:
    """What became of one attempt: `error` as Slack names it to people, `reason` as it names it to the app's retry."""

    error: str | None = None
    reason: str | None = None
    body: Json | None = None
    no_retry: bool = False


@dataclass
class Delivery:
    """Everything that was tried for one command, interaction or event."""

    kind: str
    payload: Json
    attempts: list[Ack] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].error is None


class Socket(Protocol):
    """What the link needs of a websocket."""

    def send_str(self, data: str) -> Awaitable[None]: ...

    def close(self) -> Awaitable[bool]: ...


@dataclass(eq=False)
class Connection:
    """One websocket of the app; `silent` makes it look alive to Slack while nothing passes any more."""

    socket: Socket
    number: int
    silent: bool = False
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)

    async def send(self, message: Json) -> None:
        if not self.silent:
            await self.socket.send_str(json.dumps(message))

    def receive(self, text: str) -> None:
        """Take an acknowledgement; anything else that an app may say is ignored, as Slack does."""
        try:
            message = json.loads(text)
        except ValueError:
            return
        waiter = self.waiting.pop(str(message.get("envelope_id")), None) if isinstance(message, dict) else None
        if waiter is not None and not waiter.done():
            waiter.set_result(message.get("payload") or {})


def signature(secret: str, timestamp: int, body: str) -> str:
    """Slack's `v0` request signature (docs.slack.dev/authentication/verifying-requests-from-slack)."""
    base = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class AppLink:
    """The app as Slack sees it: its connections, or its `request_url` when one is set (HTTP mode)."""

    def __init__(self, state: WorkspaceState) -> None:
        self.state = state
        self.request_url: str | None = None
        self.connections: list[Connection] = []
        self.deliveries: list[Delivery] = []
        self.repeats = 0
        """So many of the next deliveries come twice, as when something on the way sends a request again."""
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def open(self) -> None:
        """Send to the app, also after a close."""
        self._closed = False

    async def close(self) -> None:
        """Stop retrying and let go of every connection; what comes later is sent to nobody."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self.connections):
            await connection.socket.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def attach(self, socket: Socket) -> Connection | None:
        """Greet a new websocket; the eleventh is told `too_many_websockets` and not kept."""
        if len(self.connections) >= CONNECTIONS_MAX:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            return None
        connection = Connection(socket, next(self._numbers))
        self.connections.append(connection)
        hello = {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self.state.team.app_id},
        }
        await connection.send(hello)
        self.state.changed()
        return connection

    def detach(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.state.changed()

    async def ask_to_refresh(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to come anew, as Slack does every few hours."""
        for connection in list(self.connections):
            info = {"host": "applink-sandbox"}
            await connection.send({"type": "disconnect", "reason": reason, "debug_info": info})

    async def kick(self) -> None:
        """Close every websocket without a word."""
        for connection in list(self.connections):
            await connection.socket.close()

    def silence(self) -> None:
        """Let every open connection die silently: no envelope, no pong, no close."""
        for connection in self.connections:
            connection.silent = True

    async def deliver(self, kind: str, payload: Json) -> Ack:
        """Send a command or an interaction once."""
        delivery = Delivery(kind, payload)
        self.deliveries.append(delivery)
        ack = await self._attempt(delivery, 0, None)
        self.state.changed()
        return ack

    def deliver_event(self, payload: Json) -> Delivery:
        """Send an event in the background, again after 0, 60 and 300 s while nobody acknowledges it."""
        delivery = Delivery("events_api", payload)
        self.deliveries.append(delivery)
        self._spawn(self._deliver_with_retries(delivery))
        return delivery

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_with_retries(self, delivery: Delivery) -> None:
        ack = await self._attempt(delivery, 0, None)
        for number, delay in enumerate(RETRY_DELAYS, start=1):
            self.state.changed()
            if ack.error is None or ack.no_retry:
                return
            await self.state.deadlines.until(self.state.clock() + delay)
            ack = await self._attempt(delivery, number, ack.reason)
        self.state.changed()

    async def _attempt(self, delivery: Delivery, number: int, reason: str | None) -> Ack:
        send = self._send_request if self.request_url else self._send_envelope
        if self.repeats > 0:
            self.repeats -= 1
            self._spawn(self._repeat(delivery, number, reason))
        ack = await send(delivery, number, reason)
        delivery.attempts.append(ack)
        return ack

    async def _repeat(self, delivery: Delivery, number: int, reason: str | None) -> None:
        send = self._send_request if self.request_url else self._send_envelope
        await send(delivery, number, reason)

    async def _send_envelope(self, delivery: Delivery, number: int, reason: str | None) -> Ack:
        if not self.connections:
            return Ack("dispatch_failed", "connection_failed")
        connection = self.connections.pop(0)
        self.connections.append(connection)  # The next envelope goes to the next connection.
        envelope_id = f"{self.state.new_number():08x}-0000-4000-8000-{id(delivery) & 0xFFFFFFFFFFFF:012x}"
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": number, "retry_reason": reason or ""}
        waiter: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = waiter
        deadline = self.state.clock() + ACK_SECONDS
        try:
            await connection.send(envelope)
            if not await self.state.deadlines.within(waiter, deadline):
                return Ack("operation_timeout", "timeout")
            return Ack(body=waiter.result())
        except ConnectionError:
            return Ack("dispatch_failed", "connection_failed")
        finally:
            connection.waiting.pop(envelope_id, None)
            waiter.cancel()

    async def _send_request(self, delivery: Delivery, number: int, reason: str | None) -> Ack:
        body, content_type = encoded(delivery)
        timestamp = int(self.state.clock())
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": signature(self.state.signing_secret, timestamp, body),
        }
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason or "unknown_error"}
        deadline = self.state.clock() + ACK_SECONDS
        request = asyncio.ensure_future(self._post(body, headers))
        try:
            if not await self.state.deadlines.within(request, deadline):
                return Ack("operation_timeout", "http_timeout")
            return request.result()
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

    async def _post(self, body: str, headers: dict[str, str]) -> Ack:
        if self._closed:  # a session that is opened now would be closed by nobody
            return Ack("dispatch_failed", "connection_failed")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(str(self.request_url), data=body.encode(), headers=headers) as answer:
                text = await answer.text()
                no_retry = answer.headers.get("X-Slack-No-Retry") == "1"
                if answer.status != 200:
                    return Ack("dispatch_failed", "http_error", no_retry=no_retry)
                return Ack(body=decoded(answer.content_type, text))
        except aiohttp.ClientError:
            return Ack("dispatch_failed", "connection_failed")


def encoded(delivery: Delivery) -> tuple[str, str]:
    """The body of a request and its content type: forms for commands and interactions, JSON for events."""
    form = "application/x-www-form-urlencoded"
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload), "application/json"
    if delivery.kind == "interactive":
        return urlencode({"payload": json.dumps(delivery.payload)}), form
    flat = {k: str(v).lower() if isinstance(v, bool) else v for k, v in delivery.payload.items()}
    return urlencode(flat), form


def decoded(content_type: str, text: str) -> Json:
    """An immediate answer: JSON, or plain text that stands for `{"text": ...}`; empty means only acknowledged."""
    if not text.strip():
        return {}
    if content_type == "application/json":
        try:
            answer = json.loads(text)
        except ValueError:
            return {"text": text}
        return answer if isinstance(answer, dict) else {}
    return {"text": text}
