"""Each of these differences alone is named by a survey, and its lines mend it: the same things are read as before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, contract_from
from eosvolt.models import Fetched
from eosvolt.survey.lines import merged, written
from eosvolt.survey.surveying import survey
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.accounts.plain import PLAIN
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.accounts.tongue import Rule, Tongue
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.eosvolt.pages import Manner
from sandbox.fleet.fleet import FleetSource
from tests.eosvolt.accounts import NOON, TOKEN, Hand, at_once


def renamed(resource: str, **names: str) -> Tongue:
    return replace(PLAIN, names={resource: names})


def paged(style: Any, *tells: Any, **options: Any) -> Tongue:
    return replace(PLAIN, manner=Manner(style, frozenset(tells), **options))


def moved(word: str, other: str) -> Tongue:
    """A list that stands under another path."""
    rules = tuple(replace(rule, path=rule.path.replace(f"/v1/{word}", f"/v1/{other}")) for rule in PLAIN.rules)
    return replace(PLAIN, rules=rules)


def asked(word: str, other: str) -> Tongue:
    """A filter by another name."""
    return replace(PLAIN, params={other if name == word else name: ours for name, ours in PLAIN.params.items()})


def refused(status: int, facts: Mapping[str, Any]) -> tuple[int, Any]:
    return (200 if status in (400, 404) else status), {"outcome": "ERROR", "code": facts.get("code")}


DIFFERENCES: dict[str, Tongue] = {
    "a charger's id": renamed("charger", id="uid"),
    "a charger's location": renamed("charger", locationId="siteId"),
    "a charger's location inside an object": renamed("charger", locationId="site.id"),
    "a charger's name": renamed("charger", name="title"),
    "whether it is online": renamed("charger", online="isConnected"),
    "its last heartbeat": renamed("charger", lastHeartbeat="lastSeen"),
    "its serial number": renamed("charger", serial="serialNo"),
    "its connectors": renamed("charger", connectors="outlets"),
    "its connectors inside an object": renamed("charger", connectors="hardware.plugs"),
    "a charger's update": renamed("charger", updatedAt="modified"),
    "a connector's id": renamed("connector", id="plugId"),
    "a connector's status": renamed("connector", status="state"),
    "since when it is so": renamed("connector", statusChangedAt="stateSince"),
    "its most power": renamed("connector", maxPowerKw="ratedPowerKw"),
    "its power now": renamed("connector", powerKw="currentPower"),
    "a session's id": renamed("session", id="transactionId"),
    "a session's connector": renamed("session", connectorId="plugId"),
    "a session's charger": renamed("session", chargerId="stationId"),
    "when it started": renamed("session", startedAt="startTime"),
    "when it ended": renamed("session", endedAt="stopTime"),
    "its energy": renamed("session", energyKwh="energy"),
    "its cost": renamed("session", cost="totalCost"),
    "its status": renamed("session", status="state"),
    "a location's id": renamed("location", id="siteCode"),
    "a location's time zone": renamed("location", timezone="zone"),
    "power in W under the same name": replace(PLAIN, factors={"powerKw": 1000, "maxPowerKw": 1000}),
    "energy in Wh under the same name": replace(PLAIN, factors={"energyKwh": 1000}),
    "money in cents under the same name": replace(PLAIN, factors={"cost": 100}),
    "a heartbeat interval in ms": replace(PLAIN, factors={"heartbeatIntervalSeconds": 1000}),
    "times in ms since 1970": replace(PLAIN, times="epoch_ms"),
    "times in s since 1970": replace(PLAIN, times="epoch_s"),
    "words for a connector's status": replace(
        PLAIN, words={"connector.status": {"Available": "FREE", "Charging": "BUSY", "Faulted": "BROKEN"}}
    ),
    "words for a session's status": replace(
        PLAIN, words={"session.status": {"Active": "RUNNING", "Completed": "DONE"}}
    ),
    "UP and DOWN for online": replace(PLAIN, words={"online": {True: "UP", False: "DOWN"}}),
    "1 and 0 for online": replace(PLAIN, words={"online": {True: 1, False: 0}}),
    "rows under records": replace(PLAIN, wrap=lambda cut: {"records": cut.rows, **cut.beside}),
    "rows under payload.items": replace(PLAIN, wrap=lambda cut: {"payload": {"items": cut.rows}, **cut.beside}),
    "a single thing under payload": replace(PLAIN, one=lambda thing: {"payload": thing}),
    "pages from 0": paged("page", "total", first=0),
    "pages from 0, nothing told": paged("page", first=0),
    "pages by another name": paged("page", "total", names={"page": "pageIndex"}),
    "offsets": paged("offset", "total", first=0),
    "offsets by another name": paged("offset", "total", first=0, names={"offset": "start", "limit": "count"}),
    "a cursor": paged("cursor", "next_page", "total", names={"next_page": "nextCursor"}),
    "a cursor by other names": paged("cursor", "next_page", names={"next_page": "continuation", "cursor": "after"}),
    "updatedSince by another name": asked("updatedSince", "modifiedAfter"),
    "from by another name": asked("from", "begin"),
    "chargers at another path": moved("chargers", "stations"),
    "sessions at another path": moved("sessions", "transactions"),
    "locations at another path": moved("locations", "sites"),
    "errors told with HTTP 200": replace(
        PLAIN,
        wrap=lambda cut: {"outcome": "OK", "data": cut.rows, **cut.beside},
        one=lambda thing: {"outcome": "OK", "data": thing},
        refuse=refused,
    ),
    "connectors numbered within their charger": replace(PLAIN, local=True),
    "chargers inside locations": replace(PLAIN, nested="evses", names={"charger": {"locationId": ""}}),
    "chargers inside locations alone": replace(
        PLAIN,
        nested="stations",
        names={"charger": {"locationId": ""}},
        rules=(
            Rule("GET", "/v1/locations", "/v1/chargers"),
            *(rule for rule in PLAIN.rules if rule.path not in {"/v1/chargers", "/v1/locations"}),
        ),
    ),
    "a charger by its location": replace(
        PLAIN,
        rules=tuple(
            replace(rule, path="/v1/locations/{location_id}/chargers/{id}")
            if rule.path == "/v1/chargers/{id}"
            else rule
            for rule in PLAIN.rules
        ),
    ),
    "an error's code": replace(PLAIN, refuse=lambda status, facts: (status, {"fault": facts.get("code")})),
}
"""Each applied alone to the plain account."""


FEW = "[routes.locations]\nlimit = 5\n[routes.chargers]\nlimit = 5\n[routes.sessions]\nlimit = 20\n"


class Place:
    """An invented fleet behind one tongue, and clients of it under any contract."""

    def __init__(self, tongue: Tongue) -> None:
        self.clock = Hand()
        api = create_api(FleetSource(12, 3, NOON - timedelta(hours=6)), clock=self.clock, token=TOKEN)
        self.clock.after(hours=1)
        self.transport = InProcessTransport(Spoken(api, tongue))

    def client(self, contract: Contract) -> EosvoltClient:
        token = TokenSource.from_text(TOKEN)
        return EosvoltClient(
            "http://sandbox", token, contract, transport=self.transport, attempts=1, clock=self.clock, pause=at_once
        )

    async def read(self, override: str) -> list[Any]:
        """Everything that is polled, without what is only kept aside."""
        async with self.client(contract_from(override, "lines")) as client:
            lists: list[Fetched[Any]] = [
                await client.fetch_locations(),
                await client.fetch_chargers(),
                await client.fetch_chargers(updated_since=self.clock.now - timedelta(minutes=1)),
                await client.fetch_sessions(started_from=NOON - timedelta(days=1)),
            ]
            assert [(one.complete, one.shortfall, one.set_aside) for one in lists] == [(True, "", ())] * len(lists)
            one = await client.fetch_charger(lists[1].rows[0].id)
        return [*(sorted((plain(row) for row in one.rows), key=str) for one in lists), plain(one)]


def plain(row: Any) -> Any:
    connectors = tuple(replace(plug, status_raw=None, extra={}) for plug in getattr(row, "connectors", ()))
    bare = replace(row, extra={})
    return replace(bare, connectors=connectors) if connectors else bare


@pytest.fixture
async def as_assumed() -> list[Any]:
    """What the plain account says."""
    return await Place(PLAIN).read("")


async def test_of_the_account_that_is_assumed_nothing_differs(as_assumed: list[Any]) -> None:
    place = Place(PLAIN)
    found = await survey(place.client, "", place.clock.now)
    assert (found.differences, found.lines, found.troubles) == ([], {}, [])
    assert len(found.lists["chargers"].rows) == len(as_assumed[1]) == 12


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES.keys())
async def test_each_difference_is_named_and_its_lines_mend_it(difference: Tongue, as_assumed: list[Any]) -> None:
    place = Place(difference)
    found = await survey(place.client, FEW, place.clock.now)
    assert found.differences
    assert all(one.field and one.told for one in found.differences)
    pasted = "\n".join(written(found.lines))
    assert contract_from(pasted, "pasted") == contract_from(merged("", found.lines), "pasted")
    override = merged(FEW, found.lines)
    assert await place.read(override) == as_assumed
    again = await survey(place.client, override, place.clock.now)
    assert ([one.told for one in again.differences], again.lines, again.troubles) == ([], {}, [])


def test_there_are_forty_of_them() -> None:
    assert len(DIFFERENCES) >= 40
    assert Rule("GET", "/v1/chargers", "/v1/chargers") in PLAIN.rules
