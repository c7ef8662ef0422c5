"""An alert whose `for` counts in business hours: by the location's clock, gaps aside, and ended at any hour."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage.engine import Database
from storage.schema import ALERT
from tests.readings import MINUTE, T0, at, charger, connector, location
from tests.rules.engine import FAULTED, Engine

DAY = timedelta(days=1)
AT_WORK = {key: value for key, value in FAULTED.items() if key != "while"} | {
    "for": '30m of business_hours("08:00-18:00")'
}
FAULT = charger(connector(status="Faulted"))


def begun(database: Database, on_gap: str = "keep") -> Engine:
    """A connector in Copenhagen, out of order from 17:50 there on: ten minutes before the hours are over."""
    engine = Engine(database, AT_WORK | {"on_gap": on_gap}, now=T0)
    engine.tick(at("16:00"), location(timezone="Europe/Copenhagen"), resource="locations")
    assert engine.tick(at("16:50"), FAULT, interval=5 * MINUTE) == ["c1 inactive>pending since 16:50"]
    return engine


def due(database: Database) -> object:
    with database.read() as connection:
        return connection.execute(sa.select(ALERT.c.due_at)).scalar()


def test_what_is_missing_is_added_up_on_the_next_day(database: Database) -> None:
    engine = begun(database)
    assert due(database) == at("07:20") + DAY
    for minutes in (5, 60, 14 * 60):
        assert engine.tick(at("16:50") + minutes * MINUTE, FAULT) == []
    assert engine.tick(at("07:19") + DAY, FAULT) == []
    assert engine.tick(at("07:20") + DAY, FAULT) == ["c1 pending>firing since 16:50"]


def test_it_ends_at_any_hour_when_the_condition_does(database: Database) -> None:
    engine = begun(database)
    assert engine.tick(at("23:00"), charger(connector()), interval=DAY) == ["c1 pending>inactive since 16:50"]


@pytest.mark.parametrize(
    ("on_gap", "expected"),
    [
        ("keep", at("07:20") + DAY),
        ("pause", at("07:25") + DAY),  # of the gap from 16:55 on, five minutes lay within the hours
        ("reset", at("07:30") + DAY),  # counted from the gap's end, which is after hours
    ],
)
def test_a_gap_takes_off_only_what_of_it_lies_within_the_hours(
    database: Database, on_gap: str, expected: object
) -> None:
    engine = begun(database, on_gap)
    engine.tick(at("16:55"), FAULT, interval=5 * MINUTE)
    engine.tick(at("17:55"), FAULT, interval=5 * MINUTE)
    assert due(database) == expected or on_gap == "reset"
    if on_gap == "reset":
        with database.read() as connection:
            open_one = sa.select(ALERT.c.due_at).where(ALERT.c.state == "pending")
            assert connection.execute(open_one).scalar() == expected
