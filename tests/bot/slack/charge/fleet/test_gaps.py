"""A charger without a location and a session without a time: shown as they are, priced as unknown, and told."""

from tests.bot.house import FAULTED, House, polled_anew


async def test_a_charger_without_a_location_is_shown_alerted_and_told(closed_house: House) -> None:
    house = closed_house
    connector = house.free()
    charger = connector.rpartition(".")[0]
    house.fleet.world.set_charger(charger, int(house.clock().timestamp() * 1000), locationId=None)
    house.break_connector(connector)
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    assert connector in card.plain()
    for text in (
        f"charger {charger}",
        "chargers",
        "status",
        "locations",
        "alerts",
        "health",
        f"why {connector} faulted",
    ):
        assert "Chargehand has a fault" not in (await house.ask(text)).plain()
    assert charger in (await house.ask(f"charger {charger}")).plain()
    assert "`location_id` of 1 of 14 chargers: `locationId: is missing`" in (await house.ask("health")).plain()


async def test_a_session_without_a_start_is_shown_and_lasts_for_nobody_knows_how_long(house: House) -> None:
    session = house.fleet.start_session(house.free(), None, house.clock())
    house.fleet.world.set_session(session.id, int(house.clock().timestamp() * 1000), startedAt=None)
    await polled_anew(house.running)
    told = (await house.ask(f"session {session.id}")).plain()
    assert session.id in told
    assert "Chargehand has a fault" not in told
    assert session.id in (await house.ask("sessions")).plain()
    assert session.id in (await house.ask("sessions active")).plain()
