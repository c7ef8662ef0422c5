"""A button acts on exactly the alerts that its card named when it was drawn; cards of other channels show it."""

from collections import Counter
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from sandbox.slack import Message
from storage.schema import ALERT
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
