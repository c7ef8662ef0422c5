"""The buttons of a card beside Acknowledge: each does what it says, once, for who may, and what it did is seen."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.slack.manifest import manifest
from sandbox.slack import Message, SlackWorkspace, View
from storage.schema import ALERT, AUDIT, NOTE, SILENCE
from tests.bot.house import FAULTED, House

SAFETY = {
    "name": "safety",
    "for_each": "connector",
    "when": 'connector.error_code == "GroundFailure"',
    "severity": "critical",
    "safety": True,
    "notify": ["#ev-alerts"],
}


async def card_of(house: House, *rules: dict[str, Any], code: str = "ReaderFailure") -> tuple[Message, str]:
    """A card of one connector out of order, and its id."""
    connector = house.free()
    told = {"status": "Faulted", "errorCode": code}
    house.fleet.force_connector(connector, told, house.clock() - timedelta(minutes=40))
    await house.start(*(rules or (FAULTED,)))
    return await house.card_of_an_alert(), connector


async def filled(house: House, user: str = "ole", callback_id: str = "") -> View:
    """The modal of a person once it is more than a word to wait."""

    def found() -> View | None:
        view = house.workspace.modal(user)
        waits = view is None or "One moment" in str(view.blocks)
        return None if waits or (callback_id and view and view.callback_id != callback_id) else view

    view: View = await house.wait_for(found)
    return view


def rows(house: House, table: sa.Table) -> list[Any]:
    with house.running.database.read() as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.id)))


def buttons(card: Message) -> list[str]:
    """The words on the card's buttons in their order, those of its menus after a colon."""
    row = next(block for block in card.blocks if block["block_id"] == "actions")
    found = []
    for element in row["elements"]:
        options = ", ".join(option["text"]["text"] for option in element.get("options", ()))
        found.append(element.get("text", {}).get("text") or f"{element['type']}: {options}")
    return found


async def test_at_most_five_buttons_are_seen_and_the_rest_is_in_a_menu(closed_house: House) -> None:
    house = closed_house
    house.changes["chargehand_console_url"] = "https://eosvolt.example/chargers/{charger}?plug={connector}"
    card, connector = await card_of(house)
    labels = buttons(card)
    assert [label for label in labels if ":" not in label] == ["Acknowledge", "Silence…", "Why?", "Act…"]
    assert labels[1].startswith("static_select: ")
    assert labels[-1] == "overflow: Assign…, Add a note…, Chart, Open in EOSVOLT"
    opens = card.blocks[-1]["elements"][-1]["options"][-1]
    assert opens["url"].startswith("https://eosvolt.example/chargers/")
    assert opens["url"].endswith(f"plug={connector}")
    assert (await house.workspace.click("ole", card, "alert_menu", "Open in EOSVOLT")).ok
    await house.click("ole", card, "snooze_incident", "1 h")
    await house.wait_for(lambda: "End snooze" in buttons(card))
    assert [label for label in buttons(card) if ":" not in label] == [
        "Acknowledge",
        "End snooze",
        "Silence…",
        "Why?",
        "Act…",
    ]


async def test_an_acknowledgement_is_taken_back_by_who_may_and_told(closed_house: House) -> None:
    house = closed_house
    card, _ = await card_of(house)
    await house.click("ole", card, "acknowledge_incident")
    await house.wait_for(lambda: "Undo acknowledge" in buttons(card))
    before = len(house.workspace.ephemerals("vera"))
    await house.click("vera", card, "undo_acknowledge")
    assert "you are viewer" in (await house.next_whisper("vera", before)).plain()
    told = len(house.workspace.ephemerals("ole"))
    await house.click("ole", card, "undo_acknowledge")
    assert "Not acknowledged any more: 1 alert" in (await house.next_whisper("ole", told)).plain()
    await house.wait_for(lambda: "Acknowledge" in buttons(card))
    assert [row.acknowledged_at for row in rows(house, ALERT)] == [None]
    assert [(row.user, row.action, row.outcome) for row in rows(house, AUDIT)][-1] == (
        "U0OLE00002",
        "unacknowledge",
        "taken back",
    )


