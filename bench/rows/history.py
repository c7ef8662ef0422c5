"""A backtest of 14 days of 1,000 connectors, beside the same replay of one day with no minute left out.

The history and the replays are those of `bench.backtest`.
"""

from pathlib import Path

from sqlmodel import SQLModel

from bench.backtest import DAYS, RULE, timed, write_history
from bench.house import WrongWorldError
from bench.measuring import Stopwatch
from bench.sizes import Size
from rules.documents.files import load_rules
from storage.engine import Database


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Fourteen days with the full size, and one day in both ways."""
    (rule,) = load_rules([RULE])
    database = Database(f"sqlite:///{folder}/history.db", durable=False)
    SQLModel.metadata.create_all(database.engine)
    write_history(database)
    for number in range(size.laps):
        if size.name == "full":
            watch.time("backtest", lambda: timed(database, rule, DAYS, every_poll=False))
        _, quick = watch.time("backtest day", lambda: timed(database, rule, 1, every_poll=False))
        if number == 0:
            _, every = watch.time("every poll", lambda: timed(database, rule, 1, every_poll=True))
        if (quick.firings, quick.cards, quick.replies) != (every.firings, every.cards, every.replies):
            raise WrongWorldError("the backtest says something else than the replay of every poll")
        if not watch.has_time(0.6):
            break
    database.close()
