"""The Home tab: whose it is decides what it offers, its buttons work there, and it is fresh for who has it open."""

import asyncio
import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from bot.slack.listeners.home import refresh_homes
from bot.slack.listeners.home_tabs import FOLLOWED, MOST_FOLLOWED, PAUSE, digest_of, due_tabs, note_opened, note_shown
from sandbox.slack import View
from storage.engine import Database
from storage.schema import ALERT, HOME_TAB
from tests.bot.house import CALM, FAULTED, House


async def home_of(house: House, user: str) -> View:
    """Open the Home tab of a person; what it shows."""
    await house.workspace.open_home(user)
    view: View = await house.wait_for(lambda: house.workspace.home(user))
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(_is_noted, house, user):
            await house.workspace.next_change(0.05)
    return view


def _is_noted(house: House, user: str) -> bool:
    with house.running.database.read() as connection:
        return (
            connection.execute(
                sa.select(HOME_TAB.c.user).where(HOME_TAB.c.user == house.workspace.user(user).id)
            ).first()
            is not None
        )


def labels(view: View) -> list[str]:
    found = [e for block in view.blocks if block["type"] == "actions" for e in block["elements"]]
    return [e["text"]["text"] for e in found if e["type"] == "button"]


def buttons(view: View, action_id: str) -> list[dict[str, Any]]:
    found = [e for block in view.blocks if block["type"] == "actions" for e in block["elements"]]
    return [e for e in found if e["action_id"].startswith(action_id)]


async def published(house: House) -> None:
    house.clock.ahead += PAUSE
    await refresh_homes(house.running.responder, house.clock())


async def test_each_role_is_offered_what_it_may_do(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    await house.card_of_an_alert()
    viewer, operator, admin = [await home_of(house, user) for user in ("vera", "ole", "ada")]
    assert labels(viewer) == ["Alerts", "Status", "Help"]
    assert "Start a session…" in labels(operator)
    assert "Acknowledge" in labels(operator)
    assert "Change prices…" not in labels(operator)
    assert "Change prices…" in labels(admin)
    for view, role in ((viewer, "viewer"), (operator, "operator"), (admin, "admin")):
        assert f"you are *{role}*" in str(view.blocks)
        assert "1 problem open" in str(view.blocks)
        assert "a week ago by this time" in str(view.blocks)


async def test_a_problem_in_it_and_in_status_says_what_and_where_in_words(closed_house: House) -> None:
    house, broken = closed_house, closed_house.free()
    house.break_connector(broken)
    await house.start({**FAULTED, "title": "{connector} out of order"})
    await house.card_of_an_alert()
    charger, _ = house.fleet.world.connectors[broken]
    place = next(row for row in house.fleet.world.locations if row.id == charger.fields["locationId"]).fields["name"]
    place = place.replace("&", "&amp;")
    home = str((await home_of(house, "vera")).blocks)
    assert f"{broken} out of order* · {place} · since" in home
    for words in ("status", f"charger {charger.id}"):
        said = (await house.ask(words)).plain()
        assert re.search(
            rf"{re.escape(broken)} out of order · {re.escape(place)}, since .* · `connector-faulted`", said
        )


async def test_its_buttons_act_and_answer_in_a_modal(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    view = await home_of(house, "ole")
    (acknowledge,) = buttons(view, "acknowledge_incident")
    await house.click("ole", view, "acknowledge_incident", acknowledge["value"])
    told = await house.wait_for(lambda: house.workspace.modal("ole"))
    await house.wait_for(lambda: "Acknowledged: 1 alert" in str(told.blocks))
    await house.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in card.plain())
    await house.workspace.close_modal("ole")
    await published(house)
    assert "Undo acknowledge" in labels(view)
    menu = buttons(view, "alert_menu")[0]
    option = next(one for one in menu["options"] if one["text"]["text"] == "Assign…")
    await house.click("ole", view, "alert_menu", option["value"])
    form = await house.wait_for(
        lambda: (top := house.workspace.modal("ole")) and top.callback_id == "form_assign" and top
    )
    assert (await house.workspace.submit("ole", form, {})).ok
    await house.wait_for(lambda: "Assigned to <@U0OLE00002>" in card.plain())
    await published(house)
    assert "Yours to see to" in str(view.blocks)
    await house.workspace.close_modal("ole")
    quick = next(e for e in buttons(view, "run_words") if e["text"]["text"] == "Alerts")
    await house.click("ole", view, quick["action_id"], quick["value"])
    await house.wait_for(lambda: (top := house.workspace.modal("ole")) and "Open alerts" in str(top.blocks))


async def test_it_is_published_anew_where_it_changed_and_for_an_hour_only(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    await home_of(house, "ole")
    for _ in range(3):
        await published(house)
    shown = [call.arguments["view"] for call in house.workspace.calls if call.method == "views.publish"]
    assert all(one != before for before, one in pairwise(shown)), "the fleet lives on, but nothing is said twice"
    with house.running.database.write() as connection:
        connection.execute(sa.update(ALERT).values(acknowledged_at=house.clock(), acknowledged_by="U0OLE00002"))
    await house.ask("silence rule=connector-faulted for 5h Known", "ole")
    await published(house)
    assert "Kept quiet" in str(house.workspace.home("ole").blocks)  # type: ignore[union-attr]  # it was opened
    house.clock.ahead += FOLLOWED
    await house.ask("silence end 1", "ole")
    await published(house)
    assert "Kept quiet" in str(house.workspace.home("ole").blocks), "after an hour it stays as it was"  # type: ignore[union-attr]


def test_those_who_opened_it_within_the_hour_are_looked_at_once_a_minute(database: Database) -> None:
    with database.write() as connection:
        for number in range(MOST_FOLLOWED + 2):
            note_opened(connection, f"U{number}", CALM + timedelta(seconds=number), "old")
        now = CALM + timedelta(seconds=MOST_FOLLOWED + 2)
        note_opened(connection, "U2", now, "new")
        note_shown(connection, "U3", now, "other")
        assert not {"U2", "U3"} & due_tabs(connection, now + PAUSE - timedelta(seconds=1)).keys()
        due = due_tabs(connection, now + PAUSE)
        assert next(iter(due)) == "U2"
        assert (due["U2"], due["U3"], due["U4"]) == (digest_of("new"), digest_of("other"), digest_of("old"))
        assert len(due) == MOST_FOLLOWED
        assert "U1" not in due
        assert due_tabs(connection, CALM + FOLLOWED * 2) == {}
        note_opened(connection, "U9", CALM + timedelta(days=30), "by a wrong clock")
        assert "U9" not in due_tabs(connection, now + PAUSE)


async def test_it_is_kept_fresh_over_a_restart(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    view = await home_of(house, "ole")
    await published(house)
    before = str(view.blocks)
    await house.stop()
    await house.start(FAULTED)
    await house.ask("silence rule=connector-faulted for 5h Known", "ole")
    assert str(view.blocks) == before
    await published(house)
    assert "Kept quiet" in str(house.workspace.home("ole").blocks)  # type: ignore[union-attr]  # it was opened
