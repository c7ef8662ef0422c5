"""Whether rules can run: each is said for both databases, and an empty one is asked whether it would take that.

It reads nothing of the service's own database and changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Dialect

from rules.alerts.events import compile_event_rule
from rules.alerts.query import compile_rule
from rules.documents.document import Rule
from rules.language.errors import RuleError, RuleErrors
from storage.engine import Database
from storage.prepared import Prepared
from storage.schema import EVERY_TABLE

LONGEST_REASON = 200
POSTGRESQL: Dialect = sa.make_url("postgresql+psycopg://").get_dialect()()


def check_runnable(rules: Iterable[Rule]) -> None:
    """Raise RuleErrors with every rule that no database would take, though it is written as it should be."""
    errors = find_unrunnable(rules)
    if errors:
        raise RuleErrors(list(errors.values()))


def find_unrunnable(rules: Iterable[Rule]) -> dict[str, RuleError]:
    """By name, why each of these rules cannot run that no database would take."""
    asked = [rule for rule in rules if rule.kind != "digest"]
    if not asked:
        return {}
    database = Database("sqlite://", durable=False)
    try:
        EVERY_TABLE.into(database.engine)
        with database.read() as connection:
            told = {rule.name: _error_of(rule, connection) for rule in asked}
    finally:
        database.close()
    return {name: error for name, error in told.items() if error is not None}


def _error_of(rule: Rule, connection: Connection) -> RuleError | None:
    try:
        for statement in _questions(rule, connection):
            statement.compile(dialect=POSTGRESQL)
            _explain(statement, connection)
    except Exception as error:  # whatever it is, at each poll it would be the same
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0][:LONGEST_REASON]
        message = f"a database cannot run it ({reason}); make its condition shorter and less nested, or two rules of it"
        return RuleError(rule.source, rule.name, message)
    return None


def _questions(rule: Rule, connection: Connection) -> Iterator[Any]:
    """What is asked at each poll for this rule; of a question and the same about fewer subjects, the longer one."""
    compiled: Any = compile_event_rule(rule) if rule.kind == "event" else compile_rule(rule)
    names = [field.name for field in fields(compiled)]
    for name in names:
        if f"{name.removesuffix('_full')}_changed" in names:
            continue
        value = getattr(compiled, name)
        statement = value.statement if isinstance(value, Prepared) else value
        if isinstance(statement, sa.ClauseElement):
            yield statement
        elif isinstance(value, Prepared):
            yield statement(connection)


def _explain(statement: Any, connection: Connection) -> None:
    """Have the database read the question, and plan it, without asking it."""
    dialect: Dialect = connection.dialect
    said = statement.compile(dialect=dialect)
    state = said.construct_expanded_state({bind.key: [""] if bind.expanding else "" for bind in said.bind_names})
    connection.exec_driver_sql(f"EXPLAIN {state.statement}", (None,) * len(state.positiontup or ()))
