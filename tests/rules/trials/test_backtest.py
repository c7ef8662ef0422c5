"""A backtest finds in the kept history what the service said at the time, whichever polls it leaves out."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel
from typer.testing import CliRunner

from bot.cli.main import app
from bot.trials.rehearsal import Rehearsal, backtest_rules
from bot.trials.reports import render_backtest
from rules.alerts.silences import create_silence
from rules.documents.document import rule_from_document
from rules.lifecycle import State, Transition
from rules.trials.backtest import Backtest, CannotBacktest, backtest, period
from rules.trials.suppressed import Absorbed
from storage.engine import Database
from storage.polls import after_good_poll, poll_states, store_poll_states
from storage.recording.prices import record_prices
from tests.examples import examples
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session
from tests.rules.alerts.event_engine import EventEngine
from tests.rules.engine import FAULTED, Engine

QUICK = {**FAULTED, "for": "3m", "keep_firing_for": "2m"}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "for": "3m"}
EITHER = {
    "name": "either",
    "for_each": "connector",
    "when": 'connector.status in ["Faulted", "Reserved"] and charger.online or connector.error_code == "HighHeat"',
    "for": "2m",
    "keep_firing_for": "1m",
}
RULES: list[dict[str, Any]] = [
    QUICK,
    {**QUICK, "name": "pausing", "on_gap": "pause"},
    {**QUICK, "name": "resetting", "on_gap": "reset"},
    OFFLINE,
    EITHER,
    {"name": "there", "for_each": "connector", "when": "connector.type is unknown"},
    {
        "name": "many",
        "for_each": "network",
        "when": 'count(network.connectors where connector.status == "Faulted") >= 2',
        "for": "2m",
    },
    {"name": "shaky", "for_each": "charger", "when": "changes(charger.online, 10m) >= 1"},
]
Told = list[tuple[str, datetime, datetime, datetime | None]]


def tried(database: Database, document: dict[str, Any], *, every_poll: bool = False) -> Backtest:
    """A backtest over everything that is kept."""
    with database.read() as connection:
        _, until = period(connection, timedelta(days=1))
        rule = rule_from_document(document, "test.yaml")
        return backtest(
            connection,
            rule,
            since=T0,
            until=until,
            interval=MINUTE,
            speaker=Rehearsal(),
            every_poll=every_poll,
        )


def fired(transitions: Iterable[Transition], rule: str) -> Told:
    """What the service said: each firing with its end."""
    told: Told = []
    open_: dict[str, Transition] = {}
    for item in transitions:
        if item.rule_id == rule and item.to_state == State.FIRING:
            open_[item.subject] = item
        elif item.rule_id == rule and item.to_state == State.RESOLVED:
            begun = open_.pop(item.subject)
            told.append((item.subject, begun.active_at, begun.at, item.at))
    told += [(item.subject, item.active_at, item.at, None) for item in open_.values()]
    return sorted(told, key=lambda entry: (entry[2], entry[0]))


def found(told: Backtest) -> Told:
    return [(one.subject, one.active_at, one.fired_at, one.resolved_at) for one in told.firings]


STATUSES = st.sampled_from(["Available", "Faulted", "Faulted", "Reserved", "Charging", None])
READING = st.tuples(
    STATUSES,
    STATUSES,
    st.sampled_from([True, True, True, False, None]),
    st.sampled_from([None, "NoError", "HighHeat"]),
)
STRETCH = st.tuples(st.integers(1, 6), st.one_of(st.none(), READING, READING, READING, READING))
"""So many minutes in which the API says one thing, or in which no poll succeeds."""


@settings(max_examples=examples(4), phases=[Phase.explicit, Phase.generate])  # each example is hundreds of polls
@given(st.lists(STRETCH, min_size=3, max_size=10), st.integers(0, 4))
def test_what_is_kept_tells_again_what_was_said(story: list[Any], alone: int) -> None:
    """The second charger comes into sight only after so many stretches."""
    database = Database("sqlite://", durable=False)
    SQLModel.metadata.create_all(database.engine)
    engine = Engine(database, *RULES, now=T0)
    calm = ("Available", "Available", True, None)
    now = T0
    for place, (minutes, reading) in enumerate([(1, calm), *story, (1, calm)]):
        for _ in range(minutes if reading else max(minutes, 3)):  # of a poll or two that fail nothing is kept
            if reading is not None:
                one, two, online, code = reading
                plugs = connector("c1", one, error_code=code), connector("c2", two, charger="ch2")
                both = [charger(plugs[0], online=online), charger(plugs[1], charger_id="ch2")]
                engine.tick(now, *both[: 1 if place < alone else 2])
            now += MINUTE
    for document in RULES:
        told = tried(database, document)
        assert found(told) == fired(engine.transitions, document["name"]), document["name"]
        slow = tried(database, document, every_poll=True)
        assert (told.firings, told.cards, told.replies) == (slow.firings, slow.cards, slow.replies), document["name"]
        assert told.evaluated <= slow.evaluated
    database.close()


def faults(database: Database, *spells: tuple[str, str], until: str) -> None:
    """A connector that is out of order in some spells, polled every minute."""
    engine = Engine(database, now=T0)
    engine.tick(T0, location("l1", timezone="Asia/Tokyo"), resource="locations")
    now = T0
    while now <= at(until):
        out = any(at(start) <= now < at(end) for start, end in spells)
        engine.tick(now, charger(connector("c1", "Faulted" if out else "Available")))
        now += MINUTE


def test_it_counts_firings_messages_and_nights_and_skips_quiet_polls(database: Database) -> None:
    faults(database, ("10:10", "10:20"), ("11:00", "11:50"), ("13:10", "14:00"), until="14:10")
    told = tried(database, FAULTED)
    assert found(told) == [
        ("c1", at("11:00"), at("11:30"), at("11:55")),
        ("c1", at("13:10"), at("13:40"), at("14:05")),
    ]
    assert [one.lasted for one in told.longest] == [timedelta(minutes=25), timedelta(minutes=25)]
    # each card, and the word in its thread that it is over; in Tokyo it is 22 o'clock from 13:00 on
    assert (told.cards, told.replies, told.at_night) == (2, 2, 2)
    assert (told.polls, told.already) == (251, 0)
    assert told.evaluated < 15


def test_what_was_true_at_the_beginning_keeps_its_date(database: Database) -> None:
    faults(database, ("10:05", "12:00"), until="12:10")
    with database.read() as connection:
        told = backtest(
            connection,
            rule_from_document(FAULTED, "test.yaml"),
            since=at("11:00"),
            until=at("12:10"),
            interval=MINUTE,
            speaker=Rehearsal(),
        )
    assert found(told) == [("c1", at("10:05"), at("11:00"), at("12:05"))]
    assert told.already == 1


def test_what_vanished_ends_its_alert(sqlite: Database) -> None:
    engine = Engine(sqlite, QUICK, now=T0)
    seen = {"charger": {"ch1"}, "connector": {"c2"}}
    for minute in range(20):
        plugs = [connector("c1", "Faulted"), connector("c2")]
        if minute < 10:
            engine.tick(T0 + minute * MINUTE, charger(*plugs))
        else:
            engine.tick(T0 + minute * MINUTE, charger(plugs[1]), seen=seen)
    assert found(tried(sqlite, QUICK)) == fired(engine.transitions, "faulted") == [("c1", T0, at("10:03"), at("10:11"))]


def test_sessions_are_replayed_with_their_energy(sqlite: Database) -> None:
    rule = {"name": "slow", "for_each": "session", "when": "session.energy < 1 kWh and session.duration > 30m"}
    engine = Engine(sqlite, rule, now=T0)
    now = T0
    while now <= at("12:00"):
        engine.tick(now, charger(connector("c1", "Charging")))
        ended = {"ended_at": at("11:20")} if now >= at("11:20") else {}
        readings = [session("s1", started=T0, energy_kwh=0.2, **ended)]
        if now >= at("10:30"):
            readings.append(session("s2", started=at("10:30"), energy_kwh=(now - at("10:30")) / timedelta(hours=0.4)))
        engine.tick(now, *readings, resource="sessions")
        now += MINUTE
    told = tried(sqlite, rule)
    assert [(one.subject, one.resolved_at) for one in told.firings] == [("s1", at("11:20"))]
    assert [entry[0] for entry in fired(engine.transitions, "slow")] == ["s1"]


FLAPPING = {"name": "flapping", "for_each": "connector", "when": "changes(connector.status, 30m) >= 4"}
SITE = {
    "name": "site",
    "for_each": "location",
    "when": "share(location.chargers where not charger.online) >= 50 %",
    "for": "5m",
}


def test_windows_and_related_things_are_replayed_with_what_lies_before_the_beginning(sqlite: Database) -> None:
    engine = Engine(sqlite, FLAPPING, SITE, now=T0)
    engine.tick(T0, location(), resource="locations")
    now = T0
    while now <= at("11:30"):
        minute = (now - T0) // MINUTE
        plug = connector("c1", "Faulted" if 20 <= minute < 50 and minute % 10 < 5 else "Available")
        other = charger(charger_id="ch2", online=not 35 <= minute < 60)
        engine.tick(now, charger(plug, online=minute < 70), other)
        now += MINUTE
    for document in (FLAPPING, SITE):
        told = fired(engine.transitions, document["name"])
        assert told
        assert found(tried(sqlite, document)) == told
    with sqlite.read() as connection:
        rule = rule_from_document(FLAPPING, "test.yaml")
        how: dict[str, Any] = {"until": at("11:30"), "interval": MINUTE, "speaker": Rehearsal()}
        later = backtest(connection, rule, since=at("10:36"), **how)
    (live,) = fired(engine.transitions, "flapping")
    assert [(one.subject, one.resolved_at) for one in later.firings] == [("c1", live[3])]


def test_what_describes_a_charger_is_taken_as_it_is_now(sqlite: Database) -> None:
    labelled = {
        **QUICK,
        "when": 'connector.status == "Faulted" and not (charger.labels contains "test") and location.name == "Harbour"',
    }
    engine = Engine(sqlite, labelled, now=T0)
    now = T0
    poll(sqlite, T0, location("l1", name="Harbour"), resource="locations")
    while now <= at("10:40"):
        status = "Faulted" if (now - T0) // MINUTE in {*range(5, 15), *range(25, 27)} else "Available"
        plugs = [(connector(f"{id_}.1", status, charger=id_), id_) for id_ in ("ch1", "ch2")]
        labels = {"ch1": ("south",), "ch2": ("test",)}
        engine.tick(now, *(charger(plug, charger_id=id_, labels=labels[id_]) for plug, id_ in plugs))
        now += MINUTE
    told = fired(engine.transitions, "faulted")
    assert [one[0] for one in told] == ["ch1.1"]
    for document in (labelled, {**labelled, "when": labelled["when"].split(" and location")[0]}):
        quick, slow = tried(sqlite, document), tried(sqlite, document, every_poll=True)
        assert found(quick) == found(slow) == told
        assert quick.evaluated < slow.evaluated // 2


def test_events_are_found_in_the_past_as_they_were_announced(sqlite: Database) -> None:
    documents: list[dict[str, Any]] = [
        {"name": "empty", "on": "session.ended", "when": "session.energy < 0.1 kWh"},
        {"name": "faulted", "on": "status.changed", "when": 'connector.status == "Faulted"'},
        {"name": "lost", "on": "charger.offline"},
    ]
    engine = EventEngine(sqlite, *documents, now=T0)
    now = T0
    while now <= at("11:00"):
        minute, ends = (now - T0) // MINUTE, at("10:20")
        # out of order twice, the second time for less than two minutes; offline once
        status = "Faulted" if minute in {*range(5, 15), 30} else "Available"
        poll(sqlite, now, charger(connector("c1", status), online=not 40 <= minute < 50))
        over = {"ended_at": ends, "energy_kwh": 0.0} if now >= ends else {"energy_kwh": 0.0}
        engine.tick(f"{now:%H:%M}", session("s1", started=at("10:02"), connector_id="c1", **over))
        now += MINUTE
    assert [one.rule_id for one in engine.announced] == ["faulted", "empty", "lost"]
    for document in documents:
        live = [(one.at, one.subject, one.event_at) for one in engine.announced if one.rule_id == document["name"]]
        told, slowly = tried(sqlite, document), tried(sqlite, document, every_poll=True)
        assert [(one.at, one.subject, one.event_at) for one in told.events] == live
        assert (told.events, told.firings) == (slowly.events, ())
        assert told.evaluated < told.polls // 2
    lines = render_backtest(tried(sqlite, documents[1])).splitlines()
    assert lines[1:3] == ["  would have announced 1 event on 1 subject", "  the busiest day: 2026-03-02, with 1"]


@pytest.mark.parametrize(
    ("condition", "missing"),
    [
        ("connector.max_power > connector.power", "connector.power; that is kept while .*"),
        ('connector.status_raw == "x" and charger.firmware == "2"', "charger.firmware, connector.status_raw"),
    ],
)
def test_a_field_without_history_cannot_be_backtested(sqlite: Database, condition: str, missing: str) -> None:
    faults(sqlite, until="10:02")
    rule = {"name": "blind", "for_each": "connector", "when": condition}
    with pytest.raises(CannotBacktest, match=f'"blind" cannot be backtested: no history is kept of {missing}$'):
        tried(sqlite, rule)


def priced(database: Database, *prices: tuple[int, float]) -> None:
    """A location whose default price is another from each of these minutes on."""
    poll(database, T0, location("l1", currency="EUR", timezone="UTC"), resource="locations")
    poll(database, T0, charger(connector()))
    for minute, price in prices:
        poll(database, T0 + minute * MINUTE, charger(connector()), interval=60 * MINUTE)
        with database.write() as connection:
            told = {"default": price, "blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}
            now = T0 + minute * MINUTE
            record_prices(connection, {"l1": json.dumps(told, sort_keys=True)}, now)
            before = poll_states(connection).get("prices")
            interval = 60 * MINUTE
            store_poll_states(connection, [after_good_poll(connection, "prices", now, interval, state=before)])
    poll(database, T0 + 60 * MINUTE, charger(connector()), interval=60 * MINUTE)


def test_prices_are_replayed_from_their_history(sqlite: Database) -> None:
    priced(sqlite, (0, 0.5), (10, 4.5), (30, 0.5))
    dear = {"name": "dear", "for_each": "location", "when": "location.price > 1 EUR/kWh", "for": "2m"}
    assert [(one.subject, one.active_at, one.resolved_at) for one in tried(sqlite, dear).firings] == [
        ("l1", at("10:10"), at("10:30"))
    ]
    changed = {"name": "changed", "on": "price.changed", "when": "location.price > 1 EUR/kWh"}
    assert [one.event_at for one in tried(sqlite, changed).events] == [at("10:10")]


def test_it_says_how_much_history_there_is_and_never_zero_for_what_is_not_known(sqlite: Database) -> None:
    faults(sqlite, until="11:30")
    with sqlite.read() as connection:
        since, until = period(connection, timedelta(days=14))
        rule = rule_from_document(QUICK, "test.yaml")
        told = backtest(connection, rule, since=since, until=until, interval=MINUTE, speaker=Rehearsal())
    words = render_backtest(told)
    assert "1 h 30 min of 14 d known" in words
    assert "would have fired not on 0 subjects in what is known" in words
    assert "0 times" not in words
    assert told.polls == 91


def test_a_file_is_tested_as_far_as_it_can_be_and_the_rest_is_told(sqlite: Database) -> None:
    faults(sqlite, ("10:05", "10:20"), until="10:30")
    blind = {"name": "blind", "for_each": "connector", "when": "connector.power > 1 kW"}
    rules = [rule_from_document(one, "test.yaml") for one in (blind, QUICK)]
    refused, told = backtest_rules(sqlite, rules, days=timedelta(days=1), interval=MINUTE, default_zone="UTC")
    assert "no history is kept of connector.power" in str(refused)
    assert isinstance(told, Backtest)
    assert len(told.firings) == 1


def test_it_tells_what_silences_other_alerts_and_grouping_would_have_absorbed(sqlite: Database) -> None:
    engine = Engine(sqlite, OFFLINE | {"inhibits": ["faulted"]}, FAULTED, now=T0)
    with sqlite.write() as connection:
        quiet: dict[str, Any] = {"author": "U1", "reason": "r", "now": T0, "rule_id": "faulted"}
        create_silence(connection, connector_id="c1", until=T0 + 60 * MINUTE, **quiet)
        create_silence(connection, connector_id="c2", until=T0 + 2 * MINUTE, **quiet)
    engine.tick(T0, *two_chargers("Available"))
    for minute in range(1, 31):
        status = "Faulted" if minute >= 10 else "Available"
        engine.tick(T0 + minute * MINUTE, *two_chargers(status, online=minute < 2))
    document = {key: value for key, value in QUICK.items() if key != "while"}
    told = tried(sqlite, document)
    assert [one.subject for one in told.firings] == ["c1", "c2", "c3", "c4"]
    assert told.absorbed == Absorbed(silenced=1, inhibited=1, grouped=1)
    assert "1 were in a silence, 1 below another alert, and 1 joined a card" in render_backtest(told)


def two_chargers(status: str, *, online: bool = True) -> list[Any]:
    """One charger at l1 with three connectors, and one that may go offline with the fourth."""
    three = (connector(f"c{number}", status) for number in (1, 2, 3))
    other = connector("c4", status, charger="ch2")
    return [charger(*three), charger(other, charger_id="ch2", online=online)]


def test_a_digest_and_an_empty_database_cannot_be_backtested(sqlite: Database) -> None:
    daily = rule_from_document({"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}, "test.yaml")
    how: dict[str, Any] = {"days": timedelta(days=1), "interval": MINUTE, "default_zone": "UTC"}
    with pytest.raises(CannotBacktest, match="there is no history yet"):
        list(backtest_rules(sqlite, [rule_from_document(FAULTED, "test.yaml")], **how))
    faults(sqlite, until="10:05")
    (refused,) = backtest_rules(sqlite, [daily], **how)
    assert str(refused).endswith("it has a schedule")


def test_the_text_for_a_terminal_says_how_often_how_long_and_how_many(sqlite: Database) -> None:
    faults(sqlite, ("10:10", "11:00"), until="11:10")
    assert render_backtest(tried(sqlite, FAULTED)).splitlines()[:-1] == [
        "faulted, 2026-03-02 10:00 to 2026-03-02 11:10 UTC:",
        "  would have fired 1 time on 1 subject",
        "  pending, but never fired: 0",
        "  lasted 25m in all, half of them at most 25m",
        "  messages: 2 (1 cards, 1 replies in their threads), 0 of them between 22 and 7 o'clock",
        "  the longest:",
        "           25m  c1, fired 2026-03-02 10:40 to 2026-03-02 11:05",
    ]


def test_the_command_reads_the_service_s_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path}/chargehand.db", durable=False)
    SQLModel.metadata.create_all(database.engine)
    faults(database, ("10:10", "11:00"), until="11:10")
    database.close()
    (tmp_path / "rule.yaml").write_text(
        '- {name: out, for_each: connector, when: connector.status == "Faulted", for: 20m}'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/chargehand.db")
    result = CliRunner().invoke(app, ["rules", "backtest", "rule.yaml", "--days", "1"])
    assert result.exit_code == 0, result.output
    assert "would have fired 1 time on 1 subject" in result.output
