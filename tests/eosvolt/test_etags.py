"""ETags: what EOSVOLT says has not changed is not sent twice, and what comes out of a sweep is the same as without."""

from typing import Any

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.fleet.fleet import FleetSource
from tests.sandbox.neutral import NOON, Hand


class Counted(httpx.AsyncBaseTransport):
    """The sandbox, whose statuses are noted; `etag` is what it gives for one where a test says so."""

    def __init__(self, api: Api, etag: str | None = None) -> None:
        self.inner = InProcessTransport(api)
        self.etag = etag
        self.statuses: list[int] = []
        self.asked: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("if-none-match"))
        response = await self.inner.handle_async_request(request)
        self.statuses.append(response.status_code)
        if self.etag is not None:
            response.headers["etag"] = self.etag
        return response


def api_of(clock: Hand, **how: Any) -> Api:
    return create_api(FleetSource(5, 3, NOON), clock=clock, token="sandbox-token", etags=True, **how)


def client_of(transport: httpx.AsyncBaseTransport) -> EosvoltClient:
    token = TokenSource.from_text("sandbox-token")
    return EosvoltClient("http://sandbox", token, load_contract(), transport=transport, attempts=1)


async def test_a_sweep_that_is_as_before_comes_once_and_reads_the_same() -> None:
    clock = Hand()
    wire = Counted(api_of(clock))
    async with client_of(wire) as client:
        first, second = await client.fetch_locations(), await client.fetch_locations()
    assert wire.statuses == [200, 304]
    assert first.rows
    assert (second.rows, second.complete, second.error) == (first.rows, True, None)
    assert second.clock_skew is not None


async def test_a_change_comes_whole() -> None:
    clock = Hand()
    api = api_of(clock)
    wire = Counted(api)
    async with client_of(wire) as client:
        await client.fetch_chargers()
        connector_id = next(iter(api.source.world.connectors))
        clock.after(minutes=1)
        api.source.force_connector(connector_id, {"status": "Faulted"}, clock.now)
        changed = await client.fetch_chargers()
    assert wire.statuses == [200, 200]
    statuses = {connector.id: connector.status for row in changed.rows for connector in row.connectors}
    assert statuses[connector_id] == "Faulted"


async def test_what_changed_since_a_time_is_asked_for_without() -> None:
    wire = Counted(api_of(Hand()))
    async with client_of(wire) as client:
        for _ in range(2):
            await client.fetch_chargers(updated_since=NOON)
    assert (wire.statuses, wire.asked) == ([200, 200], [None, None])


async def test_an_etag_that_no_header_may_hold_is_left_alone() -> None:
    wire = Counted(api_of(Hand()), etag="x" * 201)
    async with client_of(wire) as client:
        for _ in range(2):
            assert (await client.fetch_locations()).complete
    assert (wire.statuses, wire.asked) == ([200, 200], [None, None])
