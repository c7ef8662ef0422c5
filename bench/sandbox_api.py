"""What a small call to the stand-in API costs in process, against a bare ASGI application in the same run.

A replay makes tens of thousands of such calls through httpx, so the API itself must be a small part of each. Run as
`python -m bench.sandbox_api`; prints microseconds of CPU time a call and the ratio. Nothing over the network.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource

CALLS = 2000
ROUNDS = 3
HELLO = b'{"data":[],"total":0}'
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def bare(_scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
    """The least that an ASGI application can do."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(HELLO)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": HELLO})


async def seconds_a_call(transport: httpx.AsyncBaseTransport, since: datetime) -> float:
    """CPU seconds of one incremental poll through httpx, the mean of `CALLS`."""
    headers = {"Authorization": "Bearer sandbox-token"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=headers) as client:
        begin = time.process_time()
        for _ in range(CALLS):
            answer = await client.get("/v1/chargers", params={"updatedSince": since.isoformat(), "limit": 200})
            answer.raise_for_status()
        return (time.process_time() - begin) / CALLS


async def main() -> None:
    now = datetime(2025, 10, 1, 12, tzinfo=UTC)
    source = FleetSource(1000, 1, now - timedelta(hours=1))
    api = create_api(source, clock=lambda: now)
    source.advance_to(now)
    since = now + timedelta(seconds=1)
    transports: dict[str, httpx.AsyncBaseTransport] = {
        "bare ASGI application": httpx.ASGITransport(bare),
        "stand-in EOSVOLT API": httpx.ASGITransport(api),
        "bare, InProcessTransport": InProcessTransport(bare),
        "stand-in, InProcessTransport": InProcessTransport(api),
    }
    best = dict.fromkeys(transports, float("inf"))
    for _ in range(ROUNDS):
        for name, transport in transports.items():
            best[name] = min(best[name], await seconds_a_call(transport, since))
    least = best["bare ASGI application"]
    for name, seconds in best.items():
        print(f"{name:30} {seconds * 1e6:5.0f} us a call, ratio to the first {seconds / least:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
