"""Actions that a setting names wait for a second person, who is never the one who asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from bot.settings import Settings
from storage.schema import COMMAND
from tests.bot.house import House, open_house
from tests.bot.slack.charge.acting.test_own_commands import OWN
from tests.bot.slack.charge.acting.test_session_commands import posts


@pytest.fixture
async def closed_house(tmp_path: Path) -> AsyncIterator[House]:
    """EOSVOLT's API as it is: the contract file of these tests is written for it."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}") as house:
        yield house


@pytest.fixture
async def careful(closed_house: House, tmp_path: Path) -> House:
    """The service at work where resets and one of the account's own commands need two people."""
    contract = tmp_path / "site.toml"
    contract.write_text(OWN)
    closed_house.changes = {
        "chargehand_contract": contract,
        "chargehand_two_people": ("reset", "do kick"),
        "chargehand_approval_channel": "#ev-alerts",
        "chargehand_admins": ("U0OLE00002",),
    }
    await closed_house.start()
    return closed_house


@pytest.mark.parametrize("words", ["reset", "reset {} hard", "do kick"])
async def test_who_asked_cannot_approve_and_somebody_else_does(careful: House, words: str) -> None:
    house = careful
    charger = house.free().rpartition(".")[0]
    preview = await house.ask(words.format(charger) if "{}" in words else f"{words} {charger}")
    assert "Nothing is sent before you confirm, and somebody else has approved it in `#ev-alerts`" in preview.plain()
    await house.click("ada", preview, "confirm_command")
    await house.wait_for(lambda: "Somebody else has to approve it in `#ev-alerts` first" in preview.plain())
    place = house.workspace.channel("#ev-alerts")
    card = await house.wait_for(lambda: next(iter(place.messages), None))
    before = len(house.workspace.ephemerals("ada"))
    await house.click("ada", card, "approve_command")
    assert "You asked for this yourself" in (await house.next_whisper("ada", before)).plain()
    assert posts(house) == []
    await house.click("ole", card, "approve_command")
    await house.wait_for(lambda: posts(house))
    assert len(posts(house)) == 1


async def test_an_own_command_that_needs_an_admin_is_not_approved_by_an_operator(careful: House) -> None:
    house = careful
    house.running.responder.permissions.admins = ()
    charger = house.free().rpartition(".")[0]
    preview = await house.ask(f"do kick {charger}")
    await house.click("ada", preview, "confirm_command")
    place = house.workspace.channel("#ev-alerts")
    card = await house.wait_for(lambda: next(iter(place.messages), None))
    await house.click("ole", card, "approve_command")
    assert "needs the role admin" in (await house.next_whisper("ole", 0)).plain()


async def test_what_the_setting_does_not_name_needs_one_person(careful: House) -> None:
    house = careful
    charger = house.free().rpartition(".")[0]
    preview = await house.ask(f"do rest {charger}", "ole")
    assert "approved" not in preview.plain()
    await house.click("ole", preview, "confirm_command")
    await house.wait_for(lambda: posts(house))
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(COMMAND.c.decided_by)).scalar() is None


def test_the_setting_takes_actions_alone_and_needs_a_place() -> None:
    right = Settings(chargehand_two_people="Reset, do  Kick", chargehand_approval_channel="#x", _env_file=None)  # type: ignore[call-arg, arg-type]
    assert right.approvals == {"reset_soft": "#x", "reset_hard": "#x", "do:kick": "#x"}
    with pytest.raises(ValidationError, match="CHARGEHAND_APPROVAL_CHANNEL"):
        Settings(chargehand_two_people="reset", _env_file=None)  # type: ignore[call-arg, arg-type]
    with pytest.raises(ValidationError, match="explode is none of start, stop"):
        Settings(chargehand_two_people="explode", chargehand_approval_channel="#x", _env_file=None)  # type: ignore[call-arg, arg-type]
