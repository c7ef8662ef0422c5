"""The law of `standing`: the open alerts that it leaves out would not have moved, nor anything that is kept of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlmodel import SQLModel

from rules.alerts.query import CompiledRule, standing
from rules.documents.document import rule_from_document
from rules.matching.compile import demand_of
from rules.matching.scope import TABLES
from storage.engine import Database
from storage.prepared import Prepared
from storage.schema import ALERT, RULE, TRANSITION, WAKE
from tests.databases import emptied
from tests.examples import examples
from tests.readings import MINUTE, T0, poll
from tests.rules.alerts.test_changed import (
    A_CHARGER_GOES,
    A_LOCATION_MOVES,
    DOCUMENTS,
    READINGS,
    STEPS,
    Step,
)
from tests.rules.engine import Engine

EDITED = [{**document, "for": "4m", "keep_firing_for": "3m"} for document in DOCUMENTS]


class Unfiltered(Engine):
    """An engine whose rules are asked of every open alert, whether it has something to do or not."""

    def _in_force(self, connection: Connection) -> tuple[CompiledRule, ...]:
        documents = {row.id: row.document for row in connection.execute(sa.select(RULE))}
        return tuple(_all_of_them(rule, documents[rule.id]) for rule in super()._in_force(connection))


def _all_of_them(compiled: CompiledRule, document: dict[str, Any]) -> CompiledRule:
    rule = rule_from_document(document, "test.yaml")
    demand = demand_of(rule)
    every = standing(rule, demand, all_of_them=True)
    among = every.where(TABLES[compiled.for_each].c.id.in_(demand.among))
    return replace(
        compiled, standing=Prepared(every), standing_changed=Prepared(among), standing_among_many=Prepared(among)
    )


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    databases = [Database(f"sqlite:///{tmp_path / name}.db", durable=False) for name in ("filtered", "unfiltered")]
    for database in databases:
        SQLModel.metadata.create_all(database.engine)
    yield databases[0], databases[1]
    for database in databases:
        database.close()


def kept(database: Database) -> list[tuple[Any, ...]]:
    """Every row that an evaluation writes, whole."""
    rows: list[tuple[Any, ...]] = []
    with database.read() as connection:
        for table in (ALERT, TRANSITION, WAKE):
            rows += (tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)))
        rows += (tuple(row) for row in connection.execute(sa.select(RULE).order_by(RULE.c.id)))
    return rows


def test_what_is_left_out_would_not_have_moved(twins: tuple[Database, Database]) -> None:
    edits = st.one_of(st.none(), st.none(), st.just(EDITED), st.just(DOCUMENTS))

    @settings(
        max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(st.lists(st.tuples(STEPS, edits), min_size=1, max_size=12))
    @example([(step, None) for step in A_LOCATION_MOVES])
    @example([(step, EDITED) for step in A_CHARGER_GOES])
    def law(steps: list[tuple[Step, list[dict[str, Any]] | None]]) -> None:
        makers = (Engine, Unfiltered)
        engines = [make(emptied(db), *DOCUMENTS, now=T0) for make, db in zip(makers, twins, strict=True)]
        for resource in READINGS:
            for engine in engines:
                poll(engine.database, T0, resource=resource)
        now = T0
        for step, edit in steps:
            now += step.minutes * MINUTE
            for engine in engines:
                if edit is not None:
                    engine.use(*edit, now=now)
                poll(engine.database, now, *step.readings, resource=step.resource, seen=step.seen)
                if step.evaluated:
                    engine.evaluate(now)
            assert kept(engines[0].database) == kept(engines[1].database), step

    law()
