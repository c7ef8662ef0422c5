"""Routes at work: which channel a card is opened in, that it stays there, and what shares a card."""

import json
from typing import Any

import sqlalchemy as sa

from bot.service import jobs
from notify.render import render_message
from rules.documents.document import rule_from_document
from rules.documents.maintenance import WeeklyWindow
from rules.documents.routes import Route
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import ALERT, INCIDENT
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


def test_an_alert_stays_in_the_channels_that_were_chosen_as_it_fired(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), faulted("l2", "c1"))
    made.tick(at("10:02"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED | {"notify": ["#new", "#north"]}, "t")], at("10:03"))
    made.tick(at("10:03"), faulted("l2", "c1", "c2"))
    made.tick(at("10:10"))
    assert named(made, "#harbour") == {"c1"}
    assert named(made, "#new") == {"c2"}
    assert named(made, "#north") == {"c1", "c2"}
    assert cards(made) == [(FAULTED["name"], channel) for channel in ("#harbour", "#new", "#north")]
    assert [row.channel for row in made.messages() if row.kind == "alert_reply"] == ["#north"]
    made.tick(at("10:11"), faulted("l2", "c1", status="Available"), faulted("l2", "c2"))
    made.tick(at("10:17"))
    ends = [row.channel for row in made.messages() if row.kind == "alert_reply" and row.facts["full_resolve"]]
    assert ends == ["#harbour"]


def test_an_incident_of_several_places_names_in_each_channel_what_is_sent_there(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": []})
    made.tick(at("10:01"), faulted("l1", "c1"), faulted("l2", "c2"))
    made.tick(at("10:02"))
    assert cards(made) == [("a-faulted", "#alerts"), ("a-faulted", "#harbour"), ("a-faulted", "#north")]
    assert named(made, "#alerts") == {"c1"}
    assert named(made, "#harbour") == named(made, "#north") == {"c2"}


def test_a_rule_with_a_group_of_its_own_has_one_card_in_a_channel_that_all_its_places_have(database: Database) -> None:
    everywhere = SpeechPlan((Route(("#all",), goes_on=True), Route(("#two",), locations=("l2",))))
    made = Site(database, FAULTED | {"group_by": []}, now=T0, plan=everywhere)
    made.tick(T0, location("l1"), location("l2"), resource="locations")
    made.tick(at("10:01"), faulted("l1", "c1"), faulted("l2", "c2"))
    made.tick(at("10:02"))
    assert cards(made) == [("a-faulted", "#all"), ("a-faulted", "#two")]
    assert named(made, "#all") == {"c1", "c2"}
    assert named(made, "#two") == {"c2"}
    with made.database.read() as connection:
        ranges = {row.channel: json.loads(_button(render_message(connection, row, at("10:02")))) for row in shown(made)}
    ids = {row.subject: row.id for row in made.rows(sa.select(ALERT))}
    assert ranges["#all"]["alerts"] == f"{ids['c1']}-{ids['c2']}"
    assert ranges["#two"]["alerts"] == str(ids["c2"])


def test_a_route_by_time_of_day_takes_what_fires_then_and_it_stays_there(database: Database) -> None:
    """Half past ten in UTC is half past eleven in Copenhagen, whose clock the service has."""
    shift = WeeklyWindow(tuple(range(7)), "11:30", "12:00", "Europe/Copenhagen")
    made = Site(database, FAULTED, now=T0, plan=SpeechPlan((Route(("#shift",), window=shift),)))
    made.tick(T0, location("l1"), location("l2"), resource="locations")
    made.tick(at("10:20"), faulted("l1", "c1"))
    made.tick(at("10:31"), faulted("l1", "c1"), faulted("l2", "c2"))
    made.tick(at("11:10"), faulted("l1", "c1"), faulted("l2", "c2"))
    assert cards(made) == [("a-faulted", "#alerts"), ("a-faulted", "#shift")]
    assert named(made, "#alerts") == {"c1"}
    assert named(made, "#shift") == {"c2"}
    made.tick(at("11:11"), faulted("l2", "c2", status="Available"))
    made.tick(at("11:20"), faulted("l2", "c2", status="Available"))
    assert {row.channel for row in made.messages() if row.kind == "alert_reply"} == {"#shift"}


def shown(made: Site) -> list[Any]:
    return [row for row in made.messages() if row.kind == "alert_card"]


def named(made: Site, channel: str) -> set[str]:
    """The connectors that the card of a channel names."""
    (card,) = [row for row in shown(made) if row.channel == channel]
    words = made.words(card, at("10:10"))
    return {name for name in ("c1", "c2") if f"`{name}`" in words}


def _button(message: Any) -> str:
    (actions,) = [block for block in message.blocks if block["type"] == "actions"]
    return str(actions["elements"][0]["value"])


def test_the_plan_of_the_files_survives_a_restart_and_goes_with_them(database: Database) -> None:
    made = site(database, FAULTED)
    again = Site(database, FAULTED, now=T0, plan=PLAN)
    assert again.work.rules.plan == made.work.rules.plan == PLAN
    without = Site(database, FAULTED, now=T0)
    assert without.work.rules.plan.routes == ()


def test_a_label_of_the_rule_s_own_groups_and_its_incident_is_at_no_one_place(database: Database) -> None:
    made = Site(database, FAULTED | {"labels": {"team": "south"}, "group_by": ["team"]}, now=T0)
    made.tick(T0, location("l1"), location("l2"), resource="locations")
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
