"""What is held of a long list: each word once, one page of its JSON at a time; of answers and ids a bounded part."""

import gc
from typing import Any

import httpx
import pytest

from eosvolt import exchange
from eosvolt.contract import load_contract
from eosvolt.converters import in_common, to_text
from eosvolt.models import ChargerReading
from eosvolt.readings import Reader
from eosvolt.terms import identities
from tests.eosvolt.wire import Wire, charger, client_of, connector, ok

A_PAGE, PAGES = 20, 12


def large_page(number: int) -> list[dict[str, Any]]:
    first = number * A_PAGE
    rows = [charger(str(one), connectors=[connector(f"{one}.1")], page=number) for one in range(first, first + A_PAGE)]
    return [{**row, "vendor": f"Vendor {number}"} for row in rows]


def documents_alive() -> int:
    """How many pages have rows of JSON that somebody holds."""
    rows = [
        one for one in gc.get_objects() if type(one) is dict and "page" in one and "heartbeatIntervalSeconds" in one
    ]
    return len({row["page"] for row in rows})


async def test_while_a_list_of_many_pages_is_read_hardly_more_than_one_page_of_its_json_is_alive() -> None:
    alive: list[int] = []
    gc.freeze()  # what is there already is no row of these, and takes long to look through

    def page(request: httpx.Request) -> httpx.Response:
        alive.append(documents_alive())
        number = int(request.url.params["page"]) - 1
        return ok({"data": large_page(number), "total": A_PAGE * PAGES})

    async with client_of(Wire(page)) as client:
        fetched = await client.fetch_chargers()
    assert (len(fetched.rows), fetched.complete) == (A_PAGE * PAGES, True)
    assert len(alive) == 2 * PAGES  # the first list of everything is walked twice
    assert max(alive) == 1


def test_what_many_rows_have_in_common_is_held_once() -> None:
    reader = Reader(load_contract(), lambda text: text)

    def read(charger_id: str) -> ChargerReading:
        plug = connector(
            f"{charger_id}.1", status="Faul" + "ted", powerKw=float("7.25"), vendorErrorCode="".join("E12")
        )
        row = charger(charger_id, vendor="".join(["V", "1"]), firmware="".join(["1", ".2"]), connectors=[plug])
        return reader.charger(row, [])

    one, other = read("1"), read("2")
    for name in ("vendor", "model", "firmware", "last_heartbeat", "extra"):
        assert getattr(one, name) is getattr(other, name), name
    for name in ("status", "status_raw", "error_code", "vendor_error_code", "power_kw", "type", "unread"):
        assert getattr(one.connectors[0], name) is getattr(other.connectors[0], name), name


def test_what_is_remembered_of_values_is_bounded_and_a_truth_is_no_number() -> None:
    made: list[Any] = []

    def note(value: Any) -> Any:
        made.append(value)
        return to_text(value)

    convert = in_common(note)
    for _ in range(2):
        convert("short"), convert("long" * 50)
    assert made == ["short", "long" * 50, "long" * 50]
    for number in range(1_000):
        convert(f"word {number}")
    made.clear()
    convert("short")
    assert made == ["short"]
    reading = Reader(load_contract(), lambda text: text)
    aside: list[Any] = []
    for power in (1.0, True):
        read = reading.charger(charger("1", connectors=[connector("1.1", powerKw=power)]), aside)
    assert (read.connectors[0].power_kw, [one.name for one in aside]) == (None, ["power_kw"])


async def test_no_more_is_kept_of_answers_with_an_etag_than_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        if request.headers.get("if-none-match") is not None:
            return httpx.Response(304)
        row = {"id": str(number), "name": "x" * 600}
        return ok({"data": [row], "total": 9}, etag=f'"{number}"')

    async def asked_again(bound: int) -> list[str]:
        monkeypatch.setattr(exchange, "MOST_KEPT_TOGETHER", bound)
        wire = Wire(page)
        async with client_of(wire) as client:
            assert [len((await client.fetch_locations()).rows) for _ in range(2)] == [9, 9]
        return [one.url.params["page"] for one in wire.requests[-9:] if "if-none-match" in one.headers]

    assert await asked_again(10_000) == [str(number) for number in range(1, 10)]
    assert await asked_again(3_000) == []  # the oldest went as the newest came


def test_of_very_many_ids_the_latest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "_MOST_LEARNT", 100)
    known = identities.Identities(load_contract())
    for number in range(1_000):
        known.learn_charger(str(number), f"l{number}", (f"{number}.1",))
    words = [known.words_of_connector(f"{number}.1") for number in (0, 800, 950, 999)]
    assert ["charger_id" in word for word in words] == [False, False, True, True]
    assert words[-1] == {"connector_id": "999.1", "charger_id": "999", "location_id": "l999"}


def test_numbers_that_are_equal_and_written_differently_stay_apart() -> None:
    """An account may write a firmware as 1.0 in one row and as 1 in the next."""
    reader = Reader(load_contract(), lambda text: text)

    def firmware_of(*given: Any) -> list[str | None]:
        return [reader.charger(charger("1", firmware=one, connectors=[]), []).firmware for one in given]

    assert firmware_of(1.0, 1, 2, 2.0) == firmware_of("1.0", "1", "2", "2.0") == ["1.0", "1", "2", "2.0"]
