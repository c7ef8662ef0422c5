"""That chaos finds what it looks for: what is not said is a difference. `.ci/run` makes a little chaos itself."""

from storage.migrate import upgrade
from tests.chaos.__main__ import Wanted, world_of
from tests.chaos.world import now


async def test_what_is_not_said_is_found() -> None:
    async with world_of(Wanted(0)) as world:
        upgrade(world.database)
        for one in world.broken():
            world.house.fleet.force_connector(one, {"status": "Available", "errorCode": "NoError"}, now())
        assert world.differences() == []
        connector = world.connectors()[0]
        world.house.fleet.force_connector(connector, {"status": "Faulted", "errorCode": "GroundFailure"}, now())
        assert world.differences() == [f"{connector} is out of order and not told"]
        world.database.close()
