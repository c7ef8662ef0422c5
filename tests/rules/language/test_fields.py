"""The catalogue against the tables and both databases: every field reads, and text, lists and time read alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, insert, literal, select
from sqlalchemy.sql import visitors
from sqlmodel import SQLModel

from rules.language.fields import (
    FIELDS,
    REACHABLE,
    RESOURCE_OF,
    RESTLESS,
    THINGS,
    UNITS,
    Type,
    fields_for,
    nearest_field,
    units_of,
)
from storage.engine import Database
from storage.recording.things import RECORDED
from storage.sql import epoch_seconds, json_list_contains, seconds_between, text_contains, text_starts_with

START = datetime(2026, 3, 3, 11, 12, 13, 123000, tzinfo=UTC)
TABLE_OF = {"connector": "connector", "charger": "charger", "location": "location", "session": "charging_session"}


def table_of(thing: str) -> Table:
    return SQLModel.metadata.tables[TABLE_OF[thing]]


ROW_TIMES = {"first_seen_at": START, "changed_at": START, "changed_seq": 1, "extra": {}}
ROWS: dict[str, dict[str, Any]] = {
    "location": {
        "name": "North",
        "blocking_fee_interval_minutes": 15.0,
        "missed_sweeps": 0,
        "price_changed_at": START,
        **ROW_TIMES,
    },
    "charger": {
        "name": "100%_Fast",
        "online": False,
        "online_changed_at": START,
        "heartbeat_changed_at": START,
        "labels": ["test", "north side"],
        "missed_sweeps": 0,
        **ROW_TIMES,
    },
    "connector": {
        "charger_id": "a",
        "status": "Faulted",
        "status_raw": "faulted",
        "status_changed_at": START,
        "error_code_changed_at": START,
        "power_changed_at": START,
        "missed_sweeps": 0,
        **ROW_TIMES,
    },
    "session": {
        "status": "Completed",
        "status_changed_at": START,
        "energy_changed_at": START,
        "started_at": START,
        "ended_at": START + timedelta(minutes=2),
        **ROW_TIMES,
    },
}


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One row of each thing, with the id "a"."""
    with database.engine.begin() as connection:
        for thing, row in ROWS.items():
            connection.execute(insert(table_of(thing)), {"id": "a", **row})
        yield connection


def at(moment: datetime) -> ColumnElement[Any]:
    return bindparam(None, moment, type_=table_of("session").c.started_at.type)


def read(connection: Connection, key: str, now: datetime = START) -> object:
    spec = FIELDS[key]
    return connection.execute(select(spec.sql(table_of(spec.thing).c, at(now)))).scalar_one()


def test_every_field_is_readable_from_its_own_table(connection: Connection) -> None:
    values = {key: read(connection, key) for key in FIELDS}
    known = {key: value for key, value in values.items() if value is not None and value != ""}
    assert known == {
        "connector.id": "a",
        "connector.status": "Faulted",
        "connector.status_raw": "faulted",
        "charger.id": "a",
        "charger.name": "100%_Fast",
        "charger.online": False,
        "charger.labels": ["test", "north side"],
        "location.id": "a",
        "location.name": "North",
        "location.blocking_fee_interval": 900.0,
        "session.id": "a",
        "session.status": "Completed",
        "session.status_raw": "Completed",
        "session.duration": 120.0,
    }


@pytest.mark.parametrize("key", FIELDS)
def test_a_field_names_columns_and_histories_that_exist(key: str) -> None:
    spec = FIELDS[key]
    table = table_of(spec.thing)
    assert key.split(".", maxsplit=1)[0] == spec.thing
    assert spec.thing in THINGS
    assert not table.c[spec.changed_at].nullable
    assert (spec.type is Type.ENUM) == bool(spec.values)
    assert spec.unit is None or UNITS[spec.unit].type is spec.type
    assert (spec.unit is None) == (not units_of(spec.type))
    assert spec.english.endswith((".", "`."))
    histories = {"connector": ("status", "error_code"), "charger": ("online",), "location": ("price",)}
    assert spec.interval is None or spec.interval in histories[spec.thing]


def test_fields_with_a_history_are_status_error_code_online_and_price() -> None:
    assert {key for key, spec in FIELDS.items() if spec.interval} == {
        "connector.status",
        "connector.error_code",
        "charger.online",
        "location.price",
    }


def test_what_is_dated_by_its_row_alone_is_a_description_but_for_what_changes_with_a_poll() -> None:
    by_row = {
        key
        for key, spec in FIELDS.items()
        if spec.thing in {"connector", "charger"} and spec.changed_at == "changed_at" and not spec.describes
    }
    assert by_row == {"connector.vendor_error_code"}


def test_only_the_duration_of_a_session_reads_the_clock() -> None:
    assert [key for key, spec in FIELDS.items() if spec.reads_clock] == ["session.duration"]


