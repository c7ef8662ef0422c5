"""Everything that an API may do to a client, each as a function that spoils one good answer."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

Spoil = Callable[[httpx.Request, bytes], Awaitable[httpx.Response]]
"""Makes of a request and the good answer's body the answer that comes instead."""

JSON = {"content-type": "application/json"}
HTML = b"<!doctype html><html><body><h1>Gateway</h1></body></html>"


def answering(status: int, content: bytes = b"", **headers: str) -> Spoil:
    """The same answer to everything."""

    async def spoil(_: httpx.Request, __: bytes) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return httpx.Response(status, content=content, headers={**JSON, **named})

    return spoil


def raising(error: Callable[[], Exception]) -> Spoil:
    """No answer at all."""

    async def spoil(_: httpx.Request, __: bytes) -> httpx.Response:
        raise error()

    return spoil


def body(change: Callable[[bytes], bytes], **headers: str) -> Spoil:
    """The good answer with its bytes changed."""

    async def spoil(_: httpx.Request, content: bytes) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return httpx.Response(200, stream=httpx.ByteStream(change(content)), headers={**JSON, **named})

    return spoil


def rows(change: Callable[[list[Any]], list[Any]], **around: Any) -> Spoil:
    """The good answer with other rows, and with other words around them."""

    def changed(content: bytes) -> bytes:
        document = json.loads(content)
        document["data"] = change(document["data"])
        return json.dumps({**document, **around}).encode()

    return body(changed)


def fields(**values: Any) -> Spoil:
    """The good answer with these fields in every row and in every connector that has them."""

    def changed(row: dict[str, Any]) -> dict[str, Any]:
        new = {name: values.get(name, value) for name, value in row.items()}
        if isinstance(new.get("connectors"), list):
            new["connectors"] = [changed(connector) for connector in new["connectors"]]
        return new

    return rows(lambda told: [changed(row) for row in told])


def text(old: str, new: str) -> Spoil:
    """The good answer with another piece of JSON text."""
    return body(lambda content: content.replace(old.encode(), new.encode()))


async def never(_: httpx.Request, __: bytes) -> httpx.Response:
    """An answer that does not come."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")


class FirstRowAlways:
    """Whatever page is asked for, the first row that ever came, with the promise of more."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {}

    async def __call__(self, request: httpx.Request, content: bytes) -> httpx.Response:
        document = json.loads(content)
        first = self.rows.setdefault(request.url.path, document["data"][:1]) or document["data"][:1]
        told = {**document, "data": first, "total": 50, "hasNextPage": bool(first)}
        return httpx.Response(200, json=told, headers=JSON)


FOREVER = {
    "seconds": answering(429, retry_after="999999999"),
    "a date": answering(429, retry_after="Fri, 31 Dec 9999 23:59:59 GMT"),
}
"""Retry-After as if for ever."""


class TenThousandRows:
    """Pages of 10,000 rows where three were asked for, the same ones again and again; every fourth call."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, _: httpx.Request, content: bytes) -> httpx.Response:
        self.calls += 1
        document = json.loads(content)
        if self.calls % 4 == 1:
            document["data"] = (document["data"] * 10_000)[:10_000]
        return httpx.Response(200, json=document, headers=JSON)


class Shifting:
    """Pages that shift: each call begins one row later than it was asked to, and repeats the last row."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, _: httpx.Request, content: bytes) -> httpx.Response:
        self.calls += 1
        document = json.loads(content)
        told = document["data"]
        turn = self.calls % len(told) if told else 0
        document["data"] = told[turn:] + told[-1:]
        return httpx.Response(200, json=document, headers=JSON)


def latin_1(content: bytes) -> bytes:
    document = json.loads(content)
    return json.dumps({**document, "note": "Ærø"}, ensure_ascii=False).encode("latin-1")


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def odd(json_text: str) -> Spoil:
    """The good answer with one more field in every row, given as JSON text."""
    return body(lambda content: content.replace(b'{"id":', f'{{"odd":{json_text},"id":'.encode()))


