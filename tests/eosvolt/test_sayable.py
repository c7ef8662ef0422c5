"""What a contract file can say besides names: nested lists, composite ids, defaults, words both ways, paths, headers.

Each is one account that differs in one thing, read and told by override alone; and what the client could not do is an
error when the file is read.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from eosvolt.client import EosvoltClient
from eosvolt.contract import ContractError, load_contract
from eosvolt.errors import Conflict, MalformedAnswer, NotFound, RateLimited, Timeout
from eosvolt.tokens import TokenSource
from tests.eosvolt.wire import AT, Wire, charger, client_of, connector, failed, ok, session


def listed(*rows: Any) -> httpx.Response:
    return ok({"data": list(rows), "total": len(rows)})


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


async def test_nested_lists_and_indexes_are_reached(tmp_path: Path) -> None:
    row = charger("1", stations=[{"plugs": [connector("a")]}, {"plugs": [connector("b"), connector("c")]}])
    row["hardware"] = [{"maker": "Alfen"}, {"maker": "other"}]
    contract = '[fields.charger]\nconnectors = "stations[].plugs[]"\nvendor = "hardware[0].maker"\n'
    async with client_of(Wire(listed(row)), contract, tmp_path=tmp_path) as client:
        (reading,) = (await client.fetch_chargers()).rows
    assert [plug.id for plug in reading.connectors] == ["a", "b", "c"]
    assert reading.vendor == "Alfen"


COMPOSITE = """
[fields.connector]
id = "{charger.id}.{id}"
[fields.session]
connector_id = "{chargerId}.{connectorId}"
[routes.session_start]
call = "POST /v1/chargers/{charger_id}/connectors/{connector_id}/start"
[routes.session_stop]
call = "POST /v1/chargers/{charger_id}/sessions/{session_id}/stop"
[routes.charger_unlock]
call = "POST /v1/chargers/{id}/connectors/{connector_id}/unlock"
"""


async def test_connectors_that_are_numbered_within_their_charger_get_ids_of_their_own(tmp_path: Path) -> None:
    rows = [charger("CH.1", connectors=[connector("1"), connector("2")]), charger("CH.2", connectors=[connector("1")])]
    running = session("s1", chargerId="CH.1", connectorId="2")
    wire = Wire(listed(*rows), listed(running), ok(running), ok(running), ok({"status": "Unlocked"}))
    async with client_of(wire, COMPOSITE, tmp_path=tmp_path) as client:
        chargers = (await client.fetch_chargers()).rows
        (read,) = (await client.fetch_sessions()).rows
        started = await client.post_session_start("CH.1.2")
        await client.post_session_stop("s1")
        await client.post_unlock("CH.1", "CH.1.2")
    assert [plug.id for row in chargers for plug in row.connectors] == ["CH.1.1", "CH.1.2", "CH.2.1"]
    assert started is not None
    assert read.connector_id == started.connector_id == "CH.1.2"
    assert [request.url.path for request in wire.requests[2:]] == [
        "/v1/chargers/CH.1/connectors/2/start",
        "/v1/chargers/CH.1/sessions/s1/stop",
        "/v1/chargers/CH.1/connectors/2/unlock",
    ]
    assert [body_of(request) for request in wire.requests[2:]] == [{}, {}, {}]


async def test_a_connector_that_no_poll_showed_is_taken_apart_by_its_id_alone(tmp_path: Path) -> None:
    wire = Wire(ok(session("s1", chargerId="CH.9", connectorId="1")))
    async with client_of(wire, COMPOSITE, tmp_path=tmp_path) as client:
        await client.post_session_start("CH.9.1")
        with pytest.raises(NotFound, match="its charger_id is not known before the next poll") as unknown:
            await client.post_session_stop("s-never-seen")
    assert unknown.value.did_not_run
    assert [request.url.path for request in wire.requests] == ["/v1/chargers/CH.9/connectors/1/start"]


async def test_chargers_that_stand_inside_locations_are_read_with_the_one_around_them(tmp_path: Path) -> None:
    contract = """
[routes.chargers]
call = "GET /v1/locations"
each = "evses[]"
[routes.charger]
call = "GET /v1/locations/{location_id}/{id}"
[fields.charger]
id = "{location.id}*{uid}"
location_id = "location.id"
name = "physical_reference"
"""
    evse = {"uid": "E1", "physical_reference": "bay 7", "connectors": [connector("1")]}
    places = [{"id": "L1", "evses": [evse, {**evse, "uid": "E2"}]}, {"id": "L2", "evses": [evse]}]
    wire = Wire(listed(*places), ok(evse))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        fetched = await client.fetch_chargers()
        one = await client.fetch_charger("L1*E1")
    assert [(row.id, row.location_id) for row in fetched.rows] == [("L1*E1", "L1"), ("L1*E2", "L1"), ("L2*E1", "L2")]
    assert (fetched.complete, fetched.shortfall, fetched.rows[0].extra) == (True, "", {})
    assert (one.id, one.location_id, one.name) == ("L1*E1", "L1", "bay 7")
    assert wire.requests[-1].url.path == "/v1/locations/L1/E1"


async def test_defaults_and_second_names_stand_in_for_what_is_missing(tmp_path: Path) -> None:
    contract = """
