"""PostgreSQL finds what a rule's alerts are about by their ids, and does not read the whole fleet for it."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from storage.engine import Database
from tests.readings import T0, at, charger, connector
from tests.rules.engine import FAULTED, Engine

COPY = (
    "INSERT INTO {table} SELECT (jsonb_populate_record(one, {values})).* "
    "FROM {table} AS one, generate_series(1, {many}) AS n"
)
COPIES = {
    "connector": (40_000, "jsonb_build_object('id', 'x' || n)"),
    "alert": (800, "jsonb_build_object('id', 1000 + n, 'subject', 'x' || n * 50)"),
}


def plan_of_standing(connection: Connection) -> str:
    standing = compile_rule(rule_from_document(FAULTED, "x.yaml")).standing.statement
    asked = standing.params(rule=FAULTED["name"], now=at("10:05"), version=1)
    sql = asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}"))


@pytest.fixture
def large(postgresql: Database) -> Database:
    """A fleet of 40,000 connectors, of which a rule has 800 alerts."""
    Engine(postgresql, FAULTED, now=T0).tick(T0, charger(connector(status="Faulted")))
    with postgresql.write() as connection:
        for table, (many, values) in COPIES.items():
            connection.exec_driver_sql(COPY.format(table=table, values=values, many=many))
            connection.exec_driver_sql(f"ANALYZE {table}")
    return postgresql


def test_what_a_rules_alerts_are_about_is_found_by_its_id_and_by_one_process(large: Database) -> None:
    with large.read() as connection:
        plan = plan_of_standing(connection)
        assert "Index Scan using connector_pkey on connector" in plan, plan
        assert "Scan on connector" not in plan, plan
        assert "Gather" not in plan, plan
        for name in ("random_page_cost", "parallel_setup_cost"):  # by the server's own settings it would be another
            connection.execute(sa.text(f"SET LOCAL {name} TO DEFAULT"))
        assert "Seq Scan on connector" in plan_of_standing(connection)
