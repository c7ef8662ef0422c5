"""Whatever the other side sends: a reading or a typed error, never another traceback, never an endless wait."""

import gzip
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosvolt.answers import AnswerReader
from eosvolt.contract import load_contract
from eosvolt.errors import EosvoltError, MalformedAnswer
from tests.eosvolt.wire import Answer, Wire, charger, client_of, ok, session

HTML = "<!doctype html><html><body>Please sign in</body></html>"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NAMED = charger("1", name="Ærø Øst")


def raw(content: bytes, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, content=content, headers={"content-type": "application/json", **named})


def undecoded(content: bytes) -> Answer:
    """An answer that says gzip and comes as given, to be decoded by the client."""
    return lambda _: httpx.Response(200, stream=httpx.ByteStream(content), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html=HTML),
        raw(HTML.encode()),
        raw(b'{"data": [{"id": "1", "locat'),
        raw(b""),
        raw(b"   "),
        raw(b"null"),
        raw(b"true"),
        raw(b"42"),
        raw(b'"text"'),
        raw(b"{}"),
        raw(b'{"data": null}'),
        raw(b'{"data": {"name": "1"}}'),
        raw(b'{"rows": []}'),
        raw(b'{"success": true}'),
        raw(b"\xff\xfe\x00"),
        raw(b"[" * 100_000),
        raw(b"1" * 5000),
        undecoded(b"this is no gzip"),
        undecoded(gzip.compress(b"[]" * 999)[:-9]),
        undecoded(gzip.compress(b"[]")[:-1]),
        undecoded(b""),
        httpx.Response(302, headers={"location": "https://stranger.example.net/"}),
        httpx.Response(304),
    ],
)
async def test_an_answer_of_another_kind_is_a_malformed_answer(answer: Answer) -> None:
    wire = Wire(answer)
    async with client_of(wire, attempts=3) as client:
        fetched = await client.fetch_chargers()
        with pytest.raises(MalformedAnswer):
            await client.fetch_charger("1")
        with pytest.raises(MalformedAnswer):
            await client.fetch_price("l1")
        with pytest.raises(MalformedAnswer):
            await client.fetch_report(NOW, NOW)
    assert isinstance(fetched.error, MalformedAnswer)
    assert "\n" not in str(fetched.error)
    assert (fetched.complete, fetched.rows) == (False, ())
    assert {request.url.host for request in wire.requests} == {"api.example.com"}


@pytest.mark.parametrize(
    "answer",
    [
        raw(json.dumps([NAMED], ensure_ascii=False).encode()),
        raw(json.dumps([NAMED], ensure_ascii=False).encode("utf-8-sig")),
        raw(json.dumps([NAMED], ensure_ascii=False).encode(), content_type="application/json; charset=iso-8859-1"),
        raw(json.dumps([NAMED], ensure_ascii=False).encode("latin-1"), content_type="text/plain; charset=ISO-8859-1"),
        undecoded(gzip.compress(json.dumps([NAMED]).encode())),
    ],
    ids=["utf-8", "byte order mark", "wrong charset declared", "latin-1 declared", "gzip"],
)
async def test_what_can_be_read_is_read(answer: Answer) -> None:
    async with client_of(Wire(answer)) as client:
        assert [row.name for row in (await client.fetch_chargers()).rows] == ["Ærø Øst"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/json; charset=x"]
)
async def test_one_bad_byte_in_a_name_costs_one_character_of_that_name(content_type: str) -> None:
    rows = [charger("1"), charger("2", name="Caf#")]
    body = json.dumps({"data": rows, "total": 2}).encode().replace(b"#", b"\xe9")
    async with client_of(Wire(raw(body, content_type=content_type))) as client:
        fetched = await client.fetch_chargers()
    assert [(row.id, row.name) for row in fetched.rows] == [("1", "Charger 1"), ("2", "Caf\ufffd")]
    assert (fetched.complete, fetched.set_aside, fetched.cleaned) == (True, (), 1)


