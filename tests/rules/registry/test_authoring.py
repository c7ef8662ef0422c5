"""Rules made in Slack: versions with authors, what a change does to open alerts, and the rehearsal that says it."""

from datetime import datetime
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlmodel import SQLModel

from bot.service import evaluating, jobs
from eosvolt.client import EosvoltClient
from rules.documents.document import Rule, rule_from_document
from rules.language.errors import RuleErrors
from rules.registry.authoring import Outcome, RuleRefused, change_rule, create_rule, delete_rule, rehearse, switch_rule
from rules.registry.store import FROM_SLACK, load_rules, sync_rules
from storage.engine import Database
from storage.polls import after_bad_poll, poll_states, store_poll_states
from storage.schema import ALERT, RULE_VERSION
from tests.examples import examples
from tests.readings import MINUTE, T0, at, charger, connector, poll
from tests.rules.engine import Engine

ANNA, OLE = "U0ANNA", "U0OLE"
HOT: dict[str, Any] = {"name": "hot", "for_each": "connector", "when": 'connector.status == "Faulted"', "for": "10m"}


def made(**values: Any) -> Rule:
    return rule_from_document(HOT | values, FROM_SLACK)


def create(database: Database, rule: Rule, now: datetime = T0, **how: Any) -> Outcome:
    with database.write() as connection:
        return create_rule(connection, rule, ANNA, now, **how)


def change(database: Database, rule: Rule, base_version: int, now: datetime) -> Outcome:
    with database.write() as connection:
        return change_rule(connection, rule, OLE, now, base_version=base_version)


def contents(connection: Connection) -> dict[str, Any]:
    return {
        table.name: connection.execute(sa.select(table).order_by(*table.primary_key)).all()
        for table in SQLModel.metadata.sorted_tables
    }


def fleet(*statuses: str) -> Any:
    return charger(*(connector(f"c{number}", status) for number, status in enumerate(statuses)))


def history(database: Database) -> list[tuple[int, str, str]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(RULE_VERSION).order_by(RULE_VERSION.c.version)).all()
    return [(row.version, row.act, row.author) for row in rows]


def test_a_rule_is_made_changed_switched_and_deleted_and_its_history_says_by_whom(database: Database) -> None:
    create(database, made())
    change(database, made(severity="critical"), 1, at("10:01"))
    with database.write() as connection:
        switch_rule(connection, "hot", ANNA, at("10:02"), on=False, base_version=2)
        assert load_rules(connection).documents == {}
        switch_rule(connection, "hot", ANNA, at("10:03"), on=True, base_version=3)
        assert load_rules(connection).documents["hot"].severity == "critical"
        delete_rule(connection, "hot", OLE, at("10:04"), base_version=4)
        assert load_rules(connection).documents == {}
    again = create(database, made(), at("10:05"), base_version=5)
    assert again.version == 6
    assert history(database) == [
        (1, "created", ANNA),
        (2, "changed", OLE),
        (3, "switched off", ANNA),
        (4, "switched on", ANNA),
        (5, "deleted", OLE),
        (6, "created", ANNA),
    ]


def test_files_never_touch_it_and_a_restart_keeps_it(database: Database) -> None:
    create(database, made())
    with database.write() as connection:
        sync_rules(connection, [rule_from_document(HOT | {"name": "other"}, "site.yaml")], T0)
        assert sorted(load_rules(connection).documents) == ["hot", "other"]
        sync_rules(connection, [], T0)
        assert sorted(load_rules(connection).documents) == ["hot"]


