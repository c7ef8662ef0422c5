"""Laws of paging, in every manner of the stand-in: a list is whole, or it is told; nothing is lost or comes twice.

While the client pages, rows are inserted, removed, moved and exchanged; and accounts cap, empty, shuffle and repeat
pages. Whatever was there from the first page to the last is in the answer, or the answer says that it is not whole.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eosvolt.answers import AnswerReader
from eosvolt.contract import Contract, load_contract
from eosvolt.errors import NotFound
from eosvolt.lists.paging import Sweep
from eosvolt.lists.passes import ListMemory
from eosvolt.models import Fetched, LocationReading
from sandbox.eosvolt.pages import Manner, cut

MANNERS: dict[str, Manner] = {
    "page, total": Manner(tells=frozenset({"total"})),
    "page, hasNextPage": Manner(tells=frozenset({"has_next"}), names={"has_next": "hasNextPage"}),
    "page, nothing told": Manner(tells=frozenset()),
    "page from 0, total": Manner(tells=frozenset({"total"}), first=0),
    "page from 0, nothing told": Manner(tells=frozenset(), first=0),
    "page, last_page": Manner(tells=frozenset({"last_page"})),
    "page, meta with totalPages": Manner(
        tells=frozenset({"last_page"}), under="meta", names={"last_page": "totalPages"}
    ),
    "page, links.next": Manner(tells=frozenset({"next_address"}), under="links", names={"next_address": "next"}),
    "page, next page's number": Manner(tells=frozenset({"next_page"}), names={"next_page": "nextPage"}),
    "page, the size told": Manner(tells=frozenset({"limit", "total"})),
    "page, 404 behind the last": Manner(tells=frozenset(), beyond="not_found"),
    "page, total, 404 behind the last": Manner(tells=frozenset({"total"}), beyond="not_found"),
    "offset, total": Manner("offset", frozenset({"total"}), first=0),
    "offset, nothing told": Manner("offset", frozenset(), first=0),
    "offset from 1, total": Manner("offset", frozenset({"total"}), first=1),
    "offset, X-Total-Count": Manner("offset", frozenset({"total_header", "limit_header"}), first=0),
    "offset, 404 behind the last": Manner("offset", frozenset(), first=0, beyond="not_found"),
    "cursor": Manner("cursor", frozenset({"next_page"}), names={"next_page": "nextCursor"}),
    "cursor, total": Manner("cursor", frozenset({"next_page", "total"}), names={"next_page": "nextCursor"}),
    "Link": Manner("link", frozenset()),
    "Link, X-Total-Count": Manner("link", frozenset({"total_header", "limit_header"})),
    "everything at once": Manner("everything", frozenset()),
}
by_manner = pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS.keys())
Change = Callable[[list[str]], None]


def contract_for(manner: Manner, limit: int) -> Contract:
    """The contract that names this manner rightly."""
    contract = load_contract()
    style = "none" if manner.style == "everything" else manner.style
    route = contract.routes["locations"]
    paging = replace(route.paging, style=style)
    if style in {"page", "offset"}:
        paging = replace(paging, first_page=manner.first, first_offset=manner.first)
    return replace(contract, routes={**contract.routes, "locations": replace(route, limit=limit, paging=paging)})


def swept(
    rows: list[str],
    manner: Manner,
    contract: Contract,
    changes: Iterator[Change] | None = None,
    memory: ListMemory | None = None,
) -> tuple[Fetched[LocationReading], set[str]]:
    """What a sweep brings while `rows` change after each answer; and the rows that were there all the while."""
    reader = AnswerReader(contract, lambda text: text)
    memory = ListMemory() if memory is None else memory
    sweep: Sweep[LocationReading] = Sweep(contract, contract.routes["locations"], {}, memory, exacting=True)
    throughout = set(rows)
    for asked in count():
        assert asked < 2_000
        if sweep.query is None:
            return sweep.fetched(None), throughout
        page = cut(rows, sweep.query, manner)
        if not page.found:
            sweep.record_failure(NotFound(status=404))
        else:
            told = reader.page({"data": page.rows, **page.beside}, "GET /v1/locations", page.headers)
            sweep.record_page(told, [LocationReading(one, one) for one in page.rows], [])
        throughout &= set(rows)
        change = next(changes, None) if changes is not None and asked else None
        if change is not None:
            change(rows)
            throughout &= set(rows)
    raise AssertionError("a sweep ends")


def is_right(fetched: Fetched[LocationReading], throughout: set[str]) -> bool:
    """Whether everything came once, or it is told that it did not."""
    ids = [row.id for row in fetched.rows]
    assert len(ids) == len(set(ids))
    return throughout <= set(ids) or not fetched.complete or bool(fetched.shortfall)


@by_manner
@pytest.mark.parametrize("rows", [0, 1, 4, 5, 6, 23, 25])
def test_a_list_that_stays_as_it_is_comes_whole_and_nothing_is_told(manner: Manner, rows: int) -> None:
    contract, memory = contract_for(manner, 5), ListMemory()
    for _ in range(3):  # with an empty memory, and with what was learnt
        fetched, everything = swept([f"row {n}" for n in range(rows)], manner, contract, memory=memory)
        assert {row.id for row in fetched.rows} == everything
        unsaid = manner == Manner("link", frozenset()) and rows == contract.routes["locations"].limit
        # one full page without a Link header: nothing tells that it is the last one
        assert (fetched.complete, bool(fetched.shortfall)) == (True, unsaid)


def inserting(place: int, name: str) -> Change:
    return lambda rows: rows.insert(place % (len(rows) + 1), name)


def removing(place: int) -> Change:
    def change(rows: list[str]) -> None:
        if rows:
            del rows[place % len(rows)]

    return change


def moving(place: int, to: int) -> Change:
    def change(rows: list[str]) -> None:
        if rows:
            row = rows.pop(place % len(rows))
            rows.insert(to % (len(rows) + 1), row)

    return change


def both(first: Change, second: Change) -> Change:
    def change(rows: list[str]) -> None:
        first(rows)
        second(rows)

    return change


places = st.integers(0, 40)
one_change: st.SearchStrategy[Change | None] = st.one_of(
    st.none(),
    st.builds(inserting, places, st.integers(0, 10**6).map("new {}".format)),
    st.builds(removing, places),
    st.builds(moving, places, places),
    # a row that comes as another one goes: no total tells of it
    st.builds(
        both, st.builds(inserting, places, st.integers(0, 10**6).map("new {}".format)), st.builds(removing, places)
    ),
)


@by_manner
@settings(max_examples=25, deadline=None)
@given(size=st.integers(0, 25), changes=st.lists(one_change, max_size=12), limit=st.integers(1, 7), knows=st.booleans())
def test_rows_that_come_go_and_move_while_paging_cost_no_other_row(
    manner: Manner, size: int, changes: list[Change | None], limit: int, knows: bool
) -> None:
    contract, rows, memory = contract_for(manner, limit), [f"row {n}" for n in range(size)], ListMemory()
    if knows:
        swept(list(rows), manner, contract, memory=memory)
    fetched, throughout = swept(
        rows, manner, contract, iter([change or (lambda _: None) for change in changes]), memory
    )
    assert is_right(fetched, throughout)


def test_a_pass_in_which_a_row_came_twice_is_no_witness_for_the_next_one() -> None:
    # 0 moves behind the others and back, so that 6 slips away; then 0 goes, and 6 slips away once more
    changes = [moving(0, 6), lambda _: None, moving(6, 0), lambda _: None, removing(0)]
    manner = MANNERS["page, meta with totalPages"]
    fetched, throughout = swept([f"row {n}" for n in range(7)], manner, contract_for(manner, 3), iter(changes))
    assert is_right(fetched, throughout)


FAULTS: dict[str, Callable[[Manner], Manner]] = {
    "fewer a page than asked for": lambda manner: replace(manner, most=3),
    "an empty page in the middle": lambda manner: replace(manner, holes=frozenset({1})),
    "another order at each question": lambda manner: replace(manner, shuffled=7),
    "a total that is never reached": lambda manner: replace(manner, short_by=4),
    "each page begins with the last row of the one before": lambda manner: replace(manner, doubled=True),
    "counted from 0 where the contract says 1": lambda manner: replace(manner, first=0) if manner.first else manner,
}


@by_manner
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("rows", [3, 5, 12, 23, 60])
def test_pages_removed_capped_or_shuffled_bring_the_whole_fleet_or_a_trouble(
    manner: Manner, fault: Callable[[Manner], Manner], rows: int
) -> None:
    contract, memory = contract_for(manner, 5), ListMemory()
    for _ in range(2):
        fetched, everything = swept([f"row {n}" for n in range(rows)], fault(manner), contract, memory=memory)
        assert is_right(fetched, everything)


@by_manner
@pytest.mark.parametrize("rows", [3, 5, 12, 23])
def test_an_order_that_is_another_one_each_time_is_seen_through_or_told(manner: Manner, rows: int) -> None:
    order = random.Random(3)
    contract = contract_for(manner, 5)
    fetched, everything = swept([f"row {n}" for n in range(rows)], manner, contract, repeat(order.shuffle))
    assert is_right(fetched, everything)


def test_empty_pages_may_be_an_accounts_way() -> None:
    manner = Manner("cursor", frozenset({"next_page"}), names={"next_page": "next"}, holes=frozenset({1}))
    contract = contract_for(manner, 5)
    route = contract.routes["locations"]
    known = replace(route, paging=replace(route.paging, empty_pages=True))
    rows = [f"row {n}" for n in range(12)]
    told, _ = swept(rows, manner, contract)
    assert "an empty page among the others (paging.empty_pages = true" in told.shortfall
    quiet, _ = swept(rows, manner, replace(contract, routes={"locations": known}))
    assert (quiet.complete, quiet.shortfall) == (True, "")
