"""Storms: many new cards in one evaluation are one roll-up within the channel's budget, and no place is left out."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident, acknowledge_roll_up
from notify.alert_cards.storms.storm_facts import storm
from notify.claims import claim_next
from notify.outbox import ALERT_CARD
from storage.engine import Database
from storage.schema import INCIDENT, OUTBOX
from tests.bot.service.jobs.site import Site
from tests.readings import MINUTE, T0, at, charger, location

OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "severity": "critical"}
OFFLINE_PLACES = OFFLINE | {"group_by": ["location"]}


def fleet(database: Database, locations: int, name: str = "Place {}", rule: dict[str, Any] = OFFLINE_PLACES) -> Site:
    site = Site(database, rule, now=T0)
    places = [location(f"l{number}", name=name.format(number)) for number in range(locations)]
    site.tick(T0, *places, resource="locations")
    return site


def chargers(count: int, locations: int, *, online: bool) -> list[Any]:
    return [charger(charger_id=f"ch{n}", location_id=f"l{n % locations}", online=online) for n in range(count)]


def whole(site: Site, now: datetime) -> str:
    return "\n".join(site.words(row, now) for row in site.messages())


def test_five_hundred_chargers_offline_in_one_poll_make_at_most_three_messages_that_name_every_location(
    database: Database,
) -> None:
    long_name = "The charging park number {} by the old harbour, behind the hall"
    site = fleet(database, 500, name=long_name)
    site.tick(at("10:01"), *chargers(500, 500, online=False))
    site.tick(at("10:02"))
    assert site.told() == ["roll_up None"] * 3
    words = whole(site, at("10:02"))
    for number in range(500):
        assert f"`The charging park number {number} " in words
    assert len(site.rows(sa.select(INCIDENT).where(INCIDENT.c.resolved_at.is_(None)))) == 500


def test_a_hundred_locations_fit_into_one_message(database: Database) -> None:
    site = fleet(database, 100)
    site.tick(at("10:01"), *chargers(500, 100, online=False))
    site.tick(at("10:02"))
    (row,) = site.messages()
    words = site.words(row, at("10:02"))
    assert "Offline: 500 chargers · 100 places" in words
    assert all(f"• Place {number} · 5" in words for number in range(100))


def test_as_many_cards_as_the_budget_are_cards(database: Database) -> None:
    site = fleet(database, 3)
    site.tick(at("10:01"), *chargers(9, 3, online=False))
    site.tick(at("10:02"))
    assert site.told() == ["alert_card offline"] * 3


def test_rules_of_one_evaluation_share_the_budget(database: Database) -> None:
    both = [OFFLINE_PLACES | {"name": name} for name in ("a", "b")]
    site = Site(database, *both, now=T0)
    site.tick(T0, *chargers(2, 2, online=True))
    site.tick(at("10:01"), *chargers(2, 2, online=False))
    site.tick(at("10:02"))
    (row,) = site.messages()
    assert row.kind == "roll_up"
    words = site.words(row, at("10:02"))
    assert "A: 2 chargers, and more · 2 places" in words
    assert "4 of 4 firing" in words
    assert "B: 2 chargers" in words


def test_a_rolled_up_incident_can_be_acknowledged_by_itself_and_all_at_once(database: Database) -> None:
    site = fleet(database, 5)
    site.tick(at("10:01"), *chargers(5, 5, online=False))
    site.tick(at("10:02"))
    (row,) = site.messages()
    (first, *_) = [incident.id for incident in site.rows(sa.select(INCIDENT))]
    with database.write() as connection:
        assert acknowledge_incident(connection, first, "U1", at("10:03")).members == 1
        assert storm(connection, row, at("10:03")).unacknowledged == 4
        assert acknowledge_roll_up(connection, row.id, "U2", at("10:04")).members == 4
        assert acknowledge_roll_up(connection, row.id, "U3", at("10:05")).outcome == "already acknowledged"
        assert acknowledge_roll_up(connection, "nothing", "U3", at("10:05")).outcome == "unknown incident"
    words = site.words(row, at("10:05"))
    assert "Acknowledged by" in words
    assert "Acknowledge all" not in words
    (row,) = site.messages()
    assert row.version > row.shown_version  # it is to be shown anew


def test_a_roll_up_is_edited_as_places_recover_and_says_once_that_all_is_over(database: Database) -> None:
    site = fleet(database, 5)
    site.tick(at("10:01"), *chargers(5, 5, online=False))
    site.tick(at("10:02"))
    for number in range(5):
        site.tick(at("10:03") + number * MINUTE, charger(charger_id=f"ch{number}", location_id=f"l{number}"))
        words = whole(site, at("10:03") + number * MINUTE)
        assert f"• Place {number} · over" in words
    site.tick(at("10:09"))
    assert site.told() == ["roll_up None", "alert_reply None"]
    assert "*All 5 alerts are over*: Offline: 5 chargers · 5 places" in site.words(site.messages()[1], at("10:09"))


def test_a_new_member_of_a_rolled_up_incident_speaks_in_the_thread(database: Database) -> None:
    site = fleet(database, 5)
    site.tick(at("10:01"), *chargers(5, 5, online=False))
    site.tick(at("10:02"))
    site.tick(at("10:03"), charger(charger_id="new", location_id="l1", online=False))
    site.tick(at("10:04"))
    card, reply = site.messages()
    assert (reply.thread_of, reply.broadcast) == (card.id, True)
    words = site.words(reply, at("10:04"))
    assert "*6 of 6* still firing, 6 not acknowledged, 1 of them new: Offline: 6 chargers · 5 places" in words
    assert "• Charger new `new`, Place 1 · since" in words


def test_what_was_rolled_up_is_never_sent_by_itself(database: Database) -> None:
    site = fleet(database, 5)
    site.tick(at("10:01"), *chargers(5, 5, online=False))
    with database.write() as connection:
        first = claim_next(connection, "w", at("10:30"), MINUTE)
        assert first is not None
        assert first.kind == "roll_up"
        assert claim_next(connection, "w", at("10:30"), MINUTE) is None
    site.tick(at("10:31"), *chargers(5, 5, online=True))
    cards = site.rows(sa.select(OUTBOX).where(OUTBOX.c.kind == ALERT_CARD))
    assert [card.sent_at for card in cards] == [None] * 5


def test_repeats_of_a_roll_up_are_one_message(database: Database) -> None:
    site = fleet(database, 5, rule=OFFLINE | {"repeat": "4h"})
    site.tick(at("10:01"), *chargers(5, 5, online=False))
    for hour in range(11, 16):
        site.tick(at(f"{hour}:00"))
    site.show(at("15:30"))
    assert site.told() == ["roll_up None", "alert_reply None"]
    assert "5 not acknowledged" in site.words(site.messages()[1], at("15:30"))
