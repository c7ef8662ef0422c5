"""One card for what stands on one charger, whichever rules found it; what joins it speaks only where it is news."""

import os
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import jobs
from rules.alerts.silences import create_silence
from rules.documents.document import rule_from_document
from rules.documents.files import load_rules
from rules.explanations.muting_and_card import find_card
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, OUTBOX
from tests.bot.service.jobs.site import Site
from tests.conftest import ROOT
from tests.readings import MINUTE, T0, at, charger, connector, location

FAULTED = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
CODED = {"name": "coded", "for_each": "connector", "when": 'connector.error_code == "OtherError"'}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online"}


def site(database: Database, *documents: dict[str, Any]) -> Site:
    made = Site(database, *documents, now=T0)
    made.tick(T0, location(), resource="locations")
    return made


NOTICING = ("charger-faulted", "charger-offline", "connector-faulted", "fleet-offline", "safety", "site-down")
"""What a plain run has of the library: what can notice a connector that is out of order."""


def library(database: Database) -> Site:
    """In CI with every rule that it has."""
    folder = ROOT / "rules" / "library"
    files = [folder] if os.environ.get("CI") else [folder / f"{name}.yaml" for name in NOTICING]
    return site(database, *(rule.document for rule in load_rules(files) if rule.kind == "alert"))


def broken(number: int, *plugs: int, code: str = "OtherError") -> Any:
    """A charger of which these plugs are broken; it has three."""
    name = f"ch{number}"
    told = [
        connector(
            f"{name}.{plug}",
            "Faulted" if plug in plugs else "Available",
            charger=name,
            error_code=code if plug in plugs else "NoError",
        )
        for plug in (1, 2, 3)
    ]
    return charger(*told, charger_id=name)


def cards(made: Site) -> list[Any]:
    return [row for row in made.messages() if row.kind in {"alert_card", "roll_up"}]


def replies(made: Site) -> list[Any]:
    return [row for row in made.messages() if row.kind == "alert_reply"]


def assert_each_is_named_once(made: Site) -> None:
    """Every alert that fires is told by exactly one message in each of its channels, or by none while it is quiet."""
    rows = made.rows(
        sa.select(ALERT.c.id, OUTBOX.c.channel, sa.func.count().label("times"))
        .join(OUTBOX, OUTBOX.c.incident_id == ALERT.c.incident_id)
        .where(ALERT.c.state == "firing", OUTBOX.c.kind == "alert_card", OUTBOX.c.abandoned_at.is_(None))
        .group_by(ALERT.c.id, OUTBOX.c.channel)
    )
    assert {row.times for row in rows} <= {1}
    head = OUTBOX.alias("head")
    chains = sa.select(OUTBOX.c.id).join(head, head.c.id == OUTBOX.c.rolled_into)
    assert made.rows(chains.where(OUTBOX.c.kind == "alert_card", head.c.rolled_into.is_not(None))) == []


def test_ten_connectors_of_ten_chargers_minutes_apart_are_ten_cards(database: Database) -> None:
    made = library(database)
    for number in range(1, 11):
        made.tick(T0 + 3 * number * MINUTE, *(broken(one, 1) for one in range(1, number + 1)))
    for minute in range(33, 69, 3):
        made.tick(T0 + minute * MINUTE, *(broken(one, 1) for one in range(1, 11)))
    assert [row.kind for row in cards(made)] == ["alert_card"] * 10
    assert_each_is_named_once(made)


def test_two_connectors_of_one_charger_are_one_card(database: Database) -> None:
    made = library(database)
    for minute in range(1, 50, 3):
        made.tick(T0 + minute * MINUTE, broken(1, 1, *([2] if minute > 5 else [])))
    (card,) = cards(made)
    assert "2 connectors out of order" in made.words(card, at("10:50"))
    assert_each_is_named_once(made)


def test_ten_at_once_are_one_roll_up(database: Database) -> None:
    made = library(database)
    for minute in range(1, 45, 3):
        made.tick(T0 + minute * MINUTE, *(broken(one, 1) for one in range(1, 11)))
    assert [row.kind for row in cards(made)] == ["roll_up"]
    assert_each_is_named_once(made)


