"""CSV files of our own history: alerts, audit and uptime, by each location's days, with no text that is a formula."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from bot.slack.charge.fleet.own_exports import EXPORTS, OwnOrder
from bot.slack.charge.fleet.progress import MOST_EDITS
from notify.text.table_csv import write_table
from storage.engine import Database
from storage.schema import AUDIT
from tests.bot.house import House
from tests.bot.slack.charge.fleet.test_exports import message_to
from tests.notify.digests.test_digest import EIGHT, insert_alerts_and_a_silence, insert_outages, prepared
from tests.notify.records import insert_alert

DAY = date(2026, 3, 2)


def table_of(database: Database, kind: str, first: date, last: date) -> list[list[str]]:
    file = io.StringIO(newline="")
    order = OwnOrder(kind, "U1", first, last, "UTC", EIGHT + timedelta(days=2))
    with database.read() as connection:
        written = write_table(file, EXPORTS[kind].header, EXPORTS[kind].rows(connection, order))
    header, *lines = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert header == list(EXPORTS[kind].header)
    assert written == len(lines)
    assert file.getvalue().count("\r\n") == len(lines) + 1
    return lines


def test_alerts_are_those_that_fired_on_the_days_of_their_locations(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_alerts_and_a_silence(connection)
        # 23:30 in Copenhagen on 3 March, and 00:30 the day after
        for number, hour in ((11, 22), (12, 23)):
            fired = datetime(2026, 3, 3, hour, 30, tzinfo=UTC)
            insert_alert(connection, number, subject=f"=x{number}", fired_at=fired, incident_id=1)
    lines = table_of(database, "alerts", date(2026, 3, 3), date(2026, 3, 3))
    assert [(line[0], line[2]) for line in lines] == [("1", "c1"), ("3", "c3"), ("11", "'=x11")]
    assert lines[0][8] == "2026-03-03T06:59:00Z"


def test_uptime_has_a_line_a_connector_and_day(database: Database) -> None:
    with prepared(database).write() as connection:
        insert_outages(connection)
    lines = table_of(database, "uptime", DAY, DAY + timedelta(days=1))
    by_key = {(line[0], line[1]): line for line in lines}
    assert by_key["2026-03-02", "c1"][2:6] == ["ch-c1", "l1", "77400", "5400"]
    assert by_key["2026-03-02", "c1"][7] == f"{77400 / 82800:.6f}"
    assert ("2026-03-02", "c3") not in by_key
    assert ("2026-03-03", "c3") in by_key


async def test_the_audit_comes_as_a_file_to_an_admin_alone_and_is_itself_audited(house: House) -> None:
    with house.running.database.write() as connection:
        told = {"at": house.clock(), "user": "U1", "action": "rule", "subject": "=cmd", "outcome": "created"}
        connection.execute(sa.insert(AUDIT).values(**told, facts={"version": 1}))
    today = house.clock().date()
    words = f"export audit {today - timedelta(days=1)} {today + timedelta(days=1)}"
    assert "needs the role admin" in (await house.ask(words, "ole")).plain()
    assert "is being exported from Chargehand's own history" in (await house.ask(words)).plain().replace("\n", " ")
    message = await message_to(house, "U0ADA00001")
    (file,) = (house.workspace.files[name] for name in message.files)
    assert file.name.startswith("audit-")
    assert file.name.endswith(".csv")
    assert file.content is not None
    lines = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline="")))
    assert ["U1", "rule", "'=cmd", "created", '{"version": 1}'] in [line[1:] for line in lines]

    def audited() -> bool:
        with house.running.database.read() as connection:
            return "export_audit" in connection.execute(sa.select(AUDIT.c.action)).scalars().all()

    await house.wait_for(audited)
    assert "two days" in (await house.ask(f"export uptime {today} {today - timedelta(days=1)}")).plain()


async def test_how_far_a_long_export_of_uptime_has_come_is_told_in_one_message_and_of_a_short_one_nothing(
    house: House,
) -> None:
    today = house.clock().date()
    for days, file_number in ((31, 1), (40, 2)):
        await house.ask(f"export uptime {today - timedelta(days=days - 1)} {today}")
        await house.wait_for(partial(lambda number: len(house.workspace.files) == number, file_number))
        await asyncio.gather(*house.running.responder.office.work)
        said = [
            (call.method, call.arguments["text"].strip())
            for call in house.workspace.calls
            if str(call.arguments.get("text", "")).startswith("The export of uptime")
        ]
        if days == 31:
            assert said == []
    about = f"The export of uptime, {today - timedelta(days=39)} to {today}"
    assert said[0] == ("chat.postMessage", f"{about} is being made: 1 of 40 parts are done.")
    shares = [int(text.removeprefix(f"{about} is being made: ").split()[0]) for _, text in said[:-1]]
    assert (shares, len(shares)) == (sorted(set(shares)), 1 + MOST_EDITS)
    assert said[-1] == ("chat.update", f"{about} is made; the file is below.")
    assert {method for method, _ in said[1:]} == {"chat.update"}
    told = [one.plain() for one in house.workspace.direct_channel("U0ADA00001").messages]
    assert sum(text.startswith("The export of uptime") for text in told) == 1


async def test_a_second_file_while_one_is_made_is_told_so_with_what_to_say_then(house: House) -> None:
    work = house.running.responder.office.work
    busy = asyncio.create_task(asyncio.Event().wait(), name="export:U0ADA00001")
    work.add(busy)  # type: ignore[arg-type]  # a task that goes on, as an export does
    for words, again in {
        "export uptime last 7 days": "/charge export uptime 2026-02-26 2026-03-04",
        "export sessions yesterday from history": "/charge export sessions 2026-03-03 2026-03-03 from history",
        "export sessions yesterday": "/charge export sessions 2026-03-03 2026-03-03",
    }.items():
        answer = (await house.ask(words)).plain()
        assert "Your last export is still being made" in answer, words
        assert "one is made at a time. Then ask for this one:" in answer, words
        assert f"`{again}`" in answer, words
    busy.cancel()
    work.discard(busy)
