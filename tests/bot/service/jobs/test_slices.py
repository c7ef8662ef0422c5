"""Rules share a transaction for a moment: what fails of one, or of the transaction, takes nothing from the others."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import evaluating
from rules.alerts.evaluate import evaluate_rule
from rules.alerts.positions import read_positions
from rules.lifecycle import Transition
from storage import prepared
from storage.engine import Database
from storage.prepared import execute
from storage.schema import ALERT, OUTBOX, RULE
from tests.bot.service.jobs.site import FRESH, Site
from tests.readings import T0, at, charger, connector, location, poll

NAMES = ("a", "b", "c")


def site_of(database: Database) -> Site:
    when = 'connector.status == "Faulted"'
    made = Site(
        database, *({"name": name, "for_each": "connector", "when": when, "severity": "info"} for name in NAMES), now=T0
    )
    made.tick(T0, location(), resource="locations")
    made.tick(T0, charger(connector()))
    poll(database, at("10:01"), charger(connector(status="Faulted")))
    return made


def found(site: Site) -> tuple[list[str], list[str], set[bool]]:
    """The rules that have an alert, those that have a card, and whether each has seen the change."""
    alerts = site.rows(sa.select(ALERT.c.rule_id).order_by(ALERT.c.rule_id))
    cards = site.rows(sa.select(OUTBOX.c.rule_id).order_by(OUTBOX.c.rule_id))
    seen = site.rows(sa.select(RULE.c.evaluated_seq))
    return [row[0] for row in alerts], [row[0] for row in cards], {row[0] > 1 for row in seen}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slice take as long as a slow machine needs."""
    monkeypatch.setattr(evaluating, "SLICE", 60.0)


@pytest.mark.usefixtures("patient")
def test_rules_that_are_soon_done_are_written_in_one_transaction(sqlite: Database) -> None:
    site, commits = site_of(sqlite), list[object]()
    sa.event.listen(sqlite.engine, "commit", commits.append)
    assert len(evaluating.evaluate(site.work, at("10:01"), FRESH)) == 3
    assert len(commits) < len(NAMES)
    assert found(site) == ([*NAMES], [*NAMES], {True})


def test_a_rule_that_fails_after_it_has_written_leaves_nothing_and_takes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(database)

    def break_one(connection: sa.Connection, rule: Any, *more: Any) -> Any:
        evaluated = evaluate_rule(connection, rule, *more)
        if rule.id == "b":
            connection.execute(sa.text("SELECT nothing FROM nowhere"))
        return evaluated

    monkeypatch.setattr(evaluating, "evaluate_rule", break_one)
    moved = evaluating.evaluate(site.work, at("10:01"), FRESH)
    assert [one.rule_id for one in moved if isinstance(one, Transition)] == ["a", "c"]
    assert found(site)[:2] == (["a", "c"], ["a", "c"])
    assert list(site.work.broken["rule"]) == ["b"]
    monkeypatch.undo()
    assert len(evaluating.evaluate(site.work, at("10:02"), FRESH)) == 1
    assert found(site) == ([*NAMES], [*NAMES], {True})


@pytest.mark.usefixtures("patient")
def test_a_transaction_that_cannot_be_committed_is_made_again_rule_by_rule(database: Database) -> None:
    site, failures = site_of(database), [RuntimeError("the disk is full")]

    def fail_once(_: sa.Connection) -> None:
        if failures:
            raise failures.pop()

    sa.event.listen(database.engine, "commit", fail_once)
    assert len(evaluating.evaluate(site.work, at("10:01"), FRESH)) == 3
    assert not failures
    assert found(site) == ([*NAMES], [*NAMES], {True})
    assert site.work.broken == {}


@pytest.mark.usefixtures("patient")
def test_a_question_about_several_rules_that_fails_because_of_one_takes_nothing_from_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(database)

    def break_one(connection: sa.Connection, rule_ids: Any, *more: Any) -> Any:
        if "b" in rule_ids:
            connection.execute(sa.text("SELECT nothing FROM nowhere"))
        return read_positions(connection, rule_ids, *more)

    monkeypatch.setattr(evaluating, "read_positions", break_one)
    evaluating.evaluate(site.work, at("10:01"), FRESH)
    assert found(site)[:2] == (["a", "c"], ["a", "c"])
    assert list(site.work.broken["rule"]) == ["b"]


@pytest.mark.usefixtures("patient")
def test_a_rule_that_somebody_switched_off_or_edited_meanwhile_is_left_alone(database: Database) -> None:
    site = site_of(database)
    with database.write() as connection:
        connection.execute(sa.update(RULE).where(RULE.c.id == "a").values(enabled=False))
        connection.execute(sa.update(RULE).where(RULE.c.id == "c").values(version=RULE.c.version + 1))
    moved = evaluating.evaluate(site.work, at("10:01"), FRESH)
    assert [one.rule_id for one in moved if isinstance(one, Transition)] == ["b"]
    assert found(site)[:2] == (["b"], ["b"])
    assert site.work.broken == {}


@pytest.mark.usefixtures("patient")
def test_what_is_asked_of_several_rules_is_asked_no_more_often_for_more_of_them(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, asked, once = site_of(sqlite), Counter[str](), ("silence", "inhibition", "subscription")

    def counted(connection: sa.Connection, sql: str, values: Any) -> Any:
        asked.update(name for name in once if f"FROM {name}" in sql)
        return execute(connection, sql, values)

    monkeypatch.setattr(prepared, "execute", counted)
    assert len(evaluating.evaluate(site.work, at("10:01"), FRESH)) == len(NAMES)
    assert asked == dict.fromkeys(once, 1)
