"""A rule that is switched on over things that are already so: one summary, and then messages as ever."""

from typing import Any

import sqlalchemy as sa

from bot.service import jobs
from notify.alert_cards.card import acknowledge_roll_up
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.schema import ALERT
from tests.bot.service.jobs.site import Site
from tests.readings import MINUTE, T0, at, charger, connector, location, poll

FAULTED = {"name": "a-faulted", "for_each": "connector", "when": 'connector.status == "Faulted"', "for": "30m"}
QUICK = FAULTED | {"for": "0s"}


def faulted(place: int, *names: str, status: str = "Faulted") -> Any:
    connectors = (connector(name, status, charger=f"ch{place}") for name in names)
    return charger(*connectors, charger_id=f"ch{place}", location_id=f"l{place}")


def fleet(database: Database, places: int = 4, *, ago: int = 60) -> None:
    """Three connectors at each place, out of order for so many minutes at 10:00; no rule in force yet."""
    began = T0 - ago * MINUTE
    poll(database, began - MINUTE, *(location(f"l{n}") for n in range(places)), resource="locations")
    poll(database, began - MINUTE, *(faulted(n, *names(n), status="Available") for n in range(places)))
    poll(database, began, *(faulted(n, *names(n)) for n in range(places)))
    for minute in range(1, ago + 1):  # no gap
        poll(database, began + minute * MINUTE)


def names(place: int) -> tuple[str, ...]:
    return tuple(f"c{place}.{number}" for number in range(3))


def switched_on(database: Database, document: dict[str, Any] | None = None, places: int = 4, ago: int = 60) -> Site:
    fleet(database, places, ago=ago)
    made = Site(database, document or FAULTED, now=T0)
    made.tick(at("10:01"))
    made.tick(at("10:02"))
    return made


def test_what_was_already_so_is_one_summary_that_names_the_places(database: Database) -> None:
    made = switched_on(database)
    (summary,) = made.messages()
    assert (summary.kind, summary.rule_id) == ("roll_up", "a-faulted")
    words = made.words(summary, at("10:02"))
    assert "12 connectors were already so when this rule was switched on" in words
    assert "12 of 12 firing" in words
    assert all(f"• Location l{n} · 3 alerts · over 1 h 2 min" in words for n in range(4))
    assert {row.state for row in made.rows(sa.select(ALERT.c.state))} == {"firing"}


def test_the_summary_is_edited_as_they_recover_and_says_when_it_is_over(database: Database) -> None:
    made = switched_on(database)
    made.tick(at("10:03"), faulted(0, *names(0), status="Available"))
    (summary,) = made.messages()
    assert "• Location l0 · over\\n" in made.words(summary, at("10:03"))
    made.tick(at("10:04"), *(faulted(n, *names(n), status="Available") for n in range(1, 4)))
    made.tick(at("10:05"))
    assert made.told() == ["roll_up a-faulted", "alert_reply a-faulted"]
    assert "12 connectors were already so" in made.words(summary, at("10:05"))


def test_what_was_pending_at_the_switch_joins_the_summary_without_a_word(database: Database) -> None:
    fleet(database, 4, ago=20)
    poll(database, T0, faulted(0, "c0.0", status="Available"))
    made = Site(database, FAULTED, now=T0)
    made.tick(at("10:01"))
    assert made.told() == []
    made.tick(at("10:10"))
    made.tick(at("10:11"))
    assert made.told() == ["roll_up a-faulted"]
    assert "11 connectors were already so" in made.words(made.messages()[0], at("10:11"))


def test_one_by_one_they_join_the_same_summary(database: Database) -> None:
    poll(database, T0 - 6 * MINUTE, *(location(f"l{n}") for n in range(4)), resource="locations")
    poll(database, T0 - 6 * MINUTE, *(faulted(n, f"c{n}", status="Available") for n in range(4)))
    for n in range(4):
        poll(database, T0 - (5 - n) * MINUTE, faulted(n, f"c{n}"))
    poll(database, T0)
    made = Site(database, FAULTED | {"for": "5m"}, now=T0)
    for minute in range(8):
        made.tick(at("10:00") + minute * MINUTE)
    assert made.told() == ["roll_up a-faulted"]
    assert "4 of 4 firing" in made.words(made.messages()[0], at("10:08"))


def test_a_new_member_speaks_in_the_thread_of_the_summary_and_a_new_place_by_a_card(database: Database) -> None:
    made = switched_on(database, QUICK)
    made.tick(at("10:03"), faulted(0, *names(0), "c-new"), location("l9"), resource="chargers")
    made.tick(at("10:04"), faulted(9, "c9"))
    made.tick(at("10:05"))
    assert made.told() == ["roll_up a-faulted", "alert_reply a-faulted", "alert_card a-faulted"]
    assert "1 of them new" in made.words(made.messages()[1], at("10:05"))


def test_one_thing_that_is_already_so_has_its_card(database: Database) -> None:
    fleet(database, 1)
    poll(database, T0, faulted(0, *names(0)[1:], status="Available"))
    made = Site(database, FAULTED, now=T0)
    made.tick(at("10:01"))
    made.tick(at("10:02"))
    assert made.told() == ["alert_card a-faulted"]
    assert "already so" not in made.words(made.messages()[0], at("10:02"))