def test_an_open_session_lasts_until_now_and_an_ended_one_until_its_end(connection: Connection) -> None:
    later = START + timedelta(hours=3, milliseconds=5)
    assert read(connection, "session.duration", later) == 120.0
    sessions = table_of("session")
    connection.execute(sessions.update().values(ended_at=None))
    assert read(connection, "session.duration", later) == 10800.005
    connection.execute(sessions.update().values(started_at=None))
    assert read(connection, "session.duration", later) is None


def test_a_session_status_outside_the_contract_is_unknown_and_kept_raw(connection: Connection) -> None:
    connection.execute(table_of("session").update().values(status="Paused"))
    assert read(connection, "session.status") is None
    assert read(connection, "session.status_raw") == "Paused"


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(0, 0.0), (1, 0.001), (119_999, 119.999), (120_000, 120.0), (86_400_000_000, 86.4e6)]
)
def test_time_between_two_moments_is_exact_to_the_millisecond(
    connection: Connection, milliseconds: int, seconds: float
) -> None:
    end = START + timedelta(milliseconds=milliseconds)
    assert connection.execute(select(seconds_between(at(START), at(end)))).scalar_one() == seconds
    assert connection.execute(select(epoch_seconds(at(end)))).scalar_one() == round(end.timestamp(), 3)


@pytest.mark.parametrize(
    ("part", "contained", "leading"),
    [
        ("100%", True, True),
        ("%_F", True, False),
        ("_fast", False, False),  # case counts
        ("100_", False, False),  # no character is a wildcard
        ("1%t", False, False),
        ("Fast", True, False),
        ("100%_Fast", True, True),
        ("100%_Faster", False, False),
        ("", True, True),
        ("'\"\\", False, False),
    ],
)
def test_text_is_searched_character_by_character(
    connection: Connection, part: str, contained: bool, leading: bool
) -> None:
    name = table_of("charger").c.name
    row = connection.execute(select(text_contains(name, part), text_starts_with(name, part))).one()
    assert tuple(row) == (contained, leading)


def test_searching_an_unknown_text_is_unknown(connection: Connection) -> None:
    vendor = table_of("charger").c.vendor
    row = connection.execute(select(text_contains(vendor, "x"), text_starts_with(vendor, "x"))).one()
    assert [value is None for value in row] == [True, True]


@pytest.mark.parametrize(
    ("label", "member"),
    [("test", True), ("north side", True), ("north", False), ("Test", False), ("te%", False), ('"test"', False)],
)
def test_a_label_is_a_whole_member_of_the_list(connection: Connection, label: str, member: bool) -> None:
    labels = table_of("charger").c.labels
    assert connection.execute(select(json_list_contains(labels, literal(label)))).scalar_one() is member


def test_no_list_is_unknown_and_an_empty_one_has_no_members(connection: Connection) -> None:
    chargers = table_of("charger")
    connection.execute(chargers.update().values(labels=[]))
    assert connection.execute(select(json_list_contains(chargers.c.labels, literal("test")))).scalar_one() is False
    outer = select(json_list_contains(chargers.c.labels, literal("test"))).select_from(
        table_of("location").outerjoin(chargers, chargers.c.id == "absent")
    )
    assert connection.execute(outer).scalar_one() is None


def test_a_rule_reads_the_thing_itself_and_what_it_is_part_of() -> None:
    assert {thing: {spec.thing for spec in fields_for(thing)} for thing in THINGS} == {
        "connector": {"connector", "charger", "location"},
        "charger": {"charger", "location"},
        "location": {"location"},
        "session": {"session", "connector", "charger", "location"},
    }
    assert set(RESOURCE_OF) == set(THINGS) == set(REACHABLE) - {"network"}


@pytest.mark.parametrize(
    ("for_each", "written", "meant"),
    [
        ("connector", "connector.statu", "connector.status"),
        ("connector", "Connector.Status", "connector.status"),
        ("connector", "status", "connector.status"),
        ("session", "status", "session.status"),
        ("charger", "charger.hearbeat_age", "charger.heartbeat_age"),
        ("connector", "plug.status", "connector.status"),
        ("location", "xyzzy", None),
        ("location", "connector.status", None),
    ],
)
def test_the_nearest_field_is_one_that_the_rule_can_read(for_each: str, written: str, meant: str | None) -> None:
    assert nearest_field(written, for_each) == meant


def test_the_restless_fields_are_those_whose_columns_are_recorded_so() -> None:
    for spec in FIELDS.values():
        recorded = RECORDED[spec.thing]
        read = {
            part.name
            for part in visitors.iterate(spec.sql(recorded.table.c, literal(START)))
            if isinstance(part, Column)
        }
        assert bool(read & recorded.restless) == (spec.key in RESTLESS), spec.key
