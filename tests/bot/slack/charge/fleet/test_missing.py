"""What EOSVOLT's lists no longer show: doubted, told, and believed once an admin says so."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from eosvolt.models import ChargerReading, Fetched
from storage.schema import ALERT, AUDIT, CHARGER
from tests.bot.house import FAULTED, House, polled_anew


def gone(house: House) -> int:
    with house.running.database.read() as connection:
        counted = sa.select(sa.func.count()).select_from(CHARGER).where(CHARGER.c.gone_at.is_not(None))
        return int(connection.execute(counted).scalar_one())


def found(house: House, column: sa.Column[str]) -> list[str]:
    with house.running.database.read() as connection:
        return list(connection.execute(sa.select(column)).scalars())


async def emptied(updated_since: datetime | None = None) -> Fetched[ChargerReading]:
    return Fetched()


async def next_sweep(house: House) -> None:
    house.clock.ahead += timedelta(minutes=2)
    await polled_anew(house.running)


async def test_an_emptied_list_is_told_and_believed_once_an_admin_says_so(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED | {"for": "0s"})
    await polled_anew(house.running)
    assert "EOSVOLT shows what it showed before" in (await house.ask("missing", "vera")).plain()
    monkeypatch.setattr(house.running.client, "fetch_chargers", emptied)
    await next_sweep(house)
    told = (await house.ask("missing", "vera")).plain()
    assert "*Chargers*: 37 of 37 things" in told
    assert "are missing since" in told
    assert "missing since" in (await house.ask("health", "vera")).plain()
    assert "needs the role admin" in (await house.ask("missing accept yes", "vera")).plain()
    await next_sweep(house)
    assert gone(house) == 0

    preview = await house.ask("missing accept")
    assert "not believed" in preview.plain() or "may be a fault" in preview.plain()
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", preview, "run_words")
    assert "the next list that shows the same is believed" in (await house.next_whisper("ada", before)).plain()
    await next_sweep(house)
    assert gone(house) > 0
    await house.wait_for(lambda: "removed" in found(house, ALERT.c.ended_because))
    assert "accept missing things" in found(house, AUDIT.c.action)
