"""Chargers at drivers' homes carry the label "home", by their own word or their location's type, for rules to read."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.service.digesting import enqueue_digests
from notify.render import render_message
from storage.engine import Database
from storage.queries.rows import ChargerFilter
from storage.queries.state import list_chargers
from storage.schema import CHARGER, OUTBOX
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


OF_HOMES: dict[str, Any] = {
    "name": "homes",
    "schedule": "0 8 * * *",
    "timezone": "UTC",
    "digest": "sessions",
    "label": "home",
    "notify": ["#homes"],
}


async def test_a_digest_narrowed_to_homes_tells_of_them_alone_and_lists_show_them(database: Database) -> None:
    api = ApiOfRows(
        database, OF_HOMES, {name: value for name, value in OF_HOMES.items() if name != "label"} | {"name": "all"}
    )
    api.rows["locations"] = [{"id": "l1", "name": "Harbour"}, {"id": "h1", "name": "Ada", "type": "home"}]
    api.rows["chargers"] = [
        charger_row("ch1", plug_row("a", "Faulted")),
        charger_row("ch2", plug_row("b"), location="h1"),
        charger_row("ch3", plug_row("c"), home=True),
    ]
    began = api.now.replace(hour=9, minute=0)
    api.rows["sessions"] = [
        session_row(f"s-{charger}", plug, began, chargerId=charger, locationId=place, status="Completed")
        | {"endedAt": (began + 60 * MINUTE).isoformat(), "energyKwh": energy}
        for charger, plug, place, energy in (("ch1", "a", "l1", 9.0), ("ch2", "b", "h1", 4.0), ("ch3", "c", "l1", 2.0))
    ]
    await api.ticks(2)
    assert enqueue_digests(api.jobs, api.now) == []
    eight = (api.now + timedelta(days=1)).replace(hour=8, minute=0, second=0, microsecond=0)
    await api.tick(minutes=(eight - api.now) / MINUTE)
    await api.tick()
    told = {one.rule: one.facts for one in enqueue_digests(api.jobs, api.now)}
    assert {name: (facts["sessions"], facts["energy_kwh"]) for name, facts in told.items()} == {
        "homes": (2, 6.0),
        "all": (3, 15.0),
    }
    with database.read() as connection:
        (card,) = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.rule_id == "homes")).all()
        assert "Chargers with the label home alone" in str(render_message(connection, card, api.now).all_blocks)
        shown = list_chargers(connection, ChargerFilter(home=True), 0, 10)
    assert [row.id for row in shown.rows] == ["ch2", "ch3"]
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
