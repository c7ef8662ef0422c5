"""Reads: what is asked, how often it is tried, how long it waits, and which error comes out."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import stamina

from eosvolt import errors
from eosvolt.models import Fetched, SessionReading
from eosvolt.tokens import TokenSource
from tests.eosvolt.wire import TOKEN, Wire, charger, client_of, failed, ok, session

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The waits between tries in seconds, none of them really waited."""
    waited: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        waited.append(delay)
        await really_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    stamina.instrumentation.set_on_retry_hooks(())
    yield waited
    stamina.instrumentation.set_on_retry_hooks(None)


async def sessions(wire: Wire, attempts: int = 3) -> Fetched[SessionReading]:
    async with client_of(wire, attempts=attempts, clock=lambda: NOW) as client:
        return await client.fetch_sessions()


async def test_filters_are_sent_by_the_contracts_names_and_in_utc() -> None:
    wire = Wire(ok({"data": [], "total": 0}))
    local = datetime(2026, 3, 1, 11, 30, tzinfo=UTC).astimezone()
    async with client_of(wire) as client:
        await client.fetch_sessions(local, NOW, NOW + timedelta(hours=1), "Active", "242.2.1")
        await client.fetch_chargers(updated_since=NOW)
    assert wire.queries[0] == {
        "updatedSince": "2026-03-01T11:30:00Z",
        "from": "2026-03-01T10:00:00Z",
        "to": "2026-03-01T11:00:00Z",
        "status": "Active",
        "connectorId": "242.2.1",
        "page": "1",
        "limit": "100",
    }
    assert wire.queries[1] == {"updatedSince": "2026-03-01T10:00:00Z", "sort": "id", "page": "1", "limit": "100"}
    assert wire.tokens == [f"Bearer {TOKEN}"] * 2


async def test_a_time_without_zone_is_refused_before_anything_is_sent() -> None:
    wire = Wire(ok([]))
    async with client_of(wire) as client:
        with pytest.raises(ValueError, match="must be aware"):
            await client.fetch_chargers(updated_since=NOW.replace(tzinfo=None))
    assert wire.requests == []


@pytest.mark.parametrize("envelope", [None, "data", "item"])
async def test_single_things_come_bare_or_in_an_envelope(envelope: str | None) -> None:
    def dressed(row: object) -> httpx.Response:
        return ok(row if envelope is None else {envelope: row})

    wire = Wire(dressed(charger("242")), dressed(session("s1")))
    async with client_of(wire) as client:
        assert (await client.fetch_charger("242")).connectors[0].id == "242.1"
        assert (await client.fetch_session("s1")).energy_kwh == 1.5
    assert [request.url.path for request in wire.requests] == ["/v1/chargers/242", "/v1/sessions/s1"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (408, errors.Timeout),
        (409, errors.Conflict),
        (422, errors.InvalidRequest),
        (429, errors.RateLimited),
        (500, errors.ServerFault),
        (503, errors.ServerFault),
        (504, errors.ServerFault),
        (418, errors.InvalidRequest),
    ],
)
async def test_each_status_is_its_own_error_with_code_message_and_request(
    status: int, kind: type[errors.EosvoltError]
) -> None:
    wire = Wire(failed(status, "invalid_parameter", "Field 'x' is required."))
    async with client_of(wire) as client:
        with pytest.raises(errors.EosvoltError) as caught:
            await client.fetch_charger("242")
        fetched = await client.fetch_chargers()
    error = caught.value
    assert type(error) is type(fetched.error) is kind
    assert (error.status, error.code, error.message) == (status, "invalid_parameter", "Field 'x' is required.")
    assert error.request == "GET /v1/chargers/242"
    assert str(error).startswith("GET /v1/chargers/242: ")
    assert f"({status} invalid_parameter: Field 'x' is required); " in str(error)
    assert (fetched.complete, fetched.rows) == (False, ())