def test_a_change_keeps_what_is_still_true_ends_the_rest_and_opens_what_is_new(database: Database) -> None:
    engine = Engine(database, now=T0)
    create(database, made(**{"for": "0m"}))
    engine.tick(at("10:00"), fleet("Faulted", "Faulted", "Unavailable", "Available"))
    wider = made(**{"for": "0m", "when": 'connector.id != "c0" and connector.status in ["Faulted", "Unavailable"]'})
    with database.write() as connection:
        told = rehearse(
            connection,
            lambda inside: change_rule(inside, wider, OLE, at("10:01"), base_version=1, rehearsed=True),
        )
    done = change(database, wider, 1, at("10:01"))
    assert (done.stay, done.ended, done.firing, done.pending) == (1, {"rule changed": 1}, 1, 0)
    assert (told.stay, told.ended, told.firing, told.pending) == (1, {"rule changed": 1}, 1, 0)
    with database.read() as connection:
        rows = connection.execute(sa.select(ALERT).where(ALERT.c.subject == "c1")).all()
    assert [(row.state, row.active_at) for row in rows] == [("firing", T0)]


def test_a_change_ends_what_is_false_as_rule_changed_though_a_gap_is_applied_with_it(database: Database) -> None:
    engine = Engine(database, now=T0)
    create(database, made(**{"for": "0m"}))
    engine.tick(at("10:00"), fleet("Faulted"))
    poll(database, at("10:30"), fleet("Faulted"))
    done = change(database, made(when='connector.status == "Unavailable"'), 1, at("10:30"))
    assert done.ended == {"rule changed": 1}


def test_a_change_of_what_it_is_about_ends_every_alert(database: Database) -> None:
    engine = Engine(database, now=T0)
    create(database, made(**{"for": "0m"}))
    engine.tick(at("10:00"), fleet("Faulted"))
    offline = made(for_each="charger", when="not charger.online")
    done = change(database, offline, 1, at("10:01"))
    assert (done.stay, done.ended) == (0, {"rule changed": 1})


conditions = st.sampled_from(
    [
        'connector.status == "Faulted"',
        'connector.status in ["Faulted", "Unavailable"]',
        'connector.status != "Available"',
        "charger.online",
        'connector.error_code == "GroundFailure"',
    ]
)
rules = st.builds(lambda when, wait: made(when=when, **{"for": wait}), conditions, st.sampled_from(["0m", "2m", "10m"]))
states = st.lists(st.sampled_from(["Faulted", "Unavailable", "Available", "Odd"]), min_size=1, max_size=3)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=rules, after=rules, told=st.lists(states, min_size=1, max_size=4))
def test_what_a_rehearsal_tells_is_what_then_happens_and_it_leaves_no_trace(
    sqlite: Database, before: Rule, after: Rule, told: list[list[str]]
) -> None:
    with sqlite.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    engine = Engine(sqlite, now=T0)
    create(sqlite, before)
    now = T0
    for statuses in told:
        now += MINUTE
        engine.tick(now, fleet(*statuses))
    if after.document == before.document:
        return
    with sqlite.write() as connection:
        stood = contents(connection)
        rehearsed = rehearse(
            connection, lambda inside: change_rule(inside, after, OLE, now, base_version=1, rehearsed=True)
        )
        assert contents(connection) == stood
        done = change_rule(connection, after, OLE, now, base_version=1)
    assert counted(rehearsed) == counted(done)
    assert engine.evaluate(now) == []  # nothing is left for the next evaluation


def counted(outcome: Outcome) -> tuple[Any, ...]:
    moved = sorted((move.subject, str(move.from_state), str(move.to_state)) for move in outcome.transitions)
    return outcome.stay, outcome.ended, outcome.pending, outcome.firing, moved


def test_of_two_who_change_the_same_version_the_second_is_told(database: Database) -> None:
    create(database, made())
    change(database, made(severity="critical"), 1, at("10:01"))
    with pytest.raises(RuleRefused, match="changed meanwhile: it is at version 2, and you were shown 1") as refused:
        change(database, made(severity="info"), 1, at("10:02"))
    assert refused.value.who == OLE
    with database.write() as connection, pytest.raises(RuleRefused, match="you were shown 1"):
        delete_rule(connection, "hot", ANNA, at("10:02"), base_version=1)


