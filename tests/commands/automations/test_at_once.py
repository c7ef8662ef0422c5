"""Two processes that decide at one moment: the limit over all chargers holds, and one step makes one command."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from commands.automations.advance import advance_try, due_tries
from commands.automations.facts import Automating
from notify.routing import Routing
from rules.actions.automations import Mode
from storage.engine import Database
from tests.commands.automations.place import RULE, SECONDS, Died, place_on
from tests.readings import MINUTE

pytestmark = pytest.mark.on_either_database

ONE_IN_ALL = {"reset": "soft", "limit": "1 per 24h", "limit_total": "1 per 24h"}
BROAD = {**RULE, "when": 'connector.status == "Faulted"', "for": 0, "actions": [ONE_IN_ALL]}
OTHER = "101.1.1"


def evaluated_only(point: str) -> None:
    if point == "evaluated":
        raise Died


@pytest.mark.parametrize("same", [True, False], ids=["one step", "two chargers"])
async def test_the_limit_in_total_holds_over_two_processes(database: Database, same: bool) -> None:
    async with place_on(database, BROAD) as place:
        place.switch(Mode.ON)  # the switch's row is there, so that nothing waits for its insert
        place.fault()
        place.force({"status": "Faulted", "errorCode": "InternalError"}, OTHER)
        with pytest.raises(Died):
            await place.tick(die=evaluated_only)
        now = place.clock.now
        work = Automating(Mode.ON, MINUTE * (SECONDS / 60), Routing(now, {"self-healing": ["#ev-alerts"]}))
        with database.read() as connection:
            first, second = due_tries(connection, now)

        def decide(try_id: int) -> bool:
            other = Database(database.url, durable=False)
            try:
                with other.write() as connection:
                    return advance_try(connection, try_id, work, now)
            finally:
                other.close()

        with ThreadPoolExecutor(1) as pool:
            with database.write() as connection:
                assert advance_try(connection, first, work, now)
                later = pool.submit(decide, first if same else second)
                wait([later], timeout=1)  # it would be done by now if nothing held it up
            later.result()
        assert len(place.commands()) == 1
        states = sorted(state for _, state, _ in place.tries())
        assert states == (["sent", "waiting"] if same else ["refused", "sent"])
