"""Commands: sent once, repeated only after a 401, and honest about whether they ran."""

import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from eosvolt import errors
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from tests.eosvolt.wire import TOKEN, Wire, client_of, failed, ok, session

LOST = [
    httpx.ReadTimeout("late"),
    httpx.WriteTimeout("late"),
    httpx.ReadError("cut"),
    httpx.WriteError("cut"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
]


async def start_fails(wire: Wire, **options: Any) -> errors.EosvoltError:
    async with client_of(wire, attempts=5, **options) as client:
        with pytest.raises(errors.EosvoltError) as caught:
            await client.post_session_start("242.2.1")
    return caught.value


async def test_a_session_is_started_with_the_contracts_names() -> None:
    wire = Wire(ok({"data": session("s9", status="Pending")}), ok(session("s10")))
    async with client_of(wire) as client:
        started = await client.post_session_start("242.2.1", id_tag="04A1")
        await client.post_session_start("242.2.1")
    assert started is not None
    assert (started.id, started.status) == ("s9", "Pending")
    request = wire.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/sessions/start")
    assert request.headers["content-type"] == "application/json"
    assert [json.loads(sent.content) for sent in wire.requests] == [
        {"connectorId": "242.2.1", "idTag": "04A1"},
        {"connectorId": "242.2.1"},
    ]


@pytest.mark.parametrize(
    ("answer", "stopped"),
    [
        (ok(session("s9", status="Completed")), "Completed"),
        (ok({"success": True, "data": session("s9", status="Completed")}), "Completed"),
        (ok({"success": True}), None),
        (httpx.Response(204), None),
        (ok([]), None),
    ],
    ids=["bare", "data", "no session", "empty", "array"],
)
async def test_a_session_is_stopped_whatever_the_good_answer_holds(answer: httpx.Response, stopped: str | None) -> None:
    wire = Wire(answer)
    async with client_of(wire) as client:
        reading = await client.post_session_stop("s9")
    assert (reading and reading.status) == stopped
    assert json.loads(wire.requests[0].content) == {"sessionId": "s9"}


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
async def test_after_a_time_out_or_a_cut_connection_a_command_is_never_repeated(fault: Exception) -> None:
    wire = Wire(fault, ok(session("s9")))
    error = await start_fails(wire)
    assert len(wire.requests) == 1
    assert (error.did_not_run, error.refused) == (False, False)
    assert isinstance(error, errors.Timeout if isinstance(fault, httpx.TimeoutException) else errors.Unreachable)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 302])
async def test_a_fault_of_the_server_leaves_the_outcome_unknown(status: int) -> None:
    wire = Wire(failed(status, retry_after="1"), ok(session("s9")))
    error = await start_fails(wire)
    assert (len(wire.requests), error.did_not_run, error.refused) == (1, False, False)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, text="<html>ok</html>"), ok({"success": True}), ok([]), httpx.Response(200)],
    ids=["html", "no session", "array", "empty"],
)
async def test_a_good_answer_that_cannot_be_read_leaves_the_outcome_unknown(answer: httpx.Response) -> None:
    wire = Wire(answer)
    error = await start_fails(wire)
    assert isinstance(error, errors.MalformedAnswer)
    assert (len(wire.requests), error.did_not_run, error.refused) == (1, False, False)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("no route"),
        failed(401),
        failed(429, retry_after="3"),
    ],
    ids=["refused", "no connection", "401", "429"],
)
async def test_what_provably_did_not_run_is_said_and_not_repeated_here(answer: httpx.Response | Exception) -> None:
    wire = Wire(answer)
    error = await start_fails(wire)
    assert (len(wire.requests), error.did_not_run) == (1, True)


async def test_a_connection_that_is_really_refused_did_not_run() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and it refuses
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with EosvoltClient(address, TokenSource.from_text(TOKEN), load_contract()) as client:
            with pytest.raises(errors.Unreachable) as caught:
                await client.post_session_start("242.2.1")
    assert caught.value.did_not_run


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_a_refusal_is_definite(status: int) -> None:
    error = await start_fails(Wire(failed(status)))
    assert (error.did_not_run, error.refused) == (False, True)


async def test_after_a_401_with_a_new_token_in_the_file_the_command_is_sent_again_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token")
    source = TokenSource.from_file(path)
    path.write_text("new-token")
    wire = Wire(failed(401), ok(session("s9")))
    async with client_of(wire, token=source) as client:
        started = await client.post_session_start("242.2.1")
    assert started is not None
    assert started.id == "s9"
    assert wire.tokens == ["Bearer old-token", "Bearer new-token"]
    assert wire.requests[0].content == wire.requests[1].content


