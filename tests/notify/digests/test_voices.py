"""One message a location: each by its own clock, once, caught up and paused as any slot, and never a flood."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from notify.digests.digest import DigestEnqueued, refresh_digests
from notify.render import render_message
from notify.routing import Routing
from rules.documents.document import rule_from_document
from rules.registry.authoring import find_rule, switch_rule
from storage.engine import Database
from storage.schema import DIGEST_SLOT, LOCATION, OUTBOX
from tests.notify.digests.test_starts import DAILY, DAY, HOUR, MINUTE, MORNING, look, put
from tests.notify.records import insert_location, insert_session

EACH = {**DAILY, "each": "location"}
NY = {"timezone": "America/New_York"}
OLD = {"first_seen_at": MORNING - 30 * DAY}


@pytest.fixture
def places(database: Database) -> Database:
    """Two locations in Copenhagen and one in New York, and a digest for each of them."""
    with database.write() as connection:
        insert_location(connection, "l1", name="Harbour <&>", **OLD)
        insert_location(connection, "l2", **OLD)
        insert_location(connection, "ny", **NY, **OLD)
        insert_session(connection, "one", MORNING - 20 * HOUR)
    put(database, EACH, MORNING - HOUR)
    return database


def told(said: list[DigestEnqueued]) -> list[tuple[Any, str, int]]:
    return [(one.facts["location"], one.slot, one.facts["sessions"]) for one in said]


def switch(database: Database, now: datetime, *, on: bool) -> None:
    with database.write() as connection:
        row = find_rule(connection, "daily")
        switch_rule(connection, "daily", "U1", now, on=on, base_version=row.version)


def test_each_location_has_its_own_message_by_its_own_clock_once(places: Database) -> None:
    morning = look(places, MORNING + MINUTE)
    assert told(morning) == [("l1", "2026-03-03T08:00:00+01:00", 1), ("l2", "2026-03-03T08:00:00+01:00", 0)]
    assert look(places, MORNING + 2 * MINUTE) == []
    assert told(look(places, MORNING + 6 * HOUR + MINUTE)) == [("ny", "2026-03-03T08:00:00-05:00", 0)]
    with places.read() as connection:
        titles = [
            render_message(connection, item, MORNING).blocks[0]["text"]["text"]
            for item in connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key))
        ]
    assert titles == [
        "Sessions on Mon 2 Mar 2026 · Location ny",
        "Sessions on Mon 2 Mar 2026 · Harbour <&>",
        "Sessions on Mon 2 Mar 2026 · Location l2",
    ]


def test_what_was_missed_is_caught_up_and_what_was_paused_is_not(places: Database) -> None:
    assert len(look(places, MORNING + MINUTE)) == 2
    late = look(places, MORNING + DAY + 2 * HOUR)
    assert [(one.facts["location"], one.facts["late"]) for one in late] == [("ny", True), ("l1", True), ("l2", True)]
    switch(places, MORNING + DAY + 3 * HOUR, on=False)
    assert look(places, MORNING + 2 * DAY + MINUTE) == []
    switch(places, MORNING + 2 * DAY + HOUR, on=True)
    assert told(look(places, MORNING + 2 * DAY + HOUR + MINUTE)) == []
    assert [one[0] for one in told(look(places, MORNING + 2 * DAY + 6 * HOUR + MINUTE))] == ["ny"]
    assert [one[0] for one in told(look(places, MORNING + 3 * DAY + MINUTE))] == ["l1", "l2"]


def test_a_location_that_comes_moves_or_goes_makes_nothing_said_twice_or_late(places: Database) -> None:
    assert len(look(places, MORNING + MINUTE)) == 2
    with places.write() as connection:
        insert_location(connection, "l3", first_seen_at=MORNING + HOUR)
        connection.execute(sa.update(LOCATION).where(LOCATION.c.id == "l1").values(**NY))  # its zone was wrong
        connection.execute(sa.update(LOCATION).where(LOCATION.c.id == "l2").values(gone_at=MORNING + HOUR))
    assert look(places, MORNING + HOUR) == []
    # from here on it follows its new clock, which has not come to eight yet
    assert [one[0] for one in told(look(places, MORNING + 6 * HOUR + MINUTE))] == ["l1", "ny"]
    assert [one[0] for one in told(look(places, MORNING + DAY + MINUTE))] == ["l3"]


def test_making_it_one_a_location_or_one_a_zone_again_says_nothing_twice(places: Database) -> None:
    assert len(look(places, MORNING + MINUTE)) == 2
    put(places, DAILY, MORNING + HOUR)
    assert look(places, MORNING + HOUR) == []
    put(places, EACH, MORNING + 2 * HOUR)
    assert look(places, MORNING + 2 * HOUR) == []
    assert [one[0] for one in told(look(places, MORNING + 6 * HOUR + MINUTE))] == ["ny"]
    assert [one[0] for one in told(look(places, MORNING + DAY + MINUTE))] == ["l1", "l2"]


def test_late_sessions_correct_the_message_of_their_location_alone(places: Database) -> None:
    look(places, MORNING + MINUTE)
    with places.write() as connection:
        insert_session(connection, "late", MORNING - 19 * HOUR, location_id="l2")
        changed = refresh_digests(
            connection, ["daily"], Routing(MORNING + HOUR, {"daily": ("C1",)}, default_zone="UTC")
        )
    assert told(changed) == [("l2", "2026-03-03T08:00:00+01:00", 1)]
    with places.read() as connection:
        versions = dict(connection.execute(sa.select(OUTBOX.c.natural_key, OUTBOX.c.version)).all())
    assert {key.split(":")[2]: version for key, version in versions.items()} == {
        "Europe/Copenhagen l1": 1,
        "Europe/Copenhagen l2": 2,
    }


def test_too_many_locations_have_one_message_a_zone_that_says_so(places: Database) -> None:
    with places.write() as connection:
        for number in range(200):
            insert_location(connection, f"x{number}", **OLD)
    (said,) = look(places, MORNING + MINUTE)
    assert (said.facts["zone"], said.facts["too_many"], said.facts["sessions"]) == ("Europe/Copenhagen", 203, 1)
    with places.read() as connection:
        message = render_message(connection, connection.execute(sa.select(OUTBOX)).one(), MORNING)
        assert len(connection.execute(sa.select(DIGEST_SLOT)).all()) == 1
    assert "All 203 locations in one message: there is one each for at most 30" in str(message.blocks)


def test_a_fixed_clock_and_one_location_are_kept_to(places: Database) -> None:
    put(places, {**EACH, "timezone": "Asia/Kathmandu", "location": "ny"}, MORNING - HOUR)
    kathmandu = MORNING + DAY - timedelta(hours=4, minutes=45)
    assert told(look(places, kathmandu + MINUTE)) == [("ny", "2026-03-04T08:00:00+05:45", 0)]


def test_the_document_keeps_it_and_knows_no_other_word() -> None:
    assert rule_from_document(EACH, "slack").document == EACH
    with pytest.raises(Exception, match=r'"each" is "charger", but must be location'):
        rule_from_document({**DAILY, "each": "charger"}, "slack")
