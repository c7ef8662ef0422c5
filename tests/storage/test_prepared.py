"""Prepared statements say what SQLAlchemy says of the same statement, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from storage.dialects import insert
from storage.drivers.conversions import SHARED_JSON, SharedObject
from storage.engine import Database
from storage.prepared import Prepared, asking_once
from storage.schema import ALERT, INCIDENT
from tests.notify.records import insert_alert, insert_incident

T0 = datetime(2026, 3, 2, 10, 0, 0, 250_000, tzinfo=UTC)
IN_GROUPS = INCIDENT.c.group_key.in_(sa.bindparam("groups", expanding=True))


def opened(key: str, **more: Any) -> dict[str, Any]:
    return {"rule_id": "r", "group_key": key, "severity": "info", "location_id": None, "opened_at": T0, **more}


INSERT = Prepared(
    sa.insert(INCIDENT).values({name: sa.bindparam(name) for name in opened("x")}).returning(INCIDENT.c.id)
)
INCIDENT_IDS = Prepared(sa.select(INCIDENT.c.id).order_by(INCIDENT.c.id))


def test_rows_are_those_of_sqlalchemy_with_times_json_and_nulls(database: Database) -> None:
    statement = sa.select(ALERT, (ALERT.c.id > 0).label("is_one")).order_by(ALERT.c.id)
    with database.write() as connection:
        insert_incident(connection)
        for number in (1, 2, 3):
            insert_alert(connection, number, fired_at=T0 + number * timedelta(microseconds=1))
        told, plain = Prepared(statement).all(connection), connection.execute(statement).all()
    assert len(told) == 3
    assert [one._asdict() for one in told] == [one._asdict() for one in plain]
    assert [type(value) for value in told[0]] == [type(value) for value in plain[0]]


@pytest.mark.parametrize("write_first", [False, True])
def test_lists_may_have_any_length_from_call_to_call(database: Database, write_first: bool) -> None:
    found = Prepared(sa.select(INCIDENT.c.group_key).where(IN_GROUPS, INCIDENT.c.severity.in_(("info", "warning"))))
    close = Prepared(sa.update(INCIDENT).where(IN_GROUPS).values(resolved_at=sa.bindparam("now")))
    with database.write() as connection:
        for key in "abc":
            INSERT.run(connection, opened(key))
        if write_first:
            assert close.run(connection, {"groups": ["a", "b", "c", "d"], "now": T0}) == 3
        for groups in (["a"], [], ["a", "x", "c"], ["b"], list("abcdefgh")):
            assert sorted(found.scalars(connection, {"groups": groups})) == [key for key in "abc" if key in groups]
            assert close.run(connection, {"groups": groups, "now": T0}) == len(set(groups) & set("abc"))


def test_what_is_asked_once_is_answered_again_within_its_part_alone_and_by_its_parameters(database: Database) -> None:
    keys = Prepared(sa.select(INCIDENT.c.group_key).where(IN_GROUPS).order_by(INCIDENT.c.id))
    with database.write() as connection:
        for part in range(2):
            with asking_once(connection):
                INSERT.run(connection, opened(f"a{part}"))
                assert len(keys.once(connection, {"groups": ["a0", "a1"]})) == part + 1
                INSERT.run(connection, opened("b", rule_id=f"r{part}"))
                assert len(keys.once(connection, {"groups": ["a0", "a1"]})) == part + 1
                assert len(keys.once(connection, {"groups": ["a0", "b"]})) == part + 2
                assert len(keys.all(connection, {"groups": ["a0", "a1", "b"]})) == 2 * (part + 1)
        INSERT.run(connection, opened("a1", rule_id="s"))
        assert len(keys.once(connection, {"groups": ["a0", "a1"]})) == 3


def test_a_parameter_with_a_value_of_its_own_may_be_left_out_or_given(database: Database) -> None:
    key = sa.bindparam("key", value="a", type_=sa.String)
    found = Prepared(sa.select(INCIDENT.c.group_key).where(INCIDENT.c.group_key == key))
    with database.write() as connection:
        INSERT.run_many(connection, [opened("a"), opened("b")])
        assert [found.scalar(connection), found.scalar(connection, {"key": "b"}), found.first(connection)] == [
            "a",
            "b",
            ("a",),
        ]
        assert found.first(connection, {"key": "c"}) is None


def test_statements_that_differ_in_their_values_are_compiled_once_and_each_keeps_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values alone, in a list, written into the text, given by the caller, and beside a number the compiler adds."""
    compiled = []
    make = SQLCompiler.__init__

    def count(self: SQLCompiler, *given: Any, **more: Any) -> None:
        compiled.append(given)
        make(self, *given, **more)

    def asked(severity: str, keys: list[str], states: list[str], at_least: int) -> Prepared:
        literally: sa.BindParameter[str] = sa.bindparam(None, states, expanding=True, literal_execute=True)
        newest = sa.select(INCIDENT.c.id).where(INCIDENT.c.id >= sa.bindparam("id", value=at_least)).limit(9).subquery()
        mine = (INCIDENT.c.severity == severity, INCIDENT.c.group_key.in_(keys), INCIDENT.c.rule_id.in_(literally))
        ids = INCIDENT.c.id.in_(sa.select(newest.c.id))
        return Prepared(sa.select(INCIDENT.c.group_key).where(*mine, ids, IN_GROUPS).order_by(INCIDENT.c.group_key))

    groups = {"groups": list("abcd")}
    with database.write() as connection:
        for place, key in enumerate("abcd"):
            INSERT.run(connection, {**opened(key), "severity": ("info", "warning")[place % 2]})
        first = INCIDENT_IDS.scalar(connection)
        monkeypatch.setattr(SQLCompiler, "__init__", count)
        info, warning = asked("info", ["a", "c"], ["r"], first), asked("warning", ["d", "b"], ["r"], first + 2)
        assert [one.scalars(connection, groups) for one in (info, warning, info)] == [["a", "c"], ["d"], ["a", "c"]]
        assert warning.scalars(connection, {**groups, "id": 0}) == ["b", "d"]
        assert len(compiled) == 1
        assert asked("info", ["a", "c"], ["s"], first).scalars(connection, groups) == []
        assert asked("info", ["a", "b", "c"], ["r"], first).scalars(connection, groups) == ["a", "c"]
        assert len(compiled) == 3