def test_a_ground_fault_is_one_card_that_says_safety_first(database: Database) -> None:
    made = library(database)
    for minute in range(1, 45, 3):
        made.tick(T0 + minute * MINUTE, broken(1, 1, code="GroundFailure"))
    (card,) = cards(made)
    words = made.words(card, at("10:45"))
    assert words.startswith("\N{LARGE RED CIRCLE} Safety first: dangerous error on Charger ch1 ch1.1")
    assert "out of order for over" in words
    assert "an electrician" in words
    assert words.count("GroundFailure") == 1
    in_order = ["*Where:* Charger ch1, connector", "*Critical* · Faulted · since", "*Also:* Charger ch1", "*Error:*"]
    assert sorted(in_order, key=words.index) == in_order


def test_another_rule_about_the_same_thing_joins_without_a_word(database: Database) -> None:
    made = site(database, FAULTED, CODED | {"for": "5m"})
    for minute in range(1, 10):
        made.tick(T0 + minute * MINUTE, broken(1, 1))
    assert made.told() == ["alert_card coded"] or made.told() == ["alert_card faulted"]
    words = made.words(cards(made)[0], at("10:10"))
    assert "Faulted" in words
    assert "Coded" in words


def test_why_counts_the_card_that_people_see_for_each_rule_that_it_tells_of(database: Database) -> None:
    alike = [FAULTED | {"name": f"faulted-{number}", "for": f"{number}m"} for number in (1, 2, 3, 4)]
    made = site(database, *alike)
    for minute in range(1, 10):
        made.tick(T0 + minute * MINUTE, broken(1, 1))
    assert "and 1 more rule" in (words := made.words(cards(made)[0], at("10:10")))
    assert "1 more rules" not in words
    rows = made.rows(sa.select(ALERT))
    with database.read() as connection:
        told = [find_card(connection, row) for row in rows]
    assert len(told) == 4
    assert {(card.incident_id, card.total, card.firing) for card in told if card} == {
        (cards(made)[0].incident_id, 4, 4)
    }


def test_why_of_what_a_roll_up_tells_counts_the_roll_up(database: Database) -> None:
    made = library(database)
    for minute in range(1, 50, 3):
        made.tick(T0 + minute * MINUTE, *(broken(number, 1) for number in range(1, 11)))
    assert [row.kind for row in cards(made)] == ["roll_up"]
    rows = made.rows(sa.select(ALERT).where(ALERT.c.state == "firing"))
    with database.read() as connection:
        told = find_card(connection, rows[0])
    assert told is not None
    assert (told.incident_id, told.total) == (None, len(rows))


@pytest.mark.parametrize(
    "joining",
    [CODED | {"for": "5m", "severity": "critical"}, CODED | {"for": "5m", "safety": True}, OFFLINE | {"for": "5m"}],
    ids=["graver", "safety", "a new subject"],
)
def test_what_is_graver_about_safety_or_new_speaks_in_the_thread(database: Database, joining: dict[str, Any]) -> None:
    made = site(database, FAULTED, joining)
    for minute in range(1, 10):
        online = joining["name"] != "offline"
        reading = broken(1, 1) if online else charger(connector("ch1.1", "Faulted", charger="ch1"), online=False)
        made.tick(T0 + minute * MINUTE, reading)
    assert made.told() == ["alert_card faulted", "alert_reply faulted"]
    assert_each_is_named_once(made)


def test_what_joined_under_an_alert_that_ends_at_the_same_poll_speaks_once(database: Database) -> None:
    made = site(database, FAULTED, CODED)
    made.tick(at("10:01"), broken(1, 2, code="NoError"))
    made.tick(at("10:03"), broken(1, 1, 2, code="NoError"))
    made.tick(at("10:10"), charger(connector("ch1.1", "Available", charger="ch1", error_code="OtherError")))
    made.tick(at("10:20"))
    coded = made.rows(sa.select(ALERT.c.id).where(ALERT.c.rule_id == "coded", ALERT.c.state == "firing"))
    told = [row.facts["fired"] for row in replies(made)]
    assert [one.id for one in coded] in told
    assert [i for fired in told for i in fired].count(coded[0].id) == 1


