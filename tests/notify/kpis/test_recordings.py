"""The KPIs of two real recordings of sessions and of a real month of statuses, against plain counts of their CSVs.

A plain run takes some days of each, CI all of them.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from notify.kpis import sessions as of_sessions
from notify.kpis import times
from notify.kpis.places import by_zone, location_zones
from notify.kpis.scope import By, Scope
from rules.documents.windows import Period, one_day
from storage.engine import Database
from storage.migrate import upgrade
from storage.schema import CONNECTOR, GAP, INTERVAL, SESSION
from tests.bot.cli.replay.plain_reading import HOLE, STATUS
from tests.conftest import shared_folder
from tests.notify.records import insert_location

ALL = bool(os.environ.get("CI"))
ONE_DAY = timedelta(days=1)
Row = dict[str, Any]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'recording.db'}", durable=False)
    upgrade(database)
    yield database
    database.close()


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") as lines:
        yield from csv.DictReader(lines)


def scotland() -> Iterator[Row]:
    path = shared_folder("data/chargeplace_scotland") / "cps_sessions_2025-10.csv.gz"
    for number, row in enumerate(rows_of(path)):
        start, end = (datetime.fromisoformat(row[name]).replace(tzinfo=UTC) for name in ("start_time", "end_time"))
        yield session(str(number), f"{row['cp_id']}/{row['connector_id']}", (start, end), row["consumption_kwh"])


def california() -> Iterator[Row]:
    path = shared_folder("data/acn_caltech_jpl") / "acn_sessions.csv.gz"
    for row in rows_of(path):
        start, end = (datetime.fromisoformat(row[name]).astimezone(UTC) for name in ("arrival", "departure"))
        yield session(
            row["session_id"], f"{row['site']}/{row['station_id']}", (start, end), row["delivered_energy_kwh"]
        )


def session(name: str, connector: str, stretch: tuple[datetime, datetime], energy: str) -> Row:
    start, end = stretch
    moments = dict.fromkeys(("status_changed_at", "energy_changed_at", "first_seen_at", "changed_at"), end)
    base = {"id": name, "connector_id": connector, "charger_id": connector, "location_id": "l1", "status": "Completed"}
    figures = {"started_at": start, "ended_at": end, "energy_kwh": float(energy or 0), "extra": {}, "changed_seq": 1}
    return {**base, **figures, **moments}


RECORDINGS: dict[str, tuple[Callable[[], Iterator[Row]], str, list[date]]] = {
    "Scotland": (scotland, "Europe/London", [date(2025, 10, 1) + n * ONE_DAY for n in range(20 if ALL else 3)]),
    "California": (
        california,
        "America/Los_Angeles",
        # a plain run: around the change of November 2019
        [date(2019, 5, 1) + n * ONE_DAY for n in (range(700) if ALL else range(184, 189))],
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_sessions_of_a_recording_are_those_of_its_csv(sqlite: Database, name: str) -> None:
    read, zone, days = RECORDINGS[name]
    tz = ZoneInfo(zone)
    wanted = set(days)
    rows = [row for row in read() if row["ended_at"].astimezone(tz).date() in wanted]
    by_day: dict[date, dict[Any, Row]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: str(row["id"])):
        if row["ended_at"] >= row["started_at"] and row["energy_kwh"] >= 0:
            by_day[row["ended_at"].astimezone(tz).date()].setdefault((row["connector_id"], row["started_at"]), row)
    with sqlite.write() as connection:
        insert_location(connection, timezone=zone)
        connection.execute(sa.insert(SESSION), rows)
        zones = by_zone(location_zones(connection, "UTC"), None, "UTC")
        assert sum(map(len, by_day.values())) > 100
        for day in days:
            scope, mine = Scope(zones, one_day(day)), list(by_day[day].values())
            counted = defaultdict[str, int](int)
            for row in mine:
                counted[row["connector_id"]] += 1
            assert of_sessions.sessions(connection, scope, By.CONNECTOR) == counted, day
            energy = of_sessions.energy(connection, scope).get("", 0.0)
            assert energy == pytest.approx(sum(row["energy_kwh"] for row in mine), abs=1e-6), day
            empty = of_sessions.zero_energy(connection, scope).get("", 0)
            assert empty == sum(row["energy_kwh"] < 0.1 for row in mine), day


Stretch = tuple[datetime, datetime | None, str]


def irish_intervals() -> tuple[dict[str, list[Stretch]], dict[str, list[Stretch]]]:
    """The statuses of each connector, and whether each charger was online, as stretches of time."""
    status: dict[str, list[Stretch]] = defaultdict(list)
    online: dict[str, list[Stretch]] = defaultdict(list)
    lost: dict[str, set[str]] = defaultdict(set)

    def now_is(stretches: list[Stretch], at: datetime, value: str) -> None:
        if stretches and stretches[-1][2] == value:
            return
        if stretches:
            stretches[-1] = (stretches[-1][0], at, stretches[-1][2])
        stretches.append((at, None, value))

    path = shared_folder("data/irish_status") / "irish_status_transitions_2018-11.csv.gz"
    for row in sorted(rows_of(path), key=lambda row: row["ts"]):
        at = datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC)
        charger, kind, to = row["cp_id"], row["connector_type"], row["to_status"]
        (lost[charger].add if to == "OOC" else lost[charger].discard)(kind)
        now_is(online[charger], at, "false" if lost[charger] else "true")
        if to != "OOC":
            now_is(status[f"{charger}/{kind}"], at, STATUS[to])
    return status, online


def length(stretches: list[tuple[datetime, datetime]]) -> float:
    """How long some stretches last together, those that overlap once."""
    total, reached = 0.0, datetime.min.replace(tzinfo=UTC)
    for begin, until in sorted(stretches):
        total += max(0.0, (until - max(begin, reached)).total_seconds())
        reached = max(reached, until)
    return total


def test_uptime_of_a_real_month_is_a_plain_sum_over_its_csv(sqlite: Database) -> None:
    status, online = irish_intervals()
    first, last = date(2018, 11, 2), date(2018, 11, 29)
    start, end = (datetime(2018, 11, day, tzinfo=UTC) for day in (2, 30))
    seen = {name: min(stretches[0][0], online[name.rpartition("/")[0]][0][0]) for name, stretches in status.items()}
    moments = ("status_changed_at", "error_code_changed_at", "power_changed_at", "changed_at")
    with sqlite.write() as connection:
        insert_location(connection, timezone="Europe/Dublin")
        rows = [
            {"id": name, "charger_id": name.rpartition("/")[0], "location_id": "l1", "first_seen_at": at, "extra": {}}
            | {"changed_seq": 1, "missed_sweeps": 0, **dict.fromkeys(moments, at)}
            for name, at in seen.items()
        ]
        connection.execute(sa.insert(CONNECTOR), rows)
        told = [("connector", "status", status), ("charger", "online", online)]
        keys = ("thing", "field", "thing_id", "valid_from", "valid_to", "value")
        intervals = [
            dict(zip(keys, (thing, field, name, *one), strict=True))
            for thing, field, found in told
            for name, stretches in found.items()
            for one in stretches
        ]
        connection.execute(sa.insert(INTERVAL), intervals)
        gap = {"resource": "chargers", "valid_from": HOLE[0], "valid_to": HOLE[1], "changed_seq": 1}
        connection.execute(sa.insert(GAP).values(**gap))
        scope = Scope(by_zone(location_zones(connection, "UTC"), None, "UTC"), Period(first, last))
        found = times.stood(connection, scope, By.CONNECTOR)
    up = down = 0.0
    for name, stretches in status.items():
        begun = max(start, seen[name])
        bad = [(b, u) for b, u, value in stretches if value == "Faulted"]
        bad += [(b, u) for b, u, value in online[name.rpartition("/")[0]] if value == "false"]
        clipped = [(max(b, begun), min(u or end, end)) for b, u in bad]
        clipped = [one for one in clipped if one[0] < one[1]]
        hole = (max(HOLE[0], begun), HOLE[1])
        is_down = length([*clipped, hole]) - length([hole])
        is_up = (end - begun).total_seconds() - length([hole]) - is_down
        assert (found[name].up, found[name].down) == pytest.approx((is_up, is_down), abs=0.01), name
        up, down = up + is_up, down + is_down
    assert down > 0
    assert sum(one.up for one in found.values()) / (up + down) == pytest.approx(up / (up + down), abs=1e-6)
