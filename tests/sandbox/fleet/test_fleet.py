"""The living fleet: its rates are those of the recorded networks, and its story is the same for the same seed."""

from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest

from sandbox.fleet.fleet import FleetSource
from sandbox.fleet.rates import ERROR_CODES, OFFLINE, OUTAGES
from sandbox.world.state import World
from sandbox.world.times import MINUTE
from tests.sandbox.neutral import NOON, Hand, asking

OCPP_STATUSES = {"Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Faulted", "Unavailable"}


class Watch:
    """What an observer sees who looks every two minutes."""

    def __init__(self, source: FleetSource) -> None:
        self.looks = 0
        self.faulted = 0
        self.offline = 0
        self.outages: list[float] = []
        self.statuses: set[str] = set()
        self._since: dict[str, datetime] = {}
        self._source = source

    def look(self) -> None:
        for name, (charger, plug) in self._source.world.connectors.items():
            self.looks += 1
            self.offline += not charger.fields["online"]
            self.statuses.add(plug["status"])
            changed_at = datetime.fromisoformat(plug["statusChangedAt"])
            if plug["status"] == "Faulted":
                self.faulted += 1
                self._since.setdefault(name, changed_at)
            elif name in self._since:
                self.outages.append((changed_at - self._since.pop(name)) / timedelta(minutes=1))


@pytest.fixture(scope="module")
def fortnight() -> tuple[FleetSource, Watch]:
    """200 chargers for 14 days."""
    source = FleetSource(200, 7, NOON)
    watch = Watch(source)
    for minute in range(0, 14 * 24 * 60, 2):
        source.advance_to(NOON + timedelta(minutes=minute))
        watch.look()
    return source, watch


def test_about_nine_percent_of_connector_time_is_out_of_service(fortnight: tuple[FleetSource, Watch]) -> None:
    _, watch = fortnight
    assert 0.07 < watch.faulted / watch.looks < 0.11


def test_outages_have_a_median_of_about_25_minutes_and_a_heavy_tail(fortnight: tuple[FleetSource, Watch]) -> None:
    _, watch = fortnight
    assert 20 < median(watch.outages) < 31
    assert sum(minutes > 24 * 60 for minutes in watch.outages) > 0.03 * len(watch.outages)


def test_chargers_go_offline_too(fortnight: tuple[FleetSource, Watch]) -> None:
    _, watch = fortnight
    assert 0.01 < watch.offline / watch.looks < 0.035
    assert OFFLINE.median_ms == 45 * MINUTE


def test_sessions_have_a_median_of_about_10_kwh_and_one_in_twenty_takes_nothing(
    fortnight: tuple[FleetSource, Watch],
) -> None:
    source, _ = fortnight
    energies = [row.fields["energyKwh"] for row in source.world.sessions if row.fields["status"] == "Completed"]
    assert len(energies) > 3000
    assert 9 < median(energies) < 11
    assert 0.035 < energies.count(0.0) / len(energies) < 0.065


def test_more_sessions_begin_by_day_than_by_night(fortnight: tuple[FleetSource, Watch]) -> None:
    source, _ = fortnight
    hours = [datetime.fromisoformat(row.fields["startedAt"]).hour for row in source.world.sessions]
    assert sum(9 <= hour < 15 for hour in hours) > 5 * sum(hour < 3 for hour in hours)


def test_statuses_and_error_codes_are_those_of_ocpp(fortnight: tuple[FleetSource, Watch]) -> None:
    source, watch = fortnight
    assert watch.statuses <= OCPP_STATUSES
    assert {"Preparing", "Charging", "SuspendedEV", "Finishing", "Faulted"} <= watch.statuses
    for _, plug in source.world.connectors.values():
        assert (plug["errorCode"] in ERROR_CODES) == (plug["status"] == "Faulted")


def test_every_open_session_is_on_a_connector_that_is_not_free(fortnight: tuple[FleetSource, Watch]) -> None:
    source, _ = fortnight
    busy = {row.fields["connectorId"] for row in source.world.open_sessions.values()}
    assert len(busy) == len(source.world.open_sessions) > 0
    for name in busy:
        assert source.world.connectors[name][1]["status"] in {"Preparing", "Charging", "SuspendedEV"}


