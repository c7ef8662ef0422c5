"""Event rules on real databases: judged once settled, announced once, and nothing from before the first sync."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.alerts.events import evaluate_events, event_rules_to_evaluate
from rules.registry.store import load_rules
from storage.engine import Database
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session
from tests.rules.alerts.event_engine import EventEngine, ended
from tests.rules.alerts.test_event_sources import links, status

DAY = timedelta(days=1)
ZERO_ENERGY: dict[str, Any] = {
    "name": "zero-energy",
    "on": "session.ended",
    "when": "session.energy < 0.1 kWh and session.duration >= 2m",
}


def test_an_event_is_announced_once_it_has_been_unchanged_for_settle(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    assert engine.tick("10:00") == []
    assert engine.tick("10:01", session("s1", started=at("10:01"), energy_kwh=0.0)) == []
    assert engine.tick("10:06", ended(), interval=5 * MINUTE) == []
    assert engine.tick("10:07") == []
    assert engine.tick("10:08") == ["s1 session.ended at 10:06:00"]
    assert engine.quiet("10:09", "10:20") == []
    assert engine.verdicts() == {"session.ended:s1": "announced"}


def test_what_does_not_match_is_judged_once_and_never_announced(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    assert engine.tick("10:01", ended(energy_kwh=5.0)) == []
    assert engine.quiet("10:02", "10:04") == []
    assert engine.verdicts() == {"session.ended:s1": "not matched"}
    assert engine.tick("10:05", ended(energy_kwh=0.01)) == []
    assert engine.quiet("10:06", "10:10") == []


def test_a_session_that_was_there_at_the_first_sync_is_no_event_until_it_ends(database: Database) -> None:
    rules = [{"name": event.replace(".", "-"), "on": event} for event in ("session.started", "session.ended")]
    engine = EventEngine(database, *rules)
    first = [ended("old", "09:30", "09:50"), session("open", started=at("09:55"))]
    assert engine.tick("10:00", *first) == []
    assert engine.quiet("10:01", "10:05") == []
    engine.tick("10:06", ended("open", "09:55", "10:05:30"))
    assert engine.quiet("10:07", "10:10") == ["10:08 open session.ended at 10:05:30"]


def test_a_first_sync_that_comes_late_makes_no_events_of_what_happened_before_it(database: Database) -> None:
    engine = EventEngine(database, {"name": "ended", "on": "session.ended"})
    assert engine.tick("10:30", ended(end="10:20")) == []
    assert engine.quiet("10:31", "10:35") == []
    assert engine.verdicts() == {}


def test_a_rule_made_later_announces_only_what_happens_after_it_was_made(database: Database) -> None:
    engine = EventEngine(database)
    engine.tick("10:00")
    engine.tick("10:10", ended("before", end="10:09"), interval=10 * MINUTE)
    engine.use({"name": "ended", "on": "session.ended"}, now=at("10:10:30"))
    engine.tick("10:11", ended("between", end="10:10:20"), ended("after", end="10:10:40"))
    assert engine.quiet("10:12", "10:15") == ["10:13 after session.ended at 10:10:40"]


def test_a_change_within_settle_begins_the_wait_anew(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    engine.tick("10:06", ended(), interval=6 * MINUTE)
    engine.tick("10:07", ended(energy_kwh=0.05))
    assert engine.tick("10:08") == []
    assert engine.tick("10:09", ended(energy_kwh=0.05, stop_reason="EVDisconnected")) == [
        "s1 session.ended at 10:06:00"
    ]


def test_energy_that_arrives_late_is_waited_for(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    engine.tick("10:06", ended(energy_kwh=None), interval=6 * MINUTE)
    assert engine.quiet("10:07", "10:20") == []
    engine.tick("10:21", ended(energy_kwh=0.0))
    assert engine.quiet("10:22", "10:30") == ["10:23 s1 session.ended at 10:06:00"]


def test_what_is_older_than_max_age_is_not_announced(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY | {"max_age": "30m"})
    engine.tick("10:00")
    engine.tick("10:06", ended(energy_kwh=None), interval=6 * MINUTE)
    assert engine.quiet("10:07", "10:37") == []
    assert engine.verdicts() == {"session.ended:s1": "too old"}
    late = [ended("s2", "10:01", "10:07", energy_kwh=0.0), ended("s3", "10:01", "10:20", energy_kwh=0.0)]
    engine.tick("10:38", *late)
    assert engine.quiet("10:39", "10:45") == ["10:40 s3 session.ended at 10:20:00"]


def test_without_settle_an_event_is_announced_at_the_poll_that_shows_it(database: Database) -> None:
    engine = EventEngine(database, {"name": "started", "on": "session.started", "settle": "0s"})
    engine.tick("10:00")
    assert engine.tick("10:01", session("s1", started=at("10:00:20"))) == ["s1 session.started at 10:00:20"]
    assert engine.tick("10:02", session("s1", started=at("10:00:20"), energy_kwh=1.0)) == []


def test_a_booking_begins_nothing_until_it_does(database: Database) -> None:
    engine = EventEngine(database, {"name": "started", "on": "session.started", "settle": "0s"})
    engine.tick("10:00")
    booked: dict[str, Any] = {"started": at("10:05"), "status": "Pending", "type": "Booking"}
    assert engine.tick("10:01", session("s1", **booked)) == []
    assert engine.quiet("10:02", "10:05") == []
    assert engine.tick("10:06", session("s1", started=at("10:05"))) == ["s1 session.started at 10:05:00"]


def test_energy_that_grows_does_not_hold_up_the_start_of_a_session(database: Database) -> None:
    engine = EventEngine(database, {"name": "started", "on": "session.started"})
    engine.tick("10:00")
    told = [
        line
        for minute in range(1, 6)
        for line in engine.tick(f"10:0{minute}", session("s1", started=at("10:00:30"), energy_kwh=0.5 * minute))
    ]
    assert told == ["s1 session.started at 10:00:30"]


def test_a_failed_session_is_an_event_of_its_own(database: Database) -> None:
    engine = EventEngine(database, {"name": "failed", "on": "session.failed", "when": "session.fail_reason is unknown"})
    engine.tick("10:00")
    good = ended("good", end="10:05:30")
    bad = ended("bad", end="10:05:40", status="Failed")
    known = ended("known", end="10:05:50", status="Failed", fail_reason="NoAuth")
    engine.tick("10:06", good, bad, known, interval=6 * MINUTE)
    assert engine.quiet("10:07", "10:10") == ["10:08 bad session.failed at 10:05:40"]


def test_a_moment_without_knowledge_delays_an_event_and_loses_none(database: Database) -> None:
    engine = EventEngine(database, {"name": "link", "on": "charger.online"})
    assert links(engine, False, True, None, None, None, True, True, True, True) == [
        "10:07 ch1 charger.online at 10:01:00"
    ]


def test_a_kill_between_record_and_evaluate_loses_no_event(database: Database) -> None:
    EventEngine(database, ZERO_ENERGY).tick("10:00")
    poll(database, at("10:06"), ended(), resource="sessions", interval=6 * MINUTE)  # and killed here
    again = EventEngine(database, ZERO_ENERGY, now=at("10:07"))
    assert again.quiet("10:07", "10:12") == ["10:08 s1 session.ended at 10:06:00"]


def test_a_kill_after_the_first_sync_loses_nothing_that_happens_next(database: Database) -> None:
    EventEngine(database, ZERO_ENERGY)
    poll(database, at("10:00"), ended("old", "09:00", "09:50"), resource="sessions")
    poll(database, at("10:01"), ended("new", "09:50", "10:00:30"), resource="sessions")
    again = EventEngine(database, ZERO_ENERGY, now=at("10:02"))
    assert again.quiet("10:02", "10:12") == ["10:03 new session.ended at 10:00:30"]


def test_a_rolled_back_evaluation_announces_again(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY | {"settle": "0s"})
    engine.tick("10:00")
    poll(database, at("10:06"), ended(), resource="sessions", interval=6 * MINUTE)
    with database.read() as connection:
        (compiled,) = load_rules(connection).events

    def fail_after_evaluation() -> None:
        with database.write() as connection:
            assert len(evaluate_events(connection, compiled, at("10:06"))) == 1
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_after_evaluation()
    assert engine.evaluate("10:06") == ["s1 session.ended at 10:06:00"]
    with database.write() as connection:
        assert evaluate_events(connection, compiled, at("10:06")) == []


def test_a_poll_recorded_twice_makes_no_second_event(database: Database) -> None:
    engine = EventEngine(database, {"name": "changed", "on": "status.changed", "settle": "0s"})
    chargers = {"resource": "chargers"}
    engine.tick("10:00", status("Available"), **chargers)
    assert engine.tick("10:01", status("Faulted"), **chargers) == ["c1 status.changed at 10:01:00"]
    assert engine.tick("10:01", status("Faulted"), **chargers) == []


def test_an_edited_condition_goes_on_and_another_event_begins_anew(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    engine.tick("10:06", ended(energy_kwh=0.5), interval=6 * MINUTE)
    engine.use(ZERO_ENERGY | {"when": "session.energy < 1 kWh"}, now=at("10:06:30"))
    assert engine.quiet("10:07", "10:10") == ["10:08 s1 session.ended at 10:06:00"]
    engine.tick("10:11", ended("s2", end="10:10:30"))
    engine.use({"name": "zero-energy", "on": "session.started"}, now=at("10:11:30"))
    assert engine.quiet("10:12", "10:20") == []
    assert "session.ended:s2" not in engine.verdicts()


def test_a_rule_that_was_gone_does_not_make_up_for_it(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    engine.tick("10:06", ended(), interval=6 * MINUTE)
    engine.use(now=at("10:06:30"))
    engine.tick("10:07", ended("s2", end="10:06:40"))
    engine.use(ZERO_ENERGY, now=at("10:07:30"))
    assert engine.quiet("10:08", "10:12") == []


def test_an_alert_rule_that_becomes_an_event_rule_ends_its_alerts(database: Database) -> None:
    from tests.rules.engine import FAULTED, Engine  # noqa: PLC0415

    engine = Engine(database, FAULTED | {"for": "0s"}, now=T0)
    engine.tick(T0, status("Faulted"))
    engine.use({"name": "faulted", "on": "status.changed"}, now=at("10:01"))
    assert engine.transitions[-1].reason == "rule changed"


def test_an_event_that_is_taken_back_is_none(database: Database) -> None:
    engine = EventEngine(database, {"name": "ended", "on": "session.ended"})
    engine.tick("10:00")
    engine.tick("10:06", ended(), interval=6 * MINUTE)
    engine.tick("10:07", session("s1", started=at("10:01"), energy_kwh=0.0))
    assert engine.quiet("10:08", "10:12") == []
    engine.tick("10:13", ended(end="10:12:40"))
    assert engine.quiet("10:14", "10:20") == ["10:15 s1 session.ended at 10:12:40"]


def test_nothing_is_evaluated_where_nothing_changed_and_nothing_waits(database: Database) -> None:
    engine = EventEngine(database, ZERO_ENERGY)
    engine.tick("10:00")
    engine.tick("10:06", ended(), interval=6 * MINUTE)

    def to_evaluate(moment: str) -> list[str]:
        with database.read() as connection:
            rules = load_rules(connection).events
            return [rule.id for rule in event_rules_to_evaluate(connection, rules, at(moment))]

    assert to_evaluate("10:07") == []
    assert to_evaluate("10:08") == ["zero-energy"]
    engine.tick("10:08")
    assert to_evaluate("10:09") == []


def test_a_condition_may_read_the_things_above_and_needs_their_polls(database: Database) -> None:
    rule = {"name": "at-harbour", "on": "session.ended", "when": 'location.name == "Harbour" and charger.online'}
    engine = EventEngine(database, rule)
    with database.read() as connection:
        (compiled,) = load_rules(connection).events
    assert compiled.resources == {"sessions", "chargers", "locations"}
    poll(database, at("10:00"), location("l1", name="Harbour"), resource="locations")
    poll(database, at("10:00"), charger(connector(), online=None))
    engine.tick("10:00")
    engine.tick("10:06", ended(), interval=timedelta(minutes=6))
    assert engine.quiet("10:07", "10:10") == []
    poll(database, at("10:10"), charger(connector(), online=True), interval=timedelta(hours=1))
    assert engine.quiet("10:11", "10:15") == ["10:12 s1 session.ended at 10:06:00"]
    assert engine.announced[0].facts["location_name"] == "Harbour"


def test_a_condition_may_go_over_the_sessions_before(database: Database) -> None:
    third = "streak(connector.sessions where session.energy < 0.1 kWh) >= 3"
    engine = EventEngine(database, {"name": "third", "on": "session.ended", "when": third, "settle": "0s"})
    poll(database, at("10:00"), charger(connector()), location("l1"))
    engine.tick("10:00")
    told = []
    for number, energy in enumerate([0.0, 5.0, 0.0, 0.0, 0.0]):
        minute = 10 + number
        poll(database, at(f"10:{minute}"), resource="chargers")
        one = ended(f"s{number}", f"10:{minute - 1}", f"10:{minute - 1}:50", energy_kwh=energy)
        told += engine.tick(f"10:{minute}", one)
    assert told == ["s4 session.ended at 10:13:50"]


AT_NIGHT = {"name": "at-night", "on": "session.started", "when": 'hours("22:00-06:00")'}


def started(engine: EventEngine, *moments: str, zone: str | None) -> list[str]:
    """Sessions that start at these moments, each seen by the poll of the next minute; what is announced."""
    poll(engine.database, at("00:00"), location("l1", timezone=zone), resource="locations")
    engine.tick("00:00")
    told = []
    for moment in moments:
        seen = f"{at(moment) + MINUTE:%H:%M}"
        engine.tick(seen, session(moment, started=at(moment)), interval=DAY)
        told += [line.split(" ")[1] for line in engine.quiet(seen, f"{at(seen) + 5 * MINUTE:%H:%M}")]
    return told


def test_a_condition_reads_the_clock_of_the_location_as_it_was_when_the_event_happened(database: Database) -> None:
    engine = EventEngine(database, AT_NIGHT, now=at("00:00"))
    asked = ("05:58:00", "05:59:59", "06:00:00", "21:58:30", "21:59:59", "22:00:00")
    assert started(engine, *asked, zone="UTC") == ["05:58:00", "05:59:59", "22:00:00"]


@pytest.mark.parametrize("zone", [None, "No/Such", ""])
def test_where_a_location_names_no_zone_an_event_is_judged_in_the_default_one(
    database: Database, zone: str | None
) -> None:
    engine = EventEngine(database, AT_NIGHT, now=at("00:00"), default_zone="Asia/Tokyo")
    assert started(engine, "12:58:30", "13:00:00", "20:58:00", "21:00:00", zone=zone) == ["13:00:00", "20:58:00"]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        # in Copenhagen, 01:59:59 is followed by 03:00 in spring, and 02:59:59 by 02:00 in autumn
        ("2026-03-29T00:30:00", True),
        ("2026-03-29T00:59:59", True),
        ("2026-03-29T01:00:00", False),
        ("2026-10-24T23:30:00", True),
        ("2026-10-24T23:59:59", True),
        ("2026-10-25T00:00:00", False),
        ("2026-10-25T01:00:00", False),
    ],
)
def test_an_event_is_judged_by_the_clock_that_held_when_it_happened(
    database: Database, moment: str, told: bool
) -> None:
    rule = {"name": "x", "on": "session.started", "when": 'hours("01:00-02:00")', "settle": "0s", "max_age": "12h"}
    happened = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    begin, now = happened - MINUTE, happened + timedelta(hours=4)
    EventEngine(database, rule, now=begin)
    poll(database, begin, location("l1", timezone="Europe/Copenhagen"), resource="locations")
    poll(database, begin, resource="sessions")
    poll(database, now, session("s1", started=happened), resource="sessions", interval=DAY)
    with database.write() as connection:
        (compiled,) = load_rules(connection).events
        assert [one.subject for one in evaluate_events(connection, compiled, now)] == (["s1"] if told else [])
