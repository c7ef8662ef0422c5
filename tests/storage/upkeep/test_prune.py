"""What has had its life goes, in small steps; what is still needed stays however old it is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, UTCDateTime

from storage import schema
from storage.engine import Database
from storage.health import Pace, store_pace
from storage.upkeep import lives, prune
from storage.upkeep.lives import LIVES, Lengths, Span, without_a_life
from tests.readings import T0

DAY = timedelta(days=1)
OLD, NEW = T0 - 500 * DAY, T0 - DAY
LENGTHS = Lengths()
PLAIN: Mapping[type, Any] = {sa.Boolean: False, sa.Integer: 0, sa.Float: 0.0, UTCDateTime: OLD, sa.JSON: {}}


def put(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """A row with what the test says and something harmless in every other column that may not be empty."""
    for column in table.c:
        if column.name in values or column.nullable or column.default is not None or column.server_default is not None:
            continue
        if column is table.autoincrement_column:
            continue
        kind = next((kind for kind in PLAIN if isinstance(column.type, kind)), sa.String)
        values[column.name] = PLAIN.get(kind, "x")
    connection.execute(sa.insert(table).values(values))


def ids(database: Database, table: sa.Table, name: str = "id") -> list[Any]:
    with database.read() as connection:
        return sorted(connection.execute(sa.select(table.c[name])).scalars())


def test_every_table_states_its_life() -> None:
    assert without_a_life() == []
    assert set(LIVES) == set(SQLModel.metadata.sorted_tables)


def test_a_table_without_a_stated_life_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {table: life for table, life in LIVES.items() if table is not schema.AUDIT}
    monkeypatch.setattr(lives, "LIVES", fewer)
    assert without_a_life() == ["audit_entry"]


def test_the_lives_are_those_that_operators_are_told() -> None:
    history = (schema.SESSION, schema.INTERVAL, schema.TRANSITION, schema.AUDIT, schema.ALERT, schema.COMMAND)
    detail = (schema.SAMPLE, schema.OUTBOX, schema.COUNT)
    assert {LIVES[table].span for table in history} == {Span.HISTORY}
    assert {LIVES[table].span for table in detail} == {Span.DETAIL}
    assert LIVES[schema.RULE_EVENT].span == Span.EVENTS
    assert (LENGTHS.of(Span.HISTORY), LENGTHS.of(Span.DETAIL)) == (400 * DAY, 35 * DAY)
    assert Lengths(events=60 * DAY).of(Span.EVENTS) == 60 * DAY


def test_what_is_old_goes_and_what_is_new_stays(database: Database) -> None:
    with database.write() as connection:
        for name, at in (("old", OLD), ("new", NEW)):
            put(connection, schema.SESSION, id=name, ended_at=at)
            put(connection, schema.SAMPLE, session_id=name, at=at)
            put(connection, schema.COMMAND, id=name, nonce=name, ended_at=at)
            sent = {"version": 1, "shown_version": 1, "shown_at": at}
            put(connection, schema.OUTBOX, id=name, natural_key=name, kind="notice", **sent)
            put(connection, schema.RULE_EVENT, rule_id="r", natural_key=name, event_at=at)
            put(connection, schema.COUNT, resource="chargers", kind="good", reason=name, last_at=at)
            put(connection, schema.DIGEST_SLOT, rule_id="r", zone="UTC", slot=name, slot_at=at)
        for at in (OLD, OLD, NEW):
            put(connection, schema.INTERVAL, thing="connector", thing_id="c1", field="status", valid_to=at)
            put(connection, schema.AUDIT, at=at)
            put(connection, schema.TRANSITION, at=at)
            put(connection, schema.ALERT, state="resolved", resolved_at=at)
            put(connection, schema.INCIDENT, group_key=str(at), resolved_at=at)
    gone = prune.prune(database, T0, LENGTHS)
    for table in (schema.SESSION, schema.COMMAND, schema.OUTBOX):
        assert ids(database, table) == ["new"]
    for table in (schema.INTERVAL, schema.AUDIT, schema.TRANSITION, schema.ALERT, schema.INCIDENT):
        assert ids(database, table) == [3]
    assert ids(database, schema.SAMPLE, "session_id") == ["new"]
    assert ids(database, schema.RULE_EVENT, "natural_key") == ["new"]
    assert ids(database, schema.COUNT, "reason") == ["new"]
    assert ids(database, schema.DIGEST_SLOT, "slot") == ["new"]
    assert gone["interval"] == 2
    assert prune.prune(database, T0, LENGTHS) == {}


def test_what_is_open_or_standing_stays_however_old_it_is(database: Database) -> None:
    with database.write() as connection:
        put(connection, schema.INCIDENT, id=1, group_key="open")
        put(connection, schema.INCIDENT, id=2, group_key="newest", resolved_at=OLD)
        put(
            connection,
            schema.ALERT,
            id=1,
            state="firing",
            fired_at=OLD,
            incident_id=1,
            session_id="ended",
            silence_id=1,
        )
        put(connection, schema.ALERT, id=2, state="resolved", resolved_at=OLD, incident_id=1)
        put(connection, schema.TRANSITION, at=OLD, alert_id=1)
        put(connection, schema.TRANSITION, at=NEW)
        put(connection, schema.SILENCE, id=1, ended_at=OLD)
        put(connection, schema.SESSION, id="ended", ended_at=OLD)
        put(connection, schema.SESSION, id="open")
        put(connection, schema.SAMPLE, session_id="open", at=OLD)
        put(connection, schema.INTERVAL, valid_from=OLD, valid_to=None)
        put(connection, schema.RULE_EVENT, rule_id="r", natural_key="waits", event_at=OLD, due_at=OLD)
        put(connection, schema.COMMAND, id="sent", nonce="1", state="sending")
        put(connection, schema.TROUBLES, id=7, key="slack")
        sent = {"version": 1, "shown_version": 1, "shown_at": OLD, "kind": "alert_card"}
        put(connection, schema.OUTBOX, id="card", natural_key="incident:1:#a", incident_id=1, **sent)
        put(connection, schema.OUTBOX, id="command", natural_key="command:sent", **sent)
        put(connection, schema.OUTBOX, id="trouble", natural_key="trouble:7:#a", **(sent | {"kind": "trouble"}))
        put(connection, schema.OUTBOX, id="waits", natural_key="waits", version=2, shown_version=1, kind="notice")
        put(connection, schema.OUTBOX, id="parent", natural_key="parent", **sent)
        put(connection, schema.OUTBOX, id="reply", natural_key="reply", thread_of="parent", version=1, shown_version=0)
        put(connection, schema.DIGEST_SLOT, rule_id="r", zone="UTC", slot="last", slot_at=OLD)
        put(connection, schema.COUNT, kind="switched_off", last_at=OLD)
    assert prune.prune(database, T0, LENGTHS) == {}


def test_a_thread_goes_reply_by_reply_and_then_its_card_and_its_incident(database: Database) -> None:
    with database.write() as connection:
        put(connection, schema.INCIDENT, id=1, group_key="a", resolved_at=OLD)
        put(connection, schema.INCIDENT, id=2, group_key="b")
        sent = {"version": 1, "shown_version": 1, "shown_at": OLD, "incident_id": 1}
        put(connection, schema.OUTBOX, id="card", natural_key="card", kind="alert_card", **sent)
        for number in range(3):
            name = f"reply {number}"
            put(connection, schema.OUTBOX, id=name, natural_key=name, kind="alert_reply", thread_of="card", **sent)
    prune.prune(database, T0, LENGTHS)
    prune.prune(database, T0, LENGTHS)
    assert ids(database, schema.OUTBOX) == []
    assert ids(database, schema.INCIDENT) == [2]


def test_a_number_is_never_given_out_again(database: Database) -> None:
    with database.write() as connection:
        for _ in range(3):
            put(connection, schema.GAP, resource="chargers", valid_to=OLD)
    prune.prune(database, T0, LENGTHS)
    with database.write() as connection:
        put(connection, schema.GAP, resource="chargers", valid_to=NEW)
    assert ids(database, schema.GAP) == [3, 4]


def test_no_transaction_takes_more_than_a_step(database: Database) -> None:
    many = prune.STEP_ROWS * 2 + 7
    with database.write() as connection:
        rows = [{"at": OLD, "user": "U1", "action": "x", "subject": "", "facts": {}, "outcome": ""}] * many
        connection.execute(sa.insert(schema.AUDIT), rows)
    taken = [rows for table, rows in prune.steps(database, T0, LENGTHS) if table == "audit_entry"]
    assert taken == [prune.STEP_ROWS, prune.STEP_ROWS, 6]


def test_a_clock_that_eosvolts_contradicts_ends_nothing(database: Database) -> None:
    with database.write() as connection:
        put(connection, schema.COMMAND, id="old", nonce="1", ended_at=OLD)
        store_pace(connection, Pace(clock_skew=-timedelta(days=365)))
    assert prune.prune(database, T0, LENGTHS) == {}
    with database.write() as connection:
        store_pace(connection, Pace(clock_skew=timedelta(seconds=3)))
    assert prune.prune(database, T0, LENGTHS) == {"command": 1}
