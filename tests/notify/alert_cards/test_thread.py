"""What speaks for a few incidents is found by these, however many messages stand and whatever a roll-up tells of."""

from typing import Any

from notify.alert_cards.thread import bump_roll_ups, bump_voices
from storage.engine import Database
from tests.readings import T0


def test_neither_all_messages_that_stand_nor_all_that_a_roll_up_tells_are_gone_through(sqlite: Database) -> None:
    told: list[str] = []
    with sqlite.write() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(told.append)
        for many in (1, 2, 3, 400):
            bump_voices(connection, list(range(1, many + 1)), T0)
            bump_roll_ups(connection, [f"m{number}" for number in range(many)], T0)
        driver.set_trace_callback(None)
        asked = [one for one in told if "outbox" in one]
        plans = {row[3] for one in asked for row in driver.execute("EXPLAIN QUERY PLAN " + one)}
    assert len(asked) == 4 * 3
    assert {plan for plan in plans if "outbox" in plan} == {
        "SEARCH outbox USING INDEX ix_outbox_incident_id (incident_id=?)",
        "SEARCH outbox USING INDEX sqlite_autoindex_outbox_1 (id=?)",
        "SEARCH outbox USING INDEX outbox_pages (kind=? AND rolled_into=?)",
    }
