"""Prices: the history of each location as intervals, begun once and never twice."""

from datetime import timedelta

import sqlalchemy as sa

from storage.engine import Database
from storage.recording.prices import priced_locations, record_prices
from storage.schema import LOCATION
from tests.readings import MINUTE, at, location, poll
from tests.storage.test_record import changed_seq, intervals, rows


def told(database: Database, moment: str, **prices: str) -> bool:
    with database.write() as connection:
        return record_prices(connection, prices, at(moment))


def test_prices_are_kept_as_intervals_and_told_twice_change_nothing(database: Database) -> None:
    poll(database, at("10:00"), location(), resource="locations")
    assert told(database, "10:01", l1="0.45")
    before = changed_seq(database, LOCATION)
    assert not told(database, "10:01", l1="0.45")
    assert not told(database, "11:01", l1="0.45", unheard_of="0.45")
    assert changed_seq(database, LOCATION) == before
    assert told(database, "12:01", l1="0.50")
    assert changed_seq(database, LOCATION) == before + 1
    assert intervals(database, "price") == [
        ("l1", None, at("10:00"), at("10:01")),
        ("l1", "0.45", at("10:01"), at("12:01")),
        ("l1", "0.50", at("12:01"), None),
    ]


def test_a_poll_of_locations_leaves_their_prices_alone(database: Database) -> None:
    poll(database, at("10:00"), location(), resource="locations")
    told(database, "10:01", l1="0.45")
    poll(database, at("16:00"), location(name="Renamed"), resource="locations", interval=timedelta(hours=6))
    assert rows(database, LOCATION, "name", "price", "price_changed_at") == [("Renamed", "0.45", at("10:01"))]
    assert intervals(database, "price")[-1] == ("l1", "0.45", at("10:01"), None)


def test_the_prices_of_a_location_that_went_are_unknown_until_they_are_asked_for_again(database: Database) -> None:
    poll(database, at("10:00"), location(), resource="locations")
    told(database, "10:01", l1="0.45")
    for moment in (at("10:10"), at("10:20")):
        poll(database, moment, resource="locations", interval=10 * MINUTE, seen={"location": set()})
    with database.read() as connection:
        assert priced_locations(connection) == []
    assert not told(database, "10:25", l1="0.50")
    poll(database, at("10:30"), location(), resource="locations", interval=10 * MINUTE)
    with database.read() as connection:
        assert connection.execute(sa.select(LOCATION.c.price)).scalar_one() is None
        assert priced_locations(connection) == ["l1"]
    told(database, "10:31", l1="0.45")
    assert intervals(database, "price")[1:] == [
        ("l1", "0.45", at("10:01"), at("10:20")),
        ("l1", None, at("10:30"), at("10:31")),
        ("l1", "0.45", at("10:31"), None),
    ]
