"""The EOSVOLT side of the sandbox: an ASGI application that answers the routes assumed in EOSVOLT.md.

It is routed by hand and keeps encoded rows, so that a replay can make tens of thousands of small calls in process.
It reads no clock of its own and never answers 500: what is wrong with a call is said with the platform's codes.
"""

import asyncio
import json
import math
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from sandbox.eosvolt import actions, control
from sandbox.eosvolt.actions import Call, Export, not_found
from sandbox.eosvolt.dialect import Dialect
from sandbox.eosvolt.faults import PROXY_PAGE, Command, Faults, RateLimit
from sandbox.eosvolt.listing import fetch_page, invalid, table_of
from sandbox.eosvolt.openapi import openapi_document
from sandbox.eosvolt.routes import BODY_NAMES, find_route
from sandbox.world.source import RefusedError, Source
from sandbox.world.state import Row
from sandbox.world.times import from_ms, to_ms

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
MOST_BODY_BYTES = 1_000_000
_JSON: Header = (b"content-type", b"application/json")
_HTML: Header = (b"content-type", b"text/html")
_TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
WELCOME = b"Chargehand sandbox: a stand-in EOSVOLT API. Routes: /openapi.json; control: /__sandbox__/\n"


@dataclass
class Answer:
    status: int
    body: bytes
    headers: list[Header] = field(default_factory=list)
    content_type: Header = _JSON


def error_answer(refused: RefusedError, *headers: Header) -> Answer:
    facts = {"success": False, "code": refused.code, "message": str(refused)}
    return Answer(refused.status, json.dumps(facts).encode(), list(headers))


