"""The law of what is asked: rules that are asked of everything leave the same alerts and messages, on each database."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.service import evaluating
from rules.alerts.query import CompiledRule
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, OUTBOX, RULE, TRANSITION, WAKE
from tests.bot.service.jobs.site import FRESH, Site
from tests.databases import emptied
from tests.examples import examples
from tests.readings import MINUTE, T0, poll
from tests.rules.alerts.test_changed import A_CHARGER_GOES, A_LOCATION_MOVES, DOCUMENTS, READINGS, STEPS, Step
from tests.rules.alerts.test_standing import _all_of_them

SPEAKING = [{**document, "notify": ["#a", "#b"]} for document in DOCUMENTS]
NUMBERED = {"id", "alert_id", "incident_id", "inhibited_by", "evaluated_seq", "natural_key", "rolled_into", "thread_of"}
"""Columns whose values depend on what else the database has numbered, or on chance."""


def left_by(
    database: Database, steps: list[Step], compiled: dict[bool, tuple[CompiledRule, ...]], *, asked_of_all: bool
) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that a story leaves of alerts and what is said of them; `compiled` keeps the rules for the next one."""
    site = Site(emptied(database), *SPEAKING, now=T0)
    if asked_of_all not in compiled:
        compiled[asked_of_all] = site.work.rules.alerts
        if asked_of_all:
            documents = {document["name"]: document for document in SPEAKING}
            compiled[True] = tuple(_all_of_them(rule, documents[rule.id]) for rule in site.work.rules.alerts)
    site.work.rules = replace(site.work.rules, alerts=compiled[asked_of_all])
    for resource in READINGS:
        poll(database, T0, resource=resource)
    now = T0
    for step in steps:
        now += step.minutes * MINUTE
        poll(database, now, *step.readings, resource=step.resource, seen=step.seen)
        if step.evaluated:
            if asked_of_all:
                with database.write() as connection:
                    connection.execute(sa.update(RULE).where(RULE.c.evaluated_seq > 1).values(evaluated_seq=1))
            evaluating.evaluate(site.work, now, FRESH)
    with database.read() as connection:
        return {table.name: _rows(connection, table) for table in (ALERT, TRANSITION, WAKE, INCIDENT, OUTBOX)}


def _rows(connection: sa.Connection, table: sa.Table) -> list[tuple[Any, ...]]:
    columns = [column for column in table.c if column.name not in NUMBERED]
    return sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=repr)


def test_asked_of_what_may_have_moved_or_of_everything_the_same_is_written_and_said(database: Database) -> None:
    compiled: dict[bool, tuple[CompiledRule, ...]] = {}

    @settings(
        max_examples=examples(9), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(st.lists(STEPS, min_size=1, max_size=6))
    @example(A_LOCATION_MOVES)
    @example(A_CHARGER_GOES)
    def law(steps: list[Step]) -> None:
        few, all_ = (left_by(database, steps, compiled, asked_of_all=how) for how in (False, True))
        assert few == all_

    law()
