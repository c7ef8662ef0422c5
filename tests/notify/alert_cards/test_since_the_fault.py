"""A card of safety speaks of the time since the fault began, be it that its code was told later."""

import pytest
import sqlalchemy as sa

from notify.alert_cards.card_facts import AlertCardContext, alert_card
from storage.engine import Database
from storage.schema import INCIDENT
from tests.bot.service.jobs.api_of_rows import ApiOfRows, charger_row, plug_row

CODE = 'connector.error_code == "GroundFailure"'
SAFETY = {"name": "safety", "for_each": "connector", "when": CODE, "safety": True, "notify": ["#ops"]}


def card(api: ApiOfRows) -> AlertCardContext:
    with api.database.read() as connection:
        (incident,) = connection.execute(sa.select(INCIDENT.c.id)).scalars()
        return alert_card(connection, [incident], api.now)


@pytest.mark.parametrize("safety", [True, False])
async def test_a_card_of_safety_is_since_the_fault_began_and_any_other_since_its_condition(
    database: Database, safety: bool
) -> None:
    api = ApiOfRows(database, SAFETY | {"safety": safety})
    api.rows["chargers"] = [charger_row("ch1", plug_row("a"))]
    await api.ticks(3)
    await api.tick(chargers=[charger_row("ch1", plug_row("a", "Faulted"))])
    began = api.now
    await api.ticks(4)
    broken = charger_row("ch1", plug_row("a", "Faulted", errorCode="GroundFailure"))
    assert await api.tick(chargers=[broken]) == ["a firing"]
    since = began if safety else api.now
    told = card(api)
    assert (told.active_at, told.duration) == (since, api.now - since)
    assert [(one.active_at, one.duration) for one in told.parts[0].members] == [(since, api.now - since)]
    assert await api.tick(chargers=[charger_row("ch1", plug_row("a"))]) == ["a resolved"]
    assert card(api).active_at == since, "also once it is over"
    await api.jobs.client.aclose()
