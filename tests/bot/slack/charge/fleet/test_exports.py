"""Exports in Slack: an answer at once, then one CSV file in the messages of whoever asked."""

import asyncio
import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from notify.text.session_csv import HEADER
from sandbox.slack import Message
from tests.bot.house import House, open_house
from tests.notify.records import insert_session


async def message_to(house: House, user: str) -> Message:
    """The first message to a person that is more than how far something has come."""
    place = house.workspace.direct_channel(user)

    def found() -> Message | None:
        told = [one for one in place.messages if not one.plain().startswith("The export of")]
        return told[-1] if told else None

    message: Message = await house.wait_for(found)
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
        progress, _ = house.workspace.direct_channel("U0OLE00002").messages
        assert "The export of sessions, 2025-12-01 to 2026-03-03 is made" in progress.plain()
        assert 1 <= sum(call.method == "chat.update" for call in house.workspace.calls) <= 5
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


async def test_how_far_it_has_come_is_told_and_never_costs_the_file(tmp_path: Path) -> None:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", past=True) as house:
        await house.start()
        hurry(house)
        hold = house.workspace.faults.hold_next_answer("chat.postMessage")
        await house.ask("export sessions 2025-12-01 2026-03-03", "ole")
        await hold.reached(30)
        (progress,) = house.workspace.direct_channel("U0OLE00002").messages
        assert "is being made: 1 of 4 parts are done" in progress.plain()
        house.workspace.faults.refuse_next("chat.update", "internal_error", times=9)
        hold.release()
        assert (await message_to(house, "U0OLE00002")).files


async def test_sessions_come_from_our_own_history_where_eosvolt_gives_no_export(house: House) -> None:
    house.api.faults.forbidden = frozenset({"exports"})
    house.running.responder.office.wait = lambda _: asyncio.sleep(0)
    location = next(iter(house.fleet.world.locations))
    day = house.clock().date()
    ended = house.clock() - timedelta(hours=3)
    with house.running.database.write() as connection:
        for number, place in enumerate((location.id, location.id, "elsewhere")):
            row = {"location_id": place, "cost": 1.5, "currency": "eur", "connector_id": f"=c{number}"}
            insert_session(connection, f"own {number}", ended + number * timedelta(minutes=1), **row)
    await house.ask(f"export sessions {day} {day}", "ole")
    assert "is not in this account's EOSVOLT plan" in (await message_to(house, "U0OLE00002")).plain()
    for words, count in (("", 3), (f" {location.id}", 2)):
        before = len(house.workspace.direct_channel("U0OLE00002").messages)
        answer = (await house.ask(f"export sessions {day} {day}{words} from history", "ole")).plain()
        assert "are being exported from Chargehand's own history" in answer.replace("\n", " ")
        messages = house.workspace.direct_channel("U0OLE00002").messages
        (message,) = await house.wait_for(lambda: messages[before:])  # noqa: B023 - waited for here
        (file,) = (house.workspace.files[name] for name in message.files)
        assert file.name == f"sessions-{day}-{day}.csv"
        assert file.content is not None
        lines = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline="")))
        assert tuple(lines[0]) == HEADER
        mine = [line for line in lines[1:] if line[0].startswith("own ")]
        assert [line[0] for line in mine] == [f"own {number}" for number in range(count)]
        assert mine[0][1] == "'=c0"
        assert mine[0][8:11] == ["10", "1.5", "EUR"]
        await asyncio.gather(*house.running.responder.office.work)
    said = (await house.ask(f"export sessions {day} {day} nowhere from history", "ole")).plain()
    assert "There is no location with the id" in said
