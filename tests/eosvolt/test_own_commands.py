"""Commands of the account's own in a contract file: sent as it says; what cannot be is an error with a mend."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.cli.contract_doctor import check_contract
from eosvolt.contract import ContractError, contract_from
from eosvolt.errors import Rejected, Timeout
from eosvolt.exchange import SEND_BY
from tests.eosvolt.wire import Wire, charger, client_of, connector, ok

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
OWN = """
fields.connector.id = "{charger.id}.{id}"
[commands.locate]
call = "PUT /v1/places/{location_id}/chargers/{id}/lamp"
does = "blink"
query = { for = "60" }
headers = { X-Origin = "chargehand" }
fixed = { lamp = { mode = "blink" } }
[commands.free]
of = "connector"
call = "POST /v1/commands/free"
does = "open the lid"
body = { id = "box", connector_id = "plug.number" }
"""


async def test_it_is_sent_as_the_file_says_with_the_accounts_own_ids(tmp_path: Path) -> None:
    rows = ok({"data": [charger("C 1", connectors=[connector("2")])], "total": 1})
    wire = Wire(rows, ok({"status": "Accepted"}), ok({"status": "Rejected"}))
    async with client_of(wire, OWN, tmp_path=tmp_path) as client:
        await client.fetch_chargers()
        assert (await client.post_own("locate", "C 1")).status == "Accepted"
        with pytest.raises(Rejected):
            await client.post_own("free", "C 1", "C 1.2")
    lamp, lid = wire.requests[1:]
    assert (lamp.method, lamp.url.raw_path) == ("PUT", b"/v1/places/L1/chargers/C%201/lamp?for=60")
    assert lamp.headers["x-origin"] == "chargehand"
    assert json.loads(lamp.content) == {"lamp": {"mode": "blink"}}
    assert json.loads(lid.content) == {"box": "C 1", "plug": {"number": "2"}}


GOOD = 'call = "POST /v1/chargers/{id}/locate"\ndoes = "blink"\n'
WRONG: dict[str, tuple[str, int, str]] = {
    "no call": ('[commands.locate]\ndoes = "blink"', 1, "a method and a path"),
    "a GET with a body": (
        '[commands.x]\ndoes = "y"\ncall = "GET /v1/x/{id}"\nfixed = { on = true }',
        3,
        "put {its words} into the path",
    ),
    "nothing of the charger": ('[commands.x]\ndoes = "y"\ncall = "POST /v1/x"', 3, "nothing says id"),
    "nothing of the connector": (
        '[commands.x]\nof = "connector"\ndoes = "y"\ncall = "POST /v1/x/{id}"',
        4,
        "nothing says connector_id",
    ),
    "no words": ('[commands.x]\ncall = "POST /v1/x/{id}"', 1, "what it does in at most 80 characters"),
    "a name in capitals": (f"[commands.Locate]\n{GOOD}", 1, "lower case letters"),
    "an unknown key": (
        f'[commands.x]\n{GOOD}verify = "status"',
        4,
        'unknown key "verify"; did you mean "verified_by',
    ),
    "an unknown role": (f'[commands.x]\n{GOOD}who = "all"', 4, "must be one of operator, admin"),
    "a status that is none": (f'[commands.x]\n{GOOD}verified_by = {{ status = ["Free"] }}', 4, "statuses of OCPP 1.6"),
    "two ways to verify": (
        f'[commands.x]\n{GOOD}verified_by = {{ restart = true, status = ["Available"] }}',
        4,
        "one of { status",
    ),
    "a word that is not there": (f'[commands.x]\n{GOOD}body = {{ plug = "plug" }}', 4, "this call has no such word"),
    "no table": ('commands.locate = "POST /v1"', 1, "must be a table"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_told_with_line_and_mend(wrong: tuple[str, int, str]) -> None:
    text, line, mend = wrong
    with pytest.raises(ContractError) as told:
        contract_from(text, "site.toml")
    assert f"site.toml, line {line}: commands." in str(told.value), str(told.value)
    assert mend in str(told.value)


def test_an_account_without_any_has_none() -> None:
    own: Any = contract_from("", "site.toml").commands
    assert own == {}


BY_GET = """
routes.charger_reset = { call = "GET /v1/do/restart/{id}/{type}", body = { type = "" } }
[commands.blink]
call = "GET /v1/do/blink/{id}"
does = "blink"
"""


async def test_what_acts_by_a_get_is_asked_once_from_nobodys_memory_and_not_after_its_time(tmp_path: Path) -> None:
    acts: tuple[Any, ...] = (
        lambda client: client.post_reset("C1", "Soft"),
        lambda client: client.post_own("blink", "C1"),
    )
    for act in acts:
        lost = Wire(httpx.ReadTimeout("late"), ok({"status": "Accepted"}))
        async with client_of(lost, BY_GET, tmp_path=tmp_path, attempts=5) as client:
            with pytest.raises(Timeout) as unknown:
                await act(client)
            assert (len(lost.requests), unknown.value.did_not_run) == (1, False)
            assert (lost.requests[0].method, lost.requests[0].headers["cache-control"]) == ("GET", "no-cache")
            SEND_BY.set(asyncio.get_running_loop().time() - 1)
            with pytest.raises(Timeout, match="stood still") as late:
                await act(client)
            SEND_BY.set(None)
            assert (len(lost.requests), late.value.did_not_run) == (1, True)


async def test_doctor_asks_nothing_that_acts_whatever_its_method(tmp_path: Path) -> None:
    rows = {"chargers": [charger("C1")], "locations": [{"id": "L1"}], "sessions": []}
    wire = Wire(lambda request: ok({"data": rows.get(request.url.path.rpartition("/")[2], []), "total": 1}))
    async with client_of(wire, BY_GET, tmp_path=tmp_path) as client:
        checks = await check_contract(client, contract_from(BY_GET, "site.toml"), AT)
    told = {check.name: check.told for check in checks}
    assert (told["charger_reset"], told["commands.blink"]) == ("it acts", "it acts")
    assert not [request for request in wire.requests if "/do/" in request.url.path]
