"""A rule that acts, in the running service: it asks for approval by button, resets, and tells what came of it."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from sandbox.slack import Message
from storage.schema import AUDIT
from tests.bot.house import House, wake_polls
from tests.bot.slack.charge.confirming import confirmed

HEALING = {
    "name": "self-healing",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "while": "charger.online",
    "notify": ["#ev-alerts"],
    "actions": [{"reset": "soft", "approval": "#ev-ops", "within": "3m"}],
}


def quiet_charger(house: House) -> tuple[str, str]:
    """The first charger that is online and has no open session, and its first connector."""
    for charger in house.fleet.world.chargers:
        connectors = charger.fields["connectors"]
        if charger.fields["online"] and all(one["status"] == "Available" for one in connectors):
            return charger.id, connectors[0]["id"]
    raise AssertionError("no charger is quiet")


async def asked_for(house: House) -> Message:
    """The rule's request for approval in #ev-ops, once a connector has broken."""
    charger, connector = quiet_charger(house)
    house.fleet.force_connector(connector, {"status": "Faulted", "errorCode": "InternalError"}, house.clock())
    wake_polls(house.running)
    asked = house.workspace.channel("#ev-ops").messages
    found: Message = await house.wait_for(lambda: next((m for m in asked if f"charger `{charger}`" in m.plain()), None))
    return found


async def test_automations_begin_as_a_dry_run_and_only_an_admin_switches_them(closed_house: House) -> None:
    house = closed_house
    await house.start(HEALING)
    said = (await house.ask("automations", "vera")).plain()
    assert "Automations are *dry-run*, as CHARGEHAND_AUTOMATIONS says" in said
    assert "`self-healing`: soft reset" in said
    assert "Nothing waits." in said
    assert "needs the role admin" in (await house.ask("automations on", "ole")).plain()
    assert "Automations are *on*" in (await confirmed(house, "automations on")).plain()
    assert "Automations are *on*, as <@U0ADA00001> said" in (await house.ask("automations", "vera")).plain()


async def test_off_cancels_what_waits_and_says_how_many(closed_house: House) -> None:
    house = closed_house
    await house.start(HEALING)
    await confirmed(house, "automations on")
    request = await asked_for(house)
    assert "1 for approval" in (await house.ask("automations", "ole")).plain()
    answer = (await house.ask("automations off", "ada")).plain()
    assert "Automations are *off*. 1 action that waited was cancelled." in answer
    await house.wait_for(lambda: "Not sent: cancelled" in request.plain())
    with house.running.database.read() as connection:
        rows = connection.execute(sa.select(AUDIT.c.user, AUDIT.c.outcome).where(AUDIT.c.action == "automations"))
        assert [tuple(row) for row in rows] == [("U0ADA00001", "on"), ("U0ADA00001", "off")]
    assert house.api.commands == []


async def test_a_rule_asks_resets_and_tells(closed_house: House) -> None:
    house = closed_house
    await house.start(HEALING)
    await confirmed(house, "automations on")
    charger, connector = quiet_charger(house)
    request = await asked_for(house)
    assert "asked for by the rule `self-healing`" in request.plain()
    await house.click("ole", request, "approve_command")
    await house.wait_for(lambda: [c for c in house.api.commands if c.path == f"/v1/chargers/{charger}/reset"])
    house.fleet.force_connector(connector, {"status": "Available", "errorCode": None}, house.clock())
    told = house.workspace.channel("#ev-alerts").messages

    said = None
    async with asyncio.timeout(20):
        while said is None:
            house.clock.ahead += timedelta(seconds=1)  # the card waits half a minute for company
            await house.workspace.next_change(0.05)
            plain = (message.plain() for message in told)
            said = next((text for text in plain if "helped: seen" in text and f"`{connector}`" in text), None)
    assert "Resolved: " in said
    assert f"Soft reset of `{charger}` tried" in said
    assert "approved by <@U0OLE00002>" in said
    assert len(house.api.commands) == 1
