"""Every KPI equals a count by minutes without SQL, on drawn worlds over both changes of the clock."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings

from notify.kpis import impossible, times
from notify.kpis import sessions as of_sessions
from notify.kpis.places import by_zone, location_zones
from notify.kpis.scope import By, Scope
from notify.kpis.totals import totals, totals_by_connector
from rules.documents.windows import Period
from storage.engine import Database
from tests.notify.kpis.world import (
    World,
    begun_sessions,
    counted_sessions,
    draw_world,
    minutes_of,
    possible_sessions,
    repairs_of,
    store,
    there_of,
    used_of,
)

pytestmark = pytest.mark.on_either_database

ONE_DAY = timedelta(days=1)
CHANGES = (date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1))
DRAWN = max(1, settings().max_examples // 100)
KEYS: dict[By, Callable[[World, str], str]] = {
    By.NETWORK: lambda _, connector: "",
    By.LOCATION: lambda world, connector: world.place[connector],
    By.CHARGER: lambda _, connector: f"ch-{connector}",
    By.CONNECTOR: lambda _, connector: connector,
}


def grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


def near(found: dict[str, Any]) -> Any:
    return {key: pytest.approx(value, abs=1e-6) for key, value in found.items()}


def sessions_agree(connection: Any, scope: Scope, world: World, days: set[date]) -> None:
    for by in By:
        mine = grouped((key, one) for one in counted_sessions(world, days) if (key := _key_of(by, one)) is not None)
        assert of_sessions.sessions(connection, scope, by) == {key: len(some) for key, some in mine.items()}
        tags = {key: len({one["id_tag"] for one in some} - {None}) for key, some in mine.items()}
        assert of_sessions.drivers(connection, scope, by) == {key: count for key, count in tags.items() if count}
        before = {one["id_tag"] for one in world.sessions if one["ended_at"] < scope.outer[0]}
        new = {key: len({one["id_tag"] for one in some} - {None} - before) for key, some in mine.items()}
        assert of_sessions.new_drivers(connection, scope, by) == {key: count for key, count in new.items() if count}
        energies = {key: sum(one["energy_kwh"] or 0 for one in some) for key, some in mine.items()}
        assert of_sessions.energy(connection, scope, by) == near(energies)
        known = {
            key: [one["energy_kwh"] for one in some if one["energy_kwh"] is not None] for key, some in mine.items()
        }
        shares = {key: sum(e < 0.1 for e in some) / len(some) if some else None for key, some in known.items()}
        assert of_sessions.zero_energy_share(connection, scope, by) == near(shares)
        money: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for key, some in mine.items():
            for one in some:
                if one["cost"] is not None:
                    of_place = "DKK" if one["location_id"] == "cph" else ""
                    money[key][(one["currency"] or of_place).upper()] += one["cost"]
        wanted = {key: near({code: sum_ for code, sum_ in some.items() if sum_ or code}) for key, some in money.items()}
        assert of_sessions.revenue(connection, scope, by) == {key: some for key, some in wanted.items() if some}


def starts_and_use_agree(connection: Any, scope: Scope, world: World, days: set[date]) -> None:
    for by in By:
        names = grouped((KEYS[by](world, connector), connector) for connector in world.place)
        begun = grouped((key, one) for one in begun_sessions(world, days) if (key := _key_of(by, one)) is not None)
        shares = {key: sum(one["status"] != "Failed" for one in some) / len(some) for key, some in begun.items()}
        assert of_sessions.success_of_starts(connection, scope, by) == near(shares)
        there = {key: sum(there_of(world, one, days) for one in some) for key, some in names.items()}
        used: dict[Any, float] = defaultdict(float)
        for one in possible_sessions(world):
            used[_key_of(by, one)] += used_of(one, days)
        found = times.utilisation(connection, scope, by)
        wanted = {key: min(1.0, used[key] / of_all) for key, of_all in there.items() if of_all}
        assert {key: value for key, value in found.items() if value is not None} == near(wanted)


def totals_agree(connection: Any, scope: Scope) -> None:
    """What one pass says is what each KPI says alone, with and without knowing beforehand what is told twice."""
    since, until = scope.outer
    known = impossible.twice_among(connection, since - ONE_DAY, until)
    revenue = of_sessions.revenue(connection, scope).get("", {})
    for twice in (known, impossible.twice_among(connection, until, until), impossible.TOLD_TWICE):
        told = totals(connection, scope, twice)
        assert told.sessions == of_sessions.sessions(connection, scope).get("", 0)
        assert told.zero_energy == of_sessions.zero_energy(connection, scope).get("", 0)
        assert told.energy_kwh == pytest.approx(of_sessions.energy(connection, scope).get("", 0), abs=1e-6)
        assert told.revenue == near(revenue)
        assert told.locations == len(of_sessions.sessions(connection, scope, By.LOCATION))
        use = times.utilisation(connection, scope).get("")
        assert times.utilisation_beside(connection, scope, told.used) == pytest.approx(use, abs=1e-6)
        by_connector = of_sessions.energy(connection, scope, By.CONNECTOR)
        again, delivered = totals_by_connector(connection, scope, twice)
        assert delivered == near(by_connector)
        assert replace(again, energy_kwh=told.energy_kwh, revenue=told.revenue, used=told.used) == told
        assert (again.energy_kwh, again.used) == pytest.approx((told.energy_kwh, told.used), abs=1e-3)
        assert again.revenue == near({**told.revenue})


def _key_of(by: By, one: dict[str, Any]) -> Any:
    return "" if by is By.NETWORK else one[f"{by}_id"]


def times_agree(connection: Any, scope: Scope, world: World, days: set[date]) -> None:
    minutes = {connector: minutes_of(world, connector, days) for connector in world.place}
    repairs = {connector: repairs_of(world, connector, days) for connector in world.place}
    for by in By:
        names = grouped((KEYS[by](world, connector), connector) for connector in world.place)
        told = times.stood(connection, scope, by)
        for key, connectors in names.items():
            counted = {kind: 60.0 * sum(minutes[one][kind] for one in connectors) for kind in ("up", "down", "free")}
            one = told.get(key, times.Stood(0, 0, 0))
            assert {"up": one.up, "down": one.down, "free": one.free} == pytest.approx(counted, abs=0.01), (key, by)
        lasted = {key: [one for name in some for one in repairs[name]] for key, some in names.items()}
        wanted = {key: sum(some) / len(some) for key, some in lasted.items() if some}
        assert times.time_to_repair(connection, scope, by) == near(wanted)
        stayed = {key: 60.0 * sum(minutes[name]["overstay"] for name in some) for key, some in names.items()}
        found = times.overstay(connection, scope, by)
        assert {key: found.get(key, 0.0) for key in names} == near(stayed)


@pytest.mark.parametrize("middle", CHANGES)
def test_every_kpi_equals_a_count_by_minutes(database: Database, middle: date) -> None:
    for seed in range(DRAWN):
        draw = Random(f"{middle} {seed}")
        world = draw_world(draw, middle)
        with database.write() as connection:
            transaction = connection.begin_nested()
            store(connection, world)
            zones = by_zone(location_zones(connection, "UTC"), None, "UTC")
            for first, number in ((middle, 1), (middle - 2 * ONE_DAY, 3)):
                days = {first + day * ONE_DAY for day in range(number)}
                scope = Scope(zones, Period(min(days), max(days)))
                sessions_agree(connection, scope, world, days)
                starts_and_use_agree(connection, scope, world, days)
                times_agree(connection, scope, world, days)
                totals_agree(connection, scope)
                some = {zone: zones[zone] for zone in sorted(zones)[:1]}
                totals_agree(connection, replace(scope, zones=some))
            transaction.rollback()
