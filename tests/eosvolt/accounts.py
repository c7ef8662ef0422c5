"""Accounts of three dialects on one invented fleet: what each is called, its contract file, and how it is reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, load_contract
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.accounts.public import TONGUES
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.dialect import Dialect
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)
TOKEN = "sandbox-token"
__all__ = ("DIALECTS", "EXAMPLES", "FILES", "NOON", "TOKEN", "TONGUES", "Account", "account", "contract_of")
FILES = Path(__file__).with_name("dialects")
EXAMPLES = Path(__file__).parents[2] / "examples" / "contracts"

DIALECTS = {
    "plain": Dialect(),
    "snake": Dialect(envelope="data", naming="snake"),
    "watts": Dialect(
        envelope="results",
        times="epoch_ms",
        power="W",
        totals=False,
        renames={
            "id": "code",
            "name": "title",
            "type": "kind",
            "status": "state",
            "online": "link",
            "timezone": "zone",
            "locationId": "siteCode",
            "chargerId": "stationCode",
            "connectorId": "outletCode",
            "sessionId": "transactionCode",
            "connectors": "outlets",
            "lastHeartbeat": "seen",
            "heartbeatIntervalSeconds": "beatEvery",
            "updatedAt": "modified",
            "updatedSince": "modifiedAfter",
            "statusChangedAt": "stateSince",
            "powerKw": "watts",
            "maxPowerKw": "ratedWatts",
            "startedAt": "begun",
            "endedAt": "finished",
            "energyKwh": "delivered",
            "cost": "amount",
            "idTag": "card",
            "operative": "inService",
            "default": "tariff",
            "from": "begin",
            "to": "finish",
            "sort": "orderBy",
            "page": "p",
            "limit": "size",
        },
    ),
}
"""What the stand-in speaks; "plain" is what the packaged contract assumes."""


class Hand:
    """A clock moved by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def after(self, **duration: float) -> None:
        self.now += timedelta(**duration)


async def at_once(_seconds: float) -> None:
    """No waiting in tests."""


@dataclass
class Account:
    """A client under its contract, the stand-in that answers it, its world, and the hand on its clock."""

    client: EosvoltClient
    contract: Contract
    api: Api
    source: FleetSource
    clock: Hand

    def field(self, name: str) -> str:
        """The account's word for a field of the stand-in."""
        return self.api.dialect.name(name)


def contract_of(dialect: str) -> Contract:
    """The packaged contract, with the dialect's file merged over it where it has one."""
    folder = EXAMPLES if dialect in TONGUES else FILES
    return load_contract(None if dialect == "plain" else folder / f"{dialect}.toml")


@asynccontextmanager
async def account(
    dialect: str, door: str = "in process", chargers: int = 120, **options: Any
) -> AsyncIterator[Account]:
    """An account of `dialect`, reached "in process" or over "HTTP" on loopback."""
    source, clock = FleetSource(chargers, 3, NOON), Hand()
    api = create_api(source, clock=clock, token=TOKEN, dialect=DIALECTS.get(dialect))
    app = Spoken(api, TONGUES[dialect]) if dialect in TONGUES else api
    contract, token = contract_of(dialect), TokenSource.from_text(TOKEN)
    options = {"attempts": 1, "clock": clock, "pause": at_once, **options}
    if door == "HTTP":
        async with serving(app) as url, EosvoltClient(url, token, contract, **options) as client:
            yield Account(client, contract, api, source, clock)
        return
    transport: httpx.AsyncBaseTransport = InProcessTransport(app)
    async with EosvoltClient("http://sandbox", token, contract, transport=transport, **options) as client:
        yield Account(client, contract, api, source, clock)
