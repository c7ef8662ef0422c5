"""Evaluation on real databases: what changed is matched, what is due moves, and a kill anywhere loses nothing."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from rules.alerts.evaluate import evaluate_rule
from rules.alerts.positions import rules_to_evaluate
from rules.registry.store import load_rules
from storage.engine import Database
from storage.schema import ALERT, INCIDENT
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session
from tests.rules.engine import FAULTED, Engine


def faulted(**values: Any) -> Any:
    return charger(connector(status="Faulted", **values))


def open_alerts(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(ALERT).where(ALERT.c.state.in_(["pending", "firing"]))))


def test_a_connector_faulted_for_half_an_hour_fires_once(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    assert engine.tick(at("10:00"), charger(connector())) == []
    assert engine.tick(at("10:01"), faulted(status_changed_at=at("10:00:37"))) == ["c1 inactive>pending since 10:00:37"]
    assert [line for minute in range(2, 31) for line in engine.tick(T0 + minute * MINUTE)] == []
    assert engine.tick(at("10:31")) == ["c1 pending>firing since 10:00:37"]
    assert engine.tick(at("10:32"), faulted()) == []


def test_a_spell_of_exactly_thirty_minutes_does_not_fire(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    engine.tick(at("10:29"), interval=10 * MINUTE)
    back = charger(connector(status_changed_at=at("10:30")))
    assert engine.tick(at("10:30"), back) == ["c1 pending>inactive since 10:00"]


def test_what_only_describes_a_charger_does_not_date_an_alert(database: Database) -> None:
    in_service = 'not (charger.labels contains "test") and charger.name != "Spare"'
    engine = Engine(database, {**FAULTED, "when": f'connector.status == "Faulted" and {in_service}'}, now=T0)
    long_ago = connector(status="Faulted", status_changed_at=at("09:50"))
    # the charger's row changes with every heartbeat, and is seen for the first time here
    assert engine.tick(T0, charger(long_ago, last_heartbeat=T0)) == ["c1 inactive>pending since 09:50"]
    tested = charger(long_ago, labels=("test",), last_heartbeat=T0)
    assert engine.tick(at("10:05"), tested) == ["c1 pending>inactive since 09:50"]
    again = engine.tick(at("10:10"), charger(long_ago, last_heartbeat=at("10:10")))
    assert again == ["c1 inactive>pending since 09:50"]


def test_a_restart_does_not_restart_for(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("09:50")))
    again = Engine(database, FAULTED, now=at("10:19"))
    assert again.tick(at("10:19")) == []
    assert again.tick(at("10:20")) == ["c1 pending>firing since 09:50"]


def test_a_new_rule_sees_since_when_a_thing_is_true(database: Database) -> None:
    poll(database, at("10:00"), faulted(status_changed_at=at("09:10")))
    engine = Engine(database, FAULTED, now=at("10:05"))
    assert engine.tick(at("10:05")) == ["c1 inactive>firing since 09:10"]


def test_a_recovered_connector_resolves_after_keep_firing_for(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    assert engine.tick(at("10:10"), charger(connector()), interval=10 * MINUTE) == []
    assert engine.tick(at("10:12"), faulted()) == []
    assert engine.tick(at("10:13"), charger(connector())) == []
    assert engine.tick(at("10:17"), interval=10 * MINUTE) == []
    assert engine.tick(at("10:18")) == ["c1 firing>resolved since 10:00"]


def test_while_not_true_or_unknown_holds_an_alert(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    how: dict[str, Any] = {"interval": 20 * MINUTE}
    engine.tick(at("10:20"), charger(connector(status="Faulted"), online=False), **how)
    assert [alert.held_since for alert in open_alerts(database)] == [at("10:20")]
    assert engine.tick(at("10:35"), **how) == []
    assert engine.tick(at("10:40"), charger(connector(status="Faulted"), online=None), **how) == []
    assert engine.tick(at("10:50"), faulted(), **how) == ["c1 pending>firing since 10:00"]


def test_an_unknown_status_neither_fires_nor_resolves(database: Database) -> None:
    engine = Engine(database, FAULTED | {"keep_firing_for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("09:00")))
    assert engine.tick(at("10:01"), charger(connector(status="Rebooting"))) == []
    assert engine.tick(at("10:02"), charger(connector(status=None))) == []
    assert engine.tick(at("10:03"), charger(connector())) == ["c1 firing>resolved since 09:00"]


def test_sides_of_an_or_that_take_turns_keep_one_alert(database: Database) -> None:
    rule = FAULTED | {"when": 'connector.status == "Faulted" or connector.error_code == "GroundFailure"'}
    engine = Engine(database, rule, now=T0)
    how: dict[str, Any] = {"interval": 20 * MINUTE}
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")), **how)
    both = faulted(status_changed_at=at("10:00"), error_code="GroundFailure")
    assert engine.tick(at("10:10"), both, **how) == []
    assert engine.tick(at("10:20"), charger(connector(error_code="GroundFailure")), **how) == []
    assert engine.tick(at("10:30"), **how) == ["c1 pending>firing since 10:00"]


def test_at_first_match_an_or_counts_from_its_earliest_true_side_and_an_and_from_its_latest(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Faulted", status_changed_at=at("09:10")), online=False))
    poll(database, at("10:01"), faulted(status_changed_at=at("09:10"), error_code="OverVoltage"))
    either = 'connector.error_code == "OverVoltage" or connector.status == "Faulted" or not charger.online'
    both = 'connector.error_code == "OverVoltage" and connector.status == "Faulted" and charger.online'
    rules = [
        {**FAULTED, "for": "0s", "name": name, "when": when} for name, when in [("either", either), ("both", both)]
    ]
    engine = Engine(database, *rules, now=at("10:02"))
    assert engine.tick(at("10:02")) == ["c1 inactive>firing since 10:01", "c1 inactive>firing since 09:10"]


def test_a_leaf_is_true_since_its_truth_changed_not_since_the_value_did(database: Database) -> None:
    for moment, status in [
        ("09:00", "Available"),
        ("09:10", "Faulted"),
        ("09:20", "Unavailable"),
        ("09:30", "Faulted"),
    ]:
        poll(database, at(moment), charger(connector(status=status)), interval=10 * MINUTE)
    rule = FAULTED | {"when": 'connector.status in ["Faulted", "Unavailable"]', "while": "true"}
    del rule["while"]
    engine = Engine(database, rule, now=at("09:31"))
    assert engine.tick(at("09:31")) == ["c1 inactive>pending since 09:10"]


def test_a_location_field_reaches_its_connectors(database: Database) -> None:
    rule = FAULTED | {"when": 'connector.status == "Faulted" and location.type == "public"', "for": "0s"}
    engine = Engine(database, rule, now=T0)
    poll(database, at("10:00"), location(type="private"), resource="locations")
    assert engine.tick(at("10:00"), faulted()) == []
    poll(database, at("10:01"), location(type="public"), resource="locations")
    assert engine.tick(at("10:01")) == ["c1 inactive>firing since 10:01"]


def test_a_rule_waits_until_every_resource_that_it_reads_is_fresh(database: Database) -> None:
    rule = FAULTED | {"when": 'connector.status == "Faulted" and location.type == "public"', "for": "0s"}
    engine = Engine(database, rule, now=T0)
    assert engine.tick(at("10:00"), faulted()) == []
    poll(database, at("10:01"), location(type="public"), resource="locations")
    assert engine.tick(at("10:01")) == ["c1 inactive>firing since 10:01"]


GAP_CASES = [
    # a fault at 10:00, seen at 10:01; polls until 10:10; nothing until 10:25; then every minute
    ("keep", "10:30", "10:00"),
    ("pause", "10:45", "10:00"),
    ("reset", "10:55", "10:25"),
]


@pytest.mark.parametrize(("on_gap", "fires_at", "active_at"), GAP_CASES)
def test_a_pending_alert_at_a_gap(database: Database, on_gap: str, fires_at: str, active_at: str) -> None:
    engine = Engine(database, FAULTED | {"on_gap": on_gap}, now=T0)
    engine.tick(at("10:00"), charger(connector()))
    engine.tick(at("10:01"), faulted(status_changed_at=at("10:00")))
    minutes = [*range(2, 11), *range(25, 60)]
    moved = [(T0 + minute * MINUTE, line) for minute in minutes for line in engine.tick(T0 + minute * MINUTE)]
    fired = [(moment, line) for moment, line in moved if "firing" in line]
    assert fired == [(at(fires_at), f"c1 pending>firing since {active_at}")]
    restarts = [line for _, line in moved if "inactive" in line]
    expected = ["c1 pending>inactive since 10:00", "c1 inactive>pending since 10:25"] if on_gap == "reset" else []
    assert restarts == expected


def test_a_gap_is_applied_once_even_when_killed_between_record_and_evaluate(database: Database) -> None:
    engine = Engine(database, FAULTED | {"on_gap": "pause"}, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    poll(database, at("10:10"))  # recorded, then killed before it was evaluated
    again = Engine(database, FAULTED | {"on_gap": "pause"}, now=at("10:11"))
    again.tick(at("10:11"))
    assert [alert.due_at for alert in open_alerts(database)] == [at("10:40")]
    again.tick(at("10:12"))
    assert [alert.due_at for alert in open_alerts(database)] == [at("10:40")]


def test_keep_firing_for_does_not_count_a_gap(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.tick(at("10:01"), charger(connector()))
    assert engine.tick(at("10:21")) == []
    assert [line for minute in range(22, 26) for line in engine.tick(T0 + minute * MINUTE)] == []
    assert engine.tick(at("10:26")) == ["c1 firing>resolved since 10:00"]


def test_a_change_recorded_before_a_kill_is_evaluated_after_it(database: Database) -> None:
    Engine(database, FAULTED, now=T0).tick(at("10:00"), charger(connector()))
    poll(database, at("10:01"), faulted(status_changed_at=at("10:00:30")))  # and killed here
    again = Engine(database, FAULTED, now=at("10:02"))
    assert again.tick(at("10:02")) == ["c1 inactive>pending since 10:00:30"]


def test_a_vanished_connector_ends_as_removed(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    nothing: dict[str, set[str]] = {"charger": {"ch1"}, "connector": set()}
    assert engine.tick(at("10:01"), seen=nothing) == []
    assert engine.tick(at("10:02"), seen=nothing) == ["c1 firing>resolved since 10:00"]
    assert engine.transitions[-1].reason == "removed"


def test_a_connector_that_comes_back_counts_from_its_return(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("09:00"), faulted())
    nothing: dict[str, set[str]] = {"charger": {"ch1"}, "connector": set()}
    for moment in ("09:10", "09:20"):
        engine.tick(at(moment), seen=nothing, interval=10 * MINUTE)
    assert engine.tick(at("10:00"), faulted(), interval=30 * MINUTE) == ["c1 inactive>pending since 10:00"]


def test_an_edited_rule_keeps_active_at_of_what_is_still_true(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    engine.use(FAULTED | {"for": "10m"}, now=at("10:05"))
    assert engine.tick(at("10:05"), interval=5 * MINUTE) == []
    assert engine.tick(at("10:10"), interval=5 * MINUTE) == ["c1 pending>firing since 10:00"]


def test_an_edited_condition_that_no_longer_holds_ends_as_rule_changed(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.use(FAULTED | {"for": "0s", "when": 'connector.status == "Unavailable"'}, now=at("10:01"))
    assert engine.tick(at("10:01")) == ["c1 firing>resolved since 10:00"]
    assert engine.transitions[-1].reason == "rule changed"


def test_a_deleted_rule_ends_its_alerts_as_rule_removed(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.use(now=at("10:01"))
    assert engine.transitions[-1].reason == "rule removed"
    assert engine.tick(at("10:02"), faulted()) == []
    engine.use(FAULTED | {"for": "0s"}, now=at("10:03"))
    assert engine.tick(at("10:03")) == ["c1 inactive>firing since 10:00"]


def test_alerts_of_one_location_share_an_incident_until_all_are_resolved(database: Database) -> None:
    rule = FAULTED | {"for": "0s", "keep_firing_for": "0s"}
    engine = Engine(database, rule, now=T0)

    def two(first: str, second: str) -> Any:
        return charger(connector("c1", first), connector("c2", second))

    def incidents() -> list[tuple[int, datetime | None]]:
        with database.read() as connection:
            statement = sa.select(INCIDENT.c.id, INCIDENT.c.resolved_at).order_by(INCIDENT.c.id)
            return [(row.id, row.resolved_at) for row in connection.execute(statement)]

    other = charger(connector("x1", "Faulted", charger="x"), charger_id="x", location_id="l2")
    engine.tick(at("10:00"), two("Faulted", "Available"), other)
    engine.tick(at("10:01"), two("Available", "Faulted"))
    engine.tick(at("10:02"), two("Faulted", "Available"))
    assert [resolved for _, resolved in incidents()] == [None, None]
    engine.tick(at("10:03"), two("Available", "Available"))
    assert sorted(str(resolved) for _, resolved in incidents()) == [str(at("10:03")), "None"]
    engine.tick(at("10:04"), two("Faulted", "Available"))
    assert len(incidents()) == 3


def test_a_rule_over_open_sessions_is_woken_when_the_moment_comes(database: Database) -> None:
    rule = {"name": "long", "for_each": "session", "when": "session.duration > 20m", "severity": "warning"}
    engine = Engine(database, rule, now=T0)
    assert engine.tick(at("10:00"), session("s1", started=at("09:45")), resource="sessions") == []
    moved = {
        f"{T0 + minute * MINUTE:%H:%M}": lines
        for minute in range(1, 20)
        if (lines := engine.tick(T0 + minute * MINUTE, resource="sessions"))
    }
    assert moved == {"10:06": ["s1 inactive>firing since 10:05"]}  # more than 20 minutes: not yet at 10:05
    ended = session("s1", started=at("09:45"), ended_at=at("10:21"))
    assert engine.tick(at("10:21"), ended, resource="sessions") == ["s1 firing>resolved since 10:05"]


def test_nothing_is_evaluated_where_nothing_changed_and_nothing_is_due(database: Database) -> None:
    engine = Engine(database, FAULTED, now=T0)
    engine.tick(at("10:00"), faulted())
    poll(database, at("10:01"))
    with database.read() as connection:
        alerts = load_rules(connection).alerts
        assert rules_to_evaluate(connection, alerts, at("10:01")) == []
        assert [rule.id for rule in rules_to_evaluate(connection, alerts, at("10:30"))] == ["faulted"]


def test_evaluating_the_same_moment_twice_moves_nothing_more(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    with database.read() as connection:
        (compiled,) = load_rules(connection).alerts
    with database.write() as connection:
        assert evaluate_rule(connection, compiled, at("10:00")).transitions == []


def test_an_incident_whose_member_comes_to_be_held_or_is_let_go_is_named(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(at("10:00"), faulted())
    with database.read() as connection:
        (compiled,) = load_rules(connection).alerts

    def held_after(moment: str, *, online: bool) -> bool:
        poll(database, at(moment), charger(connector(status="Faulted"), online=online))
        with database.write() as connection:
            return bool(evaluate_rule(connection, compiled, at(moment)).held_incidents)

    assert held_after("10:01", online=False)
    assert not held_after("10:02", online=False)
    assert held_after("10:03", online=True)
    assert not held_after("10:04", online=True)


def test_a_charger_that_moves_is_seen_by_the_location_that_it_leaves(database: Database) -> None:
    share = "share(location.chargers where not charger.online) >= 50 %"
    engine = Engine(database, {"name": "site-down", "for_each": "location", "when": share}, now=T0)
    engine.tick(at("10:00"), location("l1"), location("l2"), resource="locations")
    on, off = charger(charger_id="ch1"), charger(charger_id="ch2", online=False)
    assert engine.tick(at("10:01"), on, off) == ["l1 inactive>firing since 10:01"]
    assert engine.tick(at("10:02"), on) == []
    moved = charger(charger_id="ch2", online=False, location_id="l2")
    told = engine.tick(at("10:03"), moved)
    assert sorted(told) == ["l1 firing>resolved since 10:01", "l2 inactive>firing since 10:03"]
    assert engine.tick(at("10:04"), moved) == []
