"""The sandbox over real sockets on loopback, and the driver that keeps its world in step."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.server import PortInUseError, drive, listen, serve, serving
from tests.sandbox.neutral import AUTHORIZED, NOON, Hand, replay


async def test_the_api_answers_over_the_network_with_one_date_of_its_own_clock(tmp_path: Path) -> None:
    api = create_api(replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Faulted"), clock=Hand())
    async with serving(api) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZED) as client:
        answer = await client.get("/v1/chargers", params={"status": "Faulted"})
        encoded = await client.get("/v1/chargers/%41")
    assert [row["id"] for row in answer.json()["data"]] == ["A"]
    assert answer.headers.get_list("date") == ["Wed, 01 Oct 2025 12:00:00 GMT"]
    assert encoded.json()["id"] == "A"


async def test_an_answer_cut_off_over_the_network_is_broken_json(tmp_path: Path) -> None:
    api = create_api(replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Faulted"), clock=Hand())
    api.faults.cut_off = 1
    async with serving(api) as url, httpx.AsyncClient(base_url=url, headers=AUTHORIZED) as client:
        broken = await client.get("/v1/chargers")
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            broken.json()
        assert (await client.get("/v1/chargers")).json()["total"] == 1


async def test_a_call_that_breaks_off_before_its_body_asks_for_nothing(tmp_path: Path) -> None:
    api = create_api(replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Faulted"), clock=Hand())
    heard: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent = list[Message]()

    async def receive() -> Message:
        return next(heard)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in AUTHORIZED.items()]
    path = "/v1/chargers/A/availability"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": headers}
    await api({**scope, "query_string": b""}, receive, send)
    assert (api.received, sent) == ([], [])


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with (
        taken,
        pytest.raises(PortInUseError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*choose another port"),
    ):
        await serve(
            create_api(replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Faulted"), clock=Hand()), "127.0.0.1", port
        )


async def test_the_driver_moves_the_world_to_the_clock(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Available", "2025-10-01T12:10:00Z,,,A,status,Faulted")
    clock = Hand(NOON + timedelta(minutes=10))
    driving = asyncio.create_task(drive(source, clock, step_seconds=0))
    await asyncio.sleep(0)
    driving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await driving
    assert source.world.connectors["A"][1]["status"] == "Faulted"
