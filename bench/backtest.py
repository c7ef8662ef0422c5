"""A backtest of 14 days of 1,000 connectors, against the same replay with no minute left out, in the same run.

The history is drawn with a fixed seed at the rate of a real public network: some five status changes a connector and
day, a fault in every seventh connector a day, chargers that go offline. Run as `python -m bench.backtest`; prints
CPU seconds and the ratio. The slow peer replays one day, and its time is multiplied.
"""

import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

from bot.trials.rehearsal import Rehearsal
from rules.documents.document import Rule
from rules.documents.files import load_rules
from rules.trials.backtest import Backtest, backtest
from storage import tables
from storage.engine import Database

CONNECTORS, CHARGERS, LOCATIONS, DAYS = 1000, 500, 100, 14
UNTIL = datetime(2026, 3, 16, 12, 0, tzinfo=UTC)
RULE = Path(__file__).parents[1] / "rules/library/connector-faulted.yaml"
MINUTE = timedelta(minutes=1)


def draw_intervals(chance: random.Random, begin: datetime, thing: str, thing_id: str) -> list[dict[str, Any]]:
    """The history of a connector's status or a charger's connection: a usual value with other ones between."""
    rows, at, usual = [], begin, True
    field, hours = ("online", 96.0) if thing == "charger" else ("status", 8.5)
    while at < UNTIL:
        if field == "online":
            value, mean = ("true", hours) if usual else ("false", 0.75)
        elif usual:
            value, mean = "Available", hours
        else:
            faulted = chance.random() < 0.06
            value, mean = ("Faulted", 1.0) if faulted else ("Charging", 0.7)
        until = at + MINUTE * max(1, round(chance.expovariate(1 / (mean * 60))))
        end = until if until < UNTIL else None
        interval = {"thing": thing, "thing_id": thing_id, "field": field, "value": value}
        rows.append({**interval, "valid_from": at, "valid_to": end})
        at, usual = until, not usual
    return rows


def write_history(database: Database) -> int:
    """A fleet and its history; how many changes it has."""
    chance, begin = random.Random(14), UNTIL - timedelta(days=DAYS + 1)
    seen = {"first_seen_at": begin, "changed_at": begin, "changed_seq": 1, "extra": {}}
    moments = dict.fromkeys(("status_changed_at", "error_code_changed_at", "power_changed_at"), begin)
    where = {"timezone": "Europe/Copenhagen", "price_changed_at": begin, **seen}
    places = [{"id": f"l{n}", "name": f"Location {n}", **where} for n in range(LOCATIONS)]
    link = {"online": True, "online_changed_at": begin, "heartbeat_changed_at": begin}
    chargers = [{"id": f"ch{n}", "location_id": f"l{n % LOCATIONS}", **link, **seen} for n in range(CHARGERS)]
    connectors = [
        {"id": f"c{n}", "charger_id": f"ch{n % CHARGERS}", "location_id": f"l{n % LOCATIONS}", **moments, **seen}
        for n in range(CONNECTORS)
    ]
    intervals = [row for n in range(CHARGERS) for row in draw_intervals(chance, begin, "charger", f"ch{n}")]
    for n in range(CONNECTORS):
        intervals += draw_intervals(chance, begin, "connector", f"c{n}")
    poll = {"resource": "chargers", "attempted_at": UNTIL, "good_at": UNTIL, "first_good_at": begin, "failures": 0}
    written: list[tuple[type[SQLModel], list[dict[str, Any]]]] = [
        (tables.Location, places),
        (tables.Charger, chargers),
        (tables.Connector, connectors),
        (tables.Interval, intervals),
        (tables.Poll, [poll]),
    ]
    with database.write() as connection:
        for model, rows in written:
            connection.execute(SQLModel.metadata.tables[str(model.__tablename__)].insert(), rows)
    return len(intervals)


def timed(database: Database, rule: Rule, days: float, *, every_poll: bool) -> tuple[float, Backtest]:
    """The CPU seconds of one backtest, and what it found."""
    begin = time.process_time()
    with database.read() as connection:
        told = backtest(
            connection,
            rule,
            since=UNTIL - timedelta(days=days),
            until=UNTIL,
            interval=MINUTE,
            speaker=Rehearsal(),
            every_poll=every_poll,
        )
    return time.process_time() - begin, told


def main() -> None:
    (rule,) = load_rules([RULE])
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/history.db", durable=False)
        SQLModel.metadata.create_all(database.engine)
        changes = write_history(database)
        ours, told = timed(database, rule, DAYS, every_poll=False)
        quick, one_day = timed(database, rule, 1, every_poll=False)
        slow, every = timed(database, rule, 1, every_poll=True)
        database.close()
    same = (one_day.firings, one_day.cards, one_day.replies) == (every.firings, every.cards, every.replies)
    print(f"{CONNECTORS} connectors, {changes} kept changes, {len(told.firings)} firings, {told.cards} cards")
    print(f"{DAYS} days: {ours:.1f} s, {told.evaluated} of {told.polls} polls looked at")
    print(f"one day: {quick:.2f} s; every poll of it: {slow:.2f} s, ratio {slow / quick:.1f}; same answer: {same}")
    print(f"every poll of {DAYS} days would take {slow * DAYS:.0f} s, ratio {slow * DAYS / ours:.1f}")


if __name__ == "__main__":
    main()
