"""Event rules on real databases: judged once settled, announced once, and nothing from before the first sync."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rules.alerts.events import Event, evaluate_events, event_rules_to_evaluate
from rules.documents.document import rule_from_document
from rules.registry.store import load_rules, sync_rules
from storage.engine import Database
from storage.polls import poll_states
from storage.prices import record_prices
from storage.schema import RULE_EVENT
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session

ZERO_ENERGY: dict[str, Any] = {
    "name": "zero-energy",
    "on": "session.ended",
    "when": "session.energy < 0.1 kWh and session.duration >= 2m",
}


class EventEngine:
    """Event rules on a database; `tick` records a poll and tells what was announced, as short text."""

    def __init__(self, database: Database, *documents: dict[str, Any], now: Any = T0) -> None:
        self.database = database
        self.announced: list[Event] = []
        self.use(*documents, now=now)

    def use(self, *documents: dict[str, Any], now: Any) -> None:
        with self.database.write() as connection:
            sync_rules(connection, [rule_from_document(document, "test.yaml") for document in documents], now)

    def tick(self, moment: str, *readings: Any, resource: str = "sessions", **how: Any) -> list[str]:
        poll(self.database, at(moment), *readings, resource=resource, **how)
        return self.evaluate(moment)

    def evaluate(self, moment: str) -> list[str]:
        now = at(moment)
        with self.database.read() as connection:
            fresh = {name for name, state in poll_states(connection).items() if state.good_at == state.attempted_at}
            rules = [rule for rule in load_rules(connection).events if rule.resources <= fresh]
            due = event_rules_to_evaluate(connection, rules, now)
        told: list[Event] = []
        for compiled in due:
            with self.database.write() as connection:
                told += evaluate_events(connection, compiled, now)
        self.announced += told
        return [f"{one.subject} {one.event} at {one.event_at:%H:%M:%S}" for one in told]

    def quiet(self, first: str, last: str, **how: Any) -> list[str]:
        """Poll every minute from first to last without news; everything that was announced meanwhile, with its time."""
        told = []
        moment = at(first)
        while moment <= at(last):
            told += [f"{moment:%H:%M} {line}" for line in self.tick(f"{moment:%H:%M:%S}", **how)]
            moment += MINUTE
        return told

    def verdicts(self) -> dict[str, str | None]:
        with self.database.read() as connection:
            rows = connection.execute(sa.select(RULE_EVENT.c.natural_key, RULE_EVENT.c.verdict))
            return {row.natural_key: row.verdict for row in rows}


def ended(session_id: str = "s1", started: str = "10:01", end: str = "10:06", **values: Any) -> Any:
    return session(session_id, started=at(started), ended_at=at(end), **{"energy_kwh": 0.0, **values})


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


def status(value: str | None, changed: str | None = None, connector_id: str = "c1", **values: Any) -> Any:
    when = at(changed) if changed else None
    return charger(connector(connector_id, value, status_changed_at=when, **values))


def test_a_status_change_tells_from_what_to_what(database: Database) -> None:
    engine = EventEngine(database, {"name": "changed", "on": "status.changed"})
    chargers = {"resource": "chargers"}
    assert engine.tick("10:00", status("Available"), **chargers) == []
    assert engine.tick("10:01", status("Faulted", "10:00:20", error_code="GroundFailure"), **chargers) == []
    assert engine.quiet("10:02", "10:05", **chargers) == ["10:03 c1 status.changed at 10:00:20"]
    (event,) = engine.announced
    told = {name: event.facts[name] for name in ("before", "value", "error_code", "connector_id", "charger_name")}
    assert told == {
        "before": "Available",
        "value": "Faulted",
        "error_code": "GroundFailure",
        "connector_id": "c1",
        "charger_name": "Charger ch1",
    }


def test_a_condition_reads_the_status_as_it_was_when_it_happened(database: Database) -> None:
    rule = {"name": "to-faulted", "on": "status.changed", "when": 'connector.status == "Faulted" and charger.online'}
    engine = EventEngine(database, rule)
    poll(database, at("10:00"), status("Available"))
    poll(database, at("10:01"), status("Faulted", "10:00:30"))
    assert engine.evaluate("10:01") == []
    poll(database, at("10:04"), status("Available", "10:03:30"))
    assert engine.evaluate("10:04") == ["c1 status.changed at 10:00:30"]


def test_a_status_that_did_not_last_is_not_announced(database: Database) -> None:
    engine = EventEngine(database, {"name": "faulted", "on": "status.changed", "when": 'connector.status == "Faulted"'})
    chargers = {"resource": "chargers"}
    engine.tick("10:00", status("Available"), **chargers)
    engine.tick("10:01", status("Faulted"), **chargers)
    engine.tick("10:02", status("Available"), **chargers)
    assert engine.quiet("10:03", "10:06", **chargers) == []
    assert sorted(map(str, engine.verdicts().values())) == ["did not last", "not matched"]


def test_an_unknown_status_is_neither_an_event_nor_the_beginning_of_one(database: Database) -> None:
    engine = EventEngine(database, {"name": "changed", "on": "status.changed", "settle": "0s"})
    chargers = {"resource": "chargers"}
    engine.tick("10:00", status("Available"), **chargers)
    assert engine.tick("10:01", status("Rebooting"), **chargers) == []
    assert engine.tick("10:02", status("Available"), **chargers) == []
    assert engine.tick("10:03", status(None), **chargers) == []
    assert engine.tick("10:04", status("Faulted"), **chargers) == ["c1 status.changed at 10:04:00"]
    assert engine.announced[0].facts["before"] == "Available"


def links(engine: EventEngine, *values: bool | None) -> list[str]:
    """A charger says one value a minute from 10:00 on; what is announced, each with its minute."""
    told = []
    for minute, online in enumerate(values):
        lines = engine.tick(f"10:{minute:02d}", charger(connector(), online=online), resource="chargers")
        told += [f"10:{minute:02d} {line}" for line in lines]
    return told


def test_a_charger_that_goes_offline_is_an_event(database: Database) -> None:
    engine = EventEngine(database, {"name": "link", "on": "charger.offline"})
    told = links(engine, True, None, None, False, False, False, False, True, True, True, True)
    assert told == ["10:05 ch1 charger.offline at 10:03:00"]
    assert engine.announced[0].facts["charger_name"] == "Charger ch1"


def test_a_charger_that_comes_back_is_an_event(database: Database) -> None:
    engine = EventEngine(database, {"name": "link", "on": "charger.online"})
    told = links(engine, False, True, True, True, True, False, False, None, True, True, True)
    assert told == ["10:03 ch1 charger.online at 10:01:00", "10:10 ch1 charger.online at 10:08:00"]


def priced(engine: EventEngine, moment: str, **prices: str) -> list[str]:
    """A round of prices ends; what was announced within three minutes."""
    with engine.database.write() as connection:
        record_prices(connection, prices, at(moment))
    told = engine.tick(moment, resource="prices")
    return told + [line for after in (1, 2) for line in engine.tick(f"{moment[:3]}{int(moment[3:]) + after:02}")]


def test_prices_that_change_are_an_event_of_their_location_and_those_at_first_sight_are_none(
    database: Database,
) -> None:
    engine = EventEngine(database, {"name": "prices", "on": "price.changed", "when": 'location.name == "Location l1"'})
    engine.tick("09:59", location("l1", currency="EUR"), location("l2"), resource="locations")
    assert priced(engine, "10:00", l1="a", l2="a") == []
    assert priced(engine, "10:10", l1="a", l2="a") == []
    assert priced(engine, "10:20", l1="b", l2="b") == ["l1 price.changed at 10:20:00"]
    assert priced(engine, "10:30", l1="b") == []
    (event,) = engine.announced
    told = {name: event.facts[name] for name in ("before", "value", "location_id", "location_name", "currency")}
    assert told == {
        "before": "a",
        "value": "b",
        "location_id": "l1",
        "location_name": "Location l1",
        "currency": "EUR",
    }


def test_a_location_that_comes_back_with_other_prices_tells_of_them(database: Database) -> None:
    engine = EventEngine(database, {"name": "prices", "on": "price.changed"})
    engine.tick("09:58", location("l1"), resource="locations")
    assert priced(engine, "10:00", l1="a") == []
    for moment in ("10:04", "10:05"):
        engine.tick(moment, resource="locations", seen={"location": set()})
    assert priced(engine, "10:10", l1="c") == []  # it is gone: nobody pays there
    engine.tick("10:20", location("l1"), resource="locations")
    assert priced(engine, "10:30", l1="b") == ["l1 price.changed at 10:30:00"]
    assert engine.announced[0].facts["before"] == "a"


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


def test_a_condition_may_read_the_clock_of_the_location(database: Database) -> None:
    rule = {"name": "at-night", "on": "session.ended", "when": 'hours("19:00-20:00")', "settle": "0s"}
    engine = EventEngine(database, rule)
    for moment, zone in (("10:00", "Asia/Tokyo"), ("10:01", "Asia/Tokyo"), ("10:02", "UTC")):
        poll(database, at(moment), location("l1", timezone=zone), resource="locations")
        told = engine.tick(moment, *([ended(moment, "09:50", moment)] if moment != "10:00" else []))
        assert told == ([f"{moment} session.ended at {moment}:00"] if moment == "10:01" else [])
