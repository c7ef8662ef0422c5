"""PostgreSQL finds what a rule's alerts are about by their ids, and does not read the whole fleet for it."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from storage.engine import Database
from tests.readings import T0, at, charger, connector, location
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


def test_a_rule_for_one_place_is_planned_once_for_all_polls_and_what_follows_as_ever(postgresql: Database) -> None:
    rule = {**FAULTED, "when": 'location.id == "l1" and connector.power < 9 kW and connector.status == "Faulted"'}
    engine = Engine(postgresql, rule, now=T0)
    engine.tick(T0, location(), resource="locations")
    moved = []
    for minute in range(30):
        plug = connector(status="Available" if minute else "Faulted", power_kw=minute / 8)
        moved.append(engine.tick(at(f"10:{minute:02}"), charger(plug)))
    assert [len(one) for one in moved if one] == [1, 1]
    with postgresql.read() as connection:
        asked = "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE "
        here = connection.exec_driver_sql(asked + "'%%location.id = $%%while_truth%%'").one()
        assert connection.exec_driver_sql("SHOW plan_cache_mode").scalar() == "auto"
    assert here[0] > 20
    assert here[1] == 0
