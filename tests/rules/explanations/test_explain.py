"""What `explain` says of one rule and one subject: on both databases, from readings recorded as polls are."""

from typing import Any

import pytest

from bot.trials.reports import render_explanation
from rules.explanations.clause_truths import Clause
from rules.explanations.explain import ExplainError, Explanation, explain
from rules.lifecycle import State
from storage.engine import Database
from storage.polls import after_bad_poll, poll_states, store_poll_states
from storage.recording.staleness import mark_stale
from tests.readings import MINUTE, at, charger, connector, location, session
from tests.rules.engine import FAULTED, Engine

BUSY = {
    "name": "busy",
    "for_each": "connector",
    "when": 'connector.status in ["Charging", "SuspendedEV"] and not (connector.power > 1 kW or not charger.online)',
    "for": "15m",
}


def why(database: Database, rule: str, subject: str, now: str) -> Explanation:
    with database.read() as connection:
        return explain(connection, rule, subject, at(now))


def told(clause: Clause) -> list[tuple[str, Any, str | None]]:
    """A clause and those below it: text, truth, since."""
    since = f"{clause.since:%H:%M}" if clause.since else None
    return [(clause.text, clause.truth, since), *(item for below in clause.clauses for item in told(below))]


def test_each_clause_tells_its_truth_its_value_and_since_when(database: Database) -> None:
    engine = Engine(database, BUSY, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Available", power_kw=0.0)))
    engine.tick(at("10:05"), charger(connector("c1", "Charging", power_kw=0.0)))
    explained = why(database, "busy", "c1", "10:10")
    assert told(explained.when) == [
        (BUSY["when"], True, "10:05"),
        ('connector.status in ["Charging", "SuspendedEV"]', True, "10:05"),
        ("not (connector.power > 1 kW or not charger.online)", True, "10:00"),
        ("connector.power > 1 kW or not charger.online", False, "10:00"),
        ("connector.power > 1 kW", False, "10:00"),
        ("not charger.online", False, "10:00"),
        ("charger.online", True, "10:00"),
    ]
    leaf = explained.when.clauses[1].clauses[0].clauses[0]
    assert [(item.text, item.value) for item in leaf.observed] == [("connector.power", 0.0)]
    assert (explained.earliest, explained.assuming) == (at("10:20"), "if the condition stays true")


def test_what_is_missing_is_named_and_makes_unknown(database: Database) -> None:
    engine = Engine(database, BUSY, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Charging")))
    explained = why(database, "busy", "c1", "10:01")
    assert (explained.when.truth, explained.when.since) == (None, None)
    assert explained.when.missing == ("connector.power",)
    assert explained.held
    assert explained.assuming == "once the condition is known and true again"


def test_while_that_is_not_true_holds(database: Database) -> None:
    engine = Engine(database, FAULTED, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Faulted")))
    engine.tick(at("10:10"), charger(connector("c1", "Faulted"), online=False))
    explained = why(database, "faulted", "c1", "10:12")
    assert explained.while_ is not None
    assert told(explained.while_) == [("charger.online", False, "10:10")]
    assert explained.held
    assert explained.alert is not None
    assert (explained.alert.state, explained.alert.held_since) == (State.PENDING, at("10:10"))
    assert (explained.earliest, explained.assuming) == (at("10:30"), 'once "charger.online" is true again')


def test_a_false_condition_could_fire_after_its_for(database: Database) -> None:
    engine = Engine(database, FAULTED, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Available")))
    explained = why(database, "faulted", "c1", "10:01")
    assert (explained.when.truth, explained.alert) == (False, None)
    assert (explained.earliest, explained.assuming) == (at("10:31"), "if the condition became true now")


def test_past_transitions_carry_their_traces(database: Database) -> None:
    engine = Engine(database, FAULTED, now=at("10:00"))
    for minute in range(40):
        status = "Faulted" if minute < 32 else "Available"
        engine.tick(at("10:00") + minute * MINUTE, charger(connector("c1", status, error_code="GroundFailure")))
    explained = why(database, "faulted", "c1", "10:40")
    assert [(moved.at, moved.to_state) for moved in explained.past] == [
        (at("10:00"), "pending"),
        (at("10:30"), "firing"),
        (at("10:37"), "resolved"),
    ]
    assert [moved.trace["values"] for moved in explained.past] == [
        {"charger.online": True, "connector.status": "Faulted"},
        {"charger.online": True, "connector.status": "Faulted"},  # though nothing changed and only time passed
        {"charger.online": True, "connector.status": "Available"},
    ]
    assert explained.alert is not None
    assert (explained.alert.state, explained.alert.ended_because) == (State.RESOLVED, "recovered")


def test_data_that_is_not_fresh_says_so(database: Database) -> None:
    engine = Engine(database, FAULTED, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Faulted")))
    with database.write() as connection:
        state = poll_states(connection)["chargers"]
        store_poll_states(connection, [after_bad_poll("chargers", at("10:01"), "timed out", state=state)])
    explained = why(database, "faulted", "c1", "10:02")
    assert [(item.resource, item.good_at, item.fresh) for item in explained.freshness] == [
        ("chargers", at("10:00"), False)
    ]
    assert "nothing fires and nothing resolves" in explained.notes[0]


def test_a_session_is_explained_with_the_clock(database: Database) -> None:
    rule = {"name": "long", "for_each": "session", "when": "session.duration > 1h and session.energy < 1 kWh"}
    engine = Engine(database, rule, now=at("10:00"))
    engine.tick(at("10:00"), location(), resource="locations")
    engine.tick(at("10:00"), charger(connector("c1", "Charging")))
    engine.tick(at("10:00"), session("s1", started=at("09:30"), energy_kwh=0.5), resource="sessions")
    explained = why(database, "long", "s1", "10:00")
    duration, energy = explained.when.clauses
    assert (duration.truth, duration.observed[0].value, duration.since) == (False, 1800, at("09:30"))
    assert (energy.truth, energy.observed[0].value) == (True, 0.5)


def test_members_that_cannot_be_read_hold_a_rule_and_are_counted(database: Database) -> None:
    rule = {"name": "half", "for_each": "location", "when": "share(location.chargers where not charger.online) >= 50 %"}
    engine = Engine(database, rule, now=at("10:00"))
    both = [charger(charger_id=name, online=name == "ch2") for name in ("ch1", "ch2")]
    engine.tick(at("10:00"), location(), resource="locations")
    engine.tick(at("10:00"), *both)
    assert [moved.to_state for moved in why(database, "half", "l1", "10:00").past] == ["firing"]
    with database.write() as connection:
        mark_stale(connection, {"charger": {"ch1"}}, at("10:01"))
    engine.tick(at("10:01"))
    explained = why(database, "half", "l1", "10:01")
    assert explained.alert is not None
    assert (explained.held, explained.alert.state, explained.alert.held_since) == (True, State.FIRING, at("10:01"))
    assert "share(location.chargers where not charger.online): 1 cannot be read now" in render_explanation(explained)
    engine.tick(at("10:02"), *(charger(charger_id=name) for name in ("ch1", "ch2")))
    assert why(database, "half", "l1", "10:02").past[-1].to_state == "resolved"


def test_windows_related_things_and_local_time_are_told_with_their_values(database: Database) -> None:
    when = (
        "share(location.chargers where not charger.online) >= 50 % and changes(connector.status, 1h) < 4 "
        'and since(connector.status) >= 5m and weekday in ["Monday"] and hours("09:00-17:00")'
    )
    engine = Engine(database, {"name": "site", "for_each": "connector", "when": when}, now=at("10:00"))
    engine.tick(at("10:00"), location(), resource="locations")
    plug = connector("c1", status_changed_at=at("08:00"))
    engine.tick(at("10:00"), charger(plug, online=False), charger(charger_id="ch2"))
    explained = why(database, "site", "c1", "10:10")
    assert [clause.truth for clause in explained.when.clauses] == [True] * 5
    values = [item.value for clause in explained.when.clauses for item in clause.observed]
    assert values == [0.5, 0, 7800, "Monday"]
    assert "share(location.chargers where not charger.online) is 50 %" in render_explanation(explained)


def test_a_window_that_history_does_not_cover_says_how_much_it_has_seen(database: Database) -> None:
    when = (
        "changes(connector.status, 24h) >= 4 or count(connector.sessions, 840h) == 0 "
        "or count(last(20, connector.sessions) where session.energy < 0.1 kWh) >= 3 "
        "or streak(connector.sessions where session.energy < 0.1 kWh) >= 3 or uptime(connector, 30d) < 97 %"
    )
    engine = Engine(database, {"name": "young", "for_each": "connector", "when": when}, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Available")))
    empty = session("s1", started=at("09:00"), ended_at=at("09:10"), energy_kwh=0.0)
    engine.tick(at("10:00"), empty, resource="sessions")
    explained = why(database, "young", "c1", "13:00")
    assert [clause.truth for clause in explained.when.clauses] == [None, False, None, None, None]
    told = [line.strip() for line in render_explanation(explained).splitlines() if "is learning" in line]
    assert told == [
        "changes(connector.status, 24h) is learning: 3 h of 1 d seen",
        "count(last(20, connector.sessions) where session.energy < 0.1 kWh) is learning: 1 of 20 sessions seen",
        (
            "streak(connector.sessions where session.energy < 0.1 kWh) is learning: 1 session seen, "
            "and none that ends the streak"
        ),
        "uptime(connector, 30d) is learning: 3 h of 30 d seen",
    ]
    assert why(database, "young", "c1", "13:00").when.truth is None


def test_a_rule_that_is_not_there_names_the_nearest(database: Database) -> None:
    Engine(database, FAULTED, BUSY, now=at("10:00"))
    with pytest.raises(ExplainError, match=r'there is no rule "fautled"; did you mean "faulted"\?'):
        why(database, "fautled", "c1", "10:00")


def test_a_subject_that_is_not_there_names_the_nearest_or_what_stands_there(database: Database) -> None:
    engine = Engine(database, FAULTED, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("242.2.1"), connector("242.2.2")))
    with pytest.raises(ExplainError, match=r'there is no connector "242.2.3"; did you mean "242.2'):
        why(database, "faulted", "242.2.3", "10:00")
    with pytest.raises(ExplainError, match=r'no connector "ch1"; that is a charger, with 242.2.1, 242.2.2'):
        why(database, "faulted", "ch1", "10:00")


def test_a_digest_has_no_subjects(database: Database) -> None:
    Engine(database, {"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}, now=at("10:00"))
    with pytest.raises(ExplainError, match="no alert rule"):
        why(database, "daily", "c1", "10:00")


def test_the_text_for_a_terminal_says_it_all(sqlite: Database) -> None:
    engine = Engine(sqlite, FAULTED, now=at("10:00"))
    engine.tick(at("10:00"), charger(connector("c1", "Available")))
    engine.tick(at("10:05"), charger(connector("c1", "Faulted")))
    engine.tick(at("10:10"), charger(connector("c1", "Faulted"), online=None))
    assert render_explanation(why(sqlite, "faulted", "c1", "10:12")).splitlines() == [
        "faulted on c1, 2026-03-02 10:12:00 UTC",
        (
            "  Pending; true since 2026-03-02 10:05:00 UTC, "
            "held since 2026-03-02 10:10:00 UTC: it neither fires nor resolves."
        ),
        "",
        "when:",
        '  true    connector.status == "Faulted" since 2026-03-02 10:05:00 UTC',
        '          connector.status is "Faulted"',
        "while:",
        "  unknown charger.online",
        "          charger.online is unknown",
        "unknown: charger.online",
        'fires: at the earliest 2026-03-02 10:35:00 UTC, once "charger.online" is true again',
        "data:",
        "  chargers: last good poll 2026-03-02 10:10:00 UTC",
        "past:",
        "  2026-03-02 10:05:00 UTC  inactive > pending (condition true)",
        "    charger.online = true, connector.status = Faulted",
    ]