def test_a_rule_of_a_file_is_read_only_and_the_error_names_the_file(database: Database) -> None:
    with database.write() as connection:
        sync_rules(connection, [rule_from_document(HOT, "rules/site.yaml")], T0)
    read_only = r'Rule "hot" stands in rules/site\.yaml and can only be changed there'
    with database.write() as connection:
        with pytest.raises(RuleRefused, match=read_only):
            change_rule(connection, made(severity="info"), ANNA, T0, base_version=1)
        with pytest.raises(RuleRefused, match=read_only):
            switch_rule(connection, "hot", ANNA, T0, on=False, base_version=1)
        with pytest.raises(RuleRefused, match=read_only):
            delete_rule(connection, "hot", ANNA, T0, base_version=1)
        with pytest.raises(RuleRefused, match=r'The name "hot" is taken: that rule stands in rules/site\.yaml'):
            create_rule(connection, made(), ANNA, T0)


def test_a_file_that_takes_the_name_of_a_rule_made_in_slack_is_refused_and_changes_nothing(database: Database) -> None:
    create(database, made())
    from_file = [rule_from_document(HOT | {"name": name}, "rules/site.yaml") for name in ("another", "hot")]
    with (
        database.write() as connection,
        pytest.raises(RuleErrors, match=r"rules/site\.yaml: .*taken by a rule"),
    ):
        sync_rules(connection, from_file, T0)
    with database.read() as connection:
        assert list(load_rules(connection).documents) == ["hot"]


def test_what_would_change_nothing_or_is_not_there_is_refused(database: Database) -> None:
    create(database, made())
    with pytest.raises(RuleRefused, match="says exactly this already"):
        change(database, made(), 1, T0)
    with pytest.raises(RuleRefused, match="is taken: that rule was made in Slack"):
        create(database, made())
    with pytest.raises(RuleRefused, match=r'no rule "hut"; did you mean "hot"'):
        change(database, made(name="hut"), 1, T0)
    with pytest.raises(RuleErrors, match='no alert rule is called "hott"'):
        create(database, made(name="source", inhibits=["hott"]))


def test_switched_off_ends_its_alerts_as_rule_removed_and_on_opens_them_anew(database: Database) -> None:
    engine = Engine(database, now=T0)
    create(database, made(**{"for": "0m"}))
    engine.tick(at("10:00"), fleet("Faulted"))
    with database.write() as connection:
        off = switch_rule(connection, "hot", ANNA, at("10:01"), on=False, base_version=1)
        assert (off.ended, off.stay) == ({"rule removed": 1}, 0)
        on = switch_rule(connection, "hot", ANNA, at("10:02"), on=True, base_version=2)
        assert (on.firing, on.stay) == (1, 0)


def test_while_the_data_is_stale_a_new_rule_waits_for_the_next_good_poll(database: Database) -> None:
    engine = Engine(database, now=T0)
    engine.tick(at("10:00"), fleet("Faulted"))
    with database.write() as connection:
        state = poll_states(connection)["chargers"]
        store_poll_states(connection, [after_bad_poll("chargers", at("10:01"), "refused", state=state)])
    done = create(database, made(**{"for": "0m"}), at("10:02"))
    assert (done.evaluated, done.firing) == (False, 0)
    assert engine.tick(at("10:03"), fleet("Faulted")) == ["c0 inactive>firing since 10:00"]


def test_an_evaluation_with_a_version_that_was_just_replaced_moves_nothing(database: Database) -> None:
    work = jobs.Jobs(database, cast("EosvoltClient", None), alert_channel="#a", run=jobs.run_inline)
    create(database, made(**{"for": "0m"}))
    with database.read() as connection:
        work.rules = load_rules(connection)
    change(database, made(when='connector.status == "Unavailable"'), 1, at("10:00"))
    poll(database, at("10:01"), fleet("Faulted"))
    assert evaluating.evaluate(work, at("10:01"), ["chargers"]) == []
    with database.read() as connection:
        work.rules = load_rules(connection)
    assert evaluating.evaluate(work, at("10:01"), ["chargers"]) == []


def test_a_rule_that_a_database_cannot_run_is_refused_where_it_is_tried(database: Database) -> None:
    deep = "not (" * 15 + "charger.online" + " and charger.online)" * 15
    with pytest.raises(RuleErrors, match="a database cannot run it"):
        create(database, made(when=deep), rehearsed=True)
