"""What one answer may hold and how long it may take: bounded, told with its mend, and no wait for anybody else."""

import asyncio
import json
import math
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from eosvolt import decoding, errors, listing
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.decoding import LARGE, decode
from eosvolt.models import Fetched
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from tests.eosvolt.wire import Wire, charger, client_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def stand_in() -> Api:
    return create_api(FleetSource(4, 3, NOW), clock=lambda: NOW)


def client(api: Api, folder: Path, contract: str = "", address: str = "") -> EosvoltClient:
    """A client of the stand-in: in this process, or at an address."""
    override = folder / "site.toml"
    override.write_text(contract)
    transport = None if address else InProcessTransport(api)
    token = TokenSource.from_text("sandbox-token")
    return EosvoltClient(
        address or "http://sandbox", token, load_contract(override), transport=transport, attempts=1, clock=lambda: NOW
    )


async def turns_of(work: Any) -> tuple[Any, int]:
    """What a piece of work came to, and how often others had their turn meanwhile."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    done = await work
    others.cancel()
    return done, turns


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * 10_000_000 + b"{}]",
        b'{"data":[' + b"[]," * 10_000_000 + b"[]]}",
        b"[" + b"1.5," * 9_000_000 + b"1]",
    ],
    ids=["30 MB of objects", "30 MB of lists", "36 MB of numbers"],
)
async def test_a_small_text_of_very_many_values_is_refused_before_it_is_read(tmp_path: Path, body: bytes) -> None:
    api = stand_in()
    api.faults.bodies = {"chargers": body}
    async with client(api, tmp_path) as eosvolt:
        tracemalloc.start()
        try:
            fetched = await eosvolt.fetch_chargers()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (await eosvolt.fetch_locations()).complete
    assert isinstance(fetched.error, errors.TooMuch)
    assert "limits.most_answer_values is 8000000" in str(fetched.error)
    assert "raise the limit in the contract file" in str(fetched.error)
    assert peak < 6 * len(body)


async def test_more_bytes_than_the_limit_are_refused_with_the_limit_s_name(tmp_path: Path) -> None:
    api = stand_in()
    api.faults.bodies = {"chargers": b" " * 2_000_001}
    async with client(api, tmp_path, "[limits]\nmost_answer_bytes = 2000000\n") as eosvolt:
        fetched = await eosvolt.fetch_chargers()
    assert isinstance(fetched.error, errors.TooMuch)
    assert "more than 2000000 bytes came: limits.most_answer_bytes" in str(fetched.error)


async def test_of_an_answer_that_tells_of_a_fault_only_the_beginning_is_read() -> None:
    fault = httpx.Response(500, content=b'{"code": "broken"}' + b" " * 90_000_000)
    async with client_of(Wire(fault)) as eosvolt:
        error = (await eosvolt.fetch_chargers()).error
    assert isinstance(error, errors.ServerFault)
    assert error.code == "broken"


@pytest.mark.parametrize("depth", [400, 900, 990, 100_000])
@pytest.mark.parametrize("fill", [0, LARGE], ids=["small", "large"])
async def test_deep_nesting_is_refused_or_kept_and_breaks_nothing(tmp_path: Path, depth: int, fill: int) -> None:
    row = json.dumps(charger("1")).removesuffix("}") + f', "odd": {"[" * depth}{"]" * depth}}}'
    api = stand_in()
    api.faults.bodies = {"chargers": f'{{"data": [{row}]{" " * fill}}}'.encode()}
    async with client(api, tmp_path) as eosvolt:
        fetched = await eosvolt.fetch_chargers()
    assert fetched.complete or isinstance(fetched.error, errors.MalformedAnswer)
    assert fetched.complete == (len(fetched.rows) == 1)


@pytest.mark.parametrize("spread", [True, False], ids=["many chargers", "one charger of many connectors"])
async def test_a_large_page_is_read_away_from_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread: bool
) -> None:
    api, many = stand_in(), 20 * listing.AT_ONCE
    plugs = [{"id": f"1.{number}", "status": "Available"} for number in range(many)]
    rows = [charger(str(number)) for number in range(many)] if spread else [charger("1") | {"connectors": plugs}]
    told = {"data": rows, "total": len(rows), "hasNextPage": False}
    api.faults.bodies = {"chargers": json.dumps(told).encode()}
    elsewhere: list[object] = []
    to_thread = asyncio.to_thread

    async def noted(work: Any, *given: Any) -> Any:
        elsewhere.append(work)
        return await to_thread(work, *given)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    async with client(api, tmp_path) as eosvolt:
        (fetched, turns) = await turns_of(eosvolt.fetch_chargers())
    assert (len(fetched.rows), fetched.complete) == (len(rows), True)
    assert len(elsewhere) == 3, "its text, its rows and its place in the list"
    assert turns >= many // listing.AT_ONCE


async def test_a_byte_at_a_time_is_given_up_after_the_time_of_one_answer(tmp_path: Path) -> None:
    api = stand_in()
    api.faults.slow = {"chargers": 0.01}
    limits = "[limits]\nlongest_answer_seconds = 0.2\n"
    async with serving(api) as address, client(api, tmp_path, limits, address) as eosvolt:
        assert isinstance((await eosvolt.fetch_chargers()).error, errors.Timeout)
        assert (await eosvolt.fetch_locations()).complete
        api.faults.slow = {"chargers": math.inf}
        assert isinstance((await eosvolt.fetch_chargers()).error, errors.Timeout)


@pytest.mark.parametrize(
    ("limit", "told"), [("most_rows = 50", "after 50 rows"), ("most_pages = 7", "after 7 pages")], ids=["rows", "pages"]
)
async def test_a_list_that_never_ends_is_ended_and_what_came_is_kept(tmp_path: Path, limit: str, told: str) -> None:
    api = stand_in()
    api.faults.endless = frozenset({"chargers"})
    async with client(api, tmp_path, f"[limits]\n{limit}\n") as eosvolt:
        fetched = await eosvolt.fetch_chargers()
    assert isinstance(fetched.error, errors.TooMuch)
    assert told in str(fetched.error)
    assert (len(fetched.rows) > 20, fetched.rest) == (True, None)


async def test_a_list_of_rows_that_cannot_be_read_is_not_kept_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_SET_ASIDE", 1000)
    api = stand_in()
    api.faults.bodies = {"chargers": json.dumps([{"number": number} for number in range(5000)]).encode()}
    async with client(api, tmp_path) as eosvolt:
        fetched = await eosvolt.fetch_chargers()
    assert isinstance(fetched.error, errors.TooMuch)
    assert len(fetched.set_aside) <= 1000


async def test_a_list_is_left_after_its_time_and_gone_on_with_where_it_stands(tmp_path: Path) -> None:
    api = stand_in()
    paged = "[limits]\nlongest_list_seconds = 0.001\n[routes.chargers]\nlimit = 1\n"
    async with client(api, tmp_path, paged) as eosvolt:
        fetched: Fetched[Any] = await eosvolt.fetch_chargers()
        goes = [[row.id for row in fetched.rows]]
        while fetched.rest is not None:
            assert (fetched.complete, fetched.error) == (False, None)
            fetched = await eosvolt.go_on(fetched.rest)
            goes.append([row.id for row in fetched.rows])
    assert fetched.complete
    assert len(goes) > 2
    assert sorted(goes[-1]) == sorted(api.source.world.chargers.rows), "at its end, everything"
    with pytest.raises(TypeError, match="no rest of a list"):
        await eosvolt.go_on("something else")


TEXTS = [
    "1",
    '"a"',
    "null",
    "[]",
    "{}",
    "[1, 2",
    '{"a" 1}',
    "[1,]",
    "nul",
    "",
    '{"a": [1, {"b": [[2]]}]}',
    "NaN",
    "[] x",
]


@pytest.mark.parametrize("text", TEXTS)
def test_reading_in_steps_is_reading_at_once(text: str) -> None:
    def read(reads: Any) -> Any:
        try:
            return reads(text)
        except json.JSONDecodeError as error:
            return (error.msg, error.pos)

    assert read(decoding._decode_in_steps) == read(decode)


async def test_what_no_field_can_hold_is_not_kept_and_costs_nothing_else_of_the_row() -> None:
    huge = {"name": "x" * 20_000, "labels": ["a"] * 2_000, "odd": {"k": list(range(5_000))}, "odder": "y" * 20_000}
    row = charger("1") | huge
    api = Wire(httpx.Response(200, json={"data": [row], "total": 1}))
    async with client_of(api) as eosvolt:
        fetched = await eosvolt.fetch_chargers()
    (reading,) = fetched.rows
    assert (reading.id, reading.name, reading.labels) == ("1", "1", ())
    assert {"name", "labels"} <= set(reading.unread)
    assert (reading.extra["odd"], reading.extra["odder"]) == ("too much to keep", "too much to keep")
    assert {one.name for one in fetched.unread} == {"name", "labels"}
