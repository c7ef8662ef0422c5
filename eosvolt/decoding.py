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

_LEVELS = 3  # an envelope, the list in it, and its rows: each row is one step
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
        value, end = _scanner(_LEVELS)(text, start)
    except StopIteration as stopped:
        raise json.JSONDecodeError("Expecting value", text, stopped.value) from None
    end = _white(text, end).end()
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _scanner(levels: int) -> Scan:
    """Reads one value: so many levels of lists and objects step by step, all that is below at once."""
    if levels == 0:
        return _scan_at_once
    inner = _scanner(levels - 1)

    def scan(text: str, place: int) -> tuple[Any, int]:
        opening = text[place : place + 1]
        if opening == "{":
            read: tuple[Any, int] = JSONObject((text, place + 1), True, inner, None, None)
            return read
        if opening == "[":
            listed: tuple[Any, int] = JSONArray((text, place + 1), inner)
            return listed
        return _scan_at_once(text, place)

    return scan