[fields.session]
currency = { names = ["currency"], default = "NOK" }
started_at = ["startedAt", "createdAt"]
[fields.charger]
location_id = { names = ["locationId"], default = "elsewhere" }
"""
    row = session("s1", startedAt=None, createdAt=AT)
    del row["currency"]
    bare = charger("1")
    del bare["locationId"]
    wire = Wire(listed(row), listed(bare), listed({"id": "L1", "name": "North"}))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        (reading,) = (await client.fetch_sessions()).rows
        (alone,) = (await client.fetch_chargers()).rows
        places = (await client.fetch_locations()).rows
    assert (reading.currency, str(reading.started_at)) == ("NOK", "2026-03-01 10:00:00+00:00")
    assert alone.location_id == "elsewhere"
    assert [place.id for place in places] == ["L1", "elsewhere"]


async def test_words_are_translated_both_ways_and_what_is_fixed_is_sent(tmp_path: Path) -> None:
    contract = """
[routes.charger_reset]
values.type = { Soft = "SOFT", Hard = "HARD" }
headers = { X-Tenant = "north" }
fixed = { requestedBy = "chargehand", "evse.number" = 1 }
[routes.charger_availability]
call = "POST /v1/chargers/{id}/{operative}"
body = { connector_id = "connector.id", operative = "" }
values.operative = { true = "enable", false = "disable" }
[routes.chargers]
query = { expand = "connectors" }
[fields.charger]
online = { names = ["online"], values = { 1 = true, 0 = false } }
[fields.connector]
status = { names = ["status"], values = { true = "Available", false = "Faulted" } }
"""
    row = charger("1", online=1, connectors=[connector("1.1", status=True), connector("1.2", status=False)])
    wire = Wire(listed(row), ok({"status": "Accepted"}))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        (reading,) = (await client.fetch_chargers()).rows
        await client.post_reset("1", "Hard")
        await client.post_availability("1", False, "1.2")
    assert (reading.online, [plug.status for plug in reading.connectors]) == (True, ["Available", "Faulted"])
    listing, reset, disable = wire.requests
    assert listing.url.params["expand"] == "connectors"
    assert body_of(reset) == {"type": "HARD", "requestedBy": "chargehand", "evse": {"number": 1}}
    assert reset.headers["x-tenant"] == "north"
    assert (disable.url.path, body_of(disable)) == ("/v1/chargers/1/disable", {"connector": {"id": "1.2"}})


@pytest.mark.parametrize(
    ("contract", "answer", "raised"),
    [
        ('success = ["status_code"]\ngood = ["1*"]', ok({"status_code": 2003, "data": []}), NotFound),
        ('success = ["result.state"]\nbad = ["KO"]', ok({"result": {"state": "KO"}, "error": "NONE"}), NotFound),
        ('overrides = ["BUSY"]', failed(400, "BUSY"), Conflict),
        ('overrides = ["7"]', httpx.Response(500, json={"code": 7}), RateLimited),
    ],
)
async def test_good_and_bad_are_told_by_any_field(
    contract: str, answer: httpx.Response, raised: type[Exception], tmp_path: Path
) -> None:
    errors = '[errors]\ncode = ["status_code", "code", "error"]\n'
    kinds = '\n[errors.kinds]\n"2003" = "not_found"\nNONE = "not_found"\nBUSY = "conflict"\n7 = "rate_limited"\n'
    async with client_of(Wire(answer), errors + contract + kinds, tmp_path=tmp_path) as client:
        fetched = await client.fetch_locations()
    assert type(fetched.error) is raised


async def test_a_good_answer_of_such_an_account_is_read(tmp_path: Path) -> None:
    contract = '[errors]\nsuccess = "status_code"\ngood = ["1*"]\n'
    wire = Wire(ok({"status_code": 1000, "data": [{"id": "L1"}], "total": 1}))
    async with client_of(wire, contract, tmp_path=tmp_path) as client:
        assert [row.id for row in (await client.fetch_locations()).rows] == ["L1"]


JOBS = '[routes.command]\ncall = "GET /v1/commands/{id}"\n[fields.command.status]\nvalues = { DONE = "Accepted" }\n'


async def at_once(_seconds: float) -> None:
    """No waiting in tests."""


def client_for(wire: Wire, contract: str, tmp_path: Path) -> EosvoltClient:
    path = tmp_path / "site.toml"
    path.write_text(contract)
    token = TokenSource.from_text("token")
    return EosvoltClient(
        "https://api.example.com", token, load_contract(path), transport=wire.transport, attempts=1, pause=at_once
    )


async def test_a_command_that_is_only_taken_is_asked_after_until_it_ended(tmp_path: Path) -> None:
    taken = httpx.Response(202, json={"commandId": "c-1", "status": "QUEUED"})
    wire = Wire(taken, ok({"commandId": "c-1", "status": "RUNNING"}), ok({"commandId": "c-1", "status": "DONE"}))
    async with client_for(wire, JOBS, tmp_path) as client:
        assert (await client.post_reset("1", "Soft")).status == "Accepted"
    assert [request.url.path for request in wire.requests[1:]] == ["/v1/commands/c-1"] * 2


async def test_a_command_that_never_ends_has_an_unknown_outcome(tmp_path: Path) -> None:
    wire = Wire(httpx.Response(202, json={"commandId": "c-1", "status": "QUEUED"}))
    async with client_for(wire, JOBS, tmp_path) as client:
        with pytest.raises(Timeout, match="c-1 was still under way") as caught:
            await client.post_unlock("1", "1.1")
    assert not caught.value.did_not_run
    assert not caught.value.refused


async def test_a_start_whose_outcome_only_a_session_shows_is_taken_without_one(tmp_path: Path) -> None:
    wire = Wire(httpx.Response(202, json={"jobId": "j-1", "status": "Accepted"}), ok({"hello": "world"}))
    async with client_for(wire, "", tmp_path) as client:
        assert await client.post_session_start("242.2.1") is None
        with pytest.raises(MalformedAnswer):
            await client.post_session_start("242.2.1")


async def test_a_call_that_the_account_does_not_have_is_a_right_that_is_lacking(tmp_path: Path) -> None:
    contract = '[routes.sessions]\ncall = ""\n[routes.charger_reset]\ncall = ""\n'
    wire = Wire(ok([]))
    async with client_for(wire, contract, tmp_path) as client:
        assert isinstance((await client.fetch_sessions()).error, NotFound)
        with pytest.raises(NotFound):
            await client.post_reset("1", "Soft")
    assert wire.requests == []


async def test_a_list_of_one_tariff_is_the_tariff_and_of_several_it_is_said_which(tmp_path: Path) -> None:
    one = {"locationId": "L1", "unit": "kWh", "default": 3.5, "blocks": []}
    wire = Wire(ok({"data": [one]}), ok({"data": [one, {**one, "default": 9}]}))
    async with client_for(wire, "", tmp_path) as client:
        assert (await client.fetch_price("L1")).default == 3.5
        with pytest.raises(MalformedAnswer):
            await client.fetch_price("L1")
    wire = Wire(ok({"tariffs": [one, {"components": [{"price": 9}], "unit": "kWh"}]}))
    said = '[routes.pricing]\ninside = "tariffs[1]"\n[fields.pricing.default]\nnames = ["components[0].price"]\n'
    async with client_for(wire, said, tmp_path) as client:
        assert (await client.fetch_price("L1")).default == 9


@pytest.mark.parametrize(
    ("contract", "told"),
    [
        ('[fields.charger]\nname = "a..b"', "line 2: fields.charger.name.names: 'a..b' cannot be found in an answer"),
        ('[fields.charger]\nid = "{a}{b}"', "line 2: fields.charger.id.names: .* need something between them"),
        ('[fields.charger]\nname = "{a}.{b}"', "line 2: fields.charger.name.names: .* only ids are made of several"),
        ('[fields.charger.updated_at]\ndefault = "now"', "line 2: .*default: must be left out: a moment has none"),
        ('[fields.session.cost]\ndefault = "free"', "line 2: .*default: must be a number"),
        ('[routes.chargers]\ncall = ""', "line 2: routes.chargers.call: must be a method and a path"),
        ('[routes.session_start]\nbody.connector_id = ""', "line 1: .*call: nothing says connector_id: put {connector"),
        (
            '[routes.charger_reset]\nbody.kind = "x"',
            "line 2: routes.charger_reset.body.kind: this call has no such word",
        ),
        ('[routes.charger_reset]\ncall = "POST /r/{serial}"', "line 2: .*call: must be a path with none but {id}"),
        ("[routes.charger_reset]\nvalues.mode = {}", "line 2: .*values.mode: this call has no such word; it has"),
        ('[routes.chargers.headers]\nAuthorization = "x"', "line 2: .*headers.Authorization: is a header that"),
        ('[routes.locations]\neach = "x[]"', "line 2: .*each: must be left out: only chargers"),
        ('[routes.chargers]\neach = "x.[]"', "line 2: .*each: must be a path"),
        ('[errors]\noverrides = ["E1"]', "line 2: errors.overrides: 'E1' overrides the status by what"),
        ("\n\nrouts.chargers.limit = 4", 'line 3: routs: unknown key "routs"; did you mean "routes"'),
    ],
)
def test_what_the_client_cannot_do_is_an_error_of_the_file_with_line_and_mend(
    contract: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(contract)
    with pytest.raises(ContractError, match=told):
        load_contract(path)
