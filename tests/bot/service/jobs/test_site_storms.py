"""A site in trouble: more than three of its chargers within a group interval are one roll-up, in whatever polls."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from notify.alert_cards.card import acknowledge_roll_up
from rules.documents.files import load_rules
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, OUTBOX
from tests.bot.service.jobs.site import Site
from tests.conftest import ROOT
from tests.examples import examples
from tests.readings import MINUTE, T0, at, charger, connector, location

FAULTED = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}


def site(database: Database, *documents: dict[str, Any], places: int = 1) -> Site:
    made = Site(database, *(documents or (FAULTED,)), now=T0)
    made.tick(T0, *(location(f"l{n}", name=f"Harbour {n}") for n in range(1, places + 1)), resource="locations")
    return made


def broken(number: int, place: int = 1) -> Any:
    plug = connector(f"ch{number}.1", "Faulted", charger=f"ch{number}")
    return charger(plug, charger_id=f"ch{number}", location_id=f"l{place}")


def one_after_another(made: Site, chargers: int, minutes: int, places: int = 1) -> None:
    for number in range(1, chargers + 1):
        now = T0 + minutes * number * MINUTE
        made.tick(now, *(broken(one, 1 + one % places) for one in range(1, number + 1)))
    for minute in range(1, 8):
        made.tick(now + minute * MINUTE, *(broken(one, 1 + one % places) for one in range(1, chargers + 1)))


def own_cards(made: Site) -> list[Any]:
    """The cards and roll-ups that tell of something: not what has moved into another message."""
    return [row for row in made.messages() if row.kind in {"alert_card", "roll_up"} and row.rolled_into is None]


def assert_each_alert_is_told_once(made: Site) -> None:
    head = sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id)
    rows = made.rows(
        sa.select(ALERT.c.id, OUTBOX.c.channel, sa.func.count(sa.distinct(head)).label("heads"))
        .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
        .join(OUTBOX, OUTBOX.c.incident_id == INCIDENT.c.id)
        .where(ALERT.c.state == "firing", OUTBOX.c.kind == "alert_card")
        .group_by(ALERT.c.id, OUTBOX.c.channel)
    )
    assert rows
    assert {row.heads for row in rows} == {1}
    last = OUTBOX.alias("last")
    chains = sa.select(OUTBOX.c.id).join(last, last.c.id == OUTBOX.c.rolled_into)
    assert made.rows(chains.where(OUTBOX.c.kind == "alert_card", last.c.rolled_into.is_not(None))) == []


@pytest.mark.parametrize(
    ("minutes", "places", "kinds"),
    [(2, 1, ["alert_card"] * 10), (1, 10, ["alert_card"] * 10), (1, 1, ["roll_up"])],
    ids=["one site, minutes apart", "ten sites within minutes", "one site within minutes"],
)
def test_ten_chargers_are_ten_cards_but_where_one_site_is_in_trouble(
    database: Database, minutes: int, places: int, kinds: list[str]
) -> None:
    made = site(database, places=places)
    one_after_another(made, 10, minutes, places)
    assert [row.kind for row in own_cards(made)] == kinds
    assert_each_alert_is_told_once(made)


def test_the_library_names_each_alert_of_a_site_in_trouble_once(sqlite: Database) -> None:
    rules = [rule.document for rule in load_rules([ROOT / "rules" / "library"]) if rule.kind == "alert"]
    made = site(sqlite, *rules)
    one_after_another(made, 6, 1)
    for minute in range(15, 50, 5):
        made.tick(T0 + minute * MINUTE, *(broken(one) for one in range(1, 7)))
    assert [row.kind for row in own_cards(made)] == ["roll_up"]
    assert_each_alert_is_told_once(made)


def test_a_card_that_stood_says_where_it_went_and_offers_nothing_to_click(database: Database) -> None:
    made = site(database)
    one_after_another(made, 4, 1)
    moved = [row for row in made.messages() if row.kind == "alert_card"]
    assert len(moved) == 3
    for row in moved:
        assert row.shown_version == row.version
        words = made.words(row, at("10:12"))
        assert "Now told in one message further down" in words
        assert "actions" not in words
        assert "ch1" not in words
    (head,) = own_cards(made)
    assert min(row.sent_at for row in moved) < head.sent_at


def test_what_joins_a_site_in_trouble_later_speaks_in_the_thread_of_its_roll_up(database: Database) -> None:
    made = site(database)
    one_after_another(made, 5, 1)
    replies = [row for row in made.messages() if row.kind == "alert_reply"]
    (head,) = own_cards(made)
    assert [row.thread_of for row in replies] == [head.id]
    (fifth,) = made.rows(sa.select(ALERT.c.id).where(ALERT.c.charger_id == "ch5"))
    assert replies[0].facts["fired"] == [fifth.id]


def test_a_charger_that_breaks_when_the_rest_has_stood_a_while_has_a_card_of_its_own(database: Database) -> None:
    made = site(database)
    one_after_another(made, 4, 1)
    made.tick(at("10:30"), broken(9))
    made.tick(at("10:31"))
    assert [row.kind for row in own_cards(made)] == ["roll_up", "alert_card"]


def test_a_roll_up_of_a_site_ends_in_its_own_thread(database: Database) -> None:
    made = site(database)
    one_after_another(made, 4, 1)
    mended = (charger(connector(f"ch{n}.1", charger=f"ch{n}"), charger_id=f"ch{n}") for n in range(1, 5))
    made.tick(at("10:20"), *mended)
    made.tick(at("10:21"))
    (head,) = own_cards(made)
    (reply,) = [row for row in made.messages() if row.kind == "alert_reply"]
    assert (reply.thread_of, reply.facts["full_resolve"]) == (head.id, True)


def test_a_card_that_stands_joins_the_storm_that_takes_the_rest_of_its_site(database: Database) -> None:
    made = site(database)
    made.tick(at("10:01"), broken(1))
    made.tick(at("10:03"), *(broken(n) for n in range(1, 7)))
    made.tick(at("10:05"), *(broken(n) for n in range(1, 7)))
    assert [row.kind for row in own_cards(made)] == ["roll_up"]
    assert_each_alert_is_told_once(made)
    words = made.words(own_cards(made)[0], at("10:05"))
    assert "6 of 6 firing" in words
    assert "• Charger ch1 `ch1` · over 4 min" in words


def test_a_roll_up_and_cards_from_before_the_upgrade_live_out_as_they_are(database: Database) -> None:
    made = site(database)
    made.tick(at("10:01"), *(broken(n) for n in range(1, 6)))
    made.tick(at("10:02"), *(broken(n) for n in range(1, 6)))
    (head,) = own_cards(made)
    with database.write() as connection:  # as a version wrote them that knew no problems: a rule's by location
        groups = {"problem_key": None, "group_key": sa.literal("before:") + sa.cast(INCIDENT.c.id, sa.String)}
        connection.execute(sa.update(INCIDENT).values(groups))
    made = Site(database, FAULTED, now=at("10:03"))
    made.tick(at("10:03"), *(broken(n) for n in range(1, 6)))
    assert [(row.id, row.version) for row in own_cards(made)] == [(head.id, head.version)]
    made.tick(at("10:04"), *(broken(n) for n in range(1, 7)))
    made.tick(at("10:05"))
    assert [row.kind for row in own_cards(made)] == ["roll_up", "alert_card"]
    with database.write() as connection:
        assert acknowledge_roll_up(connection, head.id, "U0OLE00002", at("10:06")).members == 5
    mended = (charger(connector(f"ch{n}.1", charger=f"ch{n}"), charger_id=f"ch{n}") for n in range(1, 6))
    made.tick(at("10:07"), *mended)
    made.tick(at("10:13"))
    assert [row.facts["full_resolve"] for row in made.messages() if row.kind == "alert_reply"] == [True]


def expected(story: list[tuple[int, int]]) -> dict[int, str]:
    """Which message tells of each charger, in plain words: `story` is when each breaks, and at which site."""
    message: dict[int, str] = {}
    for minute in sorted({when for when, _ in story}):
        fresh = [n for n, (when, _) in enumerate(story) if when == minute]
        message |= {n: f"card {n}" for n in fresh}
        for place in sorted({story[n][1] for n in fresh}):
            recent = [n for n, (when, there) in enumerate(story) if there == place and minute - 5 <= when <= minute]
            if len(recent) > 3:
                rolled = sorted({message[n] for n in recent if message[n].startswith("roll-up")})
                head = rolled[0] if rolled else f"roll-up {place} {minute}"
                message |= dict.fromkeys(recent, head)
    return message


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.tuples(st.integers(1, 14), st.integers(1, 2)), min_size=4, max_size=8))
def test_whenever_chargers_break_a_site_in_trouble_is_one_roll_up_and_nothing_else_is(
    sqlite: Database, story: list[tuple[int, int]]
) -> None:
    assume(max(Counter(minute for minute, _ in story).values()) <= 3)  # no more in one evaluation than the budget
    with sqlite.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    made = site(sqlite, places=2)
    for minute in range(1, 17):
        now = T0 + minute * MINUTE
        made.tick(now, *(broken(n, place) for n, (when, place) in enumerate(story) if when <= minute))
    assert_each_alert_is_told_once(made)
    heads = {row.id: row.kind for row in made.messages() if row.rolled_into is None}
    rows = made.rows(
        sa.select(INCIDENT.c.problem_key, sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id).label("head"))
        .join(OUTBOX, OUTBOX.c.incident_id == INCIDENT.c.id)
        .where(OUTBOX.c.kind == "alert_card")
    )
    by_head: dict[str, set[int]] = {}
    for row in rows:
        by_head.setdefault(row.head, set()).add(int(row.problem_key.removeprefix("charger:ch")))
    plain: dict[str, set[int]] = {}
    for number, message in expected(story).items():
        plain.setdefault(message, set()).add(number)
    assert sorted(map(sorted, by_head.values())) == sorted(map(sorted, plain.values()))
    assert all((heads[head] == "roll_up") == (len(told) > 1) for head, told in by_head.items())


def test_a_card_that_another_rule_made_at_the_same_poll_joins_and_is_said_in_the_thread_too(database: Database) -> None:
    late_ones = 'charger.id in ["ch7", "ch8"]'
    first = {**FAULTED, "name": "first", "when": f"{FAULTED['when']} and not ({late_ones})"}
    others = {**FAULTED, "name": "others", "when": f"{FAULTED['when']} and {late_ones}"}
    made = site(database, first, others)
    for minute, chargers in ((1, 4), (5, 5), (8, 8)):  # of the eight, no rule's alone are too many
        made.tick(T0 + minute * MINUTE, *(broken(one) for one in range(1, chargers + 1)))
        made.show(T0 + (minute + 1) * MINUTE)
    made.show(at("10:20"))
    assert not made.work.broken
    assert [row.kind for row in own_cards(made)] == ["roll_up"]
    assert_each_alert_is_told_once(made)
    told = {one for row in made.messages() if row.kind == "alert_reply" for one in row.facts["fired"]}
    late = made.rows(sa.select(ALERT.c.id).where(ALERT.c.charger_id.in_(["ch5", "ch6", "ch7", "ch8"])))
    assert told == {row.id for row in late}
