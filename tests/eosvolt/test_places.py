"""Where locations lie, in accounts that tell it: read by their contract files, kept, and used for what is free near."""

import pytest
import sqlalchemy as sa

from eosvolt.converters import degrees_up_to
from notify.impact import impact_of
from storage.engine import Database
from storage.record import record_readings
from storage.recording.reading_rows import Observation
from storage.schema import CONNECTOR, LOCATION
from tests.eosvolt.accounts import NOON, account
from tests.notify.records import insert_alert, insert_incident, insert_rule

NORTHWARDS = 0.01  # degrees of latitude, 1.1 km


@pytest.mark.parametrize("dialect", ["ocpi", "flat"])
async def test_a_card_names_what_is_free_nearby_where_the_account_tells_places(
    database: Database, dialect: str
) -> None:
    async with account(dialect, chargers=12) as site:
        world, now = site.source.world, round(NOON.timestamp() * 1000)
        for number, row in enumerate(list(world.locations)):
            latitude: float | str = 55.0 + number * NORTHWARDS
            latitude = f"{latitude:.6f}" if dialect == "ocpi" else latitude  # OCPI writes them as text
            world.locations.change(row, now, {"latitude": latitude, "longitude": 12.5})
        fetched = await site.client.fetch_locations(), await site.client.fetch_chargers()
    assert (fetched[0].set_aside, [row.extra for row in fetched[0].rows if row.extra]) == ((), [])
    with database.write() as connection:
        for answer in fetched:
            record_readings(connection, answer.rows, Observation(NOON))
        first = connection.execute(sa.select(LOCATION.c.id).order_by(LOCATION.c.latitude)).first()
        assert first is not None
        here = CONNECTOR.c.location_id == first.id
        connection.execute(sa.update(CONNECTOR).where(here).values(status="Faulted"))
        broken = connection.execute(sa.select(CONNECTOR.c.id).where(here).order_by(CONNECTOR.c.id)).scalars().first()
        insert_rule(connection)
        insert_incident(connection, location_id=first.id)
        insert_alert(connection, connector_id=broken, subject=broken, location_id=first.id)
        free = impact_of(connection, [1], NOON).free
        assert free is not None
        assert free.km is not None
        told = connection.execute(sa.select(CONNECTOR.c.location_id).where(CONNECTOR.c.id == free.connector_id))
        lies = connection.execute(sa.select(LOCATION.c.latitude).where(LOCATION.c.id == told.scalar_one())).scalar_one()
        assert free.km == pytest.approx((lies - 55.0) * 111.19, rel=1e-3)


@pytest.mark.parametrize("value", [91, -90.5, "north", "1_0", True, [55.0], float("nan")])
def test_what_is_no_latitude_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"degrees|number"):
        degrees_up_to(90)(value)


@pytest.mark.parametrize(("value", "degrees"), [(None, None), ("55.676100", 55.6761), (-33, -33.0), (90, 90.0)])
def test_a_latitude_is_a_number_or_a_text_of_one(value: object, degrees: float | None) -> None:
    assert degrees_up_to(90)(value) == degrees
