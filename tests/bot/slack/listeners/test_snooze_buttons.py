"""Snoozing from a card: one effect for two clicks, an entry in the audit log, and menus from before a restart."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from storage.tables import AuditEntry
from tests.bot.house import FAULTED, House

AUDIT: sa.Table = AuditEntry.__table__  # type: ignore[attr-defined]


def audit(house: House) -> list[Any]:
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.id))
        return [(row.user, row.action, row.subject, row.facts["members"], row.outcome) for row in rows]


async def test_two_clicks_at_once_have_one_effect(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    menu = next(e for e in card.blocks[-1]["elements"] if e["action_id"] == "snooze_incident")
    half_an_hour, hour = (option["value"] for option in menu["options"][:2])
    before = len(house.workspace.ephemerals("ole"))
    await asyncio.gather(
        *(house.click("ole", card, "snooze_incident", value) for value in (half_an_hour, hour)),
    )
    told = await house.wait_for(lambda: (w := house.workspace.ephemerals("ole")[before:]) and len(w) == 2 and w)
    assert sorted(message.plain().split()[0] for message in told) == ["Already", "Snoozed"]
    await house.wait_for(lambda: "Snoozed until" in card.plain() and "by <@U0OLE00002>" in card.plain())
    assert audit(house) == [("U0OLE00002", "snooze", "incident 1", 1, "snoozed")]


async def test_a_menu_from_before_a_restart_works_and_a_viewer_s_choice_does_not(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    await house.stop()
    house.clock.ahead += timedelta(minutes=1)
    await house.start(FAULTED)
    await house.click("vera", card, "snooze_incident", "1 h")
    refusal = await house.next_whisper("vera", 0)
    assert "you are viewer" in refusal.plain()
    await house.click("ole", card, "snooze_incident", "Until 08:00 tomorrow")
    await house.wait_for(lambda: "Snoozed until" in card.plain())
    # 08:00 in Galway, not in the service's Copenhagen
    assert "Galway" in card.plain()
    assert "2026-03-05 08:00 UTC" in str(card.all_blocks)
    await house.click("ole", card, "end_snooze")
    house.running.ticker.wake("reminders")
    await house.wait_for(lambda: "Snoozed until" not in card.plain())
    assert [entry[1] for entry in audit(house)] == ["snooze", "end snooze"]


async def test_what_is_told_and_the_home_tab_say_whose_clock_it_is_where_that_differs(closed_house: House) -> None:
    house = closed_house
    house.workspace.users["U0OLE00002"].timezone = "Asia/Tokyo"
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    await house.click("ole", card, "snooze_incident", "Until 08:00 tomorrow")
    told = (await house.next_whisper("ole", 0)).plain()
    assert "Snoozed until <!date^" in told
    assert "At the sites (Europe/Copenhagen) it is now" in told
    for user, differs in (("ole", True), ("ada", False)):
        await house.workspace.open_home(user)
        await house.wait_for(partial(house.workspace.home, user))
        home = str(house.workspace.home(user).blocks)  # type: ignore[union-attr]  # it was opened
        assert ("the sites' is that of Europe/Copenhagen." in home) is differs
