"""What a poll of the whole fleet costs to write down: at first, with one connector in a hundred changed, with new
heartbeats.

Beside each, the same rows go into bare SQLite, in turn, so that both meet the same machine.
"""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bench.house import House, WrongWorldError
from bench.measuring import Stopwatch
from bench.peers.bare_sqlite import BareSqlite
from bench.sizes import Size
from bench.world import MINUTE, PLUGS, T0, Fleet, chargers
from storage.schema import CONNECTOR

BEAT = timedelta(seconds=20)


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Record the fleet first in a database a round, and then in the first one what changes."""
    for number in range(size.rounds):
        if number and not watch.has_time(0.8):
            break
        bare, house = BareSqlite(folder / f"bare{number}.db"), House(f"sqlite:///{folder}/record{number}.db", 0)
        _both(watch, "first", bare, house, Fleet(size.connectors), T0)
        if number == 0:  # with what is left of the time, other rounds
            _changes(watch, bare, house, size)
        if (written := _written(house)) != size.connectors or bare.count("connector") != written:
            raise WrongWorldError(f"{written} connectors of {size.connectors} were recorded")
        bare.close()
        house.close()


def _changes(watch: Stopwatch, bare: BareSqlite, house: House, size: Size) -> None:
    """One in a hundred changes and no charger tells a heartbeat; then all do; then only what changed comes."""
    some = size.connectors // 100 // PLUGS * PLUGS
    now, turn = T0, 0
    for name, beats, sweep in (("one percent", False, True), ("heartbeats", True, True), ("increment", True, False)):
        if name == "heartbeats":  # that chargers begin to tell them is a change of its own
            now += MINUTE
            house.record(chargers(Fleet(size.connectors, turn, some, beat=now - BEAT)), now)
        for _ in range(size.laps):
            now, turn = now + MINUTE, turn + 1
            beat = now - BEAT if beats else None
            _both(watch, name, bare, house, Fleet(size.connectors, turn, some, beat=beat), now, sweep=sweep)
            if not watch.has_time(0.8):
                break


def _both(  # noqa: PLR0917 - who writes what, and when
    watch: Stopwatch, name: str, bare: BareSqlite, house: House, fleet: Fleet, now: datetime, *, sweep: bool = True
) -> None:
    readings = chargers(fleet, None if sweep else fleet.turned // PLUGS)
    rows = bare.rows(readings, now)
    watch.time(f"bare sqlite {name}", partial(bare.upsert, rows))
    del rows
    watch.time(f"record {name}", partial(house.record, readings, now, sweep=sweep))


def _written(house: House) -> int:
    with house.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(CONNECTOR)).scalar_one())
