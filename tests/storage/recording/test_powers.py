"""Powers are kept from when a rule asks until none does: each change once, and of a location what all there come to."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules.documents.document import rule_from_document
from rules.registry.store import sync_rules
from storage.engine import Database
from storage.recording.powers import kept_since
from storage.schema import POWER
from tests.readings import T0, at, charger, connector, location, poll

HOT = {"name": "hot", "for_each": "connector", "when": "avg(connector.power, 15m) > 40 kW"}
FAULTED = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
Row = tuple[str, float | None, datetime, datetime | None]


def kept(database: Database, thing: str) -> list[Row]:
    with database.read() as connection:
        columns = (POWER.c.thing_id, POWER.c.kw, POWER.c.valid_from, POWER.c.valid_to)
        found = connection.execute(sa.select(*columns).where(POWER.c.thing == thing).order_by(POWER.c.id))
        return [tuple(row) for row in found]


def use(database: Database, now: datetime, *documents: dict[str, Any]) -> datetime | None:
    with database.write() as connection:
        sync_rules(connection, [rule_from_document(one, "test.yaml") for one in documents], now)
        return kept_since(connection)


def two(first: float | None, second: float | None) -> Any:
    return charger(connector("c1", power_kw=first), connector("c2", power_kw=second))


def test_nothing_is_kept_until_a_rule_asks_and_nothing_after_the_last_one(database: Database) -> None:
    poll(database, T0, location(), resource="locations")
    poll(database, T0, two(7.0, None))
    assert use(database, T0, FAULTED) is None
    assert kept(database, "connector") == []
    assert use(database, at("10:05"), HOT, FAULTED) == at("10:05")
    poll(database, at("10:10"), two(11.0, None))
    poll(database, at("10:11"), two(11.0, 4.0))
    assert use(database, at("10:20"), HOT) == at("10:05")
    assert use(database, at("10:30"), FAULTED) is None
    poll(database, at("10:31"), two(1.0, 1.0))
    assert kept(database, "connector") == [
        ("c1", 7.0, at("10:05"), at("10:10")),
        ("c2", None, at("10:05"), at("10:11")),
        ("c1", 11.0, at("10:10"), at("10:30")),
        ("c2", 4.0, at("10:11"), at("10:30")),
    ]
    assert kept(database, "location") == [
        ("l1", 7.0, at("10:05"), at("10:10")),
        ("l1", 11.0, at("10:10"), at("10:11")),
        ("l1", 15.0, at("10:11"), at("10:30")),
    ]


def test_what_vanishes_comes_back_and_moves_counts_where_it_is(database: Database) -> None:
    poll(database, T0, location(), location("l2"), resource="locations")
    poll(database, T0, two(7.0, 3.0))
    use(database, T0, HOT)
    for minute in ("10:01", "10:02"):
        one = charger(connector("c1", power_kw=7.0))
        poll(database, at(minute), one, seen={"charger": {"ch1"}, "connector": {"c1"}})
    poll(database, at("10:05"), two(7.0, 3.0))
    moved = charger(connector("c1", power_kw=7.0), connector("c2", power_kw=3.0), location_id="l2")
    poll(database, at("10:07"), moved)
    assert kept(database, "location") == [
        ("l1", 10.0, T0, at("10:02")),
        ("l1", 7.0, at("10:02"), at("10:05")),
        ("l1", 10.0, at("10:05"), at("10:07")),
        ("l2", 10.0, at("10:07"), None),
    ]
    assert kept(database, "connector")[1:] == [("c2", 3.0, T0, at("10:02")), ("c2", 3.0, at("10:05"), None)]