def test_a_statement_may_be_spelled_for_each_database(database: Database) -> None:
    values: dict[str, Any] = {name: sa.bindparam(name) for name in opened("x")}
    once = Prepared(
        lambda connection: (
            insert(connection, INCIDENT)
            .values(values)
            .on_conflict_do_nothing()
            .returning(INCIDENT.c.id, INCIDENT.c.opened_at)
        )
    )
    with database.write() as connection:
        first = once.first(connection, opened("a"))
        assert first.opened_at == T0
        assert once.first(connection, opened("a")) is None
        assert connection.execute(sa.select(INCIDENT.c.id)).scalars().all() == [first.id]


def test_an_error_is_sqlalchemys_and_rolls_all_back(database: Database) -> None:
    def write_twice() -> None:
        with database.write() as connection:
            INSERT.run(connection, opened("a"))
            INSERT.run(connection, opened("a"))

    with pytest.raises(sa.exc.IntegrityError, match="INSERT INTO incident"):
        write_twice()
    with database.read() as connection:
        assert Prepared(sa.select(sa.func.count()).select_from(INCIDENT)).scalar(connection) == 0


def test_a_reader_keeps_its_snapshot_from_the_first_prepared_statement_on(sqlite: Database) -> None:
    count = Prepared(sa.select(sa.func.count()).select_from(INCIDENT))
    with sqlite.read() as reading:
        assert count.scalar(reading) == 0
        with sqlite.write() as connection:
            INSERT.run(connection, opened("a"))
        assert count.scalar(reading) == 0
        assert reading.execute(sa.select(sa.func.count()).select_from(INCIDENT)).scalar() == 0
    with sqlite.read() as reading:
        assert count.scalar(reading) == 1


def test_postgresql_compiles_no_query_to_machine_code(postgresql_shared: str) -> None:
    database = Database(postgresql_shared)
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
    database.close()


def test_rows_told_column_by_column_are_those_told_one_by_one(database: Database) -> None:
    rows = [opened(key, location_id=place) for key, place in (("a", "l1"), ("b", None), ("c", "l1"), ("d", "l2"))]
    one_by_one, columns = (
        sa.select(INCIDENT),
        {name: [row[name] for row in rows] for name in ("group_key", "location_id")},
    )
    insert_one = Prepared(sa.insert(INCIDENT).values({name: sa.bindparam(name) for name in opened("x")}))
    with database.write() as connection:
        insert_one.run_many(connection, rows)
        told = [row[1:] for row in connection.execute(one_by_one.order_by(INCIDENT.c.id))]
        connection.execute(sa.delete(INCIDENT))
        alike = {name: value for name, value in opened("x").items() if name not in columns}
        assert insert_one.run_columns(connection, columns, alike) == 4
        assert [row[1:] for row in connection.execute(one_by_one.order_by(INCIDENT.c.id))] == told
        assert insert_one.run_columns(connection, {name: [] for name in columns}, alike) == 0


def test_an_object_that_rows_share_is_written_once_and_read_as_one(sqlite: Database) -> None:
    shared = SharedObject({"status": "Faulted", "no": None})
    assert [shared.written(convert) for convert in (str, str, repr)] == [str(shared), str(shared), repr(shared)]
    insert_labels = Prepared(
        sa.update(ALERT).where(ALERT.c.id == sa.bindparam("one")).values(labels=sa.bindparam("told"))
    )
    found = Prepared(sa.select(sa.type_coerce(ALERT.c.labels, SHARED_JSON).label("labels")).order_by(ALERT.c.id))
    with sqlite.write() as connection:
        insert_incident(connection)
        for number in (1, 2, 3):
            insert_alert(connection, number)
        insert_labels.run_columns(connection, {"one": [1, 2, 3], "told": [shared, dict(shared), {}]})
        first, second, empty = found.scalars(connection)
        assert first is second
        assert first == shared
        assert empty == {}
        texts = connection.execute(sa.select(sa.cast(ALERT.c.labels, sa.Text)).order_by(ALERT.c.id)).scalars().all()
    assert texts == ['{"status": "Faulted", "no": null}'] * 2 + ["{}"]
