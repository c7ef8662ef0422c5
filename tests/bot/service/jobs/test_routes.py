"""Routes at work: which channel a card is opened in, that it stays there, and what shares a card."""

import json
from typing import Any

import sqlalchemy as sa

from bot.service import jobs
from rules.documents.document import rule_from_document
from rules.documents.routes import Route
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import INCIDENT
from tests.bot.service.jobs.site import Site
from tests.readings import T0, at, charger, connector, location

FAULTED = {"name": "a-faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
PLAN = SpeechPlan(
    (
        Route(("#critical",), severities=("critical",), goes_on=True),
        Route(("#north",), labels=(("team", "north"),)),
        Route(("#harbour", "#north"), locations=("l2",)),
    )
)


def site(database: Database, *documents: dict[str, Any]) -> Site:
    made = Site(database, *documents, now=T0, plan=PLAN)
    made.tick(T0, location("l1"), location("l2"), resource="locations")
    return made


def faulted(place: str, *names: str, status: str = "Faulted") -> Any:
    connectors = (connector(name, status, charger=f"ch-{place}") for name in names)
    return charger(*connectors, charger_id=f"ch-{place}", location_id=place)


def cards(made: Site) -> list[tuple[str, str]]:
    return sorted((row.rule_id, row.channel) for row in made.messages() if row.kind == "alert_card")


def test_alerts_go_where_the_first_route_says_and_else_to_the_alert_channel(database: Database) -> None:
    made = site(
        database,
        FAULTED,
        FAULTED | {"name": "b-critical", "severity": "critical"},
        FAULTED | {"name": "c-north", "labels": {"team": "north"}, "severity": "critical"},
    )
    made.tick(at("10:01"), faulted("l1", "c1"))
    made.tick(at("10:02"))
    assert cards(made) == [
        ("a-faulted", "#alerts"),
        ("b-critical", "#critical"),
        ("c-north", "#north"),
    ]


def test_a_rule_s_own_channels_go_first(database: Database) -> None:
    made = site(database, FAULTED | {"severity": "critical", "notify": ["#own"]})
    made.tick(at("10:01"), faulted("l2", "c1"))
    made.tick(at("10:02"))
    assert cards(made) == [("a-faulted", "#own")]


def test_an_incident_stays_in_the_channels_in_which_its_card_was_opened(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), faulted("l2", "c1"))
    made.tick(at("10:02"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED | {"notify": ["#new"]}, "t")], at("10:03"))
    made.tick(at("10:03"), faulted("l2", "c1", "c2"))
    made.tick(at("10:10"))
    assert cards(made) == [("a-faulted", "#harbour"), ("a-faulted", "#north")]
    assert {row.channel for row in made.messages() if row.kind == "alert_reply"} == {"#harbour", "#north"}
    (incident,) = made.rows(sa.select(INCIDENT.c.channels))
    assert json.loads(incident.channels) == ["#harbour", "#north"]
    made.tick(at("10:11"), faulted("l2", "c1", "c2", status="Available"))
    made.tick(at("10:20"), faulted("l2", "c1"))
    made.tick(at("10:21"))
    assert ("a-faulted", "#new") in cards(made)


def test_an_incident_of_several_places_is_opened_where_each_of_them_is_sent(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": []})
    made.tick(at("10:01"), faulted("l1", "c1"), faulted("l2", "c2"))
    made.tick(at("10:02"))
    assert cards(made) == [("a-faulted", "#alerts"), ("a-faulted", "#harbour"), ("a-faulted", "#north")]


def test_the_plan_of_the_files_survives_a_restart_and_goes_with_them(database: Database) -> None:
    made = site(database, FAULTED)
    again = Site(database, FAULTED, now=T0, plan=PLAN)
    assert again.work.rules.plan == made.work.rules.plan == PLAN
    without = Site(database, FAULTED, now=T0)
    assert without.work.rules.plan.routes == ()


def test_a_label_of_the_rule_s_own_groups_and_its_incident_is_at_no_one_place(database: Database) -> None:
    made = site(database, FAULTED | {"labels": {"team": "south"}, "group_by": ["team"]})
    made.tick(at("10:01"), faulted("l1", "c1"), faulted("l2", "c2"))
    made.tick(at("10:02"))
    (incident,) = made.rows(sa.select(INCIDENT))
    assert (incident.group_key, incident.location_id) == ('{"team": "south"}', None)
    words = made.words(made.messages()[0], at("10:02"))
    assert "2 firing" in words
    assert "Location l2" in words


def test_a_thing_and_a_label_group_together(database: Database) -> None:
    made = site(database, FAULTED | {"labels": {"team": "south"}, "group_by": ["team", "charger"]})
    made.tick(at("10:01"), faulted("l1", "c1", "c3"), faulted("l2", "c2"))
    keys = [json.loads(row.group_key) for row in made.rows(sa.select(INCIDENT).order_by(INCIDENT.c.id))]
    assert keys == [{"charger": f"ch-{place}", "team": "south"} for place in ("l1", "l2")]
