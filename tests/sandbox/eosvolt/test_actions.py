"""What can be done to the living fleet through the API: sessions, commands, prices, reports, exports."""

from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox.fleet.fleet import FleetSource
from tests.sandbox.neutral import NOON, Hand, asking, free_connector


def fleet(chargers: int = 4, seed: int = 3) -> FleetSource:
    return FleetSource(chargers, seed, NOON)


async def plug_of(client: httpx.AsyncClient, connector_id: str) -> Any:
    charger = (await client.get(f"/v1/chargers/{connector_id.rpartition('.')[0]}")).json()
    return next(plug for plug in charger["connectors"] if plug["id"] == connector_id)


async def test_a_started_session_charges_grows_and_stops() -> None:
    source, clock = fleet(), Hand()
    connector_id = free_connector(source)
    async with asking(source, clock) as client:
        answer = await client.post("/v1/sessions/start", json={"connectorId": connector_id, "idTag": "ME"})
        assert answer.status_code == 201
        session = answer.json()
        assert (session["status"], session["idTag"], session["energyKwh"]) == ("Pending", "ME", 0.0)
        assert (await plug_of(client, connector_id))["status"] == "Preparing"
        energies = []
        for minutes in (1, 4, 4):
            clock.after(minutes=minutes)
            session = (await client.get(f"/v1/sessions/{session['id']}")).json()
            energies.append(session["energyKwh"])
            assert (session["status"], (await plug_of(client, connector_id))["status"]) == ("Active", "Charging")
        assert 0 == energies[0] < energies[1] < energies[2]
        stopped = await client.post("/v1/sessions/stop", json={"sessionId": session["id"]})
        assert (stopped.status_code, stopped.json()["status"], stopped.json()["stopReason"]) == (
            200,
            "Completed",
            "Remote",
        )
        assert stopped.json()["cost"] > 0
        assert (await plug_of(client, connector_id))["status"] == "Finishing"
        clock.after(minutes=1)
        assert (await plug_of(client, connector_id))["status"] in ("Available", "Preparing")
        again = await client.post("/v1/sessions/stop", json={"sessionId": session["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "session_not_active")


async def test_a_busy_or_unknown_connector_cannot_be_started() -> None:
    source = fleet()
    connector_id = free_connector(source)
    async with asking(source, Hand()) as client:
        await client.post("/v1/sessions/start", json={"connectorId": connector_id})
        busy = await client.post("/v1/sessions/start", json={"connectorId": connector_id})
        unknown = await client.post("/v1/sessions/start", json={"connectorId": "nope"})
    assert (busy.status_code, busy.json()["code"]) == (409, "connector_not_available")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_an_offline_charger_refuses_commands() -> None:
    source = fleet()
    connector_id = free_connector(source)
    charger_id = connector_id.rpartition(".")[0]
    async with asking(source, Hand()) as client:
        await client.post(f"/__sandbox__/chargers/{charger_id}", json={"online": False})
        answers = [
            await client.post("/v1/sessions/start", json={"connectorId": connector_id}),
            await client.post(f"/v1/chargers/{charger_id}/reset", json={"type": "Hard"}),
            await client.post(f"/v1/chargers/{charger_id}/unlock", json={"connectorId": connector_id}),
            await client.post(f"/v1/chargers/{charger_id}/availability", json={"operative": False}),
        ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "charger_offline")}


async def test_a_soft_reset_mends_a_fault_in_about_six_of_ten_cases() -> None:
    outcomes = Counter[str]()
    for seed in range(120):
        source, clock = fleet(1, seed), Hand()
        connector_id = next(iter(source.connectors))
        source.force_online(connector_id.rpartition(".")[0], True, NOON)
        source.force_connector(connector_id, {"status": "Faulted", "errorCode": "GroundFailure"}, NOON)
        async with asking(source, clock) as client:
            answer = await client.post("/v1/chargers/100.1/reset", json={"type": "Soft"})
            assert answer.json() == {"success": True, "status": "Accepted"}
            assert (await plug_of(client, connector_id))["status"] == "Faulted"
            clock.after(minutes=1)
            outcomes[(await plug_of(client, connector_id))["status"]] += 1
    assert 0.5 < outcomes["Available"] / 120 < 0.7
    assert outcomes["Available"] + outcomes["Faulted"] == 120


async def test_a_hard_reset_takes_the_charger_offline_for_a_minute_or_so() -> None:
    source, clock = fleet(), Hand()
    charger_id = free_connector(source).rpartition(".")[0]
    async with asking(source, clock) as client:
        before = (await client.get(f"/v1/chargers/{charger_id}")).json()
        await client.post(f"/v1/chargers/{charger_id}/reset", json={"type": "Hard"})
        during = (await client.get(f"/v1/chargers/{charger_id}")).json()
        clock.after(minutes=10)
        after = (await client.get(f"/v1/chargers/{charger_id}")).json()
    assert (before["online"], during["online"], after["online"]) == (True, False, True)
    assert during["lastHeartbeat"] == before["lastHeartbeat"] < after["lastHeartbeat"]


async def test_an_unlock_ends_the_session_on_the_connector() -> None:
    source, clock = fleet(), Hand()
    connector_id = free_connector(source)
    path = f"/v1/chargers/{connector_id.rpartition('.')[0]}/unlock"
    async with asking(source, clock) as client:
        session = (await client.post("/v1/sessions/start", json={"connectorId": connector_id})).json()
        clock.after(minutes=1)
        answer = await client.post(path, json={"connectorId": connector_id})
        session = (await client.get(f"/v1/sessions/{session['id']}")).json()
        foreign = await client.post(path, json={"connectorId": "another"})
    assert answer.json()["status"] == "Unlocked"
    assert (session["status"], session["stopReason"]) == ("Completed", "UnlockCommand")
    assert foreign.status_code == 404


async def test_a_connector_taken_out_of_service_is_unavailable_until_it_is_put_back() -> None:
    source, clock = fleet(), Hand()
    connector_id = free_connector(source)
    path = f"/v1/chargers/{connector_id.rpartition('.')[0]}/availability"
    async with asking(source, clock) as client:
        answer = await client.post(path, json={"connectorId": connector_id, "operative": False})
        assert answer.json()["status"] == "Accepted"
        clock.after(hours=1)
        assert (await plug_of(client, connector_id))["status"] == "Unavailable"
        await client.post(path, json={"connectorId": connector_id, "operative": True})
        assert (await plug_of(client, connector_id))["status"] == "Available"


async def test_taking_a_charging_connector_out_of_service_waits_for_the_session() -> None:
    source, clock = fleet(), Hand()
    connector_id = free_connector(source)
    path = f"/v1/chargers/{connector_id.rpartition('.')[0]}/availability"
    async with asking(source, clock) as client:
        session = (await client.post("/v1/sessions/start", json={"connectorId": connector_id})).json()
        answer = await client.post(path, json={"connectorId": connector_id, "operative": False})
        assert answer.json()["status"] == "Scheduled"
        clock.after(seconds=20)
        assert (await plug_of(client, connector_id))["status"] == "Charging"
        await client.post("/v1/sessions/stop", json={"sessionId": session["id"]})
        clock.after(minutes=1)
        assert (await plug_of(client, connector_id))["status"] == "Unavailable"


async def test_prices_are_shown_and_changed_and_cost_later_sessions() -> None:
    source, clock = fleet(), Hand()
    connector_id = free_connector(source)
    location_id = connector_id.split(".")[0]
    changes = {"default": 2.0, "blocks": [{"from": "17:00", "to": "21:00", "price": 3}], "blockingFee": None}
    async with asking(source, clock) as client:
        before = (await client.get(f"/v1/locations/{location_id}/pricing")).json()
        clock.after(minutes=1)
        answer = await client.put(f"/v1/locations/{location_id}/pricing", json=changes)
        pricing = (await client.get(f"/v1/locations/{location_id}/pricing")).json()
        assert (before["blocks"], answer.json()) == ([], pricing)
        assert (pricing["default"], pricing["blocks"][0]["price"], pricing["unit"]) == (2.0, 3.0, "kWh")
        assert pricing["updatedAt"] > before["updatedAt"]
        session = (await client.post("/v1/sessions/start", json={"connectorId": connector_id})).json()
        clock.after(minutes=8)
        session = (await client.get(f"/v1/sessions/{session['id']}")).json()
    assert session["cost"] == pytest.approx(session["energyKwh"] * 2.0, abs=0.01)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"defaults": 1},
        {"default": -1},
        {"default": True},
        {"default": 10**400},
        {"unit": "hour"},
        {"currency": "euro"},
        {"blockingFeeIntervalMinutes": 7},
        {"blocks": [{"from": "21:00", "to": "17:00", "price": 1}]},
        {"blocks": [{"from": "7", "to": "17:00", "price": 1}]},
        {"blocks": [{"from": "07:00", "to": "12:00", "price": 1}, {"from": "11:00", "to": "13:00", "price": 1}]},
    ],
    ids=str,
)
async def test_a_wrong_price_is_400_and_changes_nothing(body: dict[str, Any]) -> None:
    async with asking(fleet(), Hand()) as client:
        before = (await client.get("/v1/locations/100/pricing")).json()
        answer = await client.put("/v1/locations/100/pricing", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        assert (await client.get("/v1/locations/100/pricing")).json() == before


async def test_a_summary_adds_up_the_sessions_that_ended_in_the_range() -> None:
    begin, end = NOON - timedelta(days=7), NOON
    question = {"from": begin.isoformat(), "to": end.isoformat(), "locationId": "100"}
    async with asking(fleet(), Hand()) as client:
        rows = (await client.get("/v1/sessions", params=question | {"limit": 1000})).json()["data"]
        summary = (await client.get("/v1/reports/summary", params=question)).json()
    ended = [row for row in rows if row["endedAt"] and begin.isoformat() <= row["endedAt"] < end.isoformat()]
    assert summary["sessionCount"] == len(ended) > 0
    assert summary["consumptionKwh"] == pytest.approx(sum(row["energyKwh"] for row in ended))
    assert summary["revenue"] == pytest.approx(sum(row["cost"] for row in ended))
    assert 0 < summary["utilisation"] < 1


async def test_an_export_is_pending_and_then_holds_the_sessions() -> None:
    clock = Hand()
    window = {"from": (NOON - timedelta(days=30)).isoformat(), "to": NOON.isoformat()}
    async with asking(fleet(), clock) as client:
        ordered = await client.post("/v1/exports/sessions", json=window)
        pending = (await client.get(f"/v1/exports/{ordered.json()['id']}")).json()
        clock.after(seconds=5)
        ready = (await client.get(f"/v1/exports/{ordered.json()['id']}")).json()
        summary = (await client.get("/v1/reports/summary", params=window)).json()
    assert (ordered.status_code, pending["status"], pending["rowCount"]) == (202, "Pending", None)
    assert (ready["status"], len(ready["sessions"])) == ("Ready", ready["rowCount"])
    assert ready["rowCount"] == summary["sessionCount"] > 0


async def test_an_export_of_more_than_thirty_days_is_refused() -> None:
    window = {"from": (NOON - timedelta(days=30, seconds=1)).isoformat(), "to": NOON.isoformat()}
    async with asking(fleet(), Hand()) as client:
        answer = await client.post("/v1/exports/sessions", json=window)
    assert (answer.status_code, answer.json()["code"]) == (400, "range_too_long")
