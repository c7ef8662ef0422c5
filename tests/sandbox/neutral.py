"""How these tests write a recording in the neutral form and ask the stand-in API about it, in process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sandbox.eosvolt.api import Api, create_api
from sandbox.recordings import open_recording
from sandbox.recordings.replay import ReplaySource
from sandbox.world.source import Source

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)
HEADER = "at,location_id,charger_id,connector_id,field,value,session_id,energy_kwh,cost,currency"
AUTHORIZED = {"Authorization": "Bearer sandbox-token"}


class Hand:
    """A clock moved by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def after(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A folder with a timeline.csv of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timeline.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def replay(folder: Path, *rows: str, header: str = HEADER) -> ReplaySource:
    return ReplaySource(open_recording(write(folder, *rows, header=header)))


@asynccontextmanager
async def client_of(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=AUTHORIZED) as client:
        yield client


@asynccontextmanager
async def asking(source: Source, clock: Hand, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_api(source, clock=clock, **options)) as client:
        yield client


async def connector(client: httpx.AsyncClient, charger_id: str) -> Any:
    """The first connector of a charger, as the API shows it."""
    answer = await client.get(f"/v1/chargers/{charger_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["connectors"][0]


def free_connector(source: Source) -> str:
    """The id of a connector that a driver could use now."""
    return next(
        name
        for name, (charger, plug) in source.world.connectors.items()
        if plug["status"] == "Available" and charger.fields["online"]
    )
