"""Snoozes and acknowledgements that run out: what is quiet, for how long, and what speaks when that is over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident, acknowledge_roll_up
from notify.alert_cards.snoozes import Snoozable, Snoozing, snooze_alerts, wake_alerts
from rules.alerts.silences import create_silence
from rules.alerts.snoozes import snooze_end
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, TRANSITION
from tests.bot.service.jobs.site import Site
from tests.readings import T0, at, charger, connector, location

FAULTED = {"name": "a-faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "inhibits": ["a-faulted"]}
HERE = Snoozable(incident=1)


def site(database: Database, *documents: dict[str, Any], zone: str = "UTC") -> Site:
    made = Site(database, *(documents or (FAULTED,)), now=T0)
    made.tick(T0, location(timezone=zone), resource="locations")
    return made


def reading(*names: str, status: str = "Faulted", online: bool = True) -> Any:
    return charger(*(connector(name, status) for name in names), online=online)


def card_at_ten(database: Database, *documents: dict[str, Any]) -> Site:
    """A card of one faulted connector that stands since 10:02."""
    made = site(database, *documents)
    made.tick(at("10:01"), reading("c1"))
    made.tick(at("10:02"))
    return made


def snooze(made: Site, now: datetime, choice: str = "30m", user: str = "U0OLE", what: Snoozable = HERE) -> Snoozing:
    with made.database.write() as connection:
        return snooze_alerts(connection, what, choice, user, now, default_zone="Europe/Copenhagen")


def replies(made: Site, now: datetime) -> list[str]:
    return [made.words(row, now).split("\n")[0] for row in made.messages() if row.kind == "alert_reply"]


def test_a_snoozed_card_says_until_when_and_by_whom_and_is_quiet_until_then(database: Database) -> None:
    made = card_at_ten(database, FAULTED | {"repeat": "5m", "escalate": [{"after": "10m", "notify": ["@oncall"]}]})
    assert snooze(made, at("10:02")) == Snoozing("snoozed", "U0OLE", at("10:32"), 1)
    made.tick(at("10:31"))
    (card,) = made.messages()
    words = made.words(card, at("10:31"))
    assert "Snoozed: A faulted: Charger ch1 c1 · Location l1" in words
    assert "2026-03-02 10:32 UTC> by <@U0OLE>" in words
    assert "'End snooze'" in words
    assert "static_select" not in words


def test_what_still_fires_at_the_end_of_a_snooze_speaks(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"))
    made.tick(at("10:32"))
    made.tick(at("10:33"))
    assert replies(made, at("10:33")) == [
        "🟠 A faulted: Charger ch1 c1 · Location l1: 1 still firing, the snooze is over"
    ]
    assert "Snoozed" not in made.words(made.messages()[0], at("10:33"))


def test_escalation_counts_from_the_end_of_the_snooze(database: Database) -> None:
    made = card_at_ten(database, FAULTED | {"escalate": [{"after": "10m", "notify": ["@oncall"]}]})
    snooze(made, at("10:02"))
    made.tick(at("10:32"))
    made.tick(at("10:33"))
    made.tick(at("10:41"))
    assert len(replies(made, at("10:41"))) == 1
    made.tick(at("10:42"))
    made.tick(at("10:43"))
    assert "`@oncall`" in replies(made, at("10:43"))[-1]


def test_a_new_member_speaks_while_the_others_are_snoozed(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"), "4h")
    made.tick(at("10:03"), reading("c1", "c2"))
    made.tick(at("10:10"))
    assert replies(made, at("10:10")) == ["🟠 A faulted: 2 connectors · Location l1: 1 more"]
    words = made.words(made.messages()[0], at("10:10"))
    assert "by <@U0OLE>: 1 of 2" in words
    assert "static_select" in words  # the new one can be snoozed too
    assert snooze(made, at("10:11"), "1h", "U0ANNA").members == 1


def test_what_recovers_in_a_snooze_is_an_edit_alone(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"))
    made.tick(at("10:10"), reading("c1", status="Available"))
    made.tick(at("10:40"))
    assert made.told() == ["alert_card a-faulted"]
    assert "Resolved" in made.words(made.messages()[0], at("10:40"))


def test_a_second_click_changes_nothing_and_is_told_who_was_first(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"))
    assert snooze(made, at("10:03"), "4h", "U0ANNA") == Snoozing("already snoozed", "U0OLE", at("10:32"))
    (row,) = made.rows(sa.select(ALERT.c.snoozed_until, ALERT.c.snoozed_by))
    assert tuple(row) == (at("10:32"), "U0OLE")


def test_a_snooze_that_is_ended_early_lets_what_fires_speak_once(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"), "4h")
    with database.write() as connection:
        assert wake_alerts(connection, HERE, at("10:05")).outcome == "woken"
        assert wake_alerts(connection, HERE, at("10:05")).outcome == "not snoozed"
    made.tick(at("10:06"))
    made.tick(at("10:07"))
    made.tick(at("14:03"))
    made.tick(at("14:04"))
    assert len(replies(made, at("14:04"))) == 1


def test_a_snooze_of_nothing_says_why(database: Database) -> None:
    made = card_at_ten(database)
    made.tick(at("10:03"), reading("c1", status="Available"))
    assert snooze(made, at("10:04")).outcome == "already resolved"
    assert snooze(made, at("10:04"), what=Snoozable(incident=99)).outcome == "unknown alert"
    assert snooze(made, at("10:04"), what=Snoozable(roll_up="none")).outcome == "unknown alert"
    with pytest.raises(LookupError, match='no snooze is called "5 years"'):
        snooze(made, at("10:04"), "5 years")


def test_a_snoozed_source_inhibits_nothing(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    made.tick(at("10:01"), reading("c1", online=False))
    made.tick(at("10:02"))
    assert made.told() == ["alert_card offline"]
    snooze(made, at("10:02"))
    made.tick(at("10:03"))
    made.tick(at("10:04"))
    assert made.told() == ["alert_card offline", "alert_reply offline"]


def test_a_snooze_that_ends_under_a_silence_waits_for_its_end(database: Database) -> None:
    made = card_at_ten(database)
    snooze(made, at("10:02"))
    with database.write() as connection:
        create_silence(connection, author="U1", reason="r", now=at("10:03"), until=at("11:00"), rule_id="a-faulted")
    made.tick(at("10:03"))
    made.tick(at("10:40"))
    assert replies(made, at("10:40")) == []
    made.tick(at("11:00"))
    made.tick(at("11:01"))
    assert replies(made, at("11:01")) == [
        "🟠 A faulted: Charger ch1 c1 · Location l1: 1 still firing, no longer kept quiet"
    ]


def test_a_roll_up_is_snoozed_and_woken_as_a_whole(database: Database) -> None:
    made = Site(database, OFFLINE | {"inhibits": []}, now=T0)
    made.tick(T0, *(location(f"l{n}") for n in range(4)), resource="locations")
    made.tick(at("10:01"), *(charger(charger_id=f"ch{n}", location_id=f"l{n}", online=False) for n in range(4)))
    made.tick(at("10:02"))
    (head,) = made.messages()
    assert "static_select" in made.words(head, at("10:02"))
    what = Snoozable(roll_up=head.id)
    assert snooze(made, at("10:02"), what=what) == Snoozing("snoozed", "U0OLE", at("10:32"), 4)
    made.tick(at("10:03"))
    assert "Snoozed until" in made.words(head, at("10:03"))
    made.tick(at("10:32"))
    made.tick(at("10:33"))
    assert made.told() == ["roll_up None", "alert_reply None"]


@pytest.mark.parametrize(
    ("zone", "now", "end"),
    [
        ("Europe/Copenhagen", "2026-03-02T20:00:00+00:00", "2026-03-03T07:00:00+00:00"),
        ("Europe/Copenhagen", "2026-03-02T23:30:00+00:00", "2026-03-04T07:00:00+00:00"),  # it is tomorrow already
        ("America/Los_Angeles", "2026-03-03T02:00:00+00:00", "2026-03-03T16:00:00+00:00"),
        ("Europe/Copenhagen", "2026-03-28T12:00:00+00:00", "2026-03-29T06:00:00+00:00"),  # the clock goes forward
        ("Europe/Copenhagen", "2026-10-24T12:00:00+00:00", "2026-10-25T07:00:00+00:00"),  # and back
    ],
)
def test_tomorrow_morning_is_eight_o_clock_where_the_thing_is(zone: str, now: str, end: str) -> None:
    assert snooze_end("morning", zone, datetime.fromisoformat(now)) == datetime.fromisoformat(end)


def test_the_morning_is_that_of_the_location_or_else_of_the_service(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": []}, FAULTED | {"name": "b"}, zone="America/New_York")
    made.tick(at("10:01"), reading("c1"))
    ids = {row.rule_id: row.id for row in made.rows(sa.select(INCIDENT))}
    assert snooze(made, T0, "morning", what=Snoozable(incident=ids["b"])).until == at("13:00") + timedelta(days=1)
    assert snooze(made, T0, "morning", what=Snoozable(incident=ids["a-faulted"])).until == at("07:00") + timedelta(
        days=1
    )


def test_an_acknowledgement_runs_out_after_ack_for_and_the_alert_speaks_again(database: Database) -> None:
    made = card_at_ten(database, FAULTED | {"ack_for": "1h"})
    with database.write() as connection:
        assert acknowledge_incident(connection, 1, "U0OLE", at("10:02")).members == 1
    made.tick(at("11:01"))
    before = made.rows(sa.select(TRANSITION))
    assert replies(made, at("11:01")) == []
    made.tick(at("11:02"))
    made.tick(at("11:03"))
    assert replies(made, at("11:03")) == [
        "🟠 A faulted: Charger ch1 c1 · Location l1: 1 still firing, the acknowledgement ran out"
    ]
    card = made.messages()[0]
    words = made.words(card, at("11:03"))
    assert "A faulted: " in words
    assert "the acknowledgement by <@U0OLE> ran out" in words
    assert "acknowledge_incident" in words
    assert made.rows(sa.select(TRANSITION)) == before
    assert [row.resolved_at for row in made.rows(sa.select(INCIDENT))] == [None]
    with database.write() as connection:
        assert acknowledge_incident(connection, 1, "U0ANNA", at("11:04")).outcome == "acknowledged"
    assert "ran out" not in made.words(card, at("11:05"))


def test_without_ack_for_an_acknowledgement_lasts_a_day(database: Database) -> None:
    made = card_at_ten(database)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U0OLE", at("10:02"))
    made.tick(at("10:01") + timedelta(days=1))
    made.tick(at("10:01") + timedelta(days=1))
    assert replies(made, at("11:03")) == []
    made.tick(at("10:02") + timedelta(days=1))
    made.tick(at("10:03") + timedelta(days=1))
    assert len(replies(made, at("11:03"))) == 1


def test_an_acknowledgement_that_runs_out_lets_the_escalation_begin_from_then(database: Database) -> None:
    ladder = {"ack_for": "1h", "escalate": [{"after": "10m", "notify": ["@oncall"]}]}
    made = card_at_ten(database, FAULTED | ladder)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U0OLE", at("10:02"))
    for moment in ("11:02", "11:03", "11:11", "11:12", "11:13"):
        made.tick(at(moment))
    first, second = replies(made, at("11:13"))
    assert "@oncall" not in first
    assert "@oncall" in second


def test_a_roll_up_whose_acknowledgement_runs_out_speaks_in_its_thread(database: Database) -> None:
    made = Site(database, OFFLINE | {"inhibits": [], "ack_for": "1h"}, now=T0)
    made.tick(T0, *(location(f"l{n}") for n in range(4)), resource="locations")
    made.tick(at("10:01"), *(charger(charger_id=f"ch{n}", location_id=f"l{n}", online=False) for n in range(4)))
    made.tick(at("10:02"))
    with database.write() as connection:
        acknowledge_roll_up(connection, made.messages()[0].id, "U0OLE", at("10:02"))
    made.tick(at("11:02"))
    made.tick(at("11:03"))
    assert made.told() == ["roll_up None", "alert_reply None"]
    assert "4 not acknowledged" in made.words(made.messages()[1], at("11:03"))
