"""The compiled SQL against a slow plain reading of the same condition: what is true, what is not, and since when."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from eosvolt.models import CONNECTOR_STATUSES
from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.language.conditions import parse_condition
from rules.language.errors import RuleErrors
from rules.language.expressions import (
    And,
    Compare,
    Expression,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    to_text,
)
from rules.language.fields import THINGS, Type
from storage.dialects import AnyRow
from storage.engine import Database
from tests.examples import examples as examples_of_run
from tests.readings import MINUTE, T0, charger, connector, record_poll
from tests.rules.matching.drawn_conditions import EQUALITIES, conditions
from tests.rules.matching.plain_conditions import History, Value, since, truth
from tests.rules.matching.worlds import NOW, World, worlds

ONE_DATABASE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


def examples(database: Database, many: int) -> settings:
    """So many examples on SQLite, and fewer on PostgreSQL, whose planner takes its time."""
    number = many if database.engine.dialect.name == "sqlite" else many // 6
    return settings(max_examples=examples_of_run(number), suppress_health_check=ONE_DATABASE)


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
    found = compiled.births.all(connection, {"rule": "law", "now": now, "seen": 0})
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
    @examples(database, 80)
    @given(worlds(), st.lists(CASES, min_size=3, max_size=3))
    def law(world: World, cases: list[tuple[str, Expression]]) -> None:
        with forgotten(database) as connection:
            world.record(connection)
            for for_each, condition in cases:
                expected = {subject: truth(condition, values) for subject, values in world.subjects(for_each).items()}
                event(f"{for_each}: {sorted({str(answer) for answer in expected.values()})}")
                try:
                    found = answers(connection, for_each, condition, NOW)
                except RuleErrors as refused:
                    assume("more than" not in str(refused))  # as too long or too deep
                    raise
                assert found == expected, to_text(condition)

    law()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('connector.error_code == "GROUND_FAILURE"', True),
        ('"ground failure" == connector.error_code', True),
        ('connector.error_code != "Ground-Failure"', False),
        ('connector.error_code in ["OVER_VOLTAGE", "GROUND_FAILURE"]', True),
        ('connector.error_code not in ["GROUND_FAILURE"]', False),
        ('connector.error_code == "E-4711"', False),
        ('connector.vendor_error_code == "ground_failure"', True),
        ('connector.vendor_error_code == "GroundFailure"', False),
    ],
)
def test_a_rule_may_spell_a_standard_code_as_it_likes(database: Database, condition: str, expected: bool) -> None:
    code = {"error_code": "GroundFailure", "vendor_error_code": "ground_failure"}
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1", "Faulted", **code)))
        assert answers(connection, "connector", parse_condition(condition, for_each="connector"), T0) == {
            "c1": expected
        }


RAW_STATUSES = ("Available", "Faulted", "Unavailable", "Rebooting", "Restarting", None)
ERROR_CODES = ("GroundFailure", "OverVoltage", "NoError", None)
KEPT: dict[str, tuple[Any, ...]] = {
    "connector.status": ("Available", "Faulted", "Unavailable"),
    "connector.error_code": ("GroundFailure", "OverVoltage"),
}


@dataclass(frozen=True)
class Said:
    """What one poll said, `minutes` after the one before it; `dated` seconds before the poll, where EOSVOLT says."""

    minutes: int
    status: str | None
    error_code: str | None
    online: bool | None
    dated: int | None

    @property
    def known_status(self) -> str | None:
        return self.status if self.status in CONNECTOR_STATUSES else None


POLLS = st.lists(
    st.builds(
        Said,
        st.integers(1, 3),
        st.sampled_from(RAW_STATUSES),
        st.sampled_from(ERROR_CODES),
        st.sampled_from([True, False, None]),
        st.one_of(st.none(), st.integers(-90, 400)),
    ),
    min_size=1,
    max_size=8,
)


@st.composite
def kept_leaves(draw: st.DrawFn) -> Expression:
    """A condition on one field whose history is kept."""
    key = draw(st.sampled_from([*KEPT, "charger.online"]))
    field = FieldRef(key)
    form = draw(st.sampled_from(["value", "unknown"]))
    if form == "unknown":
        return IsUnknown(field, draw(st.booleans()))
    if key == "charger.online":
        literal = Literal(draw(st.booleans()), Type.BOOLEAN)
        truths: list[Expression] = [field, Compare("==", field, literal), Compare("!=", field, literal)]
        return draw(st.sampled_from(truths))
    words = draw(st.lists(st.sampled_from(KEPT[key]), min_size=1, max_size=2))
    items = tuple(Literal(word, Type.TEXT) for word in words)
    member = Membership(field, items, draw(st.booleans()))
    forms: list[Expression] = [member, Compare(draw(st.sampled_from(EQUALITIES)), field, items[0])]
    return draw(st.sampled_from(forms))


def kept_conditions() -> st.SearchStrategy[Expression]:
    """`and`, `or` and `not` over such leaves."""
    return st.recursive(
        kept_leaves(),
        lambda below: st.one_of(
            st.lists(below, min_size=2, max_size=3).map(lambda sides: And(tuple(sides))),
            st.lists(below, min_size=2, max_size=3).map(lambda sides: Or(tuple(sides))),
            below.map(Not),
        ),
        max_leaves=6,
    )


def record_and_keep(connection: Connection, polls: list[Said]) -> tuple[datetime, dict[str, History]]:
    """Record the polls; give the last one's moment, and what a plain notebook keeps of each field."""
    now, before, code = T0, None, None
    kept: dict[str, list[tuple[datetime, Value]]] = {"connector.status": [], "connector.error_code": []}
    kept["charger.online"] = []
    for said in polls:
        floor, now = now if before else None, now + said.minutes * MINUTE
        given = None if said.dated is None else now - timedelta(seconds=said.dated)
        plug = connector(status=said.status, error_code=said.error_code, status_changed_at=given)
        record_poll(connection, now, charger(plug, online=said.online))
        if before is None or said.status != before.status:
            # EOSVOLT's own moment, within (the poll before, this one]; at first sight nothing bounds it from below
            dated = now if given is None else min(given, now)
            kept["connector.status"].append((max(dated, floor) if floor else dated, said.known_status))
        code_before, code = code, said.error_code
        if before is not None and before.status == said.status == "Faulted" and said.error_code in {None, "NoError"}:
            code = code_before or code if code_before != "NoError" else code  # the last code of the fault stands
        if before is None or code != code_before:
            kept["connector.error_code"].append((now, code))
        if before is None or said.online is not before.online:
            kept["charger.online"].append((now, said.online))
        before = said
    return now, dict(kept)


def test_a_condition_is_true_since_when_a_plain_walk_back_says(database: Database) -> None:
    @examples(database, 150)
    @given(POLLS, kept_conditions())
    def law(polls: list[Said], condition: Expression) -> None:
        with forgotten(database) as connection:
            now, histories = record_and_keep(connection, polls)
            answer = truth(condition, {key: history[-1][1] for key, history in histories.items()})
            event(f"{type(condition).__name__} {answer}")
            if answer is None:
                return
            text = to_text(condition if answer else Not(condition))
            (row,) = rows(connection, "connector", text, now)
        assert row.since == since(condition, histories, wanted=answer), text

    law()