@pytest.mark.parametrize(
    ("code", "kind"),
    [("token_expired", errors.Unauthorized), ("not_found", errors.NotFound), ("odd", errors.EosvoltError)],
)
async def test_a_good_status_with_success_false_is_an_error_by_its_code(
    code: str, kind: type[errors.EosvoltError]
) -> None:
    async with client_of(Wire(failed(200, code))) as client:
        assert type((await client.fetch_chargers()).error) is kind


async def test_an_error_nested_in_its_body_is_read() -> None:
    wire = Wire(httpx.Response(400, json={"error": {"code": "bad_limit", "message": "Too large."}}))
    async with client_of(wire) as client:
        error = (await client.fetch_chargers()).error
    assert error is not None
    assert (error.code, error.message) == ("bad_limit", "Too large.")


@pytest.mark.parametrize(
    "fault",
    [failed(500), failed(503), httpx.ConnectError("refused"), httpx.ReadError("cut"), httpx.ReadTimeout("late")],
    ids=["500", "503", "refused", "cut", "late"],
)
async def test_transient_faults_are_tried_again_with_growing_waits(
    waits: list[float], fault: httpx.Response | Exception
) -> None:
    wire = Wire(fault, fault, ok({"data": [session("s1")], "total": 1}))
    fetched = await sessions(wire)
    assert ([row.id for row in fetched.rows], fetched.complete) == (["s1"], True)
    assert len(wire.requests) == 3
    assert waits == [pytest.approx(0.6), pytest.approx(0.7)]


async def test_tries_end_with_the_last_error(waits: list[float]) -> None:
    wire = Wire(failed(500), failed(502), failed(503))
    error = (await sessions(wire)).error
    assert error is not None
    assert (error.status, len(wire.requests), len(waits)) == (503, 3, 2)


@pytest.mark.parametrize("fault", [failed(500), failed(429, retry_after="1"), httpx.ConnectError("refused")])
async def test_one_attempt_means_no_retry(waits: list[float], fault: httpx.Response | Exception) -> None:
    wire = Wire(fault)
    assert not (await sessions(wire, attempts=1)).complete
    assert (len(wire.requests), waits) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_a_refusal_is_not_tried_again(waits: list[float], status: int) -> None:
    wire = Wire(failed(status))
    assert not (await sessions(wire)).complete
    assert (len(wire.requests), waits) == (1, [])


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "0"}, 0),
        ({"retry_after": "Sun, 01 Mar 2026 10:00:09 GMT"}, 9),
        ({"retry_after": "Sun, 01 Mar 2026 12:00:09 GMT", "date": "Sun, 01 Mar 2026 12:00:00 GMT"}, 9),
        ({"retry_after": "Sun, 01 Mar 2026 09:00:00 GMT"}, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed_in_seconds_and_as_a_date(
    waits: list[float], status: int, headers: dict[str, str], wait: float
) -> None:
    wire = Wire(failed(status, **headers), ok([session("s1")]))
    assert (await sessions(wire)).complete
    assert waits == [wait]


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "nan", ""])
async def test_a_retry_after_that_says_nothing_gets_the_usual_wait(waits: list[float], nonsense: str) -> None:
    wire = Wire(failed(429, retry_after=nonsense), ok([]))
    assert (await sessions(wire)).complete
    assert waits == [pytest.approx(0.6)]


async def test_a_retry_after_of_an_hour_is_told_instead_of_waited(waits: list[float]) -> None:
    wire = Wire(failed(429, retry_after="3600"))
    error = (await sessions(wire)).error
    assert isinstance(error, errors.RateLimited)
    assert (error.retry_after, waits, len(wire.requests)) == (3600.0, [], 1)
    assert "wait 3600 s" in str(error)


async def test_after_a_401_the_token_file_is_read_again_and_the_call_repeated_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token\n")
    source = TokenSource.from_file(path)
    path.write_text("new-token\n")
    wire = Wire(failed(401, "token_expired"), ok({"data": [session("s1")], "total": 1}))
    async with client_of(wire, token=source) as client:
        fetched = await client.fetch_sessions()
        await client.fetch_chargers()
    assert fetched.complete
    assert wire.tokens == ["Bearer old-token", "Bearer new-token", "Bearer new-token"]


