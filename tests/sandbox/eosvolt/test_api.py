"""The stand-in API's manners: authorisation, errors, rate limits, faults on purpose, and its control routes."""

import contextlib
import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.faults import Faults, RateLimit
from sandbox.eosvolt.listing import PARAMETERS
from sandbox.eosvolt.routes import BODY_NAMES, ROUTES
from sandbox.fleet.fleet import FleetSource
from sandbox.world.clock import SpeedClock
from tests.sandbox.neutral import NOON, Hand, asking, client_of, connector, free_connector, replay

ONE = "2025-10-01T12:00:00Z,L,C,A,status,Available"


def api_of(folder: Path, **options: Any) -> Api:
    return create_api(replay(folder, ONE), clock=Hand(), **options)


async def test_the_root_is_one_line_of_text_without_a_token(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        answer = await client.get("/", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_token"),
        ("Bearer wrong", "invalid_token"),
        ("sandbox-token", "invalid_token"),
        ("Basic sandbox-token", "invalid_token"),
    ],
)
async def test_a_call_without_the_right_token_is_401(tmp_path: Path, header: str | None, code: str) -> None:
    async with client_of(api_of(tmp_path)) as client:
        del client.headers["Authorization"]
        answer = await client.get("/v1/chargers", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.json().items() >= {"success": False, "code": code}.items()


async def test_a_rotated_token_makes_the_old_one_invalid(tmp_path: Path) -> None:
    api = api_of(tmp_path)
    async with client_of(api) as client:
        assert (await client.get("/v1/chargers")).status_code == 200
        api.token = "new"
        assert (await client.get("/v1/chargers")).status_code == 401
        assert (await client.get("/v1/chargers", headers={"Authorization": "Bearer new"})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/cars", 404, "not_found"),
        ("GET", "/v2/chargers", 404, "not_found"),
        ("GET", "/v1/chargers/X", 404, "not_found"),
        ("GET", "/v1/locations/X", 404, "not_found"),
        ("GET", "/v1/sessions/X", 404, "not_found"),
        ("GET", "/v1/exports/X", 404, "not_found"),
        ("GET", "/v1/locations/X/pricing", 404, "not_found"),
        ("GET", "/v1/locations/L/pricing", 404, "no_pricing"),
        ("DELETE", "/v1/chargers/C", 405, "method_not_allowed"),
        ("POST", "/v1/chargers", 405, "method_not_allowed"),
        ("GET", "/v1/sessions/start", 405, "method_not_allowed"),
        ("GET", "/v1/chargers/C/reset", 405, "method_not_allowed"),
        ("GET", "/__sandbox__/nothing", 404, "not_found"),
    ],
)
async def test_wrong_paths_and_methods_have_the_platforms_error_body(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async with client_of(api_of(tmp_path)) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json().items() >= {"success": False, "code": code}.items()
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"[1]", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"", "invalid_parameter"),
        (b'{"connectorId": 7}', "invalid_parameter"),
        (b'{"connectorId": "A", "idTag": ["x"]}', "invalid_parameter"),
        (b'{"connectorId": "\\ud800"}', "not_found"),
    ],
)
async def test_a_body_that_is_wrong_is_refused_with_a_code(tmp_path: Path, body: bytes, code: str) -> None:
    async with client_of(api_of(tmp_path)) as client:
        answer = await client.post("/v1/sessions/start", content=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] == code


