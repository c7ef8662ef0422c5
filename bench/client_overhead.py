"""Measures what the EOSVOLT client adds to bare httpx, over the same in-process transport in the same run.

Two shapes of work: a small incremental list (as each poll of a replay makes), and a full sweep of 539 chargers with 674
connectors. Bare httpx makes the same requests and parses the JSON, and does nothing more. Run it as
`python -m bench.client_overhead`.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource

BASE = "http://sandbox.invalid"
START = datetime(2026, 1, 1, tzinfo=UTC)
SMALL_CALLS = 3000
SWEEPS = 30
ROUNDS = 5


def charger(number: int) -> dict[str, object]:
    at = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    connectors = [
        {
            "id": f"{number}.{place}",
            "status": "Available",
            "statusChangedAt": at,
            "errorCode": "NoError",
            "vendorErrorCode": None,
            "powerKw": 0.0,
            "maxPowerKw": 22.0,
            "type": "Type2",
        }
        for place in range(1, 3 if number < 135 else 2)
    ]
    return {
        "id": str(number),
        "locationId": f"L{number % 60}",
        "name": f"Charger {number}",
        "vendor": "Vendor",
        "model": "Model",
        "firmware": "1.2.3",
        "serial": f"S{number}",
        "online": True,
        "lastHeartbeat": at,
        "heartbeatIntervalSeconds": 300,
        "labels": [],
        "updatedAt": at,
        "connectors": connectors,
    }


def transport() -> httpx.MockTransport:
    """The small list answers three rows; the sweep answers pages of 100."""
    fleet = [charger(number) for number in range(539)]
    small = json.dumps({"data": fleet[:3], "total": 3, "hasNextPage": False}).encode()
    pages = [
        json.dumps({"data": fleet[at : at + 100], "total": 539, "hasNextPage": at + 100 < 539}).encode()
        for at in range(0, 539, 100)
    ]
    headers = {"content-type": "application/json", "date": "Thu, 01 Jan 2026 00:00:00 GMT"}

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        body = small if "updatedSince" in params else pages[int(params["page"]) - 1]
        return httpx.Response(200, headers=headers, content=body)

    return httpx.MockTransport(answer)


async def seconds(work: Callable[[int], Awaitable[object]], times: int) -> float:
    started = time.perf_counter()
    for number in range(times):
        await work(number)
    return (time.perf_counter() - started) / times


async def main() -> None:
    wire = transport()
    bare = httpx.AsyncClient(base_url=BASE, transport=wire, headers={"authorization": "Bearer t0ken"})
    client = EosvoltClient(BASE, TokenSource.from_text("t0ken"), load_contract(), transport=wire)

    def since(number: int) -> datetime:
        return START + timedelta(minutes=number)

    async def bare_small(number: int) -> object:
        params = {"updatedSince": since(number).isoformat(), "sort": "id", "page": "1", "limit": "100"}
        return (await bare.get("/v1/chargers", params=params)).json()

    async def bare_sweep(_: int) -> object:
        return [
            (await bare.get("/v1/chargers", params={"sort": "id", "page": str(page), "limit": "100"})).json()
            for page in range(1, 7)
        ]

    async def our_small(number: int) -> object:
        return await client.fetch_chargers(updated_since=since(number))

    async def our_sweep(_: int) -> object:
        return await client.fetch_chargers()

    fetched = await client.fetch_chargers()
    if (len(fetched.rows), sum(len(row.connectors) for row in fetched.rows), fetched.complete) != (539, 674, True):
        raise SystemExit("the sweep is not whole: nothing to measure")
    for name, theirs, ours, times in (
        ("small list, 3 chargers", bare_small, our_small, SMALL_CALLS),
        ("sweep of 539 chargers, 674 connectors", bare_sweep, our_sweep, SWEEPS),
    ):
        measured = [(await seconds(theirs, times), await seconds(ours, times)) for _ in range(ROUNDS)]
        bare_best, our_best = min(one for one, _ in measured), min(one for _, one in measured)
        print(
            f"{name}: bare httpx {bare_best * 1e3:.3f} ms, client {our_best * 1e3:.3f} ms, x{our_best / bare_best:.2f}"
        )
    await client.aclose()
    await bare.aclose()


if __name__ == "__main__":
    asyncio.run(main())
