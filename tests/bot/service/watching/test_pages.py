"""What the service says of itself: never well while something is wrong, and never in need of a restart for that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from notify.troubles import open_troubles
from sandbox.slack.workspace.model import User
from tests.bot.house import Clock, House, open_house, polled_anew

PAGES = ("livez", "readyz", "healthz")


@pytest.fixture
async def http_house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=True) as house:
        yield house


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no database that hangs."""
    monkeypatch.setattr("bot.service.watching.pages.ANSWER_SECONDS", 30.0)


async def page(house: House, name: str) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(house.workspace.link.request_url).replace("slack/events", name))
        return answer.status_code, answer.json()


async def codes(house: House) -> list[int]:
    return [(await page(house, name))[0] for name in PAGES]


def damage(house: House, table: str) -> None:
    with house.running.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone")


async def test_a_service_that_works_is_well_on_every_page(http_house: House) -> None:
    await http_house.start()
    assert await codes(http_house) == [200, 200, 200]
    assert "Well" in (await http_house.ask("health")).plain()


async def test_nothing_polled_yet_is_not_well(http_house: House) -> None:
    await http_house.start(polled=False)
    with http_house.running.database.write() as connection:
        connection.exec_driver_sql("UPDATE poll SET good_at = NULL")
    code, facts = await page(http_house, "healthz")
    assert (code, facts["troubles"]) == (503, ["unpolled"])
    assert (await codes(http_house))[:2] == [200, 200]


class StoppedClock(Clock):
    """The clock of a house, which a test can stop."""

    shows: datetime | None = None

    def __call__(self) -> datetime:
        return self.shows or super().__call__()


async def test_a_clock_that_stands_still_is_never_well(http_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.service.watching.watches.STILL_AFTER_S", 0.5)
    http_house.clock = clock = StoppedClock()
    await http_house.start()
    assert await codes(http_house) == [200, 200, 200]
    clock.shows = clock()
    async with asyncio.timeout(30):
        while (await codes(http_house)) != [200, 200, 503]:
            pass
    assert "clock_still" in (await page(http_house, "healthz"))[1]["troubles"]
    assert "The clock stands still" in (await http_house.ask("health")).plain()
    clock.shows = None
    async with asyncio.timeout(30):
        while "clock_still" in (await page(http_house, "healthz"))[1]["troubles"]:
            pass


async def test_while_every_poll_fails_it_is_ready_and_not_well(http_house: House) -> None:
    await http_house.start()
    http_house.api.faults.answers_503 = 10_000
    await polled_anew(http_house.running)
    assert await codes(http_house) == [200, 200, 503]
    assert (await page(http_house, "healthz"))[1]["troubles"] == ["failing"]
    answer = (await http_house.ask("health")).plain()
    assert "Not well" in answer
    assert "Every poll fails" in answer


async def test_a_damaged_table_is_told_as_a_job_that_fails_and_not_blamed_on_eosvolt(http_house: House) -> None:
    await http_house.start()
    damage(http_house, "interval")
    http_house.break_connector(http_house.free())
    service = http_house.running
    service.ticker.wake("poll chargers")
    await http_house.wait_for(lambda: service.ticker.states["poll chargers"].error)
    code, facts = await page(http_house, "healthz")
    told = [trouble for trouble in facts["troubles"] if trouble != "job:poll prices"]  # prices change intervals too
    assert (code, told) == (503, ["job:poll chargers"])
    http_house.clock.ahead += timedelta(minutes=6)
    await service.watchdog.watch(http_house.clock())  # unless the service's own watch was quicker
    with service.database.read() as connection:
        told = [row.key for row in open_troubles(connection)]
    assert [key for key in told if "chargers" in key] == ["job:poll chargers"]
    assert "no such table: interval" in (await http_house.ask("health")).plain()


async def test_a_job_that_is_late_is_not_well(http_house: House) -> None:
    await http_house.start()
    service = http_house.running
    service.ticker._jobs["deliver"].run = asyncio.sleep  # type: ignore[assignment]  # it hangs: for how long is its `now`
    states = service.ticker.states
    states["deliver"] = type(states["deliver"])(timedelta(seconds=1), http_house.clock() - timedelta(minutes=10))
    service.watchdog.began_at -= timedelta(minutes=10)
    code, facts = await page(http_house, "healthz")
    assert (code, "job:deliver" in facts["troubles"]) == (503, True)


async def test_without_its_database_it_lives_and_is_neither_ready_nor_well(http_house: House) -> None:
    await http_house.start()
    damage(http_house, "poll")
    code, facts = await page(http_house, "healthz")
    assert (code, facts["status"]) == (503, "the database cannot be read")
    assert (await page(http_house, "livez"))[0] == 200
    http_house.running.watchdog.unwritable_since = http_house.clock()
    assert (await page(http_house, "readyz"))[0] == 503


async def test_a_database_that_hangs_is_told_within_seconds(http_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.service.watching.pages.ANSWER_SECONDS", 0.1)
    await http_house.start()
    hung = asyncio.Event()

    async def hang(*_: object) -> None:
        await hung.wait()

    monkeypatch.setattr("bot.service.watching.pages.asyncio.to_thread", hang)
    assert (await page(http_house, "healthz"))[1]["error"] == "TimeoutError"
    assert (await page(http_house, "readyz"))[0] == 503
    assert (await page(http_house, "livez"))[0] == 200
    monkeypatch.undo()
    hung.set()  # the jobs that hang too are not waited for


async def test_a_worker_that_is_gone_is_what_a_restart_mends(http_house: House) -> None:
    await http_house.start()
    next(task for task in http_house.running.ticker._tasks if task.get_name() == "job deliver").cancel()
    await asyncio.sleep(0)
    assert await codes(http_house) == [503, 200, 503]


async def test_nobody_who_may_act_is_told_in_the_log_in_the_channel_and_on_the_page(http_house: House) -> None:
    http_house.changes |= {"chargehand_workspace_admins": False, "chargehand_operators": ()}
    with capture_logs() as logs:
        await http_house.start()
    told = next(entry for entry in logs if entry["event"] == "nobody may act")
    assert "CHARGEHAND_ADMINS=U..." in told["mend"]
    assert "CHARGEHAND_WORKSPACE_ADMINS=true" in told["mend"]
    channel = http_house.workspace.channel("#ev-alerts")
    message = await http_house.wait_for(lambda: channel.messages[0] if channel.messages else None)
    assert "Nobody may act in Slack" in message.plain()
    assert "CHARGEHAND_WORKSPACE_ADMINS=true" in message.plain()
    assert (await page(http_house, "healthz"))[1]["troubles"] == ["nobody"]
    assert "connectors" in (await http_house.ask("status")).plain(), "it serves all the same"


async def test_the_page_names_no_channel(http_house: House) -> None:
    http_house.workspace.users["U0X"] = User("U0X", "x", "X")
    await http_house.start()
    with http_house.running.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO trouble (key, since, raised_at, facts) "
            "VALUES ('refused:#board-meeting', '2026-03-04 08:00:00', '2026-03-04 08:00:00', '{}')"
        )
    assert (await page(http_house, "healthz"))[1]["troubles"] == ["refused"]
