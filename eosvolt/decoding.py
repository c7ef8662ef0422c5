"""JSON of unknown size to plain values: refused where it holds too much, and read in steps where it is large.

The C decoder holds the interpreter from the first byte to the last; between two steps other threads get their turn.
What it reads is not looked at, and nothing is cleaned.
"""

import json
from collections.abc import Callable
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]  # the decoder in Python, which typeshed hides
from typing import Any

LARGE = 200_000
"""From how many bytes on an answer is read in steps, and away from the event loop."""

_DEEPEST = 100  # levels that are read in steps; what is nested deeper is no account's
_SMALL = 1_000_000  # bytes: what so few can hold is never too much

Scan = Callable[[str, int], tuple[Any, int]]

# NaN and Infinity are no JSON; as words they reach `extra` harmlessly and make a number field malformed.
_decoder = json.JSONDecoder(parse_constant=str)
_scan_at_once: Scan = _decoder.scan_once  # type: ignore[attr-defined]  # set by its constructor
_white: Callable[[str, int], Any] = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]


def too_much(body: bytes, most_values: int) -> str | None:
    """Why a body is not decoded at all: it may become values that take a hundred times its room."""
    if len(body) <= _SMALL:
        return None
    values = body.count(b",") + body.count(b"{") + body.count(b"[")
    return f"{len(body)} bytes that hold some {values} values" if values > most_values else None


def decode(text: str) -> Any:
    """The value of a JSON text; ValueError or RecursionError where it is none or is nested too deeply."""
    return _decoder.decode(text) if len(text) < LARGE else _decode_in_steps(text)


def _decode_in_steps(text: str) -> Any:
    start = _white(text, 0).end()
    try:
        value, end = _scanner(_DEEPEST)(text, start)
    except StopIteration as stopped:
        raise json.JSONDecodeError("Expecting value", text, stopped.value) from None
    end = _white(text, end).end()
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _scanner(levels: int) -> Scan:
    """Reads one value step by step, to so many levels of lists and objects."""
    inners: list[Scan] = []

    def scan(text: str, place: int) -> tuple[Any, int]:
        opening = text[place : place + 1]
        if opening not in {"{", "["}:
            return _scan_at_once(text, place)
        if not levels:
            raise RecursionError("nested too deeply")
        if not inners:
            inners.append(_scanner(levels - 1))
        read: tuple[Any, int] = (
            JSONObject((text, place + 1), True, inners[0], None, None)
            if opening == "{"
            else JSONArray((text, place + 1), inners[0])
        )
        return read

    return scan
