"""Quiet hours: what is not critical waits for the morning and says so; what came and went is one line of a summary."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.service import jobs
from notify.alert_cards.card import acknowledge_incident
from notify.alert_cards.snoozes import Snoozable, snooze_alerts
from notify.events import enqueue_event_messages
from rules.alerts.events import Event
from rules.alerts.silences import create_silence
from rules.documents.document import rule_from_document
from rules.documents.maintenance import WeeklyWindow
from rules.documents.quiet_hours import QuietHours
from rules.documents.routes import Route
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import OUTBOX, TRANSITION
from tests.bot.service.jobs.site import Site
from tests.readings import T0, at, charger, connector, location

NIGHT = QuietHours(WeeklyWindow(tuple(range(7)), "22:00", "07:00"))
PLAN = SpeechPlan(quiet_hours=NIGHT)
FAULTED = {"name": "a-faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
CRITICAL = FAULTED | {"name": "b-critical", "severity": "critical"}
DAY = timedelta(days=1)


def site(database: Database, *documents: dict[str, Any], zone: str = "UTC", plan: SpeechPlan = PLAN) -> Site:
    made = Site(database, *(documents or (FAULTED,)), now=T0, plan=plan)
    made.tick(T0, location("l1", timezone=zone), location("l2", timezone=zone), resource="locations")
    return made


def faulted(*names: str, place: str = "l1", status: str = "Faulted", **values: Any) -> Any:
    connectors = (connector(name, status, charger=f"ch-{place}") for name in names)
    return charger(*connectors, charger_id=f"ch-{place}", location_id=place, **values)


def morning(made: Site, moment: str = "07:00") -> None:
    """Two minutes of the next morning: what is due by then stands."""
    made.tick(at(moment) + DAY)
    made.tick(at(moment) + DAY + timedelta(minutes=1))


def test_an_alert_of_the_night_waits_for_the_morning_and_its_card_says_from_when(database: Database) -> None:
    made = site(database)
    made.tick(at("22:14"), faulted("c1"))
    made.tick(at("23:00"))
    made.tick(at("06:59") + DAY)
    assert made.told() == []
    morning(made)
    (card,) = made.messages()
    words = made.words(card, at("07:01") + DAY)
    assert "A faulted: " in words
    assert "Held from <!date^1772489640^{date_short_pretty} {time}|2026-03-02 22:14 UTC>" in words
    assert words.count("quiet hours") == 1


def test_muting_is_told_in_the_transition_and_changes_none(database: Database) -> None:
    made = site(database)
    made.tick(at("22:14"), faulted("c1"))
    (row,) = made.rows(sa.select(TRANSITION))
    assert (row.from_state, row.to_state) == ("inactive", "firing")
    assert row.trace["muted_by"] == {"quiet_hours": (at("07:00") + DAY).isoformat()}


def test_what_is_critical_or_about_safety_always_speaks(database: Database) -> None:
    made = site(database, FAULTED, CRITICAL, FAULTED | {"name": "c-safety", "safety": True, "group_by": ["charger"]})
    made.tick(at("23:00"), faulted("c1"))
    made.tick(at("23:01"))
    assert sorted(made.told()) == ["alert_card b-critical", "alert_card c-safety"]


def test_quiet_hours_are_those_of_the_location(database: Database) -> None:
    made = site(database, zone="America/New_York")
    made.tick(at("22:14"), faulted("c1"))  # a quarter past five in the afternoon there
    made.tick(at("22:15"))
    assert made.told() == ["alert_card a-faulted"]


def test_what_came_and_went_is_one_line_of_a_summary(database: Database) -> None:
    titled = {"title": "{connector} out of order for {duration}"}
    made = site(database, FAULTED | {"group_by": ["location"]} | titled)
    made.tick(at("22:14"), faulted("c1", "c2"), faulted("c5", place="l2"))
    made.tick(at("22:50"), faulted("c1", "c2", status="Available"))
    morning(made)
    assert sorted(made.told()) == ["alert_card a-faulted", "quiet_summary None"]
    summary = next(row for row in made.messages() if row.kind == "quiet_summary")
    words = made.words(summary, at("07:01") + DAY)
    assert "Quiet hours are over: 2 alerts came and went" in words
    assert "2 connectors out of order for 36 min · Location l1, 2 alerts · since" in words
    assert "Rules: a-faulted" in words
    assert "lasted 36 min" in words
    assert "Location l2" not in words
    morning(made, "07:02")
    assert len(made.told()) == 2


def test_a_summary_names_twenty_and_counts_the_rest(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": ["connector"]})
    names = [f"c{number}" for number in range(30)]
    made.tick(at("22:14"), faulted(*names))
    made.tick(at("22:50"), faulted(*names, status="Available"))
    morning(made)
    (summary,) = made.messages()
    words = made.words(summary, at("07:01") + DAY)
    assert "30 alerts came and went" in words
    assert words.count("lasted") == 20
    assert "and 10 more" in words


def test_a_standing_card_s_news_wait_for_the_morning_and_its_edits_do_not(database: Database) -> None:
    made = site(database, FAULTED | {"repeat": "1h", "escalate": [{"after": "2h", "notify": ["@oncall"]}]})
    made.tick(at("21:30"), faulted("c1"))
    made.tick(at("21:31"))
    made.tick(at("23:00"), faulted("c1", "c2"))
    made.tick(at("01:00") + DAY)
    assert made.told() == ["alert_card a-faulted"]
    (card,) = made.messages()
    assert card.shown_version == 2
    assert "2 firing" in made.words(card, at("01:00") + DAY)
    morning(made)
    _, reply = made.messages()
    words = made.words(reply, at("07:01") + DAY)
    assert "1 still firing, held until the end of quiet hours" in words
    assert "`@oncall`" in words


def test_a_resolve_in_the_night_is_an_edit_at_once_and_told_in_the_morning(database: Database) -> None:
    made = site(database)
    made.tick(at("21:30"), faulted("c1"))
    made.tick(at("21:31"))
    made.tick(at("23:00"), faulted("c1", status="Available"))
    made.tick(at("23:01"))
    (card,) = made.messages()
    assert "Resolved" in made.words(card, at("23:01"))
    morning(made)
    assert made.told() == ["alert_card a-faulted", "alert_reply a-faulted"]
    words = made.words(made.messages()[1], at("07:01") + DAY)
    assert ", after 1 h 30 min" in words
    assert "Held from" in words


def test_a_storm_of_the_night_is_one_roll_up_in_the_morning(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": ["connector"]})
    made.tick(at("22:14"), faulted(*(f"c{number}" for number in range(6))))
    morning(made)
    assert made.told() == ["roll_up None"]


def test_what_is_silenced_or_acknowledged_by_morning_stays_quiet(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": ["connector"]})
    made.tick(at("22:14"), faulted("c1", "c2", "c3"))
    with database.write() as connection:
        until = at("09:00") + DAY
        create_silence(connection, author="U1", reason="r", now=at("22:20"), until=until, connector_id="c1")
        acknowledge_incident(connection, 2, "U1", at("22:20"))
    morning(made)
    assert [row.incident_id for row in made.messages()] == [3]
    morning(made, "09:00")
    assert [row.incident_id for row in made.messages()] == [3, 1]


def test_a_snooze_or_silence_that_ends_in_the_night_waits_for_the_morning(database: Database) -> None:
    made = site(database)
    made.tick(at("20:00"), faulted("c1"))
    made.tick(at("20:01"))
    with database.write() as connection:
        snooze_alerts(connection, Snoozable(incident=1), "4h", "U1", at("20:01"), default_zone="UTC")
    made.tick(at("00:05") + DAY)
    made.tick(at("00:10") + DAY)
    assert made.told() == ["alert_card a-faulted"]
    morning(made)
    assert made.told() == ["alert_card a-faulted", "alert_reply a-faulted"]


def test_a_held_source_does_not_keep_a_critical_target_quiet(database: Database) -> None:
    offline = {"name": "offline", "for_each": "charger", "when": "not charger.online", "inhibits": ["b-critical"]}
    made = site(database, CRITICAL, offline)
    made.tick(at("23:00"), faulted("c1", online=False))
    made.tick(at("23:01"))
    assert made.told() == ["alert_card b-critical"]
    morning(made)
    assert made.told() == ["alert_card b-critical", "alert_reply b-critical"]
    assert "Quiet hours are over" in made.words(made.messages()[-1], at("07:01") + DAY)
    assert "Kept quiet by offline" in made.words(made.messages()[0], at("07:01") + DAY)


def test_without_quiet_hours_any_more_what_was_held_speaks(database: Database) -> None:
    made = site(database)
    made.tick(at("23:00"), faulted("c1"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED, "t")], at("23:10"))
    made.tick(at("23:10"))
    made.tick(at("23:11"))
    assert made.told() == ["alert_card a-faulted"]


def test_a_rule_that_is_made_critical_in_the_night_speaks(database: Database) -> None:
    made = site(database)
    made.tick(at("23:00"), faulted("c1"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED | {"severity": "critical"}, "t")], at("23:10"), PLAN)
    made.tick(at("23:10"))
    made.tick(at("23:11"))
    assert made.told() == ["alert_card a-faulted"]


def test_a_rule_switched_on_in_the_night_has_its_one_summary_in_the_morning(database: Database) -> None:
    made = site(database, CRITICAL)
    made.tick(at("22:30"), faulted("c1", "c2"), faulted("c5", place="l2"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED, "t")], at("23:00"), PLAN)
    made.tick(at("23:00"))
    made.tick(at("23:01"))
    assert "roll_up a-faulted" not in made.told()
    morning(made)
    assert made.told().count("roll_up a-faulted") == 1
    assert "alert_card a-faulted" not in made.told()


def test_a_summary_goes_where_its_alerts_are_routed(database: Database) -> None:
    plan = SpeechPlan((Route(("#harbour",), locations=("l2",)),), NIGHT)
    made = site(database, plan=plan)
    made.tick(at("22:14"), faulted("c1"), faulted("c2", place="l2"))
    made.tick(at("22:20"), faulted("c1", status="Available"), faulted("c2", place="l2", status="Available"))
    morning(made)
    assert sorted((row.kind, row.channel) for row in made.messages()) == [
        ("quiet_summary", "#alerts"),
        ("quiet_summary", "#harbour"),
    ]


def test_an_event_of_the_night_is_told_in_the_morning(database: Database) -> None:
    made = site(database)
    facts = {"severity": "warning", "location_id": "l1", "labels": {}, "event": "session.ended", "rule": "e"}
    with database.write() as connection:
        for number, severity in enumerate(("warning", "critical")):
            event = Event(
                at("23:00"),
                "e",
                f"s{number}",
                "session.ended",
                at("23:00"),
                f"k{number}",
                facts | {"severity": severity},
            )
            enqueue_event_messages(
                connection, [event], replace(made.work.routing(at("23:00")), usual={"e": ["#alerts"]})
            )
    due = {row.facts["severity"]: row for row in made.rows(sa.select(OUTBOX))}
    assert due["critical"].due_at == at("23:00")
    assert due["warning"].due_at == at("07:00") + DAY
    assert datetime.fromisoformat(due["warning"].facts["held_since"]) == at("23:00")


def test_a_restart_in_the_night_and_another_at_dawn_change_nothing(database: Database) -> None:
    made = site(database)
    made.tick(at("22:14"), faulted("c1", "c2"))
    made = Site(database, FAULTED, now=at("23:00"), plan=PLAN)
    made.tick(at("23:30"), faulted("c1", status="Available"))
    made = Site(database, FAULTED, now=at("06:59") + DAY, plan=PLAN)
    made.tick(at("07:10") + DAY)
    made = Site(database, FAULTED, now=at("07:10") + DAY, plan=PLAN)
    made.tick(at("07:11") + DAY)
    assert made.told() == ["alert_card a-faulted"]
