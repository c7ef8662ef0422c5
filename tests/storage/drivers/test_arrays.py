"""PostgreSQL is given many values as one, and finds in it what it would have been given one by one."""

import math
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.dialects import insert
from storage.drivers.arrays import array, unnesting
from storage.engine import Database
from storage.prepared import COPIED_FROM, Prepared
from storage.schema import INCIDENT, OUTBOX

AT = datetime(2026, 3, 2, 10, 0, 0, 250_001, tzinfo=UTC)
HOSTILE = ["plain", 'a"b', "\\", "{a,b}", "", "NULL", "a\tb\nc", "'%s' $1 %(x)s {}", "Zoë 🔌", " , ", "\x01\x7f"]

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
ARRAYS = st.one_of(
    st.tuples(st.just("VARCHAR"), st.lists(st.none() | TEXT | st.sampled_from(HOSTILE))),
    st.tuples(st.just("INTEGER"), st.lists(st.none() | st.integers(-(2**31), 2**31 - 1))),
    st.tuples(st.just("FLOAT"), st.lists(st.none() | st.floats(allow_nan=False))),
    st.tuples(st.just("BOOLEAN"), st.lists(st.none() | st.booleans())),
    st.tuples(
        st.just("TIMESTAMP WITH TIME ZONE"),
        st.lists(st.none() | st.datetimes(timezones=st.just(UTC))),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=ARRAYS)
def test_an_array_holds_what_was_written_into_it(postgresql: Database, told: tuple[str, list[Any]]) -> None:
    type_, values = told
    with postgresql.read() as connection:
        found = connection.exec_driver_sql(f"SELECT %s::{type_}[]", (array(values),)).scalar_one()
    assert found == values
    assert _signs(found) == _signs(values)  # -0.0 is 0.0, and is not written alike


def _signs(values: list[Any]) -> list[float]:
    return [math.copysign(1, value) for value in values if isinstance(value, float)]


class Word(StrEnum):
    FIRST = "first"


class Number(IntEnum):
    ONE = 1


def test_words_and_numbers_that_have_names_are_written_as_what_they_stand_for() -> None:
    assert array([Word.FIRST, "a"]) == '{"first","a"}'
    assert array([Number.ONE, None, 2]) == "{1,NULL,2}"
    assert array([math.inf]) == "{inf}"
    assert array([]) == "{}"


@pytest.mark.parametrize(
    "values", [[b"x"], [{"a": 1}], [object()], [["a"]], ["a\0b"], [None, "a\0b"], [1, True], [1, "a"]]
)
def test_what_no_array_can_hold_is_refused(values: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"no array|NUL|several kinds"):
        array(values)


GIVEN = "FROM unnest($1::VARCHAR[], $2::INTEGER[]) AS given (v1, v2)"


@pytest.mark.parametrize(
    ("said", "together", "key"),
    [
        (
            "INSERT INTO t (a, b) VALUES ($2::INTEGER, $1::VARCHAR) ON CONFLICT DO NOTHING",
            f"INSERT INTO t (a, b) SELECT given.v2, given.v1 {GIVEN} ON CONFLICT DO NOTHING",
            None,
        ),
        (
            "INSERT INTO t (a, b) VALUES ($1::VARCHAR, $2) ON CONFLICT (a) DO NOTHING",
            f"INSERT INTO t (a, b) SELECT given.v1, given.v2 {GIVEN} ON CONFLICT (a) DO NOTHING",
            None,
        ),
        (
            "UPDATE t SET a=$1::VARCHAR WHERE t.id = $2::INTEGER",
            f"UPDATE t SET a=given.v1 {GIVEN} WHERE t.id = given.v2",
            1,
        ),
        (
            "UPDATE t SET a=$1::VARCHAR WHERE t.id = $2::INTEGER AND (t.a IS NULL OR t.a > $1::VARCHAR)",
            f"UPDATE t SET a=given.v1 {GIVEN} WHERE t.id = given.v2 AND (t.a IS NULL OR t.a > given.v1)",
            1,
        ),
    ],
)
def test_many_rows_are_one_statement(said: str, together: str, key: int | None) -> None:
    found = unnesting(said, ["VARCHAR", "INTEGER"])
    assert found is not None
    assert (found.sql, found.key) == (together, key)


@pytest.mark.parametrize(
    "said",
    [
        "INSERT INTO t (a, b) VALUES ($1, $2)",
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING t.id",
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        "INSERT INTO t (a, b) VALUES ($1, (SELECT max(b) FROM t)) ON CONFLICT DO NOTHING",
        "UPDATE t SET a=$1 WHERE t.id > $2",
        "UPDATE t SET a=$1 WHERE t.id = $2 OR t.b = $2",
        "UPDATE t SET a=$1 WHERE t.id = $2 AND t.a = $1 OR t.b = $2",
        "UPDATE t SET a=$1 WHERE t.b = t.a AND t.id = $2",
        "UPDATE t SET a=(SELECT max(t.a) FROM t) + $1 WHERE t.id = $2",
        "DELETE FROM t WHERE t.id = $1",
    ],
)
def test_what_a_row_before_may_have_changed_is_asked_row_by_row(said: str) -> None:
    assert unnesting(said, ["VARCHAR", "INTEGER"]) is None


def _message(key: str, **more: Any) -> dict[str, Any]:
    plain = {"kind": "notice", "channel": "c", "due_at": AT, "created_at": AT, "version": 1, "shown_version": 0}
    flags = {"broadcast": False, "uncertain": True, "attempts": 0, "rank": Number.ONE}
    return {"id": f"id {key}", "natural_key": key, **plain, **flags, "facts": {"said": key, "none": None}, **more}


NAMES = tuple(_message("x"))
ENQUEUE = Prepared(
    lambda connection: (
        insert(connection, OUTBOX).values({name: sa.bindparam(name) for name in NAMES}).on_conflict_do_nothing()
    )
)


def _told(connection: sa.Connection) -> list[tuple[Any, ...]]:
    every = connection.execute(sa.select(*(OUTBOX.c[name] for name in NAMES)).order_by(OUTBOX.c.natural_key))
    return [tuple(row) for row in every]


def test_many_messages_of_which_some_are_there_are_what_each_alone_is(database: Database) -> None:
    there = _message("plain", facts={"said": "before"})
    rows = [_message(text) for text in HOSTILE] + [_message("plain"), _message(HOSTILE[1], id="again")]
    assert len(rows) >= COPIED_FROM
    with database.write() as connection:
        ENQUEUE.run(connection, there)
        assert sum(ENQUEUE.run(connection, row) for row in rows) == len(HOSTILE) - 1
        alone = _told(connection)
        connection.execute(sa.delete(OUTBOX))
        ENQUEUE.run(connection, there)
        assert ENQUEUE.run_many(connection, rows) == len(HOSTILE) - 1
        assert _told(connection) == alone
    assert {row[1]: row[NAMES.index("facts")]["said"] for row in alone} == {
        text: "before" if text == "plain" else text for text in HOSTILE
    }


EDIT = Prepared(
    sa.update(OUTBOX)
    .where(OUTBOX.c.id == sa.bindparam("which"), OUTBOX.c.version < sa.bindparam("most", type_=sa.Integer))
    .values(version=OUTBOX.c.version + sa.bindparam("more", type_=sa.Integer), facts=sa.bindparam("facts"))
)


@pytest.mark.parametrize("twice", [False, True])
def test_many_edits_are_what_each_alone_is_even_of_one_row(database: Database, twice: bool) -> None:
    keys = [*HOSTILE, *(["plain", "plain"] if twice else [])]
    edits = [
        {"which": f"id {key}", "most": 3, "more": place % 3, "facts": {"now": place}} for place, key in enumerate(keys)
    ]
    left_out = {"which": "id of none", "most": 3, "more": 1, "facts": {}}
    with database.write() as connection:
        found = []
        for together in (False, True):
            connection.execute(sa.delete(OUTBOX))
            ENQUEUE.run_many(connection, [_message(text) for text in HOSTILE])
            rows = [*edits, left_out]
            ways = [rows] if together else [[row] for row in rows]
            found.append((sum(EDIT.run_many(connection, some) for some in ways), _told(connection)))
    assert found[0] == found[1]
    assert found[0][0] == len(HOSTILE) + twice  # by the second edit of the one its version is no longer below the most


def test_a_list_of_any_length_is_one_value_and_finds_the_same(database: Database) -> None:
    groups: sa.BindParameter[str] = sa.bindparam("groups", expanding=True)
    inside = Prepared(sa.select(INCIDENT.c.group_key).where(INCIDENT.c.group_key.in_(groups)))
    outside = Prepared(sa.select(INCIDENT.c.group_key).where(INCIDENT.c.group_key.not_in(groups)))
    opened = {"rule_id": "r", "severity": "info", "opened_at": AT}
    with database.write() as connection:
        connection.execute(sa.insert(INCIDENT), [{**opened, "group_key": text} for text in HOSTILE])
        for wanted in ([], HOSTILE[:1], HOSTILE[:7], HOSTILE, [*HOSTILE * 100, "more"]):
            told = {"groups": wanted}
            assert set(inside.scalars(connection, told)) == set(wanted) & set(HOSTILE)
            assert set(outside.scalars(connection, told)) == set(HOSTILE) - set(wanted)


def test_a_text_that_postgresql_cannot_hold_is_sqlalchemys_error(postgresql: Database) -> None:
    found = Prepared(sa.select(INCIDENT.c.id).where(INCIDENT.c.group_key.in_(sa.bindparam("groups", expanding=True))))
    with postgresql.read() as connection, pytest.raises(sa.exc.DataError):
        found.all(connection, {"groups": ["a", "a\0b"]})
    rows = [_message(text) for text in (*HOSTILE, "a\0b")]
    with pytest.raises(sa.exc.DataError), postgresql.write() as connection:
        ENQUEUE.run_many(connection, rows)
