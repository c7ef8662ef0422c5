"""Commands of the account's own in a contract file: sent as it says; what cannot be is an error with a mend."""

import json
from pathlib import Path
from typing import Any

import pytest

from eosvolt.contract import ContractError, contract_from
from eosvolt.errors import Rejected
from tests.eosvolt.wire import Wire, charger, client_of, connector, ok

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
    "no call": ('[commands.locate]\ndoes = "blink"', 1, "a method that acts and a path"),
    "a GET": ('[commands.locate]\ndoes = "blink"\ncall = "GET /v1/x/{id}"', 3, "a method that acts"),
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