class Api:
    """The application; `token`, `faults` and `rate_limit` may change while it runs, `commands` is what it accepted."""

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], datetime],
        token: str,
        dialect: Dialect,
        rate_limit: RateLimit | None,
        etags: bool,
    ) -> None:
        self.source = source
        self.clock = clock
        self.token = token
        self.dialect = dialect
        self.rate_limit = rate_limit
        self.etags = etags
        self.faults = Faults()
        self.commands: list[Command] = []
        self.received: list[Command] = []  # also what was refused for its content, as a command that comes twice may be
        self.exports: dict[str, Export] = {}
        self.asked = 0  # how many calls came in
        self._window: tuple[int, int] = (0, 0)
        self._date: tuple[int, bytes] = (0, b"")

    def set_rate_limit(self, calls: int, seconds: int) -> None:
        """At most `calls` in each window of `seconds`; 0 calls means no limit."""
        self.rate_limit = RateLimit(calls, seconds) if calls else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI conversation: lifespan, or one HTTP call; anything else is refused."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        self.asked += 1
        body = b"" if scope["method"] in ("GET", "HEAD") else await _read_body(receive)
        if body is None:
            return  # whoever called was gone before all of it was there: nothing was asked
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        now = self.clock()
        answer = self.answer(scope, body, now)
        await self._send(scope, answer, to_ms(now), receive, send)

    def answer(self, scope: Scope, body: bytes, now: datetime) -> Answer:
        """The answer to one call at `now`; first the world is moved there."""
        self.source.advance_to(now)
        path = _segments(scope)
        try:
            if path[0] != "v1":
                return self._answer_outside(path, scope, body, now)
            return self._answer_v1(path, scope, body, now)
        except RefusedError as refused:
            return error_answer(refused)

    def _answer_outside(self, path: list[str], scope: Scope, body: bytes, now: datetime) -> Answer:
        if path[0] == "__sandbox__":
            status, facts = control.answer(self, scope["method"], path[1:], _json_object(body), now)
            return Answer(status, json.dumps(facts).encode())
        if path == [""]:
            return Answer(200, WELCOME, content_type=_TEXT)
        if path == ["openapi.json"]:
            return Answer(200, json.dumps(openapi_document()).encode())
        raise RefusedError(404, "not_found", "There is no such route.")

    def _answer_v1(self, path: list[str], scope: Scope, body: bytes, now: datetime) -> Answer:
        faults = self.faults
        if self.source.is_down(now):
            raise RefusedError(503, "service_unavailable", "The platform is not available; try again later.")
        if faults.answers_503 > 0:
            faults.answers_503 -= 1
            raise RefusedError(503, "service_unavailable", "The platform is not available; try again later.")
        if faults.html > 0:
            faults.html -= 1
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return Answer(502, page, content_type=_HTML)
        if faults.take_404(path):
            return Answer(404, PROXY_PAGE, content_type=_HTML)
        self._check_token(scope)
        waiting = self._seconds_until_allowed(to_ms(now)) or faults.retry_after(path)
        if waiting:
            refused = RefusedError(429, "rate_limited", f"Too many calls; try again in {waiting} s.")
            return error_answer(refused, (b"retry-after", str(waiting).encode()))
        methods, row_id = find_route(path[1:])
        if faults.meets(set(faults.forbidden), path):
            raise RefusedError(403, "forbidden", f"The account has no access to '{path[-1]}'.")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            allowed = ", ".join(methods)
            refused = RefusedError(405, "method_not_allowed", f"{method} is not allowed here; use {allowed}.")
            return error_answer(refused, (b"allow", allowed.encode()))
        route = methods[method]
        if isinstance(route, str):
            answer = self._answer_read(route, row_id, scope, to_ms(now))
            answer.body = faults.body(path, answer.body)
            return answer
        return self._answer_action(route, row_id, scope, body, now)

    def _answer_read(self, resource: str, row_id: str | None, scope: Scope, now_ms: int) -> Answer:
        world = self.source.world
        if row_id is None:
            page = fetch_page(world, resource, _query(scope), self.dialect)
            if resource == "chargers":
                rows = [self._encoded_charger(row, now_ms) for row in page.rows]
            else:
                rows = [self.dialect.encode_row(row, None) for row in page.rows]
            return self._with_etag(Answer(200, self.dialect.wrap(rows, page.total, page.paging)), scope)
        table = table_of(world, resource)
        row = table.get(row_id)
        if row is None and resource == "sessions":
            world.load_past(None)
            row = table.get(row_id)
        if row is None:
            raise not_found(resource[:-1], row_id)
        if resource == "chargers":
            return self._with_etag(Answer(200, self._encoded_charger(row, now_ms)), scope)
        return self._with_etag(Answer(200, self.dialect.encode_row(row, None)), scope)

    def _encoded_charger(self, row: Row, now_ms: int) -> bytes:
        world = self.source.world
        return self.dialect.encode_row(row, world.heartbeat_at(row.id, now_ms) if world.heartbeats else None)

    def _answer_action(
        self, action: Callable[[Call], actions.Outcome], row_id: str | None, scope: Scope, body: bytes, now: datetime
    ) -> Answer:
        given: dict[str, Any] = {} if scope["method"] in ("GET", "HEAD") else _json_object(body)
        back = {self.dialect.name(name): name for name in BODY_NAMES}
        named = _renamed(given, back)
        call = Call(self.source, self.dialect, now, to_ms(now), row_id or "", _query(scope), named, self.exports)
        if scope["method"] in ("POST", "PUT"):
            self.received.append(Command(now.isoformat(), scope["path"], named))
        status, facts = action(call)
        if scope["method"] in ("POST", "PUT"):
            self.commands.append(Command(now.isoformat(), scope["path"], named))
            if self.faults.commands_unknown > 0:
                self.faults.commands_unknown -= 1
                raise RefusedError(504, "charger_timeout", "The charger did not answer within 8 s.")
        return Answer(status, self.dialect.encode(facts))

    def _check_token(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, given = value.partition(b" ")
                if scheme.lower() == b"bearer" and given.strip() == self.token.encode():
                    return
                raise RefusedError(401, "invalid_token", "The token is not valid or has expired.")
        raise RefusedError(401, "missing_token", "Send 'Authorization: Bearer TOKEN'.")

    def _seconds_until_allowed(self, now_ms: int) -> int:
        """0 where the call is allowed, else the whole seconds until the window ends."""
        limit = self.rate_limit
        if limit is None:
            return 0
        length = limit.seconds * 1000
        window, used = self._window
        if now_ms // length != window:
            window, used = now_ms // length, 0
        if used >= limit.calls:
            return max(1, math.ceil(((window + 1) * length - now_ms) / 1000))
        self._window = (window, used + 1)
        return 0

    def _with_etag(self, answer: Answer, scope: Scope) -> Answer:
        if not self.etags:
            return answer
        etag = f'"{zlib.crc32(answer.body):08x}"'.encode()
        headers = [(b"etag", etag)]
        if any(name == b"if-none-match" and value == etag for name, value in scope["headers"]):
            return Answer(304, b"", headers)
        return Answer(answer.status, answer.body, headers)

    async def _send(self, scope: Scope, answer: Answer, now_ms: int, receive: Receive, send: Send) -> None:
        second = now_ms // 1000
        if self._date[0] != second:
            self._date = (second, format_datetime(from_ms(second * 1000), usegmt=True).encode())
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [answer.content_type, length, (b"date", self._date[1]), *answer.headers]
        body = b"" if scope["method"] == "HEAD" else answer.body
        if self.faults.cut_off > 0 and body and answer.status == 200 and _segments(scope)[0] == "v1":
            self.faults.cut_off -= 1
            # without a length, so that any server can send it: the client sees JSON that ends too soon
            headers.remove(length)
            body = body[: len(body) // 2]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        pause = self.faults.pause(_segments(scope)) if self.faults.slow and answer.status == 200 else 0.0
        if pause:
            await _drip(body, pause, receive, send)
        else:
            await send({"type": "http.response.body", "body": body})


def create_api(
    source: Source,
    *,
    clock: Callable[[], datetime],
    token: str = "sandbox-token",  # noqa: S107  # a stand-in's token is no secret
    dialect: Dialect | None = None,
    rate_limit: RateLimit | None = None,
    etags: bool = False,
) -> Api:
    """The ASGI application over `source`; `clock` tells the simulated moment of each call (aware datetime)."""
    return Api(source, clock=clock, token=token, dialect=dialect or Dialect(), rate_limit=rate_limit, etags=etags)


def _segments(scope: Scope) -> list[str]:
    raw = scope.get("raw_path") or scope["path"].encode()
    raw = raw.partition(b"?")[0].strip(b"/")
    if b"%" not in raw:
        return str(raw, "utf-8", "replace").split("/")
    return [str(unquote_to_bytes(part), "utf-8", "replace") for part in raw.split(b"/")]


def _query(scope: Scope) -> dict[str, str]:
    raw = scope["query_string"]
    if not raw:
        return {}
    try:
        pairs = parse_qsl(str(raw, "utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise invalid("The question has too many parameters.") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise invalid("A parameter is given twice.")
    return query


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    if len(body) > MOST_BODY_BYTES:
        raise RefusedError(413, "body_too_large", f"The body is longer than {MOST_BODY_BYTES} bytes.")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "invalid_json", "The body is not valid JSON.") from None
    if not isinstance(given, dict):
        raise RefusedError(400, "invalid_json", "The body must be a JSON object.")
    return given


def _renamed(given: Any, names: dict[str, str]) -> Any:
    if isinstance(given, dict):
        return {names.get(name, name): _renamed(value, names) for name, value in given.items()}
    return [_renamed(value, names) for value in given] if isinstance(given, list) else given


async def _read_body(receive: Receive) -> bytes | None:
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MOST_BODY_BYTES + 1:
            chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if size <= MOST_BODY_BYTES else b" " * (MOST_BODY_BYTES + 1)


async def _drip(body: bytes, pause: float, receive: Receive, send: Send) -> None:
    """Send a body byte by byte until whoever asked has gone; for an infinite pause, nothing."""
    gone = asyncio.create_task(_gone(receive))
    try:
        if math.isinf(pause):
            await gone
        for byte in body:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
