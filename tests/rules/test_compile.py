"""The compiled SQL against a slow plain reading of the same condition: what is true, what is not, and since when."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from eosvolt.models import CONNECTOR_STATUSES
from rules.compile import compile_rule
from rules.document import rule_from_document
from rules.errors import RuleErrors
from rules.expressions import And, Compare, Expression, FieldRef, IsUnknown, Literal, Membership, Not, Or, to_text
from rules.fields import THINGS, Type
from storage.dialects import AnyRow
from storage.engine import Database
from tests.readings import MINUTE, T0, charger, connector, record_poll
from tests.rules.conditions import conditions
from tests.rules.plain import History, Value, since, truth
from tests.rules.worlds import NOW, World, worlds

ONE_DATABASE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


def examples(database: Database, many: int) -> settings:
    """So many examples on SQLite, and fewer on PostgreSQL, whose planner takes its time."""
    number = many if database.engine.dialect.name == "sqlite" else many // 6
    return settings(max_examples=number, suppress_health_check=ONE_DATABASE)


@contextmanager
def forgotten(database: Database) -> Iterator[Connection]:
    """A transaction that leaves nothing behind."""
    with database.engine.connect() as connection:
        connection.execution_options(begin="IMMEDIATE")
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def rows(connection: Connection, for_each: str, when: str, now: datetime) -> list[AnyRow]:
    """What the compiled condition says of each subject for which it is true."""
    document = {"name": "law", "for_each": for_each, "when": when, "severity": "info"}
    compiled = compile_rule(rule_from_document(document, "law.yaml"))
    found = connection.execute(compiled.full, {"rule": "law", "now": now, "seen": 0}).all()
    assert all(row.truth is True for row in found)
    return list(found)


def answers(connection: Connection, for_each: str, condition: Expression, now: datetime) -> dict[str, bool | None]:
    """What SQL says of each subject that a rule looks at: true, false or unknown."""
    text = to_text(condition)
    asked = {True: text, False: f"not ({text})", None: f"({text}) is unknown"}
    found = [(row.subject, answer) for answer, when in asked.items() for row in rows(connection, for_each, when, now)]
    told = dict(found)
    assert len(told) == len(found), "one subject has two answers"
    return told


CASES = st.sampled_from(THINGS).flatmap(lambda thing: st.tuples(st.just(thing), conditions(thing)))


def test_sql_says_of_each_subject_what_a_plain_reading_says(database: Database) -> None:
    @examples(database, 400)
    @given(worlds(), CASES)
    def law(world: World, case: tuple[str, Expression]) -> None:
        for_each, condition = case
        expected = {subject: truth(condition, values) for subject, values in world.subjects(for_each).items()}
        event(f"{for_each}: {sorted({str(answer) for answer in expected.values()})}")
        with forgotten(database) as connection:
            world.record(connection)
            try:
                found = answers(connection, for_each, condition, NOW)
            except RuleErrors as refused:
                assume("more than" not in str(refused))  # as too long or too deep
                raise
        assert found == expected, to_text(condition)

    law()
