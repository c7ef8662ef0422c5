"""A fleet on which commands are asked for, with a free connector and one that charges."""

import pytest

from storage.engine import Database
from tests.readings import MINUTE, T0, charger, connector, location, poll, session


@pytest.fixture
def fleet(database: Database) -> Database:
    """Two chargers of two connectors each, read at T0; c2 charges in session s2."""
    poll(database, T0, location(), resource="locations", interval=60 * MINUTE)
    plugs = (connector("c1"), connector("c2", "Charging"))
    more = (connector("d1", charger="ch2"), connector("d2", charger="ch2"))
    poll(database, T0, charger(*plugs), charger(*more, charger_id="ch2"))
    poll(database, T0, session("s2", started=T0 - 10 * MINUTE, connector_id="c2"), resource="sessions")
    return database
