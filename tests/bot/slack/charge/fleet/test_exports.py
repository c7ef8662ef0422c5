"""Exports in Slack: an answer at once, then one CSV file in the messages of whoever asked."""

import asyncio
import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.slack import Message
from tests.bot.house import House, open_house


async def message_to(house: House, user: str) -> Message:
    place = house.workspace.direct_channel(user)
    message: Message = await house.wait_for(lambda: place.messages[-1] if place.messages else None)
    return message


def hurry(house: House) -> None:
    """Let the export's waits move the clock instead of taking time."""

    async def wait(seconds: float) -> None:
        house.clock.ahead += timedelta(seconds=seconds)

    house.running.responder.office.wait = wait


async def test_three_months_come_as_one_file_with_one_header(tmp_path: Path) -> None:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", past=True) as house:
        await house.start()
        hurry(house)
        answer = (await house.ask("export sessions 2025-12-01 2026-03-03", "ole")).plain()
        assert "in 4 parts, because EOSVOLT gives at most 30 days at once" in answer
        message = await message_to(house, "U0OLE00002")
        (file,) = (house.workspace.files[name] for name in message.files)
        assert file.name == "sessions-2025-12-01-2026-03-03.csv"
        assert file.content is not None
        header, *lines = csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
        ended = [
            row.id
            for row in house.fleet.world.sessions
            if row.fields["status"] == "Completed" and row.fields["endedAt"] < "2026-03-03T23:00:00"
        ]
        assert [line[0] for line in lines] == ended
        assert header[0] == "session"
        assert f"{len(ended):,} sessions that ended from" in message.plain()
        await asyncio.gather(*house.running.responder.office.work)
        with house.running.database.read() as connection:
            audit = connection.exec_driver_sql("SELECT action, outcome FROM audit_entry").one()
        assert tuple(audit) == ("export_sessions", "sent")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("export", "Only sessions, alerts, audit and uptime can be exported"),
        ("export sessions", "needs a first and a last day"),
        ("export sessions 2026-02-30 2026-03-01", "needs a first and a last day"),
        ("export sessions 2026-03-02 2026-03-01", "he last day is before the first"),
        ("export sessions 2027-03-02 2027-03-03", "nothing has happened yet"),
        ("export sessions 2020-01-01 2026-03-01", "covers at most 400 days"),
        ("export sessions 2026-03-01 2026-03-02 nowhere", "There is no location with the id"),
    ],
)
async def test_what_cannot_be_exported_is_said(house: House, words: str, told: str) -> None:
    assert told in (await house.ask(words, "ole")).plain()
    assert "needs the role operator" in (await house.ask(words, "vera")).plain()


async def test_a_failure_is_told_to_the_person_with_what_to_do(house: House) -> None:
    hurry(house)
    house.api.faults.forbidden = frozenset({"exports"})
    await house.ask("export sessions 2026-03-01..2026-03-02", "ole")
    assert "is not in this account's EOSVOLT plan" in (await message_to(house, "U0OLE00002")).plain()
    assert (
        "is not in this account's EOSVOLT plan"
        in (await house.ask("export sessions 2026-03-01..2026-03-02", "ole")).plain()
    )


async def test_whoever_waits_for_a_file_is_told_when_the_service_stops(house: House) -> None:
    house.running.responder.office.wait = lambda _: asyncio.Event().wait()
    await house.ask("export sessions 2026-03-01 2026-03-02", "ole")
    assert "is still being made" in (await house.ask("export sessions 2026-03-01 2026-03-02", "ole")).plain()
    await house.stop()
    told = (await message_to(house, "U0OLE00002")).plain()
    assert "Chargehand was stopped while it was being made" in told
    assert "/charge export sessions 2026-03-01 2026-03-02" in told
