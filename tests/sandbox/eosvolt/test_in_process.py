"""The in-process transport says the same as httpx's own."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource
from tests.sandbox.neutral import AUTHORIZED, NOON, Hand, free_connector, replay


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", "/v1/chargers?limit=1&sort=-id", None),
        ("GET", "/v1/chargers/C%2F1", None),
        ("HEAD", "/v1/chargers", None),
        ("POST", "/v1/sessions/start", {"connectorId": "A"}),
        ("POST", "/v1/sessions/start", {}),
        ("PATCH", "/v1/chargers", {}),
    ],
)
async def test_the_same_call_gets_the_same_answer(tmp_path: Path, method: str, path: str, body: Any) -> None:
    api = create_api(replay(tmp_path, "2025-10-01T12:00:00Z,L,C/1,A,status,Faulted"), clock=Hand())
    answers = []
    for transport in (httpx.ASGITransport(api), InProcessTransport(api)):
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=AUTHORIZED) as client:
            answer = await client.request(method, path, json=body)
            answers.append((answer.status_code, answer.content, answer.headers.multi_items()))
    assert answers[0] == answers[1]


async def test_a_posted_body_arrives() -> None:
    source = FleetSource(3, 3, NOON)
    transport = InProcessTransport(create_api(source, clock=Hand()))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=AUTHORIZED) as client:
        answer = await client.post("/v1/sessions/start", json={"connectorId": free_connector(source)})
    assert (answer.status_code, answer.json()["status"]) == (201, "Pending")
