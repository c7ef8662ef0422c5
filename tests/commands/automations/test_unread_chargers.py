"""A step for a charger that cannot be read waits until it can be, and then acts on what is so by then."""

import json

from storage.engine import Database
from storage.schema import CONNECTOR as CONNECTORS
from tests.commands.automations.place import CHARGER, CONNECTOR, RESET, RULE, place_on

LATER = {**RULE, "for": "1m", "actions": [{"reset": "soft", "after": "2m", "within": "3m"}]}


async def test_a_step_waits_until_its_charger_can_be_read_again(database: Database) -> None:
    async with place_on(database, LATER) as place:
        place.fault()
        await place.minutes(2)
        assert (place.alerts(), place.posts) == (["firing"], [])
        plug = {"id": CONNECTOR, "status": "Faulted", "errorCode": "InternalError"}
        odd = {"id": CHARGER, "locationId": {"site": 1}, "name": "Box", "online": True, "connectors": [plug]}
        place.api.faults.bodies = {"chargers": json.dumps({"data": [odd], "total": 1}).encode()}
        await place.minutes(10)
        assert place.rows(CONNECTORS.select().where(CONNECTORS.c.id == CONNECTOR))[0].stale_since is not None
        assert (place.alerts(), place.posts) == (["firing"], [])
        place.api.faults.bodies = {}
        await place.minutes(5)
        assert place.posts[:1] == [RESET]
