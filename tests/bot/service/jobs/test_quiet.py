"""Quiet alerts: silences and inhibition keep messages back and never a transition; what still fires then speaks."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service.speaking import speak
from rules.alerts.silences import active_silences, create_silence, end_silence
from rules.documents.maintenance import WeeklyWindow
from storage.engine import Database
from storage.schema import ALERT, TRANSITION
from tests.bot.service.jobs.site import Site
from tests.readings import MINUTE, T0, at, charger, connector, location, session

FAULTED = {"name": "a-faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "inhibits": ["a-faulted"]}


def reading(status: str = "Faulted", *, online: bool = True, charger_id: str = "ch1", name: str = "c1") -> Any:
    return charger(connector(name, status, charger=charger_id), online=online, charger_id=charger_id)


def site(database: Database, *documents: dict[str, Any]) -> Site:
    made = Site(database, *documents, now=T0)
    made.tick(T0, location(), resource="locations")
    return made


def silence(made: Site, now: datetime, **values: Any) -> int:
    with made.database.write() as connection:
        return create_silence(connection, author="U0ANNA", reason="Works on the grid", now=now, **values)


def traces(made: Site, rule: str) -> list[Any]:
    rows = made.rows(sa.select(TRANSITION).where(TRANSITION.c.rule_id == rule).order_by(TRANSITION.c.id))
    return [(row.to_state, row.trace.get("muted_by")) for row in rows]


def test_while_a_charger_is_offline_its_connectors_stay_quiet_and_their_alerts_go_on(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    moved = made.tick(at("10:01"), reading(online=False))
    assert [(item.rule_id, item.muted) for item in moved] == [("offline", False), ("a-faulted", True)]
    made.tick(at("10:02"))
    assert made.told() == ["alert_card offline"]
    assert traces(made, "a-faulted") == [("firing", {"rule": "offline", "subject": "ch1"})]


def test_when_inhibition_ends_what_still_fires_speaks_after_group_wait(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:10"), reading())
    made.show(at("10:10:29"))
    assert "no longer kept quiet" not in made.words(made.messages()[-1], at("10:10:29"))
    made.show(at("10:10:30"))
    assert made.told()[-1] == "alert_reply offline"
    assert "no longer kept quiet" in made.words(made.messages()[-1], at("10:10:30"))


def test_what_recovers_while_it_is_kept_quiet_is_never_told(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:10"), reading("Available"))
    made.tick(at("10:11"))
    assert made.told() == ["alert_card offline", "alert_reply offline"]
    assert [state for state, _ in traces(made, "a-faulted")] == ["firing", "resolved"]


def test_another_charger_s_connectors_are_not_kept_quiet(database: Database) -> None:
    made = site(database, FAULTED | {"group_by": ["charger"]}, OFFLINE | {"group_by": ["charger"]})
    made.tick(at("10:01"), reading(online=False), reading(charger_id="ch2", name="c2"))
    made.tick(at("10:02"))
    assert sorted(made.told()) == ["alert_card a-faulted", "alert_card offline"]


def test_a_rule_of_safety_is_never_kept_quiet(database: Database) -> None:
    made = site(database, FAULTED | {"safety": True}, OFFLINE)
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:02"))
    (card,) = made.messages()
    assert made.words(card, at("10:02")).startswith("\N{LARGE ORANGE CIRCLE} A faulted: Charger ch1 c1")


def test_a_charger_s_alert_does_not_inhibit_another_about_the_charger_itself(database: Database) -> None:
    same = {"name": "off-too", "for_each": "charger", "when": "not charger.online", "group_by": ["charger"]}
    made = site(database, same, OFFLINE | {"inhibits": ["off-too"]})
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:02"))
    assert sorted(made.told()) == ["alert_card off-too", "alert_card offline"]


def test_a_silenced_source_inhibits_nothing(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    silence(made, T0, rule_id="offline", until=at("12:00"))
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:02"))
    assert made.told() == ["alert_card a-faulted"]


def test_a_source_that_is_silenced_later_lets_its_targets_speak(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    made.tick(at("10:01"), reading(online=False))
    made.tick(at("10:02"))
    silence(made, at("10:02"), rule_id="offline", until=at("12:00"))
    made.tick(at("10:03"))
    made.tick(at("10:04"))
    assert made.told() == ["alert_card offline", "alert_reply offline"]


def test_a_silenced_alert_makes_no_message_and_speaks_when_the_silence_is_over(database: Database) -> None:
    made = site(database, FAULTED)
    number = silence(made, T0, location_id="l1", until=at("11:00"))
    made.tick(at("10:01"), reading())
    made.tick(at("10:02"))
    assert made.told() == []
    said = {"silence": number, "by": "U0ANNA", "until": at("11:00").isoformat(), "reason": "Works on the grid"}
    assert traces(made, "a-faulted") == [("firing", said)]
    made.tick(at("11:00"))
    made.tick(at("11:01"))
    assert made.told() == ["alert_card a-faulted"]


def test_a_card_that_stands_says_who_silenced_it_until_when_and_why(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), reading())
    made.tick(at("10:02"))
    silence(made, at("10:03"), rule_id="a-faulted", until=at("11:00"))
    made.tick(at("10:03"))
    (card,) = made.messages()
    assert card.version == 2
    words = made.words(card, at("10:03"))
    assert "Silenced by <@U0ANNA> until <!date^" in words
    assert "2026-03-02 11:00 UTC>: `Works on the grid`" in words
    made.tick(at("10:04"), reading("Available"))
    made.tick(at("10:05"))
    assert made.told() == ["alert_card a-faulted"]  # the end of a silenced alert is an edit alone
    assert "Resolved" in made.words(card, at("10:05"))


def test_a_standing_card_speaks_in_its_thread_when_the_silence_is_ended(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), reading())
    made.tick(at("10:02"))
    number = silence(made, at("10:02"), labels={"connector": "c1"}, until=at("12:00"))
    made.tick(at("10:03"))
    with database.write() as connection:
        assert end_silence(connection, number, "U0OLE", at("10:20"))
        assert not end_silence(connection, number, "U0OLE", at("10:20"))
    made.tick(at("10:20"))
    made.tick(at("10:21"))
    assert made.told() == ["alert_card a-faulted", "alert_reply a-faulted"]
    assert "1 still firing, no longer kept quiet" in made.words(made.messages()[1], at("10:21"))


def test_a_silence_until_recovery_ends_with_the_last_of_its_alerts(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:01"), reading())
    silence(made, at("10:01"), connector_id="c1", until_recovery=True)
    made.tick(at("10:02"))
    with database.read() as connection:
        assert len(active_silences(connection, at("10:02"))) == 1
    made.tick(at("10:03"), reading("Available"))
    with database.read() as connection:
        assert active_silences(connection, at("10:03")) == []
    made.tick(at("10:04"), reading())
    assert [row.silence_id for row in made.rows(sa.select(ALERT).where(ALERT.c.state == "firing"))] == [None]


def test_a_silence_until_the_session_ends_ends_with_the_session_that_is_open_now(database: Database) -> None:
    made = site(database, FAULTED)
    made.tick(at("10:00"), session("s1", started=T0), resource="sessions")
    silence(made, at("10:01"), connector_id="c1", until_session_end=True)
    made.tick(at("10:01"), reading())
    made.tick(at("10:02"), session("s2", started=at("10:02")), resource="sessions")
    assert made.told() == []
    made.tick(at("10:05"), session("s1", started=T0, ended_at=at("10:05")), resource="sessions")
    made.tick(at("10:06"))
    assert made.told() == ["alert_card a-faulted"]
    with database.read() as connection:
        assert active_silences(connection, at("10:06")) == []


def test_a_silence_until_the_session_ends_needs_an_open_session(database: Database) -> None:
    made = site(database, FAULTED)
    with pytest.raises(ValueError, match="no session is open there"):
        silence(made, T0, connector_id="c1", until_session_end=True)
    with pytest.raises(ValueError, match="needs a connector, a charger or a session"):
        silence(made, T0, rule_id="a-faulted", until_session_end=True)


def test_a_weekly_window_keeps_quiet_in_the_location_s_own_time_and_what_still_fires_then_speaks(
    database: Database,
) -> None:
    made = site(database, FAULTED)
    made.tick(T0, location(timezone="Europe/Copenhagen"), resource="locations")
    window = WeeklyWindow((0,), "11:05", "11:30")  # T0 is a Monday, 10:00 UTC, 11:00 there
    number = silence(made, T0, location_id="l1", weekly=window)
    made.tick(at("10:06"), reading())
    assert traces(made, "a-faulted")[0][1]["until"] == at("10:30").isoformat()
    made.tick(at("10:29"))
    assert made.told() == []
    made.tick(at("10:30"))
    made.tick(at("10:31"))
    assert made.told() == ["alert_card a-faulted"]
    with database.write() as connection:
        assert [row.id for row in active_silences(connection, at("10:31"))] == [number]
    week = timedelta(days=7)
    made.tick(at("10:06") + week)
    assert "Weekly maintenance of <@U0ANNA> until <!date^" in made.words(made.messages()[0], at("10:06") + week)


def test_a_weekly_window_is_over_after_its_last_date(database: Database) -> None:
    made = site(database, FAULTED)
    window = WeeklyWindow((0,), "10:00", "11:00", last=T0.date())
    silence(made, T0, location_id="l1", weekly=window)
    made.tick(T0 + timedelta(days=7), reading())
    with database.read() as connection:
        assert active_silences(connection, T0 + timedelta(days=7)) == []


def test_a_silence_of_another_place_keeps_nothing_quiet(database: Database) -> None:
    made = site(database, FAULTED)
    for matcher in ({"location_id": "l2"}, {"rule_id": "other"}, {"labels": {"connector": "c9"}}):
        silence(made, T0, until=at("12:00"), **matcher)
    made.tick(at("10:01"), reading())
    made.tick(at("10:02"))
    assert made.told() == ["alert_card a-faulted"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"until": at("12:00")}, "needs a matcher"),
        ({"rule_id": "x"}, "needs an end"),
        ({"rule_id": "x", "until": T0}, "would be over already"),
        ({"rule_id": "x", "until": at("12:00"), "reason": " "}, "needs a reason"),
        ({"network_id": "x", "until": at("12:00")}, "cannot match network_id"),
    ],
)
def test_a_silence_that_could_not_be_meant_is_refused(database: Database, values: dict[str, Any], error: str) -> None:
    with database.write() as connection, pytest.raises(ValueError, match=error):
        create_silence(connection, **{"author": "U1", "reason": "because", "now": T0, **values})


def test_quiet_changes_no_transition(database: Database) -> None:
    loud = site(database, FAULTED, OFFLINE | {"inhibits": []})
    story = [reading(online=False), reading(), reading("Available"), reading(online=False), reading("Available")]
    moments = [at("10:01") + number * 7 * MINUTE for number in range(len(story))]
    told = [
        [(t.rule_id, t.subject, t.from_state, t.to_state) for t in loud.tick(now, item)]
        for now, item in zip(moments, story, strict=True)
    ]
    later = timedelta(days=1)
    quiet = Site(database, FAULTED, OFFLINE, now=T0 + later)
    silence(quiet, T0 + later, rule_id="offline", until=T0 + later + 10 * MINUTE)
    again = [
        sorted((t.rule_id, t.subject, t.from_state, t.to_state) for t in quiet.tick(now + later, item))
        for now, item in zip(moments, story, strict=True)
    ]
    assert again == [sorted(moved) for moved in told]


def test_a_review_that_finds_nothing_new_writes_nothing(database: Database) -> None:
    made = site(database, FAULTED, OFFLINE)
    made.tick(at("10:01"), reading(online=False))
    assert speak(made.work, at("10:02")) == 0
