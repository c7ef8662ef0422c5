"""Drivers, teams and keys: asked of EOSVOLT for an operator, shown to that person, and kept nowhere."""

import sqlalchemy as sa

from storage import schema
from tests.bot.house import House

PERSONAL = ("Ben Nord", "04000001EEF", "Cora")


async def test_an_operator_sees_drivers_teams_and_keys_in_pages(house: House) -> None:
    drivers = (await house.ask("drivers", "ole")).plain()
    assert "driver-1` Ben Nord · Night shift" in drivers
    assert "1 to 10 of 28" in drivers
    jon = (await house.ask("drivers jon", "ole")).plain()
    assert "driver-9` Jon Oak · Day shift · *not active*" in jon
    teams = (await house.ask("teams", "ole")).plain()
    assert "team-1` Day shift · 9 drivers" in teams
    keys = (await house.ask("keys key-1", "ole")).plain()
    assert "key-1` RFID, ends in 1EEF · Ben Nord" in keys
    assert "04000001EEF" not in keys, "nobody can copy a card from it"


async def test_a_viewer_sees_nobody(house: House) -> None:
    for word in ("drivers", "teams", "keys"):
        assert "needs the role operator" in (await house.ask(word, "vera")).plain()
    assert not any(name in str(house.workspace.ephemerals("vera")) for name in PERSONAL)


async def test_an_account_without_a_fleet_says_so_once_asked(house: House) -> None:
    house.api.faults.forbidden = frozenset({"drivers", "keys"})
    assert "is not in this account's EOSVOLT plan" in (await house.ask("drivers", "ole")).plain()
    assert "9 drivers" not in (await house.ask("teams", "ole")).plain(), "teams without their drivers"
    assert "Day shift" in (await house.ask("teams", "ole")).plain()


async def test_nobody_is_stored_or_logged(house: House, capsys: object) -> None:
    for word in ("drivers", "teams", "keys"):
        await house.ask(word, "ole")
    house.api.faults.forbidden = frozenset({"drivers"})
    await house.ask("drivers", "ole")
    with house.running.database.read() as connection:
        kept = "".join(
            str(connection.execute(sa.select(table)).all())
            for table in vars(schema).values()
            if isinstance(table, sa.Table)
        )
    out = capsys.readouterr()  # type: ignore[attr-defined]  # the fixture's type is pytest's own
    assert not [name for name in PERSONAL if name in kept + out.out + out.err]


async def test_home_chargers_and_bookings_are_found(house: House) -> None:
    first = next(iter(house.fleet.world.chargers))
    house.fleet.world.set_charger(first.id, 10**13, labels=["home"])
    await house.stop()
    await house.start()
    told = (await house.ask("chargers home")).plain()
    assert first.id in told
    assert "*Chargers* `home` 1 to 1 of 1" in told
    assert "No session is known." in (await house.ask("sessions bookings")).plain()
