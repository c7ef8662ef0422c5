"""What rules cost: alerts begin and fire with their cards; then nothing moves, or all powers, or one in a hundred.

Each step's transitions are counted beforehand and compared. The names of the figures begin with the kind of database.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.house import House, WrongWorldError
from bench.measuring import Stopwatch, peak_memory
from bench.sizes import Size
from bench.world import MINUTE, PLUGS, T0, Fleet, Watch, alerts, chargers, watches

Url = Callable[[int], str]
"""The URL of the fresh database of a round."""


def measure(watch: Stopwatch, kind: str, url: Url, size: Size, rounds: int) -> None:
    """Begin and fire in each round on a fresh database; in the first also what comes after, and the floor."""
    for number in range(rounds):
        if number and not watch.has_time(0.6):
            break
        house = begun_and_fired(watch, kind, url(number), size)
        try:
            if number == 0:
                by_hand(watch, kind, url(0), size)
                _what_comes_after(watch, kind, house, size)
        finally:
            house.close()
    watch.note(f"{kind} memory", peak_memory(), "MB")


def begun_and_fired(watch: Stopwatch, kind: str, url: str, size: Size) -> House:
    """A database in which the fleet is recorded, its alerts began and a minute later fired."""
    fleet = Fleet(size.connectors)
    house = House(url, size.rules)
    house.move_in(size.connectors)
    readings = chargers(fleet)
    house.know_sizes(readings)
    watch.time(f"{kind} record first", partial(house.record, readings, T0))
    del readings
    expected = alerts(fleet, size.rules)
    watch.time(f"{kind} begin", lambda: house.evaluate(T0, expected))
    watch.time(f"{kind} fire", lambda: house.evaluate(T0 + MINUTE, expected))
    return house


def _what_comes_after(watch: Stopwatch, kind: str, house: House, size: Size) -> None:
    now = T0 + MINUTE
    for _ in range(size.laps):
        now += MINUTE
        house.forget()
        watch.time(f"{kind} full", partial(house.evaluate, now, 0))
        if not watch.has_time(0.5):
            break
    for lap in range(size.laps):
        now += MINUTE
        house.record(chargers(Fleet(size.connectors, power=7.0 + lap)), now)
        watch.time(f"{kind} power", partial(house.evaluate, now, 0))
        if not watch.has_time(0.7):
            break
    for turn in range(1, size.laps + 1):
        now += 2 * MINUTE
        turn_some(watch, kind, house, Fleet(size.connectors, turn, size.connectors // 100), now)
        if not watch.has_time(0.9):
            break


def turn_some(watch: Stopwatch, kind: str, house: House, fleet: Fleet, now: datetime) -> None:
    """Let the first connectors turn: some alerts end and as many begin. A minute later, unmeasured, these fire."""
    before = Fleet(fleet.connectors, fleet.turn - 1, fleet.turned)
    ended, began = (alerts(one, house.rule_count, fleet.turned) for one in (before, fleet))
    readings = chargers(fleet, fleet.turned // PLUGS)
    watch.time(f"{kind} record some", partial(house.record, readings, now, sweep=False))
    watch.time(f"{kind} some", lambda: house.evaluate(now, ended + began))
    house.evaluate(now + MINUTE, began)


def by_hand(watch: Stopwatch, kind: str, url: str, size: Size) -> None:
    """The same questions by hand, on the same database: one query a rule that finds whatever is faulted."""
    if kind not in _BARE:
        return
    connect, mark = _BARE[kind]
    asked = [_question(one, mark) for one in watches(size.connectors, size.rules)]
    expected = alerts(Fleet(size.connectors), size.rules)
    with closing(connect(url)) as connection:

        def ask() -> int:
            return sum(len(connection.execute(*question).fetchall()) for question in asked)

        for _ in range(size.laps):
            if watch.time(f"bare {kind} full", ask) != expected:
                raise WrongWorldError("the questions by hand find other connectors")


def _sqlite(url: str) -> Any:
    return sqlite3.connect(Path(url.removeprefix("sqlite:///")))


def _postgresql(url: str) -> Any:
    """Each statement is prepared as it is asked first: there are four."""
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, prepare_threshold=0)


_BARE: dict[str, tuple[Callable[[str], Any], str]] = {"sqlite": (_sqlite, "?"), "postgresql": (_postgresql, "%s")}
"""How each kind of database is asked by hand, and how a value is marked."""


def _question(watch: Watch, mark: str) -> tuple[str, tuple[str, ...]]:
    words = ["SELECT id FROM connector WHERE status = 'Faulted'"]
    words += ["AND power_kw < 1000"] * watch.reads_power + [f"AND location_id = {mark}"] * (watch.place is not None)
    return " ".join(words), () if watch.place is None else (watch.place,)
