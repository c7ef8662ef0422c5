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
