"""Who did what: asked by person, action, days and thing, in pages and as the file of the same filters."""

import ast
import csv
import io
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.slack.charge.governing.audit import ACTS
from storage.schema import AUDIT
from tests.bot.house import House
from tests.bot.slack.charge.fleet.test_exports import message_to
from tests.conftest import ROOT


def put(house: House, ago: timedelta = timedelta(), **values: Any) -> None:
    entry = {"at": house.clock() - ago, "user": "U0OLE00002", "subject": "", "outcome": "done", "facts": {}, **values}
    with house.running.database.write() as connection:
        connection.execute(sa.insert(AUDIT).values(**entry))


def some(house: House) -> tuple[str, str]:
    """A few acts, of an hour and of days ago, at a connector and at its charger."""
    connector = house.free()
    charger = connector.rpartition(".")[0]
    put(
        house,
        timedelta(hours=1),
        action="stop_session",
        subject="S9",
        facts={"connector": connector, "charger": charger},
    )
    put(house, timedelta(minutes=2), action="reset_soft", subject=charger, facts={"charger": charger})
    put(house, timedelta(days=1), action="acknowledge", subject="incident 5", user="U0ADA00001")
    put(house, timedelta(days=40), action="silence", subject="silence 1", user="U0ADA00001")
    put(house, timedelta(minutes=1), action="start_session", subject="elsewhere", user="rules")
    return connector, charger


async def test_it_is_asked_by_person_action_days_and_thing(house: House) -> None:
    connector, charger = some(house)
    location = house.fleet.connectors[connector].charger.planned.location_id
    found = {
        "audit": 5,
        "audit <@U0ADA00001|ada>": 2,
        "audit by=<@U0ADA00001> ack": 1,
        "audit rules": 1,
        "audit today": 3,
        "audit yesterday": 1,
        "audit last 7 days": 4,
        "audit <@U0ADA00001> yesterday.": 1,
        "audit 2026-03-03 to 2026-03-04": 4,
        "audit since 2026-03-03": 4,
        "audit action=stop_session": 1,
        "audit reset": 1,
        "audit #5": 1,
        "audit silence=1": 1,
        f"audit {charger}": 2,
        f"audit charger={charger} reset": 1,
        f"audit {connector}": 1,
        f"audit location={location} today": 2,
    }
    for said, number in found.items():
        answer = await house.ask(said)
        assert f"of {number}" in answer.plain(), said
    assert (
        "*Who did what*, <@U0ADA00001> `yesterday`: 1 to 1"
        in (await house.ask("audit <@U0ADA00001|ada> yesterday")).plain()
    ), "a person is shown as one, and not as Slack writes them"
    newest = (await house.ask("audit")).plain()
    assert newest.index("elsewhere") < newest.index("S9") < newest.index("incident 5")
    assert "<@U0OLE00002>: stop session `S9`, done" in newest


async def test_right_filters_without_a_hit_are_told_from_wrong_ones(house: House) -> None:
    _, charger = some(house)
    assert "The filters are right" in (await house.ask("audit #77")).plain()
    assert "The filters are right" in (await house.ask(f"audit {charger} 2025-01-01")).plain()
    wrong = {
        "audit action=resett": "Nothing of the kind was ever done",
        "audit zebra=1": "The audit log has no",
        "audit by=zoe": "Nobody here is called",
        "audit 2026-02-30": "no day of the calendar",
        "audit 2026-03-04 2026-03-01": "is before the first",
        "audit 0 days": "400 at most",
        "audit nowhere": "There is no",
        "audit " + "x" * 250: "too long",
    }
    for said, problem in wrong.items():
        answer = (await house.ask(said)).plain()
        assert problem in answer, said
        assert "/charge " in answer, said


async def test_long_logs_page_and_keep_their_filters(house: House) -> None:
    for number in range(12):
        put(house, timedelta(minutes=number), action="acknowledge", subject=f"incident {number}")
    first = await house.ask("audit acknowledge today")
    assert "1 to 10 of 12" in first.plain()
    await house.click("ada", first, "next_page")
    await house.wait_for(lambda: "11 to 12 of 12" in first.plain())


async def test_the_file_has_what_the_filters_ask_for(house: House) -> None:
    some(house)
    answer = await house.ask("audit <@U0ADA00001> last 7 days")
    await house.click("ada", answer, "run_words")
    message = await message_to(house, "U0ADA00001")
    (file,) = (house.workspace.files[name] for name in message.files)
    assert file.content is not None
    header, *lines = csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
    assert header[:4] == ["at_utc", "user", "action", "subject"]
    assert [line[1:4] for line in lines] == [["U0ADA00001", "acknowledge", "incident 5"]]
    assert "needs the role admin" in (await house.ask("audit", "ole")).plain()
    assert "There is no" in (await house.ask("export audit 2026-03-01 2026-03-04 nowhere")).plain()


async def test_an_empty_log_says_what_will_be_in_it_and_knows_every_kind_of_act(house: House) -> None:
    for said in "audit", "audit csv", "audit grant", "audit action=silence", "audit as csv yesterday":
        answer = (await house.ask(said)).plain()
        assert "What people do here is noted as they do it" in answer, said
        assert "no connector" not in answer, said
    assert "nothing to put into a file" in (await house.ask("audit csv")).plain()
    some(house)
    found = await house.ask("audit csv")
    assert "The button CSV file sends the file to you" in found.plain().replace("*", "")
    none = await house.ask("audit grant")
    assert "nothing of it in the log" in none.plain()
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", none, "run_words_1")
    assert "of 5" in (await house.next_whisper("ada", before)).plain()


def test_every_kind_of_act_that_is_noted_is_known_to_the_log() -> None:
    noted = set()
    files = (path.read_text() for floor in ("bot", "commands", "storage") for path in (ROOT / floor).rglob("*.py"))
    for text in (one for one in files if "record_act" in one or "write_audit" in one or "AuditEntry" in one):
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in {"record_act", "write_audit", "AuditEntry"}:
                said = [one.value for one in call.keywords if one.arg == "action"] or call.args[2:3]
                noted |= {one.value for one in said if isinstance(one, ast.Constant)}
    assert {"acknowledge", "grant", "automations"} <= noted
    assert noted <= set(ACTS)