async def test_a_bad_byte_in_an_id_makes_no_other_thing_of_it() -> None:
    body = b'[{"id": "\xe6", "locationId": "l1"}, {"id": "\xf8", "locationId": "l2"}]'
    async with client_of(Wire(raw(body))) as client:
        fetched = await client.fetch_chargers()
    assert fetched.rows == ()
    assert [one.field for one in fetched.set_aside] == ["id", "id"]


async def test_a_gzip_that_is_cut_off_is_told_as_such() -> None:
    for content in (gzip.compress(json.dumps([NAMED] * 50).encode())[:-30], gzip.compress(b"[]")[:11]):
        async with client_of(Wire(undecoded(content))) as client:
            error = (await client.fetch_chargers()).error
        assert isinstance(error, MalformedAnswer)
        assert f"its gzip is cut off after {len(content)} bytes" in str(error)


async def test_an_empty_answer_is_told_in_words() -> None:
    async with client_of(Wire(raw(b""))) as client:
        assert "but nothing" in str((await client.fetch_chargers()).error)


async def test_text_that_no_database_stores_is_replaced() -> None:
    row = json.dumps(charger("1", name="NAME", odd={"KEY": ["NAME"]})).replace("NAME", r"a\u0000b\ud83d\ude00\ud800")
    async with client_of(Wire(raw(f"[{row}]".encode()))) as client:
        (reading,) = (await client.fetch_chargers()).rows
    assert reading.name == "a\ufffdb\U0001f600\ufffd"
    assert reading.extra == {"odd": {"KEY": ["a\ufffdb\U0001f600\ufffd"]}}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_are_none_are_unknown(number: str) -> None:
    row = json.dumps(charger("1", heartbeatIntervalSeconds=5)).replace(": 5,", f": {number},")
    async with client_of(Wire(raw(f"[{row}]".encode()))) as client:
        fetched = await client.fetch_chargers()
    assert [(row.id, row.heartbeat_interval_seconds) for row in fetched.rows] == [("1", None)]
    assert [one.field for one in fetched.unread] == ["heartbeatIntervalSeconds"]


async def test_a_huge_answer_ends_at_the_contracts_bound(tmp_path: Path) -> None:
    bomb = undecoded(gzip.compress(b"[" + b" " * 3_000_000 + b"]"))
    async with client_of(Wire(bomb), "[limits]\nmost_answer_bytes = 1000000\n", tmp_path=tmp_path) as client:
        error = (await client.fetch_chargers()).error
    assert isinstance(error, MalformedAnswer)
    assert "more than 1000000 bytes" in str(error)


async def test_a_huge_row_is_set_aside_shortened_and_still_json() -> None:
    async with client_of(Wire(ok([{"id": 5.5, "junk": "x" * 100_000}]))) as client:
        (aside,) = (await client.fetch_chargers()).set_aside
    assert len(aside.row_json) < 25_000
    assert json.loads(aside.row_json)


@pytest.mark.parametrize("depth", [200, 900, 940, 960, 980, 5000])
async def test_deep_nesting_is_set_aside_or_malformed(depth: int) -> None:
    async with client_of(Wire(raw(b"[" * depth + b"]" * depth))) as client:
        fetched = await client.fetch_chargers()
    assert len(fetched.set_aside) == 1 or isinstance(fetched.error, MalformedAnswer)


PRICE = {"locationId": "l1", "unit": "kWh", "default": 0.5, "blocks": [{"from": "07:00", "to": "24:00", "price": 1}]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"default": "cheap"}, "default"),
        ({"default": True}, "default"),
        ({"default": 1e300}, "default"),
        ({"blocks": "none"}, "blocks"),
        ({"blocks": ["07:00"]}, "no object"),
        ({"blocks": [{"from": "25:00", "to": "26:00", "price": 1}]}, "from"),
        ({"blocks": [{"from": "07:00", "to": None, "price": 1}]}, "to"),
        ({"blocks": [{"from": "07:00", "to": "08:00"}]}, "price"),
        ({"blockingFeeIntervalMinutes": [30]}, "blockingFeeIntervalMinutes"),
        ({"updatedAt": "yesterday"}, "updatedAt"),
    ],
)
async def test_prices_that_make_no_sense_are_malformed_and_say_where(changes: Any, field: str) -> None:
    async with client_of(Wire(ok(PRICE | changes))) as client:
        with pytest.raises(MalformedAnswer) as caught:
            await client.fetch_price("l1")
    assert field in str(caught.value)