async def test_a_repeat_after_a_401_that_times_out_is_unknown_and_final(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token")
    source = TokenSource.from_file(path)
    path.write_text("new-token")
    wire = Wire(failed(401), httpx.ReadTimeout("late"), ok(session("s9")))
    error = await start_fails(wire, token=source)
    assert (len(wire.requests), error.did_not_run) == (2, False)


async def test_charger_commands_are_sent_with_the_contracts_names() -> None:
    wire = Wire(
        ok({"success": True, "status": "accepted"}), ok({"data": {"status": "Scheduled"}}), ok({"success": True})
    )
    async with client_of(wire) as client:
        assert (await client.post_reset("242", "Hard")).status == "Accepted"
        assert (await client.post_availability("242", False)).status == "Scheduled"
        assert (await client.post_unlock("242", "242.1")).status is None
    assert [(one.url.path, json.loads(one.content)) for one in wire.requests] == [
        ("/v1/chargers/242/reset", {"type": "Hard"}),
        ("/v1/chargers/242/availability", {"operative": False}),
        ("/v1/chargers/242/unlock", {"connectorId": "242.1"}),
    ]


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(204), ok([]), ok({"status": {"a": 1}}), ok({"status": None}), ok({"status": "Odd"}), ok(7)],
    ids=["empty", "array", "object", "null", "other word", "number"],
)
async def test_a_good_answer_is_good_whatever_it_says(answer: httpx.Response) -> None:
    async with client_of(Wire(answer)) as client:
        assert (await client.post_reset("242", "Soft")).status in {None, "Odd"}


@pytest.mark.parametrize("word", ["Rejected", "UnlockFailed", "NotSupported", "unlock_failed"])
async def test_what_the_charger_itself_refused_is_a_refusal(word: str) -> None:
    wire = Wire(ok({"success": True, "status": word}), ok({"success": True}))
    async with client_of(wire, attempts=5) as client:
        with pytest.raises(errors.Rejected) as caught:
            await client.post_unlock("242", "242.1")
    assert (caught.value.refused, caught.value.did_not_run, len(wire.requests)) == (True, False, 1)
    assert caught.value.code in {"Rejected", "UnlockFailed", "NotSupported"}


COMMANDS: dict[str, Callable[[EosvoltClient], Awaitable[object]]] = {
    "start": lambda client: client.post_session_start("242.1"),
    "stop": lambda client: client.post_session_stop("s9"),
    "reset": lambda client: client.post_reset("242", "Soft"),
    "unlock": lambda client: client.post_unlock("242", "242.1"),
    "availability": lambda client: client.post_availability("242", operative=False),
    "price": lambda client: client.post_price("L1", default=0.5),
}


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Rejected"},
        {"success": True, "data": {"status": "rejected"}},
        {"result": {"status": "REJECTED"}},
        {"status": "ok", "data": {"result": "NotSupported"}},
        [{"status": "Rejected"}],
        {"outcome": "Abgelehnt"},
    ],
    ids=str,
)
async def test_a_good_answer_that_says_no_is_a_refusal_whatever_was_asked_for(
    tmp_path: Path, kind: str, answer: Any
) -> None:
    words = (
        '[fields.command]\nstatus = { names = ["status", "result", "outcome"], values = { Abgelehnt = "Rejected" } }'
    )
    wire = Wire(ok(answer), ok({"success": True}))
    async with client_of(wire, contract=words, tmp_path=tmp_path, attempts=5) as client:
        with pytest.raises(errors.Rejected) as caught:
            await COMMANDS[kind](client)
    assert (caught.value.refused, caught.value.did_not_run, len(wire.requests)) == (True, False, 1)


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("answer", [{"success": False, "code": "e_42"}, {"success": False}], ids=str)
async def test_a_no_in_a_word_that_nobody_knows_leaves_the_outcome_unknown(kind: str, answer: Any) -> None:
    wire = Wire(ok(answer), ok({"success": True}))
    async with client_of(wire, attempts=5) as client:
        with pytest.raises(errors.EosvoltError) as caught:
            await COMMANDS[kind](client)
    assert (caught.value.refused, caught.value.did_not_run, len(wire.requests)) == (False, False, 1)


async def test_a_no_in_a_word_of_the_contract_is_what_it_says() -> None:
    async with client_of(Wire(ok({"success": False, "code": "invalid_state"}))) as client:
        with pytest.raises(errors.Conflict):
            await client.post_session_stop("s9")


@pytest.mark.parametrize("fault", [*LOST, failed(504)], ids=lambda fault: type(fault).__name__)
async def test_a_charger_command_without_an_answer_is_unknown_and_not_repeated(fault: Any) -> None:
    wire = Wire(fault, ok({"success": True}))
    async with client_of(wire, attempts=5) as client:
        with pytest.raises(errors.EosvoltError) as caught:
            await client.post_reset("242", "Hard")
    assert (len(wire.requests), caught.value.did_not_run, caught.value.refused) == (1, False, False)


async def test_every_command_of_the_contract_can_be_sent() -> None:
    wire = Wire(ok({"success": True}))
    async with client_of(wire) as client:
        await client.post_to("charger_reset", "242", type="Soft")
        await client.post_to("charger_availability", "242", connector_id=None, operative=False)
        await client.post_to("pricing_change", "L1", unit="kWh", default=3.5)
        assert await client.fetch_from("report_summary", location_id="L1") == {"success": True}
    assert [(one.method, one.url.path, one.content) for one in wire.requests] == [
        ("POST", "/v1/chargers/242/reset", b'{"type": "Soft"}'),
        ("POST", "/v1/chargers/242/availability", b'{"operative": false}'),
        ("PUT", "/v1/locations/L1/pricing", b'{"unit": "kWh", "default": 3.5}'),
        ("GET", "/v1/reports/summary", b""),
    ]