async def test_the_required_field_is_named_as_the_platform_names_it(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        answer = await client.post("/v1/sessions/start", json={})
    message = "Field 'connectorId' is required."
    assert answer.json() == {"success": False, "code": "invalid_parameter", "message": message}


async def test_a_body_beyond_the_limit_is_413(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        answer = await client.post("/v1/sessions/start", content=b"x" * 1_000_001)
    assert answer.status_code == 413


async def test_calls_beyond_the_rate_limit_are_429_until_retry_after_has_passed(tmp_path: Path) -> None:
    clock = Hand(NOON + timedelta(seconds=10))
    async with asking(replay(tmp_path, ONE), clock, rate_limit=RateLimit(calls=2, seconds=60)) as client:
        assert [(await client.get("/v1/chargers")).status_code for _ in range(3)] == [200, 200, 429]
        refused = await client.get("/v1/chargers")
        assert (refused.headers["retry-after"], refused.json()["code"]) == ("50", "rate_limited")
        clock.after(seconds=50)
        assert (await client.get("/v1/chargers")).status_code == 200


async def test_the_date_header_tells_the_simulated_time(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        assert (await client.get("/v1/chargers")).headers["date"] == "Wed, 01 Oct 2025 12:00:00 GMT"


async def test_faults_are_used_up_one_by_one(tmp_path: Path) -> None:
    api = api_of(tmp_path)
    api.faults = Faults(answers_503=1, html=1, cut_off=1)
    async with client_of(api) as client:
        first, second, third, fourth = [await client.get("/v1/chargers") for _ in range(4)]
    assert (first.status_code, first.json()["code"]) == (503, "service_unavailable")
    assert (second.status_code, second.headers["content-type"]) == (502, "text/html")
    assert (third.status_code, fourth.status_code) == (200, 200)
    with pytest.raises(json.JSONDecodeError):
        third.json()
    assert fourth.json()["total"] == 1


async def test_a_resource_the_account_does_not_have_is_403(tmp_path: Path) -> None:
    api = api_of(tmp_path)
    api.faults.forbidden = frozenset({"pricing", "exports"})
    async with client_of(api) as client:
        assert (await client.get("/v1/locations/L/pricing")).json()["code"] == "forbidden"
        assert (await client.post("/v1/exports/sessions", json={})).status_code == 403
        assert (await client.get("/v1/locations/L")).status_code == 200


async def test_what_was_received_holds_also_what_was_refused_but_nothing_that_a_fault_kept_away() -> None:
    source = FleetSource(4, 3, NOON)
    api = create_api(source, clock=Hand())
    call = ("/v1/sessions/start", free_connector(source))
    async with client_of(api) as client:
        api.faults.answers_503 = 1
        told = [(await client.post(call[0], json={"connectorId": call[1]})).status_code for _ in range(3)]
    assert told == [503, 201, 409]
    assert [one.body["connectorId"] for one in api.received] == [call[1], call[1]]
    assert len(api.commands) == 1


async def test_an_unknown_command_is_carried_out_and_answered_504() -> None:
    api = create_api(FleetSource(3, 1, NOON), clock=Hand())
    api.faults.commands_unknown = 1
    async with client_of(api) as client:
        plug = free_connector(api.source)
        answer = await client.post("/v1/sessions/start", json={"connectorId": plug})
        again = await client.post("/v1/sessions/start", json={"connectorId": plug})
        sessions = (await client.get("/v1/sessions", params={"status": "Pending"})).json()["data"]
        accepted = (await client.get("/__sandbox__/commands")).json()["commands"]
    assert (answer.status_code, answer.json()["code"]) == (504, "charger_timeout")
    assert again.status_code == 409
    assert [session["connectorId"] for session in sessions] == [plug]
    assert [command["body"]["connectorId"] for command in accepted] == [plug]


async def test_control_routes_force_a_connector_a_charger_and_take_them_away(tmp_path: Path) -> None:
    clock = Hand()
    async with asking(replay(tmp_path, ONE), clock) as client:
        clock.after(minutes=3)
        await client.post("/__sandbox__/connectors/A", json={"status": "Faulted", "errorCode": "GroundFailure"})
        plug = await connector(client, "C")
        assert (plug["status"], plug["errorCode"]) == ("Faulted", "GroundFailure")
        assert plug["statusChangedAt"] == "2025-10-01T12:03:00Z"
        await client.post("/__sandbox__/connectors/A", json={"status": "Available"})
        assert (await connector(client, "C"))["errorCode"] is None
        await client.post("/__sandbox__/chargers/C", json={"online": False})
        assert (await client.get("/v1/chargers/C")).json()["online"] is False
        await client.delete("/__sandbox__/connectors/A")
        assert (await client.get("/v1/chargers/C")).json()["connectors"] == []
        await client.delete("/__sandbox__/chargers/C")
        assert (await client.get("/v1/chargers/C")).status_code == 404
        state = (await client.get("/__sandbox__")).json()
    assert (state["chargers"], state["connectors"], state["speed"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("connectors/A", {"colour": "red"}),
        ("connectors/A", {"status": 5}),
        ("connectors/A", {"powerKw": -1}),
        ("chargers/C", {}),
        ("chargers/C", {"online": "yes"}),
        ("faults", {"nothing": 1}),
        ("faults", {"answers503": "many"}),
        ("rate-limit", {}),
    ],
)
async def test_a_wrong_control_call_is_400(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    async with client_of(api_of(tmp_path)) as client:
        assert (await client.post(f"/__sandbox__/{path}", json=body)).status_code == 400


async def test_control_routes_switch_faults_and_rate_limits(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        await client.post("/__sandbox__/faults", json={"answers503": 1})
        assert [(await client.get("/v1/chargers")).status_code for _ in range(2)] == [503, 200]
        await client.post("/__sandbox__/rate-limit", json={"calls": 1})
        assert [(await client.get("/v1/chargers")).status_code for _ in range(2)] == [200, 429]
        await client.post("/__sandbox__/rate-limit", json={"calls": 0})
        assert (await client.get("/v1/chargers")).status_code == 200


@pytest.mark.parametrize("fault", [one.name for one in fields(Faults) if isinstance(one.default, int)])
async def test_every_counted_fault_is_ordered_by_its_control_route_and_used_up(fault: str) -> None:
    api = create_api(FleetSource(3, 1, NOON), clock=Hand())
    told = "".join(word.capitalize() if place else word for place, word in enumerate(fault.split("_")))
    async with client_of(api) as client:
        assert (await client.post("/__sandbox__/faults", json={told: 1})).json()[told] == 1
        assert getattr(api.faults, fault) == 1
        with contextlib.suppress(httpx.HTTPError):
            await client.get("/v1/chargers")
        with contextlib.suppress(httpx.HTTPError):
            await client.post("/v1/sessions/start", json={"connectorId": free_connector(api.source)})
    assert getattr(api.faults, fault) == 0


async def test_the_speed_of_time_is_set_where_the_clock_allows(tmp_path: Path) -> None:
    wall = [0.0]
    clock = SpeedClock(NOON, 1, lambda: wall[0])
    async with client_of(create_api(replay(tmp_path, ONE), clock=clock)) as client:
        wall[0] = 10
        assert (await client.post("/__sandbox__/clock", json={"speed": 60})).json() == {"speed": 60}
        wall[0] = 11
        assert clock() == NOON + timedelta(seconds=70)
    async with client_of(api_of(tmp_path / "fixed")) as client:
        assert (await client.post("/__sandbox__/clock", json={"speed": 60})).json()["code"] == "clock_is_fixed"


async def test_the_openapi_document_names_every_route(tmp_path: Path) -> None:
    async with client_of(api_of(tmp_path)) as client:
        document = (await client.get("/openapi.json")).json()
    assert len(document["paths"]) == len(ROUTES)
    assert set(document["paths"]["/v1/locations/{id}/pricing"]) == {"get", "put"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from((*BODY_NAMES, *PARAMETERS["sessions"]))
WORDS = st.sampled_from(
    (
        *("100.1.1", "100.1", "100", "Soft", "-id", "kWh", "\ud800", "%", "9" * 5000),
        *("2025-10-01T00:00:00Z", "2025-11-30T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    )
)
BLOCK = st.fixed_dictionaries({"from": WORDS | st.just("07:00"), "to": st.just("24:00") | JSON, "price": JSON})


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_input_makes_the_api_answer_500(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(ROUTES)))
    row_id = data.draw(WORDS | st.text(max_size=6))
    name = "/".join(quote(row_id, safe="", errors="replace") if part == "*" else part for part in path)
    question = data.draw(st.dictionaries(NAMES, WORDS | st.text(max_size=6), max_size=3))
    body = data.draw(
        st.dictionaries(NAMES | st.text(max_size=6), WORDS | JSON | st.lists(BLOCK, max_size=2), max_size=4)
    )
    clean = {key: value.encode("utf-8", "replace").decode() for key, value in question.items()}
    async with asking(FleetSource(2, 1, NOON), Hand()) as client:
        for method in (*ROUTES[path], "PATCH"):
            answer = await client.request(method, f"/v1/{name}", params=clean, content=json.dumps(body).encode())
            assert answer.status_code < 500
            if answer.status_code >= 400:
                assert set(answer.json()) == {"success", "code", "message"}