async def test_a_silence_is_made_in_a_form_that_marks_each_wrong_field(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    await house.click("ole", card, "silence_alerts")
    view = await filled(house, callback_id="form_silence")
    wrong = await house.workspace.submit("ole", view, {"other": "for ever", "reason": "\u202e"})
    assert wrong.ok
    assert set(view.errors) == {"other", "reason"}
    assert "30m, 2h or 3d" in view.errors["other"]
    assert (await house.workspace.submit("ole", view, {"other": "", "time": "4 hours", "reason": "Known & <old>"})).ok
    done = await filled(house)
    assert "is in force" in str(done.blocks)
    (silence,) = rows(house, SILENCE)
    assert (silence.rule_id, silence.connector_id, silence.reason) == (FAULTED["name"], connector, "Known & <old>")
    await house.wait_for(lambda: "Silenced by" in card.plain())
    # its button goes on in the modal
    await house.click("ole", done, "run_words")
    await house.wait_for(
        lambda: (top := house.workspace.modal("ole")) and top is not done and "over" in str(top.blocks)
    )
    assert [row.ended_by for row in rows(house, SILENCE)] == ["U0OLE00002"]


async def test_why_is_answered_to_the_person_beside_the_card(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    before = len(house.workspace.ephemerals("vera"))
    await house.click("vera", card, "why_alerts")
    said = (await house.next_whisper("vera", before)).plain()
    assert connector in said
    assert 'connector.status == "Faulted"' in said


async def test_act_offers_what_can_be_done_and_each_is_asked_before_it_is_sent(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    await house.click("vera", card, "act_on_alerts")
    assert "you are viewer" in str((await filled(house, "vera")).blocks)
    await house.click("ole", card, "act_on_alerts")
    menu = await filled(house)
    offered = [
        element["text"]["text"] for block in menu.blocks if block["type"] == "actions" for element in block["elements"]
    ]
    charger = connector.rpartition(".")[0]
    assert [label.split()[0] for label in offered[:2]] == ["Reset", "Out"]
    reset = menu.blocks[-1]["elements"][0] if menu.blocks[-1]["type"] == "actions" else menu.blocks[-2]["elements"][0]
    await house.click("ole", menu, reset["action_id"], reset["value"])
    preview = await house.wait_for(
        lambda: (top := house.workspace.modal("ole")) and "Confirm" in str(top.blocks) and top
    )
    assert charger in str(preview.blocks)
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: "asked for" in str(preview.blocks).lower() or "Requested" in str(preview.blocks))
    place = house.workspace.channel("#ev-alerts")
    await house.wait_for(lambda: [m for m in place.messages if "reset" in m.text.lower() and m is not card])


async def test_nothing_is_offered_where_a_safety_code_stands(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house, SAFETY, code="GroundFailure")
    assert not [label for label in buttons(card) if label.startswith("Act")]
    # a card drawn before, or one of another rule, asks again when it is pressed
    row = card.blocks[-1]["elements"]
    why = next(element for element in row if element["action_id"] == "why_alerts")
    row.append({**why, "action_id": "act_on_alerts"})
    await house.click("ole", card, "act_on_alerts")
    told = str((await filled(house)).blocks)
    assert "GroundFailure" in told
    assert "run_words" not in told
    assert connector.rpartition(".")[0] in told


async def test_who_looks_after_it_and_notes_are_kept_shown_and_audited(closed_house: House) -> None:
    house = closed_house
    card, _ = await card_of(house)
    await house.click("ole", card, "alert_menu", "Assign…")
    view = await filled(house, callback_id="form_assign")
    assert (await house.workspace.submit("ole", view, {"to": "U0ADA00001"})).ok
    await house.wait_for(lambda: "Assigned to <@U0ADA00001> by <@U0OLE00002>" in card.plain())
    for number in range(4):
        await house.click("ole", card, "alert_menu", "Add a note…")
        view = await filled(house, callback_id="form_note")
        text = f"<!channel> note `{number}` *b*"
        assert (await house.workspace.submit("ole", view, {"note": text})).ok
        await filled(house)
        await house.workspace.close_modal("ole")
    await house.wait_for(lambda: "and 1 earlier note" in card.plain())
    assert card.notified() == ["U0ADA00001", "U0OLE00002"]
    assert next(row.text for row in rows(house, NOTE)) == "<!channel> note `0` *b*"
    acts = [(row.action, row.subject) for row in rows(house, AUDIT)]
    assert acts == [("assign", "incident 1"), *[("note", "incident 1")] * 4]
    before = len(house.workspace.ephemerals("vera"))
    refusal = await house.ask("note #1 hello", "vera")
    assert "you are viewer" in refusal.plain()
    assert len(house.workspace.ephemerals("vera")) == before + 1


async def test_words_do_the_same_as_the_buttons(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    assert "looks after it now" in (await house.ask("assign #1 me", "ole")).plain()
    await house.wait_for(lambda: "Assigned to <@U0OLE00002>" in card.plain())
    assert "as before" in (await house.ask("assign #1 <@U0OLE00002|ole>", "ole")).plain()
    assert "Nobody looks after it" in (await house.ask("assign #1 nobody", "ole")).plain()
    assert "a person" in (await house.ask("assign #1 somebody", "ole")).plain()
    assert "Noted" in (await house.ask(f"note {connector} comes at three", "ole")).plain()
    assert "No card has the number" in (await house.ask("note #9 comes at three", "ole")).plain()
    await house.ask("ack #1", "ole")
    assert "Not acknowledged any more" in (await house.ask("unack #1", "ole")).plain()
    assert "Nothing here is acknowledged" in (await house.ask("unack #1", "ole")).plain()
    for word in ("assign", "note", "unack"):
        assert "needs to know" in (await house.ask(word, "ole")).plain()


async def test_a_modal_that_came_too_late_for_its_trigger_costs_no_click(closed_house: House) -> None:
    house = closed_house
    card, _ = await card_of(house)
    house.workspace.faults.refuse_next("views.open", "expired_trigger_id")
    await house.click("ole", card, "silence_alerts")
    assert (await house.workspace.click("ole", card, "silence_alerts")).ok
    assert (await filled(house, callback_id="form_silence")).user == "U0OLE00002"


async def test_a_shortcut_silences_or_explains_what_a_message_is_about(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    assert (await house.workspace.shortcut("ole", "Silence this", card)).ok
    form = await filled(house, callback_id="form_silence")
    chosen = form.blocks[0]["element"]["initial_option"]["value"]
    assert chosen == f"connector={connector} rule={FAULTED['name']}"
    await house.workspace.close_modal("ole")
    before = len(house.workspace.ephemerals("vera"))
    assert (await house.workspace.shortcut("vera", "Why?", card)).ok
    assert 'connector.status == "Faulted"' in (await house.next_whisper("vera", before)).plain()
    remark = await house.workspace.say("ole", "#ev-alerts", "on my way", thread_ts=card.ts)
    assert (await house.workspace.shortcut("vera", "Why?", remark)).ok
    assert connector in (await house.next_whisper("vera", before + 1)).plain()


async def test_a_shortcut_of_a_message_about_no_alert_says_what_to_do(house: House) -> None:
    message = await house.workspace.say("ole", "#ev-ops", "good morning")
    assert (await house.workspace.shortcut("vera", "Why?", message)).ok
    assert "about no alert" in (await house.next_whisper("vera", 0)).plain()
    assert (await house.workspace.shortcut("ole", "Silence this", message)).ok
    form = await filled(house, callback_id="form_silence")
    assert form.blocks[0]["element"]["type"] == "plain_text_input"


def test_the_manifest_names_the_shortcuts_that_the_stand_in_offers() -> None:
    told = manifest()["features"]["shortcuts"]
    assert [(one["callback_id"], one["name"]) for one in told] == [
        (one.callback_id, one.name) for one in SlackWorkspace().shortcuts
    ]


async def test_the_buttons_of_a_card_from_before_these_act_as_they_did(closed_house: House) -> None:
    house = closed_house
    card, _ = await card_of(house)
    text = {"type": "plain_text", "text": "Old", "emoji": True}
    acknowledge: dict[str, Any] = {"type": "button", "text": text, "action_id": "acknowledge_incident"}
    options = [{"text": text, "value": '{"incident":1,"version":1,"for":"1h"}'}]
    snooze = {"type": "static_select", "action_id": "snooze_incident", "options": options}
    end = {"type": "button", "text": text, "action_id": "end_snooze", "value": '{"incident":1,"version":1}'}
    acknowledge["value"] = '{"incident":1,"version":1}'
    card.blocks[-1]["elements"] = [snooze, end, acknowledge]
    for action_id, value, said in (
        ("snooze_incident", options[0]["value"], "Snoozed"),
        ("end_snooze", None, "snooze is over"),
        ("acknowledge_incident", None, "Acknowledged: 1 alert"),
    ):
        card.blocks[-1]["elements"] = [snooze, end, acknowledge]
        before = len(house.workspace.ephemerals("ole"))
        await house.click("ole", card, action_id, value)
        assert said in (await house.next_whisper("ole", before)).plain()


async def test_the_chart_of_a_card_comes_in_its_thread_once_for_all_who_ask(closed_house: House) -> None:
    house = closed_house
    card, connector = await card_of(house)
    for user, said in (("vera", "comes in the card's thread"), ("ole", "already")):
        before = len(house.workspace.ephemerals(user))
        await house.click(user, card, "alert_menu", "Chart")
        assert said in (await house.next_whisper(user, before)).plain()
    place = house.workspace.channel("#ev-alerts")

    def charts() -> list[Message]:
        return [one for one in place.messages if any(block["type"] == "image" for block in one.blocks or ())]

    (chart,) = await house.wait_for(charts)
    assert (chart.thread_ts, chart.broadcast) == (card.ts, False)
    picture = next(block for block in chart.blocks if block["type"] == "image")
    file = house.workspace.files[picture["slack_file"]["id"]]
    assert connector.rpartition(".")[0] in picture["alt_text"]
    assert file.content is not None
    assert file.content.startswith(b"\x89PNG")
    assert "Asked for by <@U0VERA0003>" in str(chart.blocks)