SPOILS: dict[str, tuple[Spoil, str]] = {
    "never answers": (never, "timeout"),
    "time-out while reading": (raising(lambda: httpx.ReadTimeout("slow")), "timeout"),
    "no connection": (raising(lambda: httpx.ConnectError("refused")), "unreachable"),
    "connection lost": (raising(lambda: httpx.ReadError("reset")), "unreachable"),
    "cut-off JSON": (body(lambda content: content[: len(content) // 2]), "malformed_answer"),
    "empty answer": (answering(200), "malformed_answer"),
    "null": (answering(200, b"null"), "malformed_answer"),
    "HTML with 200": (answering(200, HTML, content_type="text/html"), "malformed_answer"),
    "HTML with 502": (answering(502, HTML, content_type="text/html"), "server_fault"),
    "500 with NUL in its words": (
        answering(500, b'{"code": "a\\u0000b", "message": "\\ud800\\u0000"}'),
        "server_fault",
    ),
    "redirect": (answering(302, location="https://stranger.example.net/"), "malformed_answer"),
    "304 unasked": (answering(304), "malformed_answer"),
    "429 storm": (answering(429, b'{"code": "rate_limited"}', retry_after="150"), "rate_limited"),
    "429 without Retry-After": (answering(429), "rate_limited"),
    "401": (answering(401), "unauthorized"),
    "repeated pages": (FirstRowAlways(), "malformed_answer"),
    "no gzip though it says so": (body(lambda content: content, content_encoding="gzip"), "malformed_answer"),
    "gzip cut off": (body(lambda content: gzip.compress(content)[:30], content_encoding="gzip"), "malformed_answer"),
    "deep nesting": (body(lambda _: nested(100_000).encode()), "malformed_answer"),
}
"""Faults that fail a poll, and the kind under which they are counted."""

SET_ASIDE: dict[str, tuple[Spoil, str]] = {
    "wrong types": (fields(updatedAt=[{}]), "updatedAt"),
    "rows that are no objects": (rows(lambda told: [json.dumps(row) for row in told]), ""),
    "ids gone": (fields(id=None), "id"),
    "ids as long as a book": (fields(id="x" * 10_000), "id"),
    "an id that is an object": (fields(id={"a": 1}), "id"),
    "a number beyond any float": (
        body(lambda content: content.replace(b'"energyKwh":', b'"energyKwh":1e400,"e":').replace(
            b'"heartbeatIntervalSeconds":', b'"heartbeatIntervalSeconds":1e400,"h":'
        )),
        "heartbeatIntervalSeconds",
    ),
    "a number beyond any quantity": (
        fields(heartbeatIntervalSeconds=10**30, energyKwh=1e300),
        "heartbeatIntervalSeconds",
    ),
    "the year 9999": (fields(updatedAt="9999-12-31T23:59:59-12:00"), "updatedAt"),
    "the year 1": (fields(updatedAt="0001-01-01T00:00:00Z"), "updatedAt"),
    "a date that is none": (fields(updatedAt="2025-02-31T25:61:00Z"), "updatedAt"),
}  # fmt: skip
"""Faults that set rows aside, and the field under which they are counted."""

HARMLESS: dict[str, Spoil] = {
    "Latin-1 without saying so": body(latin_1),
    "gzip": body(gzip.compress, content_encoding="gzip"),
    "byte order mark": body(lambda content: b"\xef\xbb\xbf" + content),
    "wrong charset declared": body(lambda content: content, content_type="application/json; charset=klingon"),
    "ten thousand rows on a page": TenThousandRows(),
    "duplicate rows": rows(lambda told: told + told[::-1]),
    "shifting pages": Shifting(),
    "an empty list": rows(lambda _: [], total=0, hasNextPage=False),
    "unknown enum values": fields(status="Levitating", type="Teleport"),
    "NUL in every text": fields(name="a\x00b", stopReason="x\x00y", status="Char\x00ging", vendor="\ud800"),
    "numbers beyond any float in unknown fields": odd('[1e400,-1e999,{"a":NaN}]'),
    "whole numbers of four thousand digits in unknown fields": odd("9" * 4000),
    "unknown fields nested deeply": odd(nested(300)),
    "a clock in the year 1": body(lambda content: content, date="Mon, 01 Jan 0001 00:00:00 GMT"),
    "a clock in the year 9999": body(lambda content: content, date="Fri, 31 Dec 9999 23:59:59 GMT"),
    "a date that is none": body(lambda content: content, date="yesterday"),
}
"""Odd answers of which nothing may be lost when they have passed, though some polls of them are good."""
