"""The worlds that are measured are those that are told of: the rules move as many alerts as were counted before."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import world
from bench.house import House, WrongWorldError
from bench.measuring import Stopwatch, Told, figures_of
from bench.rows import evaluation, recording, sessions
from bench.sizes import QUICK
from bench.world import T0, Fleet, chargers

SMALL = replace(QUICK, connectors=400, rules=8, rounds=1, laps=2)


def test_every_step_of_the_evaluation_moves_what_was_counted(database_url: str) -> None:
    told: list[Told] = []
    kind = database_url.partition(":")[0].partition("+")[0]
    evaluation.measure(Stopwatch(told.append), kind, _once(database_url), SMALL, 1)
    laps = {name.removeprefix(f"{kind} "): len(figure.laps) for name, figure in figures_of(told).items()}
    counted = {"record first": 1, "begin": 1, "fire": 1, "full": 2, "power": 2, "some": 2, "memory": 1}
    counted[f"bare {kind} full"] = 2
    assert counted.items() <= laps.items()


def _once(url: str) -> evaluation.Url:
    return lambda _: url


def test_a_step_that_moves_another_number_is_no_figure(tmp_path: Path) -> None:
    fleet = Fleet(200)
    house = House(f"sqlite:///{tmp_path}/x.db", 4)
    house.move_in(fleet.connectors)
    house.record(chargers(fleet), T0)
    with pytest.raises(WrongWorldError, match="where 7 must come"):
        house.evaluate(T0, 7)
    house.close()


def test_recording_writes_the_whole_fleet_beside_the_same_rows_in_bare_sqlite(tmp_path: Path) -> None:
    told: list[Told] = []
    recording.measure(Stopwatch(told.append), tmp_path, SMALL)
    names = {one.name for one in told}
    works = ("first", "one percent", "heartbeats", "increment")
    assert names == {f"{who} {work}" for who in ("record", "bare sqlite") for work in works}


def test_two_connectors_in_a_hundred_are_faulted_and_half_of_the_rules_see_all_of_them() -> None:
    fleet = Fleet(100_000)
    assert len(fleet.faulted()) == 2_000
    watches = list(world.watches(fleet.connectors))
    assert sum(watch.place is None for watch in watches) == 48
    assert sum(watch.reads_power for watch in watches) == 26
    assert 96_000 <= world.alerts(fleet) < 96_100


def test_a_turn_changes_the_first_connectors_and_no_other() -> None:
    before, after = Fleet(1_000), Fleet(1_000, turn=1, turned=100)
    changed = [n for n in range(1_000) if world.connector(before, n) != world.connector(after, n)]
    assert changed == list(range(100))
    assert len(after.faulted()) == len(before.faulted())


def test_digests_of_a_day_a_week_and_a_month_tell_of_the_sessions_that_were_written(tmp_path: Path) -> None:
    told: list[Told] = []
    sessions.measure(Stopwatch(told.append), tmp_path, replace(SMALL, sessions=2_000, laps=1))
    assert {"digest day", "digest week", "digest month", "/charge status", "/charge sessions"} <= set(figures_of(told))
