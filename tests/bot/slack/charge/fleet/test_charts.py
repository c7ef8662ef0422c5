"""`/charge chart`: a picture comes to whoever asked, and says in words what it shows."""

import pytest
import sqlalchemy as sa

from storage.schema import CHARGER
from tests.bot.house import House
from tests.bot.slack.charge.fleet.test_exports import message_to


@pytest.mark.parametrize("kind", ["energy", "status", "uptime", "revenue", "alerts"])
async def test_a_chart_comes_as_a_picture_with_its_facts_in_words(house: House, kind: str) -> None:
    assert "is being drawn" in (await house.ask(f"chart {kind} today")).plain()
    message = await message_to(house, "U0ADA00001")
    (file,) = (house.workspace.files[name] for name in message.files)
    assert file.name.endswith(".png")
    assert file.content is not None
    assert file.content.startswith(b"\x89PNG")
    assert file.alt_text
    assert file.alt_text.split(":")[0] in message.text


async def test_a_chart_is_of_one_charger_where_that_is_asked_for(house: House) -> None:
    with house.running.database.read() as connection:
        charger_id = connection.execute(sa.select(CHARGER.c.id).order_by(CHARGER.c.id)).scalars().first()
    assert "is being drawn" in (await house.ask(f"chart uptime {charger_id} today")).plain()
    message = await message_to(house, "U0ADA00001")
    (file,) = (house.workspace.files[name] for name in message.files)
    assert f", {charger_id}: " in file.alt_text
    assert "no charger or location" in (await house.ask("chart uptime nowhere")).plain()


async def test_what_cannot_be_drawn_says_why(house: House) -> None:
    assert "at most 31 days" in (await house.ask("chart energy 2026-01-01 2026-03-31")).plain()
    assert "have begun" in (await house.ask("chart energy 2999-01-01")).plain()
