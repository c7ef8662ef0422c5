"""A button acts on exactly the alerts that its card named when it was drawn; cards of other channels show it."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from rules.alerts.silences import matches
from sandbox.slack import Message, View
from storage.schema import ALERT, AUDIT, SILENCE
from tests.bot.house import House

RULE = {"for_each": "connector", "severity": "critical"}


def rule(name: str, connector: str, *channels: str) -> dict[str, Any]:
    when = f'connector.status == "Faulted" and connector.id == "{connector}"'
    return RULE | {"name": name, "title": f"{name.capitalize()} is broken", "when": when, "notify": list(channels)}


async def two_channels(house: House) -> tuple[Message, Message]:
    """The cards of one charger in two channels: the first names one of its connectors, the other both."""
    of_charger = Counter(connector.rpartition(".")[0] for connector in house._connectors("Available"))
    charger = next(name for name, count in of_charger.items() if count > 1)
    one, two, *_ = sorted(name for name in house._connectors("Available") if name.rpartition(".")[0] == charger)
    for connector in (one, two):
        told = {"status": "Faulted", "errorCode": "ReaderFailure"}
        house.fleet.force_connector(connector, told, house.clock() - timedelta(minutes=40))
    await house.start(rule("first", one, "#ev-alerts", "#ev-ops"), rule("second", two, "#ev-ops"))
    alerts = await house.card_of_an_alert()
    ops = house.workspace.channel("#ev-ops")
    return alerts, await house.wait_for(lambda: ops.messages[0] if ops.messages else None)


def acknowledged(house: House) -> dict[str, str | None]:
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(ALERT.c.rule_id, ALERT.c.acknowledged_by).order_by(ALERT.c.id))
        return {row.rule_id: row.acknowledged_by for row in rows}


async def test_a_click_acknowledges_what_its_card_names_and_the_other_channel_shows_it(closed_house: House) -> None:
    house = closed_house
    alerts, ops = await two_channels(house)
    assert "First is broken" in alerts.plain()
    assert "Second" not in alerts.plain()
    assert "First is broken" in ops.plain()
    assert "Second is broken" in ops.plain()
    await house.click("ole", alerts, "acknowledge_incident")
    await house.wait_for(lambda: "Acknowledged by" in alerts.plain())
    assert acknowledged(house) == {"first": "U0OLE00002", "second": None}
    await house.wait_for(lambda: "Acknowledged by <@U0OLE00002>" in ops.plain())
    assert "1 new since" in ops.plain()
    await house.click("ada", ops, "acknowledge_incident")
    await house.wait_for(lambda: "1 new since" not in ops.plain())
    assert acknowledged(house) == {"first": "U0OLE00002", "second": "U0ADA00001"}


async def test_what_came_after_the_card_was_drawn_is_not_acknowledged_snoozed_or_silenced_with_it(
    closed_house: House,
) -> None:
    house = closed_house
    _, ops = await two_channels(house)
    with house.running.database.write() as connection:
        first = connection.execute(sa.select(ALERT).where(ALERT.c.rule_id == "first")).one()
        unseen = {**first._mapping, "subject": "unseen", "rule_id": "unseen"}
        del unseen["id"]
        connection.execute(sa.insert(ALERT).values(**unseen))
    await house.click("ole", ops, "snooze_incident", "1 h")
    await house.wait_for(lambda: "Snoozed until" in ops.plain())
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(ALERT.c.rule_id, ALERT.c.snoozed_by)).all()
    assert {row.rule_id: row.snoozed_by for row in rows} == {
        "first": "U0OLE00002",
        "second": "U0OLE00002",
        "unseen": None,
    }


async def form_of(house: House, card: Message) -> View:
    """The form that the card's button Silence opens for Ole."""
    await house.click("ole", card, "silence_alerts")
    opened = partial(house.workspace.modal, "ole")
    form: View = await house.wait_for(lambda: (top := opened()) and top.callback_id == "form_silence" and top)
    return form


