"""The wire for these tests: a transport that answers by script and remembers every request, and rows to answer with."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource

TOKEN = "tok-3c9f1e77-secret"
AT = "2026-03-01T10:00:00Z"
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Wire:
    """Answers each request with the next entry of the script; the last one stays."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(request.url.params) for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        return [request.headers["authorization"] for request in self.requests]


def ok(document: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(document), headers={"content-type": "application/json", **headers})


def failed(status: int, code: str = "some_code", message: str = "Some message.", **headers: str) -> httpx.Response:
    body = {"success": False, "code": code, "message": message}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


@asynccontextmanager
async def client_of(
    wire: Wire, contract: str | None = None, token: TokenSource | None = None, **options: Any
) -> AsyncIterator[EosvoltClient]:
    """A client over the wire, with the text of a contract file merged over the packaged one."""
    override = None
    if contract is not None:
        override = options.pop("tmp_path") / "site.toml"
        assert isinstance(override, Path)
        override.write_text(contract, encoding="utf-8")
    loaded = load_contract(override)
    options.setdefault("attempts", 1)
    source = token or TokenSource.from_text(TOKEN)
    async with EosvoltClient("https://api.example.com", source, loaded, transport=wire.transport, **options) as client:
        yield client


def connector(connector_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": connector_id,
        "status": "Available",
        "statusChangedAt": AT,
        "errorCode": "NoError",
        "vendorErrorCode": None,
        "powerKw": 0.0,
        "maxPowerKw": 22,
        "type": "Type2",
        **changes,
    }


def charger(charger_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": charger_id,
        "locationId": "L1",
        "name": f"Charger {charger_id}",
        "vendor": "Vendor",
        "model": "Model",
        "firmware": "1.0",
        "serial": f"S{charger_id}",
        "online": True,
        "lastHeartbeat": AT,
        "heartbeatIntervalSeconds": 300,
        "labels": ["public"],
        "updatedAt": AT,
        "connectors": [connector(f"{charger_id}.1")],
        **changes,
    }


def session(session_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": session_id,
        "connectorId": "242.2.1",
        "chargerId": "242",
        "locationId": "L1",
        "status": "Active",
        "type": "OnDemand",
        "failReason": None,
        "startedAt": AT,
        "endedAt": None,
        "energyKwh": 1.5,
        "cost": None,
        "currency": "DKK",
        "idTag": "04A1B2",
        "stopReason": None,
        "updatedAt": AT,
        **changes,
    }