def test_drawn_spells_have_the_mean_that_their_rate_is_made_from() -> None:
    source = FleetSource(1, 1, NOON)
    drawn = [OFFLINE.draw(source._random) for _ in range(20_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(OFFLINE.mean_ms, rel=0.1)
    assert median(drawn) == pytest.approx(OFFLINE.median_ms, rel=0.05)
    assert OUTAGES.mean_ms / (OUTAGES.mean_ms + OUTAGES.mean_between_ms) == pytest.approx(0.09)


def everything(world: World) -> list[Any]:
    world.load_past(None)
    return [row.fields for table in (world.locations, world.chargers, world.sessions) for row in table]


def test_the_same_seed_gives_the_same_story_at_any_step() -> None:
    until = NOON + timedelta(days=3)
    at_once, in_steps, other = FleetSource(20, 5, NOON), FleetSource(20, 5, NOON), FleetSource(20, 6, NOON)
    at_once.advance_to(until)
    other.advance_to(until)
    for step in range(0, 3 * 24 * 60 + 1, 7):
        in_steps.advance_to(NOON + timedelta(minutes=step))
    in_steps.advance_to(until)
    assert everything(at_once.world) == everything(in_steps.world)
    assert everything(at_once.world) != everything(other.world)


async def test_the_fleet_starts_with_faults_older_than_its_start() -> None:
    async with asking(FleetSource(100, 2, NOON), Hand()) as client:
        rows = (await client.get("/v1/chargers", params={"status": "Faulted", "limit": 1000})).json()["data"]
    faults = [plug for row in rows for plug in row["connectors"] if plug["status"] == "Faulted"]
    assert len(faults) > 5
    assert all(plug["statusChangedAt"] < "2025-10-01T12:00:00Z" and plug["errorCode"] for plug in faults)


async def test_five_weeks_of_ended_sessions_are_there_when_asked_for() -> None:
    source = FleetSource(30, 2, NOON)
    assert len(source.world.sessions) == 0
    async with asking(source, Hand()) as client:
        window: dict[str, str | int] = {"from": "2025-08-27T12:00:00Z", "to": "2025-09-03T12:00:00Z", "limit": 1000}
        first_week = (await client.get("/v1/sessions", params=window)).json()["data"]
        since: dict[str, str | int] = {"updatedSince": "2025-09-30T12:00:00Z", "limit": 1000}
        last_day = (await client.get("/v1/sessions", params=since)).json()["data"]
        one = await client.get(f"/v1/sessions/{first_week[0]['id']}")
    assert len(first_week) > 200
    assert 20 < len(last_day) < len(first_week)
    assert all("2025-09-30T12:00:00Z" <= row["endedAt"] <= "2025-10-01T12:00:00Z" for row in last_day)
    assert {row["status"] for row in first_week} == {"Completed"}
    assert one.status_code == 200


async def test_a_past_session_is_found_by_its_id_alone() -> None:
    async with asking(FleetSource(5, 2, NOON), Hand()) as client:
        assert (await client.get("/v1/sessions/P2-1")).json()["status"] == "Completed"


async def test_the_fleet_is_spread_over_countries_with_real_time_zones() -> None:
    async with asking(FleetSource(100, 2, NOON), Hand()) as client:
        rows = (await client.get("/v1/locations", params={"limit": 1000})).json()["data"]
    assert len({row["timezone"] for row in rows}) >= 4
    assert len({row["currency"] for row in rows}) >= 2
    assert {row["type"] for row in rows} == {"public", "semi-public", "private"}


async def test_a_heartbeat_moves_without_an_update_of_the_charger() -> None:
    source, clock = FleetSource(40, 4, NOON), Hand()
    async with asking(source, clock) as client:
        before = {row["id"]: row for row in (await client.get("/v1/chargers?limit=100")).json()["data"]}
        clock.after(minutes=20)
        after = {row["id"]: row for row in (await client.get("/v1/chargers?limit=100")).json()["data"]}
    quiet = [
        name for name in before if after[name]["updatedAt"] == before[name]["updatedAt"] and before[name]["online"]
    ]
    assert quiet
    for name in quiet:
        age = NOON + timedelta(minutes=20) - datetime.fromisoformat(after[name]["lastHeartbeat"])
        assert before[name]["lastHeartbeat"] < after[name]["lastHeartbeat"]
        assert timedelta(0) <= age < timedelta(seconds=after[name]["heartbeatIntervalSeconds"])


async def test_a_forced_fault_stays_until_it_is_told_otherwise() -> None:
    source, clock = FleetSource(3, 4, NOON), Hand()
    name, (charger, _) = next(iter(source.world.connectors.items()))
    async with asking(source, clock) as client:
        await client.post(f"/__sandbox__/connectors/{name}", json={"status": "Faulted", "errorCode": "HighTemperature"})
        clock.after(days=20)
        await client.get("/v1/chargers")
        plug = source.world.connectors[name][1]
        assert (plug["status"], plug["errorCode"]) == ("Faulted", "HighTemperature")
        await client.post(f"/__sandbox__/connectors/{name}", json={"status": "Available"})
        assert (source.world.connectors[name][1]["status"], plug["errorCode"]) == ("Available", None)
        clock.after(days=20)
        await client.get("/v1/chargers")
    assert any(row.fields["connectorId"] == name for row in source.world.sessions)
    assert charger.fields["connectors"]


async def test_a_removed_charger_leaves_the_fleet_running() -> None:
    source, clock = FleetSource(5, 4, NOON), Hand()
    async with asking(source, clock) as client:
        charger_id = next(iter(source.world.chargers)).id
        await client.delete(f"/__sandbox__/chargers/{charger_id}")
        clock.after(days=10)
        assert (await client.get("/v1/chargers")).json()["total"] == 4
