"""A list is whole or says that it is not: both paging styles, every envelope, shifting and failing pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosvolt.answers import Page
from eosvolt.contract import load_contract
from eosvolt.errors import Forbidden, MalformedAnswer, ServerFault
from eosvolt.lists.paging import Sweep
from eosvolt.models import Fetched, LocationReading
from tests.eosvolt.wire import Answer, Wire, client_of, failed, ok

TWO_A_PAGE = "[routes.locations]\nlimit = 2\n"
OFFSET = f'{TWO_A_PAGE}[paging]\nstyle = "offset"\n'
Dress = Callable[[list[Any], int, int], Any]


def locations(*ids: str, at: str = "2026-03-01T10:00:00Z") -> list[dict[str, Any]]:
    return [{"id": one, "name": f"Site {one}", "updatedAt": at} for one in ids]


def serve(rows: list[Any], dress: Dress, most: int = 1000) -> Answer:
    """Answers pages of `rows`, `most` at once, dressed from the page's rows, where it starts, and where it ends."""

    def answer(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        limit = min(int(query["limit"]), most)
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * limit
        return ok(dress(rows[start : start + limit], start, start + limit))

    return answer


async def fetch(wire: Wire, tmp_path: Path, contract: str = TWO_A_PAGE) -> Fetched[LocationReading]:
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        return await client.fetch_locations()


ENVELOPES: dict[str, Dress] = {
    "bare array": lambda page, _start, _end: page,
    "data": lambda page, _start, _end: {"data": page},
    "items, total": lambda page, _start, _end: {"items": page, "total": 5},
    "results, total_count as text": lambda page, _start, _end: {"results": page, "total_count": "5"},
    "hasNextPage": lambda page, _start, end: {"data": page, "hasNextPage": end < 5},
    "has_next_page": lambda page, _start, end: {"data": page, "has_next_page": end < 5},
    "nextPage number": lambda page, _start, end: {"data": page, "nextPage": end // 2 + 1 if end < 5 else None},
    "nested with meta": lambda page, _start, end: {"data": {"items": page, "meta": {"hasMore": end < 5, "total": 5}}},
    "pagination object": lambda page, _start, _end: {"success": True, "data": page, "pagination": {"total": 5}},
}


@pytest.mark.parametrize("dress", ENVELOPES.values(), ids=ENVELOPES.keys())
@pytest.mark.parametrize(
    ("contract", "places"),
    [(TWO_A_PAGE, [{"page": "1"}, {"page": "2"}, {"page": "3"}]), (OFFSET, [{"offset": f"{n}"} for n in (0, 2, 4)])],
    ids=["page/limit", "offset/limit"],
)
async def test_all_pages_come_in_every_envelope_and_both_styles(
    tmp_path: Path, dress: Dress, contract: str, places: list[dict[str, str]]
) -> None:
    wire = Wire(serve(locations(*"abcde"), dress))
    fetched = await fetch(wire, tmp_path, contract)
    assert [row.id for row in fetched.rows] == list("abcde")
    assert (fetched.complete, fetched.error) == (True, None)
    assert wire.queries[:3] == [{**place, "limit": "2"} for place in places]
    assert len(wire.requests) <= 10  # a first sweep is walked twice, with a look behind the end where nothing names it


@pytest.mark.parametrize("contract", [TWO_A_PAGE, OFFSET])
async def test_a_next_address_is_followed_by_its_query_alone(tmp_path: Path, contract: str) -> None:
    stranger = "https://stranger.example.net/steal?cursor=abc&limit=2"

    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" in request.url.params:
            return ok({"data": locations("c"), "nextPage": None})
        return ok({"data": locations("a", "b"), "nextPage": stranger})

    wire = Wire(answer)
    fetched = await fetch(wire, tmp_path, contract)
    assert [row.id for row in fetched.rows] == ["a", "b", "c"]
    assert [(request.url.host, request.url.path) for request in wire.requests] == [
        ("api.example.com", "/v1/locations")
    ] * len(wire.requests)
    assert wire.queries[1]["cursor"] == "abc"


async def test_the_first_page_may_be_page_zero(tmp_path: Path) -> None:
    wire = Wire(lambda request: ok(locations(*"abc")[2 * int(request.url.params["page"]) :][:2]))
    fetched = await fetch(wire, tmp_path, TWO_A_PAGE + "[paging]\nfirst_page = 0\n")
    assert [query["page"] for query in wire.queries[:2]] == ["0", "1"]
    assert ([row.id for row in fetched.rows], fetched.complete) == (["a", "b", "c"], True)


async def test_a_smaller_page_size_that_the_answer_names_is_believed(tmp_path: Path) -> None:
    wire = Wire(serve(locations(*"abc"), lambda page, _start, _end: {"data": page, "limit": 2}, most=2))
    fetched = await fetch(wire, tmp_path, "[routes.locations]\nlimit = 100\n")
    assert [row.id for row in fetched.rows] == ["a", "b", "c"]


async def test_of_a_row_that_came_twice_the_last_one_by_updated_at_wins(tmp_path: Path) -> None:
    new, old = locations("b", at="2026-03-01T12:00:00Z"), locations("b", at="2026-03-01T09:00:00Z")
    pages = {"1": locations("a") + new, "2": old + locations("c")}
    wire = Wire(lambda request: ok(pages.get(request.url.params["page"], [])))
    fetched = await fetch(wire, tmp_path)
    assert [(row.id, row.updated_at and row.updated_at.hour) for row in fetched.rows] == [
        ("a", 10),
        ("b", 12),
        ("c", 10),
    ]
    assert fetched.complete


async def test_when_an_insertion_shifts_rows_it_asks_on_until_the_total_is_reached(tmp_path: Path) -> None:
    moved = {"total": 6}
    wire = Wire(
        ok({"data": locations("b", "c"), "total": 5}),
        ok({"data": locations("c", "d"), **moved}),
        ok({"data": locations("e", "f"), **moved}),
        ok({"data": [], **moved}),
        serve(locations("a", *"bcdef"), lambda page, _start, _end: {"data": page, **moved}),
    )
    fetched = await fetch(wire, tmp_path)
    assert sorted(row.id for row in fetched.rows) == list("abcdef")
    assert fetched.complete


async def test_a_deletion_between_pages_loses_no_row(tmp_path: Path) -> None:
    wire = Wire(
        ok({"data": locations("a", "b"), "total": 5}),
        serve(locations(*"bcde"), lambda page, _start, _end: {"data": page, "total": 4}),
    )
    fetched = await fetch(wire, tmp_path)
    assert {"b", "c", "d", "e"} <= {row.id for row in fetched.rows}
    assert fetched.complete


def test_rows_that_never_stop_moving_are_not_called_complete() -> None:
    contract = load_contract()
    sweep: Sweep[LocationReading] = Sweep(contract, contract.routes["locations"], {})
    total = 1000
    while sweep.query is not None:
        total -= 1
        sweep.record_page(Page([{}], total, has_next=total % 2 == 1), [LocationReading(id=str(total), name="x")], [])
    fetched = sweep.fetched(None)
    assert not fetched.complete
    assert "rows kept moving" in str(fetched.error)
    assert len(fetched.rows) == 1000 - total


async def test_a_total_that_is_never_reached_is_told_and_holds_nothing_up(tmp_path: Path) -> None:
    wire = Wire(serve(locations(*"abc"), lambda page, _start, _end: {"data": page, "total": 9}))
    fetched = await fetch(wire, tmp_path)
    assert ([row.id for row in fetched.rows], fetched.complete) == (["a", "b", "c"], True)
    assert "3 rows came of a total of 9" in fetched.shortfall


async def test_a_failed_page_keeps_the_other_pages_and_says_so(tmp_path: Path) -> None:
    wire = Wire(
        ok({"data": locations("a", "b"), "total": 5}), failed(500), ok({"data": locations("e"), "total": 5}), ok([])
    )
    fetched = await fetch(wire, tmp_path)
    assert [row.id for row in fetched.rows] == ["a", "b", "e"]
    assert not fetched.complete
    assert isinstance(fetched.error, ServerFault)
    assert [query["page"] for query in wire.queries[:3]] == ["1", "2", "3"]


async def test_a_fault_that_every_page_would_share_ends_the_list(tmp_path: Path) -> None:
    wire = Wire(ok({"data": locations("a", "b"), "total": 9}), failed(403))
    fetched = await fetch(wire, tmp_path)
    assert isinstance(fetched.error, Forbidden)
    assert ([row.id for row in fetched.rows], len(wire.requests)) == (["a", "b"], 2)


async def test_two_failed_pages_running_end_the_list(tmp_path: Path) -> None:
    wire = Wire(ok({"data": locations("a", "b"), "total": 90}), failed(500))
    assert not (await fetch(wire, tmp_path)).complete
    assert len(wire.requests) == 3


async def test_a_server_that_ignores_paging_and_gives_everything_is_understood(tmp_path: Path) -> None:
    fetched = await fetch(Wire(ok(locations(*"abcde"))), tmp_path)
    assert ([row.id for row in fetched.rows], fetched.complete) == (list("abcde"), True)


@pytest.mark.parametrize(
    "document",
    [
        locations("a", "b"),
        {"data": locations("a", "b"), "hasNextPage": True},
        {"data": locations("a", "b"), "nextPage": 1},
        {"data": [], "hasNextPage": True},
    ],
)
async def test_paging_that_goes_in_circles_ends_and_is_not_called_complete(tmp_path: Path, document: Any) -> None:
    wire = Wire(ok(document))
    fetched = await fetch(wire, tmp_path)
    assert isinstance(fetched.error, MalformedAnswer)
    assert len(wire.requests) <= 5


async def test_a_list_without_end_stops_at_the_contracts_bound(tmp_path: Path) -> None:
    numbers = iter(range(10_000))
    wire = Wire(lambda _: ok({"data": locations(str(next(numbers))), "hasNextPage": True}))
    fetched = await fetch(wire, tmp_path, TWO_A_PAGE + "[limits]\nmost_pages = 7\n")
    assert (len(fetched.rows), fetched.complete) == (7, False)
    assert "still goes on after 7 pages" in str(fetched.error)


async def test_malformed_rows_are_set_aside_and_count_towards_the_total(tmp_path: Path) -> None:
    rows = [*locations("a"), {"id": None, "name": "nameless"}, {"id": ["c"]}]
    wire = Wire(serve(rows, lambda page, _start, _end: {"data": page, "total": 3}))
    fetched = await fetch(wire, tmp_path)
    assert [row.id for row in fetched.rows] == ["a"]
    assert [(one.resource, one.key) for one in fetched.set_aside] == [("location", None), ("location", None)]
    assert 'id: ["c"] is no id' in fetched.set_aside[1].reason
    assert '"nameless"' in fetched.set_aside[0].row_json
    assert (fetched.complete, len(wire.requests)) == (True, 4)


def swept(world: set[int], changes: dict[int, set[int]], limit: int) -> Fetched[LocationReading]:
    """The sweep of a world in which, after each page, the numbers in `changes` come (at the front) or go."""
    contract = load_contract()
    sweep: Sweep[LocationReading] = Sweep(contract, contract.routes["locations"], {})
    asked = 0
    while sweep.query is not None:
        start = (int(sweep.query["page"]) - 1) * limit
        page = sorted(world, reverse=True)[start : start + limit]
        sweep.record_page(Page([{}] * len(page), len(world)), [LocationReading(str(one), "x") for one in page], [])
        world = world ^ changes.get(asked, set())
        asked += 1
        assert asked < 400
    return sweep.fetched(None)


@given(
    st.sets(st.integers(0, 60), max_size=25),
    st.lists(st.sets(st.integers(100, 130), max_size=3), max_size=5),
    st.integers(1, 6),
)
def test_rows_inserted_between_pages_never_cost_a_row(world: set[int], inserts: list[set[int]], limit: int) -> None:
    gone_before: set[int] = set()
    changes: dict[int, set[int]] = {}
    for when, numbers in enumerate(inserts):
        changes[when] = numbers - gone_before
        gone_before |= numbers
    fetched = swept(world, changes, limit)
    assert not fetched.complete or set(map(str, world)) <= {row.id for row in fetched.rows}


@given(
    st.sets(st.integers(0, 60), max_size=25),
    st.lists(st.integers(0, 60), max_size=4, unique=True),
    st.integers(1, 6),
)
def test_rows_deleted_between_pages_never_cost_another_row(world: set[int], gone: list[int], limit: int) -> None:
    changes = {when: {number} & world for when, number in enumerate(gone)}
    fetched = swept(world, changes, limit)
    assert not fetched.complete or set(map(str, world - set(gone))) <= {row.id for row in fetched.rows}
