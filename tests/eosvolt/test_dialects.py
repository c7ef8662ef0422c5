"""Two invented accounts that speak quite differently are understood by a contract file alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.eosvolt.wire import AT, Wire, charger, client_of, ok, session

SNAKE = """
[paging]
style = "offset"
[routes.chargers]
limit = 2
params = { updated_since = "updated_since", sort = "order_by" }
"""

FOREIGN = """
[paging]
page = "p"
limit = "size"
first_page = 0
[envelope]
rows = ["records"]
one = ["record"]
total = ["recordCount"]
[times]
sent = "epoch_ms"
[errors]
code = ["fault"]
message = ["text"]
[routes.chargers]
call = "GET /v2/stations"
limit = 2
sort = ""
params = { updated_since = "modifiedAfter", sort = "" }
[routes.sessions]
call = "GET /v2/transactions"
[routes.sessions.params]
status = "state"
connector_id = ""
[routes.session_start]
call = "POST /v2/transactions"
body = { connector_id = "outlet", id_tag = "" }
[fields.charger]
id = "stationCode"
location_id = "site.code"
name = "title"
online = { names = ["link"], values = { UP = true, DOWN = false } }
last_heartbeat = { names = ["seen"], unit = "epoch_ms" }
heartbeat_interval_seconds = { names = ["beatMs"], unit = "ms" }
updated_at = { names = ["modified"], unit = "epoch_ms" }
connectors = "outlets"
[fields.connector]
id = "outletCode"
status = { names = ["state"], values = { IN_USE = "Charging", BROKEN = "Faulted" } }
status_changed_at = { names = ["stateSince"], unit = "epoch_ms" }
power_kw = { names = ["watts"], unit = "W" }
max_power_kw = { names = ["ratedWatts"], unit = "W" }
[fields.session]
id = "txId"
connector_id = "outlet"
status = { names = ["state"], values = { RUNNING = "Active", DONE = "Completed" } }
started_at = { names = ["begin"], unit = "epoch_ms" }
energy_kwh = { names = ["wattHours"], unit = "Wh" }
cost = { names = ["amountMinor"], unit = "minor" }
"""
TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)
TEN_MS = 1772359200000


def snake(value: Any) -> Any:
    if isinstance(value, list):
        return [snake(item) for item in value]
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(item) for key, item in value.items()}
    return value


async def test_snake_case_under_data_with_offset_paging(tmp_path: Path) -> None:
    rows = [charger(number) for number in "abc"]

    def answer(request: httpx.Request) -> httpx.Response:
        start, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        page = snake(rows)[start : start + limit]
        return ok({"data": page, "has_next_page": start + limit < 3, "total_count": 3})

    wire = Wire(answer)
    async with client_of(wire, SNAKE, tmp_path=tmp_path) as client:
        fetched = await client.fetch_chargers(updated_since=TEN)
    async with client_of(Wire(ok(rows))) as client:
        assert fetched.rows == (await client.fetch_chargers()).rows
    assert wire.queries[1] == {"updated_since": AT, "order_by": "id", "offset": "2", "limit": "2"}


async def test_other_names_with_watts_and_epoch_milliseconds(tmp_path: Path) -> None:
    outlet = {"outletCode": "A-1", "state": "IN_USE", "stateSince": TEN_MS, "watts": 7400, "ratedWatts": 22000.0}
    station = {
        "stationCode": 17,
        "site": {"code": "S1"},
        "title": "North",
        "link": "UP",
        "seen": TEN_MS,
        "beatMs": 300000,
    }
    station |= {"modified": TEN_MS + 500, "outlets": [outlet]}
    transaction = {
        "txId": 5,
        "outlet": "A-1",
        "state": "RUNNING",
        "begin": TEN_MS,
        "wattHours": 1500,
        "amountMinor": 1999,
    }
    wire = Wire(
        ok({"records": [station], "recordCount": 1}),
        ok({"records": [transaction], "recordCount": 1}),
        ok({"record": transaction}),
    )
    async with client_of(wire, FOREIGN, tmp_path=tmp_path) as client:
        (reading,) = (await client.fetch_chargers(updated_since=TEN)).rows
        (charging_session,) = (await client.fetch_sessions(status="Active", connector_id="A-1")).rows
        started = await client.post_session_start("A-1", id_tag="04A1")
    assert (reading.id, reading.location_id, reading.name, reading.online) == ("17", "S1", "North", True)
    assert (reading.last_heartbeat, reading.heartbeat_interval_seconds) == (TEN, 300.0)
    assert reading.updated_at == TEN + timedelta(milliseconds=500)
    (plug,) = reading.connectors
    assert (plug.id, plug.status, plug.status_raw) == ("A-1", "Charging", "IN_USE")
    assert (plug.power_kw, plug.max_power_kw, plug.status_changed_at) == (7.4, 22.0, TEN)
    assert reading.extra == plug.extra == {}
    assert (charging_session.energy_kwh, charging_session.cost, charging_session.status) == (1.5, 19.99, "Active")
    assert started == charging_session
    assert [f"{request.method} {request.url.raw_path.decode()}" for request in wire.requests] == [
        f"GET /v2/stations?modifiedAfter={TEN_MS}&p=0&size=2",
        "GET /v2/transactions?state=RUNNING&p=0&size=100",
        "POST /v2/transactions",
    ]
    assert wire.requests[2].content == b'{"outlet": "A-1"}'


async def test_a_foreign_error_body_is_read_by_its_own_keys(tmp_path: Path) -> None:
    wire = Wire(httpx.Response(409, json={"fault": "E_STATE", "text": "Occupied."}))
    async with client_of(wire, FOREIGN, tmp_path=tmp_path) as client:
        error = (await client.fetch_chargers()).error
    assert error is not None
    assert (error.code, error.message) == ("E_STATE", "Occupied.")


async def test_without_the_file_the_same_rows_are_set_aside_and_not_misread() -> None:
    rows = [session("s1", startedAt=TEN_MS), {"txId": 5}]
    async with client_of(Wire(ok(rows))) as client:
        fetched = await client.fetch_sessions()
    assert fetched.rows == ()
    assert [one.reason.partition(":")[0] for one in fetched.set_aside] == ["startedAt", "id"]
