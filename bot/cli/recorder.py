"""Records an account's answers, read-only, with secrets and what may name a person replaced, for a sandbox to serve.

Nothing that acts is called. Ids stay as they are, or nothing would belong together any more; the token is in no file.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract
from eosvolt.errors import EosvoltError
from eosvolt.spellings.words import folded
from eosvolt.survey.probing import FAR, NOBODY
from eosvolt.tokens import TokenSource

MOST_SINGLES = 3
KEPT_HEADERS = ("content-type", "link", "x-total-count", "x-total", "x-limit", "x-per-page", "retry-after", "date")
_OF_PEOPLE = (
    "name", "title", "address", "street", "city", "zip", "postal", "phone", "mail", "contact", "support", "driver",
    "user", "customer", "tag", "card", "rfid", "token", "secret", "password", "plate", "vin", "serial", "latitude",
    "longitude", "caption", "reference", "owner", "company",
)  # fmt: skip
_PEOPLE = ("token", "driver", "user", "customer", "owner", "contact")
_NO_PERSON = (
    "currency", "tagcount", "timezone", "voltage", "percentage", "outage", "stage", "capacity", "electricity",
    "template",
)  # fmt: skip
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_LONG_NUMBER = re.compile(r"\+?\d[\d ()-]{7,}\d")


class Recorder(httpx.AsyncBaseTransport):
    """Passes calls on, and keeps each answer of a read."""

    def __init__(self, onward: httpx.AsyncBaseTransport, clean: "Cleaner") -> None:
        self._onward, self._clean = onward, clean
        self.kept: list[dict[str, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One call; only a GET is ever made."""
        if request.method != "GET":
            raise httpx.UnsupportedProtocol(f"a recording makes no {request.method}", request=request)
        response = await self._onward.handle_async_request(request)
        body = await response.aread()
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        try:
            document = self._clean(json.loads(body)) if body.strip() else None
        except ValueError:
            document = None
        self.kept.append(
            {
                "path": request.url.raw_path.decode().partition("?")[0],
                "query": dict(request.url.params),
                "status": response.status_code,
                "headers": {name: self._clean.text(value) for name, value in headers.items()},
                "body": document,
            }
        )
        rest = {name: value for name, value in response.headers.items() if name != "content-encoding"}
        return httpx.Response(response.status_code, headers=rest, content=body)


class Cleaner:
    """Replaces what is secret or may name a person by words that say only what they stand for, each the same one."""

    def __init__(self, token: TokenSource) -> None:
        self._token = token

    def __call__(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            # whatever stands inside a driver or a token is of somebody
            whole = key if any(one in folded(key) for one in _PEOPLE) else ""
            return {name: self(inner, f"{whole} {name}".strip()) for name, inner in value.items()}
        if isinstance(value, list):
            return [self(inner, key) for inner in value]
        if not isinstance(value, str) or not value:
            return self._number(value, key)
        if _names_somebody(key):
            return self._word(key, value)
        return self.text(value)

    def text(self, value: str) -> str:
        """A text without the token, addresses of mail and numbers of telephones."""
        return _MAIL.sub("someone@example.org", self._token.redacted(value))

    def _number(self, value: Any, key: str) -> Any:
        if isinstance(value, bool) or value is None or not _names_somebody(key):
            return value
        if isinstance(value, float):
            return round(value)
        return int(_digest(str(value)), 16) % 10**9 if isinstance(value, int) and value > 9_999 else value

    def _word(self, key: str, value: str) -> str:
        if _LONG_NUMBER.fullmatch(value):
            return "+00 000 000"
        return f"{key} {_digest(value)}"


def _names_somebody(key: str) -> bool:
    word = folded(key)
    return any(one in word for one in _OF_PEOPLE) and not any(one in word for one in _NO_PERSON)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:6]


async def record_account(
    address: str, token: TokenSource, contract: Contract, now: datetime, *, onward: httpx.AsyncBaseTransport
) -> list[dict[str, Any]]:
    """Ask for everything that is polled and a few single things, and return each cleaned answer with its question."""
    recorder = Recorder(onward, Cleaner(token))
    async with EosvoltClient(address, token, contract, transport=recorder, attempts=2) as client:
        locations = await client.fetch_locations()
        chargers = await client.fetch_chargers()
        await client.fetch_chargers(updated_since=now)
        sessions = await client.fetch_sessions(started_from=now - timedelta(days=1))
        await client.fetch_sessions(started_from=now - timedelta(days=1), started_to=now)
        await client.fetch_sessions(updated_since=now - timedelta(minutes=5))
        active = await client.fetch_sessions(status="Active")
        for session in active.rows[:MOST_SINGLES]:
            await client.fetch_sessions(status="Active", connector_id=session.connector_id)
        for charger in chargers.rows[:MOST_SINGLES]:
            await _tried(client.fetch_charger(charger.id))
        for session in sessions.rows[:MOST_SINGLES]:
            await _tried(client.fetch_session(session.id))
        for location in locations.rows[:MOST_SINGLES]:
            await _tried(client.fetch_price(location.id))
            await _tried(client.fetch_from("location", location.id))
        for place in (None, *(location.id for location in locations.rows[:MOST_SINGLES])):
            await _tried(client.fetch_report(now - timedelta(days=1), now, place))
        await _tried(client.fetch_charger(NOBODY))
        for name, word in (("chargers", "updated_since"), ("sessions", "updated_since"), ("sessions", "started_from")):
            if contract.routes[name].params.get(word):  # as doctor asks whether a filter holds anything back
                await _tried(client.fetch_first_page(name, **{word: FAR}))
    return recorder.kept


def write_recording(kept: Sequence[dict[str, Any]], out: Path, now: datetime) -> None:
    """Write each answer into a file of `out`, which is made where it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    about = {"recordedAt": now.isoformat(), "answers": len(kept)}
    (out / "recording.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    for number, answer in enumerate(kept):
        path = out / f"answer-{number:04d}.json"
        path.write_text(json.dumps(answer, ensure_ascii=False, indent=1), encoding="utf-8")


async def _tried(asked: Any) -> None:
    try:
        await asked
    except EosvoltError:
        return
