"""Accounts of other shapes are connected from nothing: what a survey writes reads them as files made by hand do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, contract_from
from eosvolt.survey.lines import merged, written
from eosvolt.survey.surveying import survey
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.accounts.plain import PLAIN
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.accounts.tongue import Tongue
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.eosvolt.pages import Manner
from sandbox.fleet.fleet import FleetSource
from tests.eosvolt.accounts import NOON, TOKEN, TONGUES, Hand, at_once, contract_of
from tests.examples import in_turn

BASES = {
    "ocpi": "/ocpi/cpo/2.2.1",
    "laravel": "/api",
    "flat": "/v3",
    "nordic": "/nordic/v2",
    "harbour": "/harbour",
    "hal": "/hal",
}
"""What a person reads in each account's reference before every path, and puts into EOSVOLT_BASE_URL."""

NUMBERED = "flat"
"""Its statuses are numbers, which nobody can guess: a person looks them up, as the survey says."""


class Place:
    """A fleet of thirty chargers behind an account, and clients of it; what acts is never asked for."""

    def __init__(self, tongue: Tongue) -> None:
        self.clock = Hand()
        self.asked: list[httpx.Request] = []
        api = create_api(FleetSource(30, 3, NOON - timedelta(hours=6)), clock=self.clock, token=TOKEN)
        self.clock.after(hours=1)
        self._api = InProcessTransport(Spoken(api, tongue))
        self._transport = httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return await self._api.handle_async_request(request)

    def client(self, base: str) -> Any:
        token = TokenSource.from_text(TOKEN)

        def made(contract: Contract) -> EosvoltClient:
            return EosvoltClient(
                f"http://sandbox{base}",
                token,
                contract,
                transport=self._transport,
                attempts=1,
                clock=self.clock,
                pause=at_once,
            )

        return made


async def essence(client: EosvoltClient, now: Any) -> dict[str, Any]:
    """What rules go by: which things there are, how they stand and since when, in kW and kWh."""
    async with client:
        chargers = await client.fetch_chargers()
        changed = await client.fetch_chargers(now - timedelta(minutes=5))
        sessions = await client.fetch_sessions(started_from=now - timedelta(days=1))
        one = await client.fetch_charger(chargers.rows[0].id)
    return {
        "whole": [(one.complete, one.shortfall, one.set_aside) for one in (chargers, changed, sessions)],
        "chargers": {
            row.id: (row.location_id, row.online, row.last_heartbeat, row.updated_at) for row in chargers.rows
        },
        "changed": sorted(row.id for row in changed.rows),
        "connectors": {
            plug.id: (plug.status, plug.status_changed_at, plug.error_code, plug.power_kw, plug.max_power_kw)
            for row in chargers.rows
            for plug in row.connectors
        },
        "sessions": {
            row.id: (
                row.connector_id,
                row.charger_id,
                row.status,
                row.started_at,
                row.ended_at,
                row.energy_kwh,
                row.cost,
            )
            for row in sessions.rows
        },
        "one": one.id,
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each account in CI, one of them in a plain run: some hundreds of questions are asked of each."""
    if "account" in metafunc.fixturenames:
        metafunc.parametrize("account", in_turn(metafunc.definition.nodeid, list(TONGUES)))


async def test_what_is_written_reads_the_account_as_the_file_made_by_hand_does(account: str) -> None:
    place = Place(TONGUES[account])
    make = place.client(BASES[account])
    found = await survey(make, "", place.clock.now)
    lines = dict(found.lines)
    assert contract_from("\n".join(written(lines)), "pasted") == contract_from(merged("", lines), "pasted")
    if account == NUMBERED:
        (trouble,) = found.troubles
        assert "'OperatingMode' holds 1, 3," in trouble
        assert ": look up which is which, and write fields.connector.status" in trouble
        values = dict(contract_of(account).fields["connector"]["status"].values)
        lines["fields.connector.status"] = {"names": ["OperatingMode"], "values": values}
    else:
        assert found.troubles == []
    assert {request.method for request in place.asked} == {"GET"}
    meant = await essence(place.client("")(contract_of(account)), place.clock.now)
    assert meant["whole"] == [(True, "", ())] * 3
    assert len(meant["chargers"]) == 30
    assert await essence(make(contract_from(merged("", lines), account)), place.clock.now) == meant
    again = await survey(make, merged("", lines), place.clock.now)
    assert ([one.told for one in again.differences], again.lines, again.troubles) == ([], {}, [])


async def test_a_page_that_looks_whole_is_asked_for_by_other_words_before_it_is_believed() -> None:
    quiet = replace(PLAIN, manner=Manner("page", frozenset(), names={"page": "p", "limit": "size"}))
    place = Place(quiet)
    found = await survey(place.client(""), "", place.clock.now)
    assert len(found.lists["chargers"].rows) == 30
    assert found.lines["routes.chargers.paging.page"] == "p"
    assert "chargers paging" in {one.field for one in found.differences}


TOUCHED = "2025-10-01T11:00:00+0000"
ROWS: dict[str, list[dict[str, Any]]] = {
    "facilities": [{"place_id": f"p{number}", "geo": {"tz": "Europe/Oslo"}} for number in range(3)],
    "devices": [
        {
            "box": {"serial": f"B{number}", "place": f"p{number % 3}", "label": f"Box {number}"},
            "conn_state": "ONLINE" if number else "OFFLINE",
            "ports": [{"port": f"B{number}-1", "operational_status": "IN_USE", "power": {"value": 7400}}],
            "touched": TOUCHED,
        }
        for number in range(33)
    ],
    "transactions": [
        {"tx": f"T{number}", "port": f"B{number}-1", "phase": "in_progress", "from_ts": TOUCHED, "energy": {"wh": 5200}}
        for number in range(33)
    ],
}


def strange(request: httpx.Request) -> httpx.Response:
    """Ten rows a page by words of its own, a total nowhere, and unlike any account that we know."""
    base, _, last = request.url.path.rpartition("/")
    asked = request.url.params
    if base != "/api/v2" or last not in ROWS:
        return httpx.Response(404, json={"problem": {"id": "missing", "text": "no"}})
    size, page = min(int(asked.get("take", 10)), 10), int(asked.get("pageNo", 1))
    rows = ROWS[last][(page - 1) * size : page * size]
    return httpx.Response(200, json={"response": {"content": rows, "number": page}})


async def test_of_an_account_unlike_any_it_finds_all_but_one_id_and_names_what_may_be_it() -> None:
    def client(contract: Contract) -> EosvoltClient:
        transport, token = httpx.MockTransport(strange), TokenSource.from_text(TOKEN)
        return EosvoltClient("http://strange", token, contract, transport=transport, attempts=1, pause=at_once)

    found = await survey(client, "", NOON)
    (trouble,) = found.troubles
    assert trouble.startswith("charger id: no id under id; each row has another value under box.serial, box.label: is")
    mended = merged("", {**found.lines, "fields.charger.id": "box.serial"})
    again = await survey(client, mended, NOON)
    assert again.troubles == []
    lists = {name: len(fetched.rows) for name, fetched in again.lists.items()}
    assert lists == {"locations": 3, "chargers": 33, "sessions": 33}
    (plug,) = again.lists["chargers"].rows[0].connectors
    assert (plug.id, plug.status, plug.power_kw) == ("B0-1", "Charging", 7.4)