async def test_a_token_that_is_refused_again_is_an_error_after_one_repeat(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token")
    source = TokenSource.from_file(path)
    path.write_text("new-token")
    wire = Wire(failed(401))
    async with client_of(wire, token=source, attempts=3) as client:
        assert isinstance((await client.fetch_sessions()).error, errors.Unauthorized)
    assert len(wire.requests) == 2


async def test_calls_refused_together_read_the_token_file_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token")
    source = TokenSource.from_file(path)
    path.write_text("new-token")
    wire = Wire(lambda request: ok([]) if request.headers["authorization"].endswith("new-token") else failed(401))
    async with client_of(wire, token=source) as client:
        fetched = await asyncio.gather(*(client.fetch_sessions() for _ in range(4)))
    assert all(one.complete for one in fetched)
    assert source.generation == 1


async def test_a_token_file_that_is_gone_after_a_401_is_said(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token")
    source = TokenSource.from_file(path)
    path.unlink()
    async with client_of(Wire(failed(401)), token=source) as client:
        error = (await client.fetch_sessions()).error
    assert isinstance(error, errors.TokenUnusable)
    assert "cannot be read" in str(error)
    assert "EOSVOLT_TOKEN_FILE" in str(error)


async def test_the_clock_skew_is_eosvolts_clock_minus_ours() -> None:
    wire = Wire(ok([], date="Sun, 01 Mar 2026 10:00:42 GMT"), ok([]), ok([], date="nonsense"))
    async with client_of(wire, clock=lambda: NOW) as client:
        skews = [(await client.fetch_sessions()).clock_skew for _ in range(3)]
    assert skews == [timedelta(seconds=42), None, None]


async def test_no_more_calls_run_at_once_than_allowed() -> None:
    running, most = 0, 0

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(5):
                await asyncio.sleep(0)
            running -= 1
            return ok([])

    wire = Wire(ok([]))
    wire.transport = Slow()  # type: ignore[assignment]
    async with client_of(wire, concurrency=2) as client:
        await asyncio.gather(*(client.fetch_sessions() for _ in range(7)))
    assert most == 2


async def test_filters_that_the_account_does_not_have_hold_all_the_same(tmp_path: Path) -> None:
    contract = '[routes.sessions.params]\nstarted_from = ""\nstarted_to = ""\nstatus = ""\nconnector_id = ""\n'
    rows = [
        session("asked for"),
        session("too early", startedAt="2026-03-01T09:59:59Z"),
        session("too late", startedAt="2026-03-01T11:00:00Z"),
        session("over", status="Completed"),
        session("elsewhere", connectorId="9"),
    ]
    wire = Wire(ok({"data": rows, "total": 5}))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        fetched = await client.fetch_sessions(None, NOW, NOW + timedelta(hours=1), "Active", "242.2.1")
    assert ([row.id for row in fetched.rows], fetched.complete) == (["asked for"], True)
    assert wire.queries == [{"page": "1", "limit": "100"}]


async def test_an_answer_that_never_ends_is_a_time_out(tmp_path: Path) -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets the event")

    wire = Wire(ok([]))
    wire.transport = Silent()  # type: ignore[assignment]
    async with client_of(wire, "[limits]\nlongest_answer_seconds = 0.001\n", tmp_path=tmp_path) as client:
        error = (await client.fetch_sessions()).error
    assert isinstance(error, errors.Timeout)
    assert not error.did_not_run


async def test_the_contracts_pace_is_kept(waits: list[float], tmp_path: Path) -> None:
    wire = Wire(ok({"data": [], "total": 0}))
    async with client_of(wire, "[limits]\ncalls_per_second = 4.0\n", tmp_path=tmp_path) as client:
        for _ in range(3):
            await client.fetch_sessions()
    first, second, third = waits
    assert first <= 0.01
    assert first < second <= 0.25
    assert second < third <= 0.5