async def test_silence_keeps_quiet_exactly_what_its_card_named_when_it_was_drawn(closed_house: House) -> None:
    house = closed_house
    alerts, ops = await two_channels(house)
    with house.running.database.write() as connection:
        for rule_id in ("first", "second"):
            known = connection.execute(sa.select(ALERT).where(ALERT.c.rule_id == rule_id)).one()
            for unseen in ({"rule_id": f"after {rule_id}"}, {"subject": "x", "connector_id": "x"}):
                values = {**known._mapping, **unseen}
                del values["id"]
                connection.execute(sa.insert(ALERT).values(**values))
    form = await form_of(house, alerts)
    assert "alerts that it names" not in str(form.blocks)
    assert (await house.workspace.submit("ole", form, {"reason": "Known"})).ok
    await house.wait_for(lambda: "is in force" in str(house.workspace.modal("ole").blocks))  # type: ignore[union-attr]
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(ALERT)).all()
        silence = connection.execute(sa.select(SILENCE)).one()
    assert [(row.rule_id, row.subject) for row in rows if matches(silence, row)] == [("first", rows[0].subject)]
    await house.workspace.close_modal("ole")

    form = await form_of(house, ops)
    assert form.blocks[0]["element"]["initial_option"]["text"]["text"] == "The 2 alerts that it names"
    wrong = await house.workspace.submit("ole", form, {"other": "for ever", "reason": "Known"})
    assert wrong.ok
    assert set(form.errors) == {"other"}
    assert (await house.workspace.submit("ole", form, {"other": "until recovery", "reason": "Known"})).ok
    await house.wait_for(lambda: str(house.workspace.modal("ole").blocks).count("is in force") == 2)  # type: ignore[union-attr]
    with house.running.database.read() as connection:
        made = connection.execute(sa.select(SILENCE).where(SILENCE.c.id > 1).order_by(SILENCE.c.id)).all()
        audited = connection.execute(sa.select(AUDIT.c.subject).where(AUDIT.c.action == "silence")).scalars().all()
    named = {(row.rule_id, row.subject) for row in rows if row.subject != "x" and row.rule_id in {"first", "second"}}
    assert {(row.rule_id, row.subject) for row in rows for one in made if matches(one, row)} == named
    assert audited == ["silence 1", "silence 2", "silence 3"]
    await house.wait_for(lambda: "ilenced" in ops.plain())


async def test_each_row_of_a_list_of_alerts_has_a_button_for_exactly_its_alert(closed_house: House) -> None:
    house = closed_house
    await two_channels(house)
    with house.running.database.write() as connection:  # another of the same incident
        first = connection.execute(sa.select(ALERT).where(ALERT.c.rule_id == "first")).one()
        beside = {**first._mapping, "subject": "beside me", "connector_id": "beside me"}
        del beside["id"]
        connection.execute(sa.insert(ALERT).values(**beside))
    for user in ("vera", "ole"):
        listed = await house.ask("alerts", user)
        sections = [block for block in listed.blocks if block.get("accessory")]
        assert len(sections) == 3
        for block in sections:
            assert block["accessory"]["text"]["text"] == ("Why?" if user == "vera" else "Acknowledge")
    with house.running.database.read() as connection:
        alerts = connection.execute(sa.select(ALERT.c.id, ALERT.c.subject, ALERT.c.rule_id).order_by(ALERT.c.id)).all()
    done: set[int] = set()
    for alert in reversed(alerts):
        (block,) = [one for one in sections if f"`{alert.subject}` `{alert.rule_id}`" in one["text"]["text"]]
        before = len(house.workspace.ephemerals("ole"))
        await house.click("ole", listed, block["accessory"]["action_id"], block["accessory"]["value"])
        assert "Acknowledged: 1 alert" in (await house.next_whisper("ole", before)).plain()
        done.add(alert.id)
        with house.running.database.read() as connection:
            by = sa.select(ALERT.c.id).where(ALERT.c.acknowledged_by == "U0OLE00002")
            assert set(connection.execute(by).scalars()) == done
    why = await house.ask("alerts", "vera")
    (row,) = [block for block in why.blocks if "`beside me`" in str(block) and block.get("accessory")]
    assert row["accessory"]["value"] == '{"words":"why \\"beside me\\" first"}'
