"""A sixth account, unlike the examples: HAL with `_embedded` and `_links`, names as in XML, times in ms since 1970."""

from typing import Any

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import contract_from
from eosvolt.survey.surveying import survey
from eosvolt.tokens import TokenSource
from tests.eosvolt.accounts import NOON

AT = 1_759_320_000_000
HAL = """
paging.style = "link"
envelope.next_page = ["_links.next.href"]
envelope.total = ["page.totalElements"]
routes.locations = { call = "GET /hal/Sites", inside = "_embedded.Site", limit = 2 }
routes.charger.call = "GET /hal/ChargePoints/{id}"
routes.session.call = ""
times.sent = "epoch_ms"

[routes.chargers]
call = "GET /hal/ChargePoints"
inside = "_embedded.ChargePoint"
limit = 2
sort = ""
params = { status = "", location_id = "", updated_since = "changedSince", sort = "" }

[routes.sessions]
call = "GET /hal/Transactions"
inside = "_embedded.Transaction"
limit = 2
params = { started_from = "since", started_to = "", status = "", location_id = "", updated_since = "changedSince" }

[fields.location]
id = "@Id"
name = "SiteName"
timezone = "TimeZone"

[fields.charger]
id = "@Id"
location_id = "Site.@Id"
name = "CpName"
online = { names = ["Online"], values = { Y = true, N = false } }
connectors = "Connectors.Connector"
updated_at = { names = ["ChangedAt"], unit = "epoch_ms" }

[fields.connector]
id = "{charger.id}-{@Number}"
status = { names = ["State"], values = { FREE = "Available", INUSE = "Charging" } }
power_kw = { names = ["PowerW"], unit = "W" }

[fields.session]
id = "@Id"
connector_id = "{ChargePointRef.@Id}-{ConnectorNo}"
charger_id = "ChargePointRef.@Id"
status = { names = ["State"], values = { RUNNING = "Active", DONE = "Completed" } }
started_at = { names = ["BeginAt"], unit = "epoch_ms" }
energy_kwh = { names = ["MeterWh"], unit = "Wh" }
"""


def box(number: int) -> dict[str, Any]:
    plugs = [{"@Number": one, "State": "FREE" if one == 1 else "INUSE", "PowerW": 7400} for one in (1, 2)]
    return {
        "@Id": f"CP{number}",
        "CpName": f"Box {number}",
        "Site": {"@Id": "S1"},
        "Online": "Y",
        "ChangedAt": AT,
        "Connectors": {"Connector": plugs},
        "_links": {"self": {"href": f"https://api.example.com/hal/ChargePoints/CP{number}"}},
    }


ROWS: dict[str, list[dict[str, Any]]] = {
    "Site": [{"@Id": "S1", "SiteName": "North", "TimeZone": "Europe/Oslo"}],
    "ChargePoint": [box(number) for number in range(5)],
    "Transaction": [
        {
            "@Id": f"T{number}",
            "ChargePointRef": {"@Id": f"CP{number}"},
            "ConnectorNo": 2,
            "State": "RUNNING",
            "BeginAt": AT + number,
            "MeterWh": 1500,
        }
        for number in range(3)
    ],
}


def answer(request: httpx.Request) -> httpx.Response:
    parts = request.url.path.strip("/").split("/")
    name = parts[1].removesuffix("s")
    if name not in ROWS:
        return httpx.Response(404, json={"message": "no such thing"})
    if len(parts) > 2:
        found = next((row for row in ROWS[name] if row["@Id"] == parts[2]), None)
        return httpx.Response(200, json=found) if found else httpx.Response(404, json={"code": "not_found"})
    asked = request.url.params
    late = any(int(asked[key]) > AT + 10**9 for key in ("changedSince", "since") if key in asked)
    rows, size, start = ([] if late else ROWS[name]), int(asked.get("limit", 2)), int(asked.get("cursor", 0))
    links = {"self": {"href": str(request.url)}}
    if start + size < len(rows):
        links["next"] = {"href": f"https://api.example.com{request.url.path}?limit={size}&cursor={start + size}"}
    told = {"_embedded": {name: rows[start : start + size]}, "_links": links, "page": {"totalElements": len(rows)}}
    return httpx.Response(200, json=told)


def client(contract: Any) -> EosvoltClient:
    transport = httpx.MockTransport(answer)
    return EosvoltClient(
        "https://api.example.com", TokenSource.from_text("t-123456"), contract, transport=transport, attempts=1
    )


async def test_it_is_read_whole_by_its_file_alone() -> None:
    async with client(contract_from(HAL, "hal.toml")) as asked:
        chargers, sessions = await asked.fetch_chargers(), await asked.fetch_sessions(started_from=NOON)
        places, one = await asked.fetch_locations(), await asked.fetch_charger("CP1")
    assert [(fetched.complete, fetched.shortfall) for fetched in (chargers, sessions, places)] == [(True, "")] * 3
    assert [row.id for row in chargers.rows] == [f"CP{number}" for number in range(5)]
    first = chargers.rows[0]
    assert [(plug.id, plug.status, plug.power_kw) for plug in first.connectors] == [
        ("CP0-1", "Available", 7.4),
        ("CP0-2", "Charging", 7.4),
    ]
    assert (first.online, first.location_id, first.name) == (True, "S1", "Box 0")
    session = sessions.rows[0]
    assert (session.connector_id, session.energy_kwh, session.status) == ("CP0-2", 1.5, "Active")
    assert (places.rows[0].name, one.id) == ("North", "CP1")


async def test_doctor_finds_nothing_more_to_say_of_it() -> None:
    found = await survey(client, HAL, NOON)
    assert ([f"{one.field}: {one.told}" for one in found.differences], found.lines, found.troubles) == ([], {}, [])
