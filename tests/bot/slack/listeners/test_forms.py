"""Each form: opened at once, refused at the field that is wrong, and said through the same words as when typed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.listeners.forms import FORMS
from sandbox.slack import View
from storage.schema import COMMAND, RULE
from tests.bot.house import FAULTED, House

Json = dict[str, Any]


async def opened(house: House, words: str, form: str, user: str = "ada", label: str | None = None) -> View:
    """Say words, press the button of a form below the answer, and wait for its fields."""
    answer = await house.ask(words, user)
    buttons = [e for block in answer.blocks if block["type"] == "actions" for e in block["elements"]]
    pressed = next(e for e in buttons if e["action_id"].startswith("open_form") and f'"{form}"' in e["value"])
    await house.click(user, answer, pressed["action_id"], pressed["value"])
    view: View = await house.wait_for(lambda: shown(house, user, f"form_{form}"))
    return view


def shown(house: House, user: str, callback_id: str) -> View | None:
    view = house.workspace.modal(user)
    return view if view is not None and view.callback_id == callback_id else None


async def said(house: House, words: str, user: str = "ada") -> View:
    """The modal of a person once it says this."""
    found: View = await house.wait_for(
        lambda: (view := house.workspace.modal(user)) and words in str(view.blocks) and view
    )
    return found


async def test_a_price_is_changed_in_steps_and_a_large_change_is_asked_once_more(house: House) -> None:
    place = next(iter(house.fleet.world.locations)).id
    view = await opened(house, f"price {place}", "price")
    await house.workspace.submit("ada", view, {"amount": "much"})
    assert view.errors == {"amount": "much is no amount, such as 0.45"}
    await house.workspace.submit("ada", view, {"part": "block", "amount": "0.5", "times": "25:00-26:00"})
    assert set(view.errors) == {"times"}
    assert (await house.workspace.submit("ada", view, {"part": "default", "amount": "100"})).ok
    preview = await said(house, "A large change")
    told = str(preview.blocks)
    assert "100.00" in told
    assert "times what it was" in told
    assert "charging there now" in told.lower()
    confirm = preview.blocks[-2]["elements"][0]
    assert confirm["action_id"] == "confirm_command"
    assert "Is that what you mean?" in confirm["confirm"]["text"]["text"]
    await house.click("ada", preview, "confirm_command")
    await said(house, "Requested by")
    with house.running.database.read() as connection:
        (row,) = connection.execute(sa.select(COMMAND)).all()
    assert (row.kind, row.location_id, row.details["changes"]) == ("change_price", place, {"default": 100.0})


async def test_a_small_change_of_a_price_is_asked_once(house: House) -> None:
    place = next(iter(house.fleet.world.locations))
    told = (await house.ask(f"price {place.id}", "ada")).plain()
    view = await opened(house, f"price {place.id}", "price")
    amount = next(word for word in told.replace("*", " ").split() if word[:1].isdigit() and "." in word)
    near = f"{float(amount) * 1.1:.2f}"
    assert (await house.workspace.submit("ada", view, {"part": "default", "amount": near})).ok
    preview = await said(house, "Nothing is sent before you confirm")
    assert "A large change" not in str(preview.blocks)
    assert "confirm" not in preview.blocks[-2]["elements"][0]


async def test_a_session_is_started_from_a_list_of_free_connectors(house: House) -> None:
    view = await opened(house, "start", "start", "ole")
    await house.workspace.submit("ole", view, {})
    assert set(view.errors) == {"connector"}
    await house.workspace.submit("ole", view, {"connector": "nowhere.1"})
    assert "There is no connector with the id nowhere.1" in view.errors["connector"]
    free = house.free()
    assert (await house.workspace.submit("ole", view, {"connector": "", "free": free})).ok
    preview = await said(house, "Nothing is sent before you confirm", "ole")
    await house.click("ole", preview, "confirm_command")
    await said(house, "Requested by", "ole")
    with house.running.database.read() as connection:
        (row,) = connection.execute(sa.select(COMMAND)).all()
    assert (row.kind, row.connector_id, row.requested_by) == ("start_session", free, "U0OLE00002")


async def test_a_rule_is_built_from_fields_and_its_backtest_is_seen_before_it_is_saved(house: House) -> None:
    view = await opened(house, "rules", "rule")
    await house.workspace.submit("ada", view, {"field": "session.energy"})
    assert set(view.errors) == {"name", "value", "field"}
    fields = {"name": "Not A Name", "field": "connector.status", "value": "Fautled", "lasting": "ever"}
    await house.workspace.submit("ada", view, fields)
    assert set(view.errors) == {"name", "lasting", "value"}
    assert "Faulted" in view.errors["value"]
    right = {"name": "hot", "value": "Faulted", "lasting": "10m", "severity": "critical", "channel": "C0ALERTS01"}
    assert (await house.workspace.submit("ada", view, right)).ok
    preview = await said(house, "Backtest of")
    told = str(preview.blocks)
    assert 'connector.status == \\"Faulted\\"' in told or 'connector.status == "Faulted"' in told
    assert "Nothing changes before you confirm" in told
    await house.click("ada", preview, "confirm_rule")
    await said(house, "version ")
    with house.running.database.read() as connection:
        (row,) = connection.execute(sa.select(RULE)).all()
    assert row.document["notify"] == ["C0ALERTS01"]
    assert (row.id, row.document["for"], row.document["severity"]) == ("hot", "10m", "critical")


async def test_a_rule_is_edited_as_text_and_keeps_its_name(house: House) -> None:
    answer = await house.ask('rules add name: hot; for_each: connector; when: connector.status == "Faulted"; for: 10m')
    await house.click("ada", answer, "confirm_rule")
    await house.wait_for(lambda: [m for m in house.workspace.ephemerals("ada") if "version 1" in m.plain()])
    view = await opened(house, "rules show hot", "rule_edit")
    text = view.blocks[0]["element"]["initial_value"]
    assert text.startswith("name: hot")
    await house.workspace.submit("ada", view, {"text": text.replace("hot", "cold")})
    assert "cannot become" in view.errors["text"]
    await house.workspace.submit("ada", view, {"text": text.replace("10m", "ten")})
    assert "ten" in view.errors["text"]
    assert (await house.workspace.submit("ada", view, {"text": text.replace("10m", "20m")})).ok
    preview = await said(house, "Backtest of")
    await house.click("ada", preview, "confirm_rule")
    await said(house, "version ")
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(RULE.c.document)).scalar_one()["for"] == "20m"


async def test_a_digest_is_made_in_a_form(house: House) -> None:
    view = await opened(house, "digest", "digest")
    await house.workspace.submit("ada", view, {"name": "weekly", "schedule": "sometimes"})
    assert set(view.errors) == {"schedule"}
    assert (await house.workspace.submit("ada", view, {"schedule": "every Monday at 8:00", "window": "last week"})).ok
    preview = await said(house, "Nothing changes before you confirm")
    await house.click("ada", preview, "confirm_rule")
    await said(house, "version ")
    assert "weekly" in (await house.ask("digest")).plain()
    view = await opened(house, "digest", "digest")
    assert (await house.workspace.submit("ada", view, {"name": "apart", "each": "location"})).ok
    await house.click("ada", await said(house, "each: location"), "confirm_rule")
    await said(house, "version ")
    with house.running.database.read() as connection:
        documents = {row.id: row.document for row in connection.execute(sa.select(RULE))}
    assert documents["apart"]["each"] == "location"
    assert "each" not in documents["weekly"]


async def test_a_silence_is_typed_in_a_form_where_no_card_names_it(house: House) -> None:
    view = await opened(house, "silence", "silence", "ole")
    await house.workspace.submit("ole", view, {"what": "nowhere", "reason": "Known"})
    assert "nowhere" in view.errors["what"]
    assert (await house.workspace.submit("ole", view, {"what": house.free(), "reason": "Known"})).ok
    await said(house, "is in force", "ole")


async def test_a_form_opens_before_a_slow_look_up_and_refuses_who_may_not(closed_house: House) -> None:
    house = closed_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    hold = house.workspace.faults.hold_next_request("users.info")
    await house.click("vera", card, "silence_alerts")
    await hold.reached(30)
    waits = await house.wait_for(lambda: house.workspace.modal("vera"))
    assert "One moment" in str(waits.blocks)
    house.clock.ahead += timedelta(seconds=1)
    hold.release()
    await said(house, "you are viewer", "vera")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_has_a_title_and_words_that_fit(name: str) -> None:
    form = FORMS[name]
    assert 0 < len(form.title) <= 24
    assert 0 < len(form.submit) <= 24


async def test_a_form_that_breaks_says_so_where_it_stands(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    answer = await house.ask("start", "ole")
    for part in ("opened", "sent"):
        working = FORMS["start"]
        with monkeypatch.context() as patch:
            if part == "sent":
                view = await opened(house, "start", "start", "ole")
            patch.setitem(FORMS, "start", replace(working, **{part: broken}))  # type: ignore[arg-type]  # it is a dict
            if part == "opened":
                await house.click("ole", answer, "open_form")
                told = await said(house, "Chargehand has a fault", "ole")
                assert told.type == "modal"
                await house.workspace.close_modal("ole")
                continue
            await house.workspace.submit("ole", view, {"free": house.free()})
            await house.wait_for(
                lambda: "Chargehand has a fault" in str(house.workspace.direct_channel("U0OLE00002").messages)
            )
