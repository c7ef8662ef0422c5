"""Chargers at drivers' homes carry the label "home", by their own word or their location's type, for rules to read."""

from typing import Any

from storage.engine import Database
from storage.schema import CHARGER
from tests.bot.service.jobs.api_of_rows import MINUTE, ApiOfRows, charger_row, plug_row, session_row

AT_HOME: dict[str, Any] = {
    "name": "at-home",
    "for_each": "connector",
    "when": 'connector.status == "Faulted" and charger.labels contains "home"',
}


async def test_a_rule_reads_the_label_of_homes_and_follows_a_location_that_becomes_one(database: Database) -> None:
    api = ApiOfRows(database, AT_HOME)
    harbour, home = {"id": "l1", "name": "Harbour", "type": "public"}, {"id": "h1", "name": "Ada", "type": "HOME"}
    api.rows["locations"] = [harbour, home]
    api.rows["chargers"] = [
        charger_row("ch1", plug_row("a", "Faulted"), labels=["north"]),
        charger_row("ch2", plug_row("b", "Faulted"), location="h1"),
        charger_row("ch3", plug_row("c", "Faulted"), home=True, labels=["home", "x"]),
        charger_row("ch4", plug_row("d", "Faulted"), location="h1", home=False),
    ]
    assert await api.tick() == ["b firing", "c firing"]
    assert api.stored(CHARGER, "labels") == {"ch1": ["north"], "ch2": ["home"], "ch3": ["home", "x"], "ch4": []}
    harbour["type"] = "home"
    assert await api.tick(minutes=360) in ([], ["a firing"])
    await api.ticks(2)
    assert api.stored(CHARGER, "labels")["ch1"] == ["north", "home"]
    assert set(api.alerts()) == {"a", "b", "c"}
    await api.jobs.client.aclose()


async def test_a_booking_is_a_type_of_session_however_it_is_written(database: Database) -> None:
    booked = {"name": "booked", "on": "session.started", "when": 'session.type == "Booking"', "settle": "0s"}
    api = ApiOfRows(database, booked)
    api.rows["chargers"] = [charger_row("ch1", plug_row("a"))]
    await api.tick()
    at = api.now + MINUTE / 2
    rows = [session_row(name, "a", at, type=kind) for name, kind in (("s1", "BOOKING"), ("s2", "on_demand"))]
    assert await api.tick(sessions=rows) == ["s1 event"]
    await api.jobs.client.aclose()