def test_several_things_of_one_group_share_their_card_which_says_so(database: Database) -> None:
    made = switched_on(database, places=1)
    assert made.told() == ["alert_card a-faulted"]
    assert "3 connectors were already so when this rule was switched on" in made.words(made.messages()[0], at("10:02"))


def test_the_first_evaluation_after_a_restart_is_no_switching_on(database: Database) -> None:
    made = Site(database, QUICK, now=T0)
    made.tick(T0, *(location(f"l{n}") for n in range(3)), resource="locations")
    made.tick(at("10:01"), *(faulted(n, f"c{n}", status="Available") for n in range(3)))
    made = Site(database, QUICK, now=at("10:02"))
    made.tick(at("10:02"), *(faulted(n, f"c{n}") for n in range(3)))
    made.tick(at("10:03"))
    assert made.told() == ["alert_card a-faulted"] * 3


def test_a_changed_rule_summarises_what_is_new_to_it_and_leaves_the_open_cards(database: Database) -> None:
    made = Site(database, QUICK | {"when": 'connector.id == "c0"'}, now=T0)
    made.tick(T0, *(location(f"l{n}") for n in range(4)), resource="locations")
    made.tick(at("10:01"), *(faulted(n, f"c{n}") for n in range(4)))
    made.tick(at("10:02"))
    assert made.told() == ["alert_card a-faulted"]
    jobs.use_rules(made.work, [rule_from_document(QUICK, "t")], at("10:03"))
    made.tick(at("10:03"))
    made.tick(at("10:04"))
    assert made.told() == ["alert_card a-faulted", "roll_up a-faulted"]
    assert "3 connectors were already so" in made.words(made.messages()[1], at("10:04"))


def test_a_rule_that_is_removed_and_comes_back_has_a_summary_of_its_own(database: Database) -> None:
    made = switched_on(database)
    jobs.use_rules(made.work, [], at("10:03"))
    made.tick(at("10:03"))
    jobs.use_rules(made.work, [rule_from_document(FAULTED, "t")], at("10:10"))
    made.tick(at("10:10"))
    made.tick(at("10:11"))
    assert made.told().count("roll_up a-faulted") == 2


def test_a_summary_can_be_acknowledged_as_a_whole(database: Database) -> None:
    made = switched_on(database)
    with database.write() as connection:
        assert acknowledge_roll_up(connection, made.messages()[0].id, "U1", at("10:03")).members == 12


def test_many_places_are_named_in_pages_of_which_the_channel_gets_one(database: Database) -> None:
    poll(
        database,
        T0 - MINUTE,
        *(location(f"l{n}", name=f"The park {n} " + "x" * 60) for n in range(400)),
        resource="locations",
    )
    poll(database, T0 - MINUTE, *(faulted(n, f"c{n}") for n in range(400)))
    poll(database, T0)
    made = Site(database, QUICK, now=T0)
    made.tick(T0)
    made.tick(at("10:01"))
    first, *others = made.messages()
    assert made.told() == ["roll_up a-faulted"] * 5
    assert {row.thread_of for row in others} == {first.id}
    assert not any(row.broadcast for row in others)
    words = "".join(made.words(row, at("10:01")) for row in made.messages())
    assert "400 connectors were already so" in words
    assert all(f"`The park {n} " in words for n in range(400))


def test_a_place_in_the_summary_has_its_code_in_words_and_its_age(database: Database) -> None:
    codes = ("GroundFailure", "OverCurrentFailure", "E 17")
    poll(database, T0 - 61 * MINUTE, *(location(f"l{n}") for n in range(3)), resource="locations")
    for minute in range(60, -1, -1):
        plugs = [connector(f"c{n}", "Faulted", charger=f"ch{n}", error_code=code) for n, code in enumerate(codes)]
        broken = (charger(plug, charger_id=f"ch{n}", location_id=f"l{n}") for n, plug in enumerate(plugs))
        poll(database, T0 - minute * MINUTE, *broken)
    made = Site(database, QUICK, now=T0)
    made.tick(at("10:01"))
    made.tick(at("10:02"))
    words = made.words(made.messages()[0], at("10:02"))
    assert "• Location l0 · Ground fault · over 1 h 2 min" in words
    assert "• Location l1 · Too much current · over 1 h 2 min" in words
    assert "• Location l2 · E 17 · over 1 h 2 min" in words


def test_the_summary_says_how_many_of_what_was_already_so_stand_on_other_cards(database: Database) -> None:
    poll(database, T0 - MINUTE, *(location(f"l{n}") for n in range(4)), resource="locations")
    poll(database, T0, *(faulted(n, *names(n)) for n in range(4)))
    only = QUICK | {"name": "b-standing", "when": 'connector.status == "Faulted" and connector.id == "c0.0"'}
    made = Site(database, only, now=T0)
    made.tick(at("10:01"))
    made.tick(at("10:02"))
    assert made.told() == ["alert_card b-standing"]
    jobs.use_rules(made.work, [rule_from_document(one, "t") for one in (only, QUICK)], at("10:03"))
    made.tick(at("10:03"))
    made.tick(at("10:04"))
    assert made.told() == ["alert_card b-standing", "roll_up a-faulted"]
    words = made.words(made.messages()[1], at("10:04"))
    assert "12 connectors were already so when this rule was switched on; 9 of them here, the others" in words
    assert "9 of 9 firing" in words
