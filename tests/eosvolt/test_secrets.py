"""The token is in the Authorization header and nowhere else: no error, repr, log, answer or kept row shows it."""

import json
import logging
import traceback
from pathlib import Path

import httpx
import pytest

from eosvolt import errors
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from tests.eosvolt.wire import TOKEN, Answer, Wire, charger, client_of, failed, ok, session

ECHOES: list[Answer] = [
    failed(401, f"bad_{TOKEN}", f"The token {TOKEN} has expired."),
    failed(400, "x", f"Header 'Authorization: Bearer {TOKEN}' is wrong"),
    failed(500, "x", TOKEN),
    failed(200, TOKEN, TOKEN),
    httpx.Response(200, html=f"<p>{TOKEN}</p>"),
    ok({TOKEN: 1}),
    ok([charger("1", updatedAt=TOKEN), charger("2", connectors=[{"id": [TOKEN]}])]),
    *(httpx.Response(200, text=f"{'x' * length}{TOKEN}") for length in (60, 70, 75)),
    *(ok([charger("1", updatedAt=f"{'x' * length}{TOKEN}")]) for length in (40, 50, 200, 220, 19_970)),
    *(failed(400, f"{'x' * length}{TOKEN}", f"{'x' * length}{TOKEN}") for length in (70, 230)),
    httpx.ConnectError(f"cannot send Bearer {TOKEN}"),
    httpx.ReadTimeout(TOKEN),
    httpx.RemoteProtocolError(f"Illegal header value b'Bearer {TOKEN}'"),
    httpx.DecodingError(TOKEN),
]


@pytest.mark.parametrize("answer", ECHOES)
async def test_no_error_row_or_log_shows_the_token(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wire = Wire(answer)
    async with client_of(wire) as client:
        fetched = await client.fetch_chargers()
        with pytest.raises(errors.EosvoltError) as caught:
            await client.post_session_start("1.1")
    assert wire.tokens == [f"Bearer {TOKEN}"] * len(wire.tokens)
    trace = "".join(traceback.format_exception(caught.value))
    shown = [str(caught.value), repr(caught.value), trace, repr(caught.value.__dict__), repr(fetched.set_aside)]
    shown += [str(fetched.error), repr(fetched.error), caplog.text]
    assert not [text for text in shown if TOKEN[:8] in text]


async def test_a_token_that_was_replaced_stays_hidden(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-secret-token")
    source = TokenSource.from_file(path)
    path.write_text("new-secret-token")
    async with client_of(
        Wire(failed(401), failed(400, "x", "old-secret-token, new-secret-token")), token=source
    ) as client:
        error = (await client.fetch_chargers()).error
    assert error is not None
    assert error.message == "[token], [token]"


def test_neither_client_nor_token_source_shows_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    assert repr(TokenSource.from_text(TOKEN)) == "TokenSource(EOSVOLT_TOKEN)"
    assert repr(TokenSource.from_file(path)) == f"TokenSource(the file {path})"


@pytest.mark.parametrize("text", ["", "  \n", "two tokens", "line\nbreak", "null\0byte", "tøken"])
def test_what_is_no_token_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.TokenUnusable) as from_text:
        TokenSource.from_text(text)
    with pytest.raises(errors.TokenUnusable) as from_file:
        TokenSource.from_file(path)
    for error in (from_text.value, from_file.value):
        assert error.did_not_run
        assert not text.strip() or text.strip() not in str(error)


def test_a_token_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.TokenUnusable, match="absent cannot be read: No such file"):
        TokenSource.from_file(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.TokenUnusable, match="binary cannot be read: not text"):
        TokenSource.from_file(tmp_path / "binary")


async def test_no_id_tag_is_kept_in_a_row_set_aside() -> None:
    rows = [session("s1", connectorId=None, idTag="04A1B2C3"), session("s2", idTag=["04A1B2C3"])]
    async with client_of(Wire(ok(rows))) as client:
        fetched = await client.fetch_sessions()
    assert [aside.key for aside in fetched.set_aside] == ["s1"]
    assert "04A1B2C3" not in repr(fetched)
    assert {json.loads(aside.row_json)["idTag"] for aside in fetched.set_aside} == {"[id tag]"}
    assert [(one.field, one.reason) for one in fetched.unread] == [("idTag", "idTag: is no text")]


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.eosvolt.com",
        "ftp://api.eosvolt.com",
        "https://user:pass@api.eosvolt.com",
        "https://a.b/?key=1",
        "https://",
    ],
)
def test_a_base_url_that_would_misdirect_the_token_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="EOSVOLT_BASE_URL must") as caught:
        EosvoltClient(base_url, TokenSource.from_text(TOKEN), load_contract())
    assert "pass@" not in str(caught.value)


async def test_a_path_in_the_base_url_is_kept() -> None:
    wire = Wire(ok([]))
    source = TokenSource.from_text(TOKEN)
    async with EosvoltClient(
        "https://gate.example.com/eosvolt/", source, load_contract(), transport=wire.transport
    ) as client:
        await client.fetch_locations()
    assert wire.requests[0].url.path == "/eosvolt/v1/locations"


def test_an_error_is_one_sentence_with_its_mend_and_no_line_breaks() -> None:
    error = errors.NotFound("No such\ncharger\x1b[31m.", request="GET /v1/chargers/9", status=404, code="not_found")
    assert str(error) == (
        "GET /v1/chargers/9: EOSVOLT knows no such thing (404 not_found: No such charger [31m); "
        "check the id, or correct the route in the contract file (CHARGEHAND_CONTRACT)."
    )
    assert len(str(errors.ServerFault("x" * 5000))) < 500