async def test_a_price_in_minor_units_is_read_and_sent_in_major_ones(tmp_path: Path) -> None:
    contract = """[fields.pricing]
default = { names = ["default"], unit = "minor" }
[fields.price_block]
price = { names = ["price"], unit = "minor" }
"""
    wire = Wire(ok(PRICE), ok({"success": True}))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        shown = await client.fetch_price("l1")
        await client.post_price("l1", default=0.29, blocks=shown.blocks)
    assert (shown.default, shown.blocks[0].price) == (0.005, 0.01)
    assert json.loads(wire.requests[1].content) == {
        "default": 29.0,
        "blocks": [{"from": "07:00", "to": "24:00", "price": 1.0}],
    }


@pytest.mark.parametrize(
    ("field", "given", "ours"),
    [
        ("sessionCount", "many", "sessions"),
        ("revenueByCurrency", [1], "revenues"),
        ("utilisation", "NaN", "utilisation"),
        ("utilisation", -0.278, "utilisation"),
        ("uptime", -1, "uptime"),
    ],
)
async def test_a_figure_of_a_report_that_makes_no_sense_is_not_told_alone(field: str, given: Any, ours: str) -> None:
    async with client_of(Wire(ok({"sessionCount": 1, "consumptionKwh": 2, field: given}))) as client:
        report = await client.fetch_report(NOW, NOW)
    assert not getattr(report, ours)
    assert report.energy_kwh == 2.0


async def test_an_export_sets_aside_what_it_cannot_read_and_keeps_the_rest() -> None:
    rows = [session("s1"), 7, session("s2", startedAt="soon"), session("s3", energyKwh="1e999")]
    async with client_of(Wire(ok({"id": "e1", "status": "Ready", "sessions": rows}))) as client:
        export = await client.fetch_export("e1")
    assert [(row.id, row.energy_kwh is None) for row in export.sessions] == [("s1", False), ("s3", True)]
    assert [one.key for one in export.set_aside] == [None, "s2"]


@pytest.mark.parametrize("total", [-1, "many", None, 2.5, [], True, 10**30])
async def test_a_total_that_is_none_is_not_believed(total: Any) -> None:
    wire = Wire(lambda request: ok({"data": [charger("1")] * (request.url.params["page"] == "1"), "total": total}))
    async with client_of(wire) as client:
        fetched = await client.fetch_chargers()
    assert [row.id for row in fetched.rows] == ["1"]
    assert len(wire.requests) <= 6


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("body", [HTML.encode(), b"", b"[]", b'{"code": 7, "message": ["x"]}', b"\xff" * 9, b"{"])
async def test_an_error_body_of_any_kind_keeps_the_type_of_its_status(status: int, body: bytes) -> None:
    async with client_of(Wire(raw(body, status))) as client:
        error = (await client.fetch_chargers()).error
    assert error is not None
    assert error.status == status
    assert not isinstance(error, MalformedAnswer)


@given(st.binary(max_size=60), st.sampled_from([200, 204, 302, 400, 429, 500]), st.text(max_size=12))
def test_any_bytes_are_a_document_or_an_eosvolt_error(body: bytes, status: int, header: str) -> None:
    reader = AnswerReader(load_contract(), lambda text: text)
    response = httpx.Response(status, headers=[(b"content-type", header.encode()), (b"retry-after", header.encode())])
    with suppress(EosvoltError):
        assert isinstance(reader.page(reader.document(response, body, "GET /x", NOW), "GET /x").rows, list)