def test_what_joined_under_an_alert_that_is_silenced_at_the_same_poll_speaks(database: Database) -> None:
    made = site(database, FAULTED, CODED)
    made.tick(at("10:01"), broken(1, 1, code="NoError"))
    made.tick(at("10:02"))
    with made.database.write() as connection:
        create_silence(connection, author="U0ANNA", reason="r", now=at("10:02"), rule_id="faulted", until=at("12:00"))
    made.tick(at("10:10"), broken(1, 1))
    made.tick(at("10:20"))
    assert [len(row.facts["fired"]) for row in replies(made)] == [1]


def test_whatever_joins_an_acknowledged_card_speaks(database: Database) -> None:
    made = site(database, FAULTED, CODED | {"for": "5m"})
    made.tick(at("10:01"), broken(1, 1))
    made.tick(at("10:02"))
    with made.database.write() as connection:
        connection.execute(sa.update(ALERT).values(acknowledged_at=at("10:02"), acknowledged_by="U0ANNA"))
    for minute in range(3, 10):
        made.tick(T0 + minute * MINUTE, broken(1, 1))
    assert len(replies(made)) == 1


def test_a_rule_with_a_group_of_its_own_keeps_a_card_of_its_own(database: Database) -> None:
    made = site(database, FAULTED, CODED | {"group_by": ["location"]})
    made.tick(at("10:01"), broken(1, 1), broken(2, 2))
    made.tick(at("10:02"))
    assert sorted(made.told()) == ["alert_card coded", "alert_card faulted", "alert_card faulted"]


def test_a_silenced_part_is_listed_and_makes_no_card_alone(database: Database) -> None:
    made = site(database, FAULTED, CODED | {"for": "5m"})
    with made.database.write() as connection:
        until = at("12:00")
        create_silence(connection, author="U0ANNA", reason="known", now=T0, rule_id="faulted", until=until)
    made.tick(at("10:01"), broken(1, 1))
    made.tick(at("10:03"), broken(1, 1))
    assert made.told() == []
    for minute in range(4, 10):
        made.tick(T0 + minute * MINUTE, broken(1, 1))
    assert made.told() == ["alert_card coded"]
    assert "1 of 2: Silenced by <@U0ANNA>" in made.words(cards(made)[0], at("10:10"))
    assert_each_is_named_once(made)


def test_a_card_closes_when_nothing_in_it_fires_and_a_later_firing_opens_a_new_one(database: Database) -> None:
    made = site(database, FAULTED, CODED)
    made.tick(at("10:01"), broken(1, 1))
    made.tick(at("10:02"), broken(1, 1))
    made.tick(at("10:03"), broken(1, 1, code="NoError"))
    assert len(replies(made)) == 0
    made.tick(at("10:04"), broken(1))
    made.tick(at("10:05"))
    assert [row.facts["full_resolve"] for row in replies(made)] == [True]
    made.tick(at("10:20"), broken(1, 1))
    made.tick(at("10:22"))
    assert len(cards(made)) == 2


def test_an_incident_from_before_there_were_problems_takes_what_would_have_been_its_own(database: Database) -> None:
    made = site(database, FAULTED, CODED)
    made.tick(at("10:01"), broken(1, 1, code="NoError"))
    made.tick(at("10:02"))
    with made.database.write() as connection:
        before = {"problem_key": None, "group_key": '{"location": "l1"}'}
        connection.execute(sa.update(INCIDENT).values(before))
    made.tick(at("10:03"), broken(1, 1, 2), broken(2, 1, code="NoError"))
    made.tick(at("10:05"))
    assert sorted(made.told()) == ["alert_card coded", "alert_card faulted", "alert_reply faulted"]


def test_what_was_already_so_joins_a_standing_card_without_a_word(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), broken(1, 1, 2))
    made.tick(at("10:02"))
    rules = [rule_from_document(document, "test.yaml") for document in (FAULTED, CODED)]
    jobs.use_rules(made.work, rules, at("10:03"))
    made.tick(at("10:04"), broken(1, 1, 2), broken(2, 3))
    made.tick(at("10:06"))
    assert replies(made) == []
    assert_each_is_named_once(made)
