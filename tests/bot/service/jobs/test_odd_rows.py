"""Odd rows from the API to the alerts: what cannot be read is unknown alone, held and told, and never lost."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.health import poll_health
from storage.recording.sight import unread_fields
from storage.schema import ALERT, CHARGER, CONNECTOR, INTERVAL, LOCATION, SESSION
from tests.bot.service.jobs.api_of_rows import ApiOfRows, charger_row, plug_row, session_row
from tests.readings import T0

pytestmark = pytest.mark.on_either_database

FAULTED: dict[str, Any] = {
    "name": "faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "severity": "info",
}
TWO_BOXES = [charger_row("ch1", plug_row("a"), plug_row("b")), charger_row("ch2", plug_row("c"))]


@pytest.fixture
async def api(database: Database) -> AsyncIterator[ApiOfRows]:
    api = ApiOfRows(database, FAULTED)
    api.rows["chargers"] = TWO_BOXES
    await api.tick()
    yield api
    await api.jobs.client.aclose()


ODD: dict[str, dict[str, Any]] = {
    "a stamp of 1970": {"connectors": [plug_row("a", "Faulted", statusChangedAt="1970-01-01T00:00:00.740Z")]},
    "a stamp of the year 1": {"connectors": [plug_row("a", "Faulted", statusChangedAt="0001-01-01T00:00:00Z")]},
    "a power that is no number": {"connectors": [plug_row("a", "Faulted", maxPowerKw="NaN")]},
    "a name that is an object": {"name": {"en": "Box"}},
    "bad labels": {"labels": {"test": True}},
    "online as a number": {"online": 1},
    "a heartbeat of 1970": {"lastHeartbeat": "1970-01-01T00:00:00Z"},
    "an update time that is a number": {"updatedAt": 5},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_an_odd_field_loses_neither_the_alert_nor_the_rest_of_its_row(
    api: ApiOfRows, odd: dict[str, Any]
) -> None:
    row = charger_row("ch1", plug_row("a", "Faulted"), firmware="2.0") | odd
    assert await api.tick(chargers=[row]) == ["a firing"]
    assert api.stored(CHARGER, "firmware")["ch1"] == "2.0"
    with api.database.read() as connection:
        health = poll_health(connection, api.now)
    assert [one.rows for one in health.unread] == [1]
    assert health.unseen == ()
    api.rows["chargers"] = [charger_row("ch1", plug_row("a"), plug_row("b")), TWO_BOXES[1]]
    assert await api.tick() == ["a resolved"], "it is asked for again at once"
    with api.database.read() as connection:
        assert [one.rows for one in poll_health(connection, api.now).unread] == [0]


async def test_what_is_set_aside_is_stale_and_its_alert_held_until_it_is_read_again(api: ApiOfRows) -> None:
    await api.tick(chargers=[charger_row("ch1", plug_row("a", "Faulted"), plug_row("b"))])
    bad = charger_row("ch1", plug_row("a"), plug_row("b"), location={"site": 1})
    assert await api.tick(chargers=[bad]) == []
    assert set(api.stored(CONNECTOR, "stale_since").items()) == {("a", api.now), ("b", api.now), ("c", None)}
    assert api.alerts()["a"].held_since == api.now
    with api.database.read() as connection:
        seen = {one.resource: (one.rows, one.of) for one in poll_health(connection, api.now).unseen}
    assert seen == {"charger": (1, 2), "connector": (2, 3)}
    api.rows["chargers"] = [bad, TWO_BOXES[1]]
    assert await api.ticks(3) == [], "nothing goes"
    assert set(api.stored(CHARGER, "gone_at").values()) == {None}
    api.rows["chargers"] = TWO_BOXES
    assert await api.ticks(10) == ["a resolved"]
    assert set(api.stored(CONNECTOR, "stale_since").values()) == {None}


async def test_a_share_of_chargers_that_cannot_be_read_is_held_unless_they_change_nothing(database: Database) -> None:
    """Of five, the two that are offline are set aside: half may be, and 20 % are for certain as soon as a third is."""
    rules = [
        {"name": name, "for_each": "location", "when": f"share(location.chargers where not charger.online) >= {share}"}
        for name, share in (("some", "20 %"), ("half", "40 %"))
    ]
    api = ApiOfRows(database, *({**rule, "severity": "info"} for rule in rules))

    def boxes(*offline: int, unread: tuple[int, ...] = ()) -> list[Any]:
        site = {number: {"site": 1} if number in unread else "l1" for number in range(5)}
        return [charger_row(f"ch{n}", plug_row(f"p{n}"), online=n not in offline, location=site[n]) for n in site]

    api.rows["chargers"] = boxes(0, 1)
    assert sorted(await api.tick()) == ["l1 firing", "l1 firing"]
    api.rows["chargers"] = boxes(unread=(0, 1))
    assert await api.tick(chargers=api.rows["chargers"]) == []
    began = api.now
    assert [row.held_since is None for row in await _alerts_by_rule(api)] == [False, False]
    api.rows["chargers"] = boxes(2, unread=(0, 1))
    assert await api.tick(chargers=api.rows["chargers"]) == []
    assert [row.held_since is None for row in await _alerts_by_rule(api)] == [False, True], "half may be, some are"
    api.rows["chargers"] = boxes(2)
    assert await api.tick(chargers=api.rows["chargers"]) == ["l1 resolved"], "20 % are offline, and not 40 %"
    with database.read() as connection:
        spans = connection.execute(sa.select(INTERVAL).where(INTERVAL.c.field == "stale")).all()
    assert [(row.thing_id, row.valid_from, row.valid_to) for row in sorted(spans, key=lambda row: row.thing_id)] == [
        ("p0", began, api.now),
        ("p1", began, api.now),
    ]
    await api.jobs.client.aclose()


async def _alerts_by_rule(api: ApiOfRows) -> list[Any]:
    with api.database.read() as connection:
        return list(connection.execute(sa.select(ALERT).where(ALERT.c.state == "firing").order_by(ALERT.c.rule_id)))


async def test_a_new_fault_on_a_thing_that_is_stale_is_told_once_it_is_read_again(api: ApiOfRows) -> None:
    bad = charger_row("ch1", plug_row({"no": 1}, "Faulted"), plug_row("b"))
    api.rows["chargers"] = [bad, TWO_BOXES[1]]
    assert await api.tick(chargers=[bad]) == []
    assert api.stored(CONNECTOR, "stale_since") == {"a": api.now, "b": None, "c": None}
    api.rows["chargers"] = [charger_row("ch1", plug_row("a", "Faulted"), plug_row("b")), TWO_BOXES[1]]
    assert await api.ticks(2) == ["a firing"]


async def test_ids_that_are_unique_in_their_charger_alone_are_refused_and_never_merged(database: Database) -> None:
    api = ApiOfRows(database, FAULTED)
    boxes = [
        charger_row(
            f"ch{box}", plug_row("1"), plug_row("2", "Faulted" if box == 3 else "Available"), plug_row(f"x{box}")
        )
        for box in range(4)
    ]
    api.rows["chargers"] = boxes
    assert await api.tick() == []
    assert set(api.stored(CONNECTOR, "charger_id")) == {"x0", "x1", "x2", "x3"}
    with database.read() as connection:
        told = [one for one in poll_health(connection, api.now).set_aside if one.resource == "connector"]
    assert [(one.rows, one.field) for one in told] == [(2, "id")]
    assert "connector id 1 is used by chargers ch0 and ch1" in told[0].example
    await api.jobs.client.aclose()


async def test_an_id_told_in_another_charger_is_refused_until_a_sweep_tells_it_there_alone(api: ApiOfRows) -> None:
    moved = charger_row("ch2", plug_row("c"), plug_row("a", "Faulted"))
    assert await api.tick(chargers=[moved]) == []
    assert api.stored(CONNECTOR, "charger_id", "status")["a"] == ("ch1", "Available")
    assert api.stored(CONNECTOR, "stale_since")["a"] == api.now
    api.rows["chargers"] = [charger_row("ch1", plug_row("b")), moved]
    assert await api.tick() == ["a firing"]
    assert api.stored(CONNECTOR, "charger_id", "stale_since")["a"] == ("ch2", None)


async def test_an_id_that_two_chargers_claim_stays_refused_sweep_for_sweep(api: ApiOfRows) -> None:
    other = charger_row("ch2", plug_row("c"), plug_row("a", "Faulted"))
    api.rows["chargers"] = [TWO_BOXES[0], other]
    moved = await api.tick(chargers=[other])
    for _ in range(130):
        moved += await api.tick()
    assert moved == []
    assert api.stored(CONNECTOR, "charger_id", "status")["a"] == ("ch1", "Available")
    assert api.asked.count("chargers") < 25, "nor is it asked for all the time"


async def test_a_charger_told_at_another_location_has_moved_once_a_sweep_says_so(api: ApiOfRows) -> None:
    await api.tick(chargers=[charger_row("ch1", plug_row("a", "Faulted"), plug_row("b"))])
    moved = charger_row("ch1", plug_row("a", "Faulted"), plug_row("b"), location="l2")
    api.rows["chargers"] = [moved, TWO_BOXES[1]]
    await api.tick(chargers=[moved])
    assert api.stored(CHARGER, "location_id")["ch1"] == "l1"
    await api.tick()
    assert api.stored(CHARGER, "location_id")["ch1"] == "l2"
    assert (api.alerts()["a"].location_id, api.alerts()["a"].held_since) == ("l2", None)


async def test_two_rows_of_one_list_under_one_id_are_both_refused(database: Database) -> None:
    api = ApiOfRows(database, FAULTED)
    twice = [charger_row("1", plug_row("a", "Faulted")), charger_row("1", plug_row("b"), location="l2")]
    api.rows["chargers"] = [*twice, charger_row("2", plug_row("c"))]
    started = T0.replace(hour=8)
    again = session_row("17", "c", started, chargerId="2"), session_row("17", "d", started, chargerId="2")
    api.rows["sessions"] = [*again, session_row("18", "c", started, chargerId="2")]
    assert await api.tick() == []
    assert set(api.stored(CHARGER, "name")) == {"2"}
    assert set(api.stored(SESSION, "status")) == {"18"}
    await api.jobs.client.aclose()


async def test_a_session_id_used_again_does_not_overwrite_the_session_before(api: ApiOfRows) -> None:
    eight, ten = T0.replace(hour=8), T0.replace(hour=9, minute=30)
    over = {"endedAt": T0.replace(hour=9).isoformat(), "status": "Completed", "energyKwh": 5}
    await api.tick(sessions=[session_row("17", "a", eight, **over)])
    await api.tick(sessions=[session_row("17", "a", ten, energyKwh=0)])
    await api.tick(sessions=[session_row("17", "c", eight, energyKwh=1)])
    assert api.stored(SESSION, "connector_id", "energy_kwh", "status") == {"17": ("a", 5.0, "Completed")}
    await api.tick(sessions=[session_row("17", "a", eight.replace(minute=1), **over | {"energyKwh": 6})])
    assert api.stored(SESSION, "energy_kwh") == {"17": 6.0}, "a correction is none"


async def test_a_session_whose_status_is_a_number_is_asked_for_again_soon(api: ApiOfRows) -> None:
    started = T0.replace(hour=9)
    await api.tick(sessions=[session_row("1", "a", started, status=3)])
    assert api.stored(SESSION, "status")["1"] == "3"
    await api.tick(sessions=[session_row("1", "a", started, status="Active")])
    assert api.stored(SESSION, "status")["1"] == "Active"


async def test_an_empty_list_is_doubted_held_and_looked_at_again_soon(api: ApiOfRows) -> None:
    broken = charger_row("ch1", plug_row("a", "Faulted"), plug_row("b"))
    await api.tick(chargers=[broken])
    api.rows["chargers"] = []
    moved = await api.ticks(180)
    assert moved == [], "no alert ends as removed"
    assert api.alerts()["a"].held_since is not None
    assert set(api.stored(CHARGER, "gone_at").values()) == {None}
    with api.database.read() as connection:
        (doubt,) = poll_health(connection, api.now).doubts
    assert (doubt.resource, doubt.missing, doubt.known) == ("chargers", 5, 5)
    assert api.asked.count("chargers") > 20
    api.rows["chargers"] = [broken, TWO_BOXES[1]]
    assert await api.ticks(6) == []
    assert api.alerts()["a"].held_since is None
    with api.database.read() as connection:
        assert poll_health(connection, api.now).doubts == ()


async def test_sweeps_that_show_the_same_for_a_day_are_believed(api: ApiOfRows) -> None:
    await api.tick(chargers=[charger_row("ch1", plug_row("a", "Faulted"), plug_row("b"))])
    api.rows["chargers"] = [TWO_BOXES[1]]
    moved: list[str] = []
    for _ in range(26 * 4):
        moved += [f"{api.now:%d %H}: {one}" for one in await api.tick(15)]
    assert len(moved) == 1
    assert moved[0].startswith("03 1")
    assert api.stored(CONNECTOR, "gone_at")["c"] is None
    assert api.stored(CONNECTOR, "gone_at")["a"] is not None


async def test_less_than_half_missing_is_gone_after_two_sweeps_as_ever(database: Database) -> None:
    api = ApiOfRows(database)
    api.rows["chargers"] = [charger_row(f"ch{box}", plug_row(f"{box}")) for box in range(5)]
    await api.tick()
    api.rows["chargers"] = api.rows["chargers"][:3]
    await api.ticks(125)
    assert [one for one, gone in api.stored(CHARGER, "gone_at").items() if gone] == ["ch3", "ch4"]
    await api.jobs.client.aclose()


HOURS: dict[str, Any] = {
    "name": "at-hours",
    "for_each": "charger",
    "when": 'not charger.online and hours("00:00-23:59")',
    "severity": "info",
}


async def test_a_location_that_was_not_known_is_read_with_the_charger_that_names_it(database: Database) -> None:
    api = ApiOfRows(database, HOURS)
    api.rows["chargers"] = [charger_row("ch1", plug_row("a"))]
    await api.ticks(3)
    assert api.asked.count("locations") == 1
    api.rows["locations"] = [*api.rows["locations"], {"id": "l2", "name": "Hill", "timezone": "Europe/Copenhagen"}]
    assert await api.tick(chargers=[charger_row("ch2", plug_row("b"), location="l2", online=False)]) == ["ch2 firing"]
    assert api.stored(LOCATION, "name")["l2"] == "Hill"
    await api.ticks(30)
    assert api.asked.count("locations") == 2
    await api.jobs.client.aclose()


async def test_a_location_that_nobody_tells_is_asked_for_once(database: Database) -> None:
    api = ApiOfRows(database)
    api.rows["chargers"] = [charger_row("ch1", plug_row("a"))]
    await api.tick()
    nowhere = charger_row("ch2", plug_row("b"), location="l9")
    api.rows["chargers"] = [*api.rows["chargers"], nowhere]
    for _ in range(30):
        await api.tick(chargers=[nowhere | {"name": f"Box {api.now}"}])
    assert api.asked.count("locations") == 2
    await api.jobs.client.aclose()


def unread(api: ApiOfRows) -> list[tuple[str, bool, int, int, int]]:
    with api.database.read() as connection:
        return [(one.field, one.was_read, one.rows, one.failed, one.came) for one in unread_fields(connection)]


async def test_a_field_that_turns_unreadable_is_told_from_one_that_never_was_readable(database: Database) -> None:
    api = ApiOfRows(database)
    boxes = [charger_row(f"ch{one}", plug_row(f"c{one}"), labels=5) for one in range(30)]
    api.rows["chargers"] = boxes
    await api.ticks(3)
    assert unread(api) == [("labels", False, 30, 30, 30)]
    api.rows["chargers"] = [box | {"labels": ["a"]} for box in boxes]
    await api.ticks(12)
    assert unread(api) == [("labels", True, 0, 0, 30)]
    await api.tick(chargers=boxes[:12])
    assert unread(api) == [("labels", True, 12, 12, 12)], "in all that came, at once"
    api.rows["chargers"] = boxes
    await api.ticks(12)
    assert unread(api) == [("labels", True, 30, 30, 30)]
    await api.jobs.client.aclose()


async def test_a_field_that_fails_for_the_first_time_in_a_fleet_that_is_known_has_turned(api: ApiOfRows) -> None:
    await api.tick()
    await api.tick(chargers=[charger_row("ch1", plug_row("a"), plug_row("b"), online="perhaps")])
    assert unread(api) == [("online", True, 1, 1, 1)]
