"""Lists of the stand-in API: paging, filters, order, envelopes, and what is said about a wrong question."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.eosvolt.dialect import Dialect
from sandbox.recordings.replay import ReplaySource
from tests.sandbox.neutral import NOON, Hand, asking, replay


@pytest.fixture
def seven(tmp_path: Path) -> ReplaySource:
    """Seven chargers c1 to c7 at two locations; the third is Faulted, and changed last."""
    rows = [f"2025-10-01T11:0{n}:00Z,{'north' if n < 5 else 'south'},c{n},c{n}.1,status,Available" for n in range(1, 8)]
    rows.append("2025-10-01T11:30:00Z,,,c3.1,status,Faulted")
    rows.append("2025-10-01T11:40:00Z,,,c1.1,session_start,,S1")
    rows.append("2025-10-01T11:50:00Z,,,c1.1,session_end,,S1,5,2,EUR")
    rows.append("2025-10-01T11:55:00Z,,,c6.1,session_start,,S2")
    return replay(tmp_path, *rows)


async def ids(source: ReplaySource, path: str, **question: Any) -> list[str]:
    async with asking(source, Hand()) as client:
        params = {name.removesuffix("_"): value for name, value in question.items()}
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]


async def test_pages_by_number_cover_all_rows_once(seven: ReplaySource) -> None:
    seen: list[str] = []
    page = 1
    async with asking(seven, Hand()) as client:
        while page:
            answer = (await client.get("/v1/chargers", params={"page": page, "limit": 3})).json()
            assert (answer["total"], answer["hasNextPage"]) == (7, answer["nextPage"] is not None)
            seen += [row["id"] for row in answer["data"]]
            page = answer["nextPage"]
    assert seen == [f"c{n}" for n in range(1, 8)]


async def test_pages_by_offset_cover_all_rows_once(seven: ReplaySource) -> None:
    seen: list[str] = []
    more = True
    async with asking(seven, Hand()) as client:
        while more:
            answer = (await client.get("/v1/chargers", params={"offset": len(seen), "limit": 3})).json()
            more = answer["hasNextPage"]
            seen += [row["id"] for row in answer["data"]]
    assert seen == [f"c{n}" for n in range(1, 8)]


async def test_a_page_beyond_the_end_is_empty(seven: ReplaySource) -> None:
    assert await ids(seven, "/v1/chargers", page=9) == []
    assert await ids(seven, "/v1/chargers", offset=7) == []


async def test_chargers_are_filtered_by_status_location_and_connector(seven: ReplaySource) -> None:
    assert await ids(seven, "/v1/chargers", status="Faulted") == ["c3"]
    assert await ids(seven, "/v1/chargers", status="Faulted,Available", locationId="south") == ["c5", "c6", "c7"]
    assert await ids(seven, "/v1/chargers", connectorId="c4.1") == ["c4"]


async def test_updated_since_gives_what_changed_then_or_later_oldest_change_first(seven: ReplaySource) -> None:
    assert await ids(seven, "/v1/chargers", updatedSince="2025-10-01T11:06:00Z") == ["c6", "c7", "c3"]
    assert await ids(seven, "/v1/chargers", updatedSince="2025-10-01T13:30:00+02:00") == ["c3"]
    assert await ids(seven, "/v1/chargers", updatedSince="2025-10-01T11:30:00.001Z") == []
    assert await ids(seven, "/v1/chargers", updatedSince="2025-10-01T11:06:00Z", status="Available") == ["c6", "c7"]


async def test_sessions_of_a_window_are_those_that_went_on_in_it(seven: ReplaySource) -> None:
    assert await ids(seven, "/v1/sessions") == ["S1", "S2"]
    assert await ids(seven, "/v1/sessions", from_="2025-10-01T11:45:00Z", to="2025-10-01T11:46:00Z") == ["S1"]
    assert await ids(seven, "/v1/sessions", from_="2025-10-01T11:51:00Z") == ["S2"]
    assert await ids(seven, "/v1/sessions", to="2025-10-01T11:40:00Z") == []
    assert await ids(seven, "/v1/sessions", status="Active") == ["S2"]
    assert await ids(seven, "/v1/sessions", locationId="north") == ["S1"]
    assert await ids(seven, "/v1/sessions", connectorId="c6.1", chargerId="c6") == ["S2"]
    assert await ids(seven, "/v1/sessions", from_="2025-10-01T11:00:00Z", updatedSince="2025-10-01T11:52:00Z") == ["S2"]


async def test_rows_are_sorted_up_and_down_with_nulls_at_the_end_of_the_way_up(seven: ReplaySource) -> None:
    assert (await ids(seven, "/v1/chargers", sort="-id"))[:2] == ["c7", "c6"]
    assert (await ids(seven, "/v1/chargers", sort="-updatedAt"))[:2] == ["c3", "c7"]
    assert await ids(seven, "/v1/sessions", sort="energyKwh") == ["S1", "S2"]
    assert await ids(seven, "/v1/sessions", sort="-energyKwh") == ["S2", "S1"]


async def test_a_sweep_in_order_of_id_sees_what_came_and_went(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T11:00:00Z,,,b,status,Available", "2025-10-01T12:01:00Z,,,a,status,Available",
        "2025-10-01T12:02:00Z,,b,,removed,",
    )  # fmt: skip
    clock = Hand()
    seen = []
    async with asking(source, clock) as client:
        for _ in range(3):
            rows = (await client.get("/v1/chargers", params={"sort": "id", "limit": 10})).json()["data"]
            seen.append([row["id"] for row in rows])
            clock.after(minutes=1)
    assert seen == [["b"], ["a", "b"], ["a"]]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("page=0", "'page' must be a whole number from 1"),
        ("page=two", "'page'"),
        ("limit=0", "'limit'"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=99999999999999999999", "'limit'"),
        ("offset=-1", "'offset'"),
        ("page=1&offset=0", "not both"),
        ("sort=colour", "'sort' must be one of id"),
        ("updatedSince=yesterday", "'updatedSince' must be an ISO 8601 time"),
        ("updatedSince=2025-10-01T00:00:00", "with an offset"),
        ("state=Faulted", "Unknown parameter 'state'"),
        ("page=1&page=2", "given twice"),
    ],
)
async def test_a_wrong_question_is_400_and_says_what_is_wrong(seven: ReplaySource, question: str, words: str) -> None:
    async with asking(seven, Hand()) as client:
        answer = await client.get(f"/v1/chargers?{question}")
    assert answer.status_code == 400
    assert (answer.json()["success"], answer.json()["code"]) == (False, "invalid_parameter")
    assert words in answer.json()["message"]


async def test_a_window_that_ends_before_it_begins_is_400(seven: ReplaySource) -> None:
    async with asking(seven, Hand()) as client:
        answer = await client.get("/v1/sessions?from=2025-10-02T00:00:00Z&to=2025-10-01T00:00:00Z")
    assert answer.status_code == 400


@pytest.mark.parametrize("envelope", ["data", "items", "results"])
async def test_the_envelope_has_the_asked_name(seven: ReplaySource, envelope: Any) -> None:
    async with asking(seven, Hand(), dialect=Dialect(envelope=envelope, totals=False)) as client:
        answer = (await client.get("/v1/chargers")).json()
    assert list(answer) == [envelope]
    assert len(answer[envelope]) == 7


async def test_a_bare_list_has_no_envelope(seven: ReplaySource) -> None:
    async with asking(seven, Hand(), dialect=Dialect(envelope="bare")) as client:
        assert len((await client.get("/v1/chargers", params={"limit": 5})).json()) == 5


async def test_the_snake_dialect_names_fields_and_parameters_in_snake_case(seven: ReplaySource) -> None:
    async with asking(seven, Hand(), dialect=Dialect(naming="snake")) as client:
        answer = (await client.get("/v1/chargers", params={"location_id": "south", "limit": 1})).json()
        wrong = await client.get("/v1/chargers", params={"locationId": "south"})
    assert {"total", "has_next_page", "next_page"} <= set(answer)
    assert answer["data"][0]["location_id"] == "south"
    assert answer["data"][0]["connectors"][0]["status_changed_at"] == "2025-10-01T11:05:00Z"
    assert wrong.status_code == 400


async def test_a_dialect_renames_fields_and_gives_watts_and_epoch_milliseconds(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,,,A,power_kw,7.4")
    dialect = Dialect(times="epoch_ms", power="W", renames={"powerKw": "power", "updatedSince": "changedAfter"})
    async with asking(source, Hand(), dialect=dialect) as client:
        noon = round(NOON.timestamp() * 1000)
        (charger,) = (await client.get("/v1/chargers", params={"changedAfter": noon})).json()["data"]
        later = (await client.get("/v1/chargers", params={"changedAfter": noon + 1})).json()["data"]
    assert (charger["connectors"][0]["power"], charger["updatedAt"]) == (7400.0, noon)
    assert later == []


async def test_an_id_with_slashes_and_spaces_is_found_by_its_encoded_form(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,Gare du Nord/2,CP:1-A/B,CP:1-A/B/CCS,status,Available")
    async with asking(source, Hand()) as client:
        charger = await client.get("/v1/chargers/CP:1-A%2FB")
        location = await client.get("/v1/locations/Gare%20du%20Nord%2F2")
    assert charger.json()["connectors"][0]["id"] == "CP:1-A/B/CCS"
    assert location.json()["id"] == "Gare du Nord/2"


def test_what_changed_since_a_moment_is_right_after_very_many_changes(tmp_path: Path) -> None:
    rows = [f"2025-10-01T12:00:00Z,,,c{n},status,Available" for n in range(5)]
    source = replay(tmp_path, *rows)
    source.advance_to(NOON)
    world = source.world
    start_ms = round(NOON.timestamp() * 1000)
    for step in range(1, 20_001):
        world.set_connector(f"c{step % 5}", start_ms + step, powerKw=float(step))
    assert [row.id for row in world.chargers.changed_since(start_ms + 19_998)] == ["c3", "c4", "c0"]
    assert len(world.chargers.changed_since(0)) == 5


async def test_an_unchanged_list_answers_304_to_its_etag(seven: ReplaySource) -> None:
    clock = Hand(NOON - timedelta(minutes=20))
    async with asking(seven, clock, etags=True) as client:
        etag = (await client.get("/v1/sessions")).headers["etag"]
        again = await client.get("/v1/sessions", headers={"If-None-Match": etag})
        clock.after(minutes=10)
        changed = await client.get("/v1/sessions", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, changed.status_code) == (304, b"", 200)
