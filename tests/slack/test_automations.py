"""A rule that acts, in the running service: it asks for approval by button, resets, and tells what came of it."""

import asyncio
from datetime import timedelta

from notify.automations import set_switch
from rules.automations import Mode
from tests.slack.house import House

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


async def test_a_rule_asks_resets_and_tells(closed_house: House) -> None:
    house = closed_house
    await house.start(HEALING)
    with house.running.database.write() as connection:
        set_switch(connection, Mode.ON, "U0ADA00001", house.clock())
    charger, connector = quiet_charger(house)
    house.fleet.force_connector(connector, {"status": "Faulted", "errorCode": "InternalError"}, house.clock())
    house.running.ticker.wake("poll")
    asked = house.workspace.channel("#ev-ops").messages
    request = await house.wait_for(lambda: next((m for m in asked if f"charger `{charger}`" in m.plain()), None))
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
    assert "Resolved: self-healing" in said
    assert f"Soft reset of `{charger}` tried" in said
    assert "approved by <@U0OLE00002>" in said
    assert len(house.api.commands) == 1
