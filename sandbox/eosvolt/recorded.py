"""Serves what `chargehand record` saved of an account: each question gets the answer that it got then.

It knows no world: time stands still, and nothing can be acted upon. What was never asked is answered 404.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sandbox.eosvolt.api import Receive, Scope, Send

READ_ONLY = {"success": False, "code": "recording_is_read_only", "message": "This sandbox serves a recording."}
UNKNOWN = {"success": False, "code": "not_found", "message": "This was not asked when the account was recorded."}
_EPOCHS = (10, 13)  # digits of a time in s or ms since 1970
_MOMENT = 10  # characters; what is shorter is no time


class RecordingError(ValueError):
    """A folder holds no recording of an account; the message says what to do."""


class RecordedApi:
    """An ASGI application over the answers of one folder, dated as they were, or by a clock where one is given."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock
        files = sorted(folder.glob("answer-*.json"))
        if not files:
            raise RecordingError(f"{folder} holds no answer-*.json: make it with `chargehand record --out DIR`")
        self._answers = [json.loads(file.read_text(encoding="utf-8")) for file in files]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI conversation; any token is good."""
        if scope["type"] != "http":
            return
        await receive()
        status, body, headers = self._answer(scope)
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        told = {**headers, "content-length": str(len(content)), "content-type": "application/json"}
        start = [(name.encode(), value.encode()) for name, value in told.items()]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope) -> tuple[int, Any, Mapping[str, str]]:
        if scope["method"] != "GET":
            return 409, READ_ONLY, {}
        path = (scope.get("raw_path") or scope["path"].encode()).decode().partition("?")[0]
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        fitting = [one for one in self._answers if one["path"] == path and _fits(one["query"], query)]
        if not fitting:
            return 404, UNKNOWN, {}
        found = max(fitting, key=lambda one: sum(query.get(name) == value for name, value in one["query"].items()))
        headers = {name: value for name, value in found["headers"].items() if name != "content-type"}
        if self._clock is not None:
            headers["date"] = format_datetime(self._clock(), usegmt=True)
        return found["status"], found["body"], headers


def _fits(recorded: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether a question is the one that was asked then, at another time perhaps."""
    if recorded.keys() != asked.keys():
        return False
    return all(asked[name] == value or (_is_time(value) and _is_time(asked[name])) for name, value in recorded.items())


def _is_time(text: str) -> bool:
    if text.isdecimal() and len(text) in _EPOCHS:
        return True
    return len(text) >= _MOMENT and sum(char.isdigit() for char in text) >= _MOMENT - 2
