"""The questions of commands, on SQLite and PostgreSQL: counts, pages, filters, one thing, the closest ids."""

from datetime import timedelta

import pytest

from storage.engine import Database
from storage.queries.rows import ChargerFilter, SessionFilter
from storage.queries.state import (
    data_age,
    find_charger,
    find_connector,
    find_location,
    find_session,
    first_id,
    fleet_counts,
    is_available,
    is_open,
    list_chargers,
    list_locations,
    list_sessions,
    nearest_ids,
    open_alerts,
    open_session_on,
)
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session


@pytest.fixture
def fleet(database: Database) -> Database:
    """Two locations: l1 with trouble, l2 without; ch3 has no location; s1 is over, s2 goes on."""
    poll(database, at("10:00"), location("l1", name="Harbour"), location("l2", name="Airport"), resource="locations")
    poll(
        database,
        at("10:00"),
        charger(connector("c1", "Faulted", error_code="GroundFailure"), connector("c2", "Charging", power_kw=11.0)),
        charger(
            connector("c3", "Available", charger="ch2"), charger_id="ch2", online=False, vendor="ABB", name="North 100%"
        ),
        charger(connector("c4", "Available", charger="ch3"), charger_id="ch3", location_id="l2", name="Gate_1"),
        charger(connector("c5", "Odd", charger="ch4"), charger_id="ch4", location_id=None, online=None),
    )
    poll(
        database,
        at("10:00"),
        session("s1", started=at("08:00"), ended_at=at("09:00"), energy_kwh=7.5, cost=3.0, currency="EUR"),
        session("s2", started=at("09:30"), connector_id="c2", energy_kwh=1.0),
        resource="sessions",
    )
    return database


def test_it_counts_the_fleet(fleet: Database) -> None:
    with fleet.read() as connection:
        counts = fleet_counts(connection)
    assert (counts.locations, counts.chargers, counts.offline, counts.unknown_link) == (2, 4, 1, 1)
    assert counts.statuses == {"Faulted": 1, "Charging": 1, "Available": 2, None: 1}
    assert (counts.connectors, counts.charging_kw, counts.open_sessions, counts.firing) == (5, 11.0, 1, 0)


def test_it_counts_nothing_in_an_empty_database(database: Database) -> None:
    with database.read() as connection:
        counts = fleet_counts(connection)
        assert (counts.connectors, counts.statuses, counts.charging_kw) == (0, {}, 0)
        assert list_locations(connection, 0, 10).total == 0
        assert list_chargers(connection, ChargerFilter(), 0, 10).rows == ()
        assert open_alerts(connection, 5) == ()
        assert data_age(connection, "chargers", T0, MINUTE).good_at is None


def test_locations_with_trouble_come_first(fleet: Database) -> None:
    with fleet.read() as connection:
        page = list_locations(connection, 0, 1)
        second = list_locations(connection, 1, 1)
        found = find_location(connection, "l1")
    assert (page.total, page.rows[0].id, second.rows[0].id) == (2, "l1", "l2")
    assert found == page.rows[0]
    told = page.rows[0]
    assert (told.chargers, told.offline, told.connectors, told.faulted, told.charging, told.available) == (
        2,
        1,
        3,
        1,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (ChargerFilter(), ["ch3", "ch1", "ch2", "ch4"]),
        (ChargerFilter(status="Faulted"), ["ch1"]),
        (ChargerFilter(status="Odd"), ["ch4"]),
        (ChargerFilter(online=False), ["ch2"]),
        (ChargerFilter(location="l2"), ["ch3"]),
        (ChargerFilter(text="abb"), ["ch2"]),
        (ChargerFilter(text="HARBOUR"), ["ch1", "ch2"]),
        (ChargerFilter(text="100%"), ["ch2"]),
        (ChargerFilter(text="_1"), ["ch3"]),
        (ChargerFilter(status="Available", online=True), ["ch3"]),
    ],
)
def test_filters_mean_what_they_say(fleet: Database, which: ChargerFilter, expected: list[str]) -> None:
    with fleet.read() as connection:
        page = list_chargers(connection, which, 0, 10)
    assert sorted(row.id for row in page.rows) == sorted(expected)
    assert page.total == len(expected)


def test_a_charger_comes_with_its_connectors_and_their_sessions(fleet: Database) -> None:
    with fleet.read() as connection:
        found = find_charger(connection, "ch1")
        plug = find_connector(connection, "c2")
    assert found is not None
    assert [row.id for row in found.connectors] == ["c1", "c2"]
    assert plug == found.connectors[1]
    assert (plug.session_id, plug.location_name, plug.charger_online) == ("s2", "Harbour", True)
    assert found.connectors[0].error_code == "GroundFailure"


def test_sessions_are_found_by_the_time_they_went_on(fleet: Database) -> None:
    def ids(which: SessionFilter) -> list[str]:
        with fleet.read() as connection:
            return [row.id for row in list_sessions(connection, which, 0, 10).rows]

    assert ids(SessionFilter()) == ["s2", "s1"]
    assert ids(SessionFilter(open=True)) == ["s2"]
    assert ids(SessionFilter(since=at("08:30"), until=at("09:00"))) == ["s1"]
    assert ids(SessionFilter(since=at("09:00"), until=at("11:00"))) == ["s2", "s1"]
    assert ids(SessionFilter(since=at("06:00"), until=at("07:00"))) == []
    with fleet.read() as connection:
        told, going_on = find_session(connection, "s1"), open_session_on(connection, "c2")
    assert told is not None
    assert (told.energy_kwh, told.cost, told.currency, told.location_name) == (7.5, 3.0, "EUR", "Harbour")
    assert going_on is not None
    assert going_on.id == "s2"


def test_what_is_gone_is_listed_nowhere_but_found_by_its_id(fleet: Database) -> None:
    seen = {"charger": {"ch1", "ch3", "ch4"}, "connector": {"c1", "c2", "c4", "c5"}}
    for minute in ("10:01", "10:02"):
        poll(fleet, at(minute), seen=seen)
    with fleet.read() as connection:
        assert find_charger(connection, "ch2").gone_at == at("10:02")  # type: ignore[union-attr]
        assert list_chargers(connection, ChargerFilter(), 0, 10).total == 3
        assert fleet_counts(connection).chargers == 3
        assert "ch2" not in nearest_ids(connection, "charger", "ch22")


def test_the_closest_ids_come_first(fleet: Database) -> None:
    with fleet.read() as connection:
        assert nearest_ids(connection, "charger", "CH11")[0] == "ch1"
        assert nearest_ids(connection, "connector", "c1x") == ("c1",)
        assert nearest_ids(connection, "location", "nowhere-at-all") == ()
        assert nearest_ids(connection, "session", "") == ()
        assert nearest_ids(connection, "session", "xs2") == ("s2",)


def test_examples_name_what_can_be_used(fleet: Database) -> None:
    with fleet.read() as connection:
        assert first_id(connection, "connector", is_available()) == "c4", "c3 is free, but its charger is offline"
        assert first_id(connection, "session", is_open()) == "s2"


def test_data_is_stale_after_three_intervals(fleet: Database) -> None:
    with fleet.read() as connection:
        fresh = data_age(connection, "chargers", at("10:03"), MINUTE)
        stale = data_age(connection, "chargers", at("10:03") + timedelta(seconds=1), MINUTE)
    assert (fresh.stale, stale.stale, stale.good_at) == (False, True, at("10:00"))
