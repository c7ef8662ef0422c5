"""Accounts of three dialects on one invented fleet: what each is called, its contract file, and how it is reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bot.cli.recorder import record_account, write_recording
from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, load_contract
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.accounts.public import TONGUES
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.api import Api, create_api
from sandbox.eosvolt.dialect import Dialect
from sandbox.eosvolt.in_process import Application, InProcessTransport
from sandbox.eosvolt.recorded import RecordedApi
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)
TOKEN = "sandbox-token"
ACCOUNTS = ("plain", *TONGUES)
__all__ = ("ACCOUNTS", "DIALECTS", "EXAMPLES", "FILES", "NOON", "TOKEN", "TONGUES", "Account", "account", "contract_of")
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
    recorded: bool = False

    def same(self, read: Any, meant: Any) -> bool:
        """Whether what may name a person was read as it is; from a recording, whether another word stands for it."""
        if self.recorded and meant is not None:
            return read is not None and read != meant
        return bool(read == meant)

    def field(self, name: str) -> str:
        """The account's word for a field of the stand-in."""
        return self.api.dialect.name(name)


def file_of(dialect: str) -> Path | None:
    """The file in which the dialect differs from the packaged contract; "plain" has none."""
    folder = EXAMPLES if dialect in TONGUES else FILES
    return None if dialect == "plain" else folder / f"{dialect}.toml"


def contract_of(dialect: str) -> Contract:
    """The packaged contract, with the dialect's file merged over it where it has one."""
    return load_contract(file_of(dialect))


def spoken(api: Api, dialect: str) -> Application:
    """The stand-in as an account of examples/contracts speaks, or as it is."""
    return Spoken(api, TONGUES[dialect]) if dialect in TONGUES else api


class Taped(httpx.AsyncBaseTransport):
    """Answers as a recording of the account does, which is made when the first question comes."""

    def __init__(self, onward: InProcessTransport, dialect: str, clock: Hand, folder: Path) -> None:
        self._onward, self._dialect, self._clock, self._folder = onward, dialect, clock, folder
        self._served: InProcessTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._served is None:
            token, now = TokenSource.from_text(TOKEN), self._clock()
            kept = await record_account("http://live", token, contract_of(self._dialect), now, onward=self._onward)
            write_recording(kept, self._folder, now)
            self._served = InProcessTransport(RecordedApi(self._folder))
        return await self._served.handle_async_request(request)


@asynccontextmanager
async def account(
    dialect: str, door: str = "in process", chargers: int = 120, folder: Path | None = None, **options: Any
) -> AsyncIterator[Account]:
    """An account of `dialect`, reached "in process", over "HTTP" on loopback, or "recorded" into `folder`."""
    source, clock = FleetSource(chargers, 3, NOON), Hand()
    api = create_api(source, clock=clock, token=TOKEN, dialect=DIALECTS.get(dialect))
    app = spoken(api, dialect)
    contract, token = contract_of(dialect), TokenSource.from_text(TOKEN)
    options = {"attempts": 1, "clock": clock, "pause": at_once, **options}
    if door == "HTTP":
        async with serving(app) as url, EosvoltClient(url, token, contract, **options) as client:
            yield Account(client, contract, api, source, clock)
        return
    live = InProcessTransport(app)
    transport = live if folder is None else Taped(live, dialect, clock, folder)
    async with EosvoltClient("http://sandbox", token, contract, transport=transport, **options) as client:
        yield Account(client, contract, api, source, clock, folder is not None)
