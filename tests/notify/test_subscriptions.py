"""What subscriptions add to the channels of alerts: each once, for what fires from then on, at the cost of one look."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from notify.alert_cards.card import enqueue_alert_messages
from notify.alert_cards.channels import freeze_channels
from notify.alert_cards.due_messages import speak_due
from notify.channel_refusals import move_elsewhere, postpone_probe
from notify.outbox import ALERT_CARD, QUIET_SUMMARY, SAID_ELSEWHERE
from notify.routing import Routing
from notify.subscriptions import Subscription, at_least, covers, end_subscriptions, subscribe, takes
from rules.documents.document import rule_from_document
from rules.documents.files import load_rule_files
from rules.rising import SEVERITIES
from storage import tables
from storage.engine import Database
from storage.recording.new_ids import IDENTITY_CHANGED, NewIds
from storage.recording.renaming import rename_things
from storage.schema import ALERT, INCIDENT, OUTBOX, SUBSCRIPTION
from storage.upkeep.forget import FORGOTTEN, forget
from storage.upkeep.lives import Lengths
from storage.upkeep.prune import prune
from tests.notify.alert_cards.timed.test_rising import PLAN, RISING, begun
from tests.notify.records import T0, fired, insert_alert, insert_incident, one_alert
from tests.notify.test_outbox import SHOWN, items, show_next, tell

OPS = Subscription("C0OPS", "ev-ops")
MINE = Subscription("U0VERA")
HERE = Routing(T0, {"faulted": ["#ev-alerts"]})


def subscribed(database: Database, *wanted: Subscription, is_outside: bool = False) -> None:
    with database.write() as connection:
        for one in wanted:
            subscribe(connection, one, "U0ADA", T0, is_outside=is_outside)


def frozen(database: Database, *alerts: int, routing: Routing = HERE, incident: int = 1) -> dict[int, list[str]]:
    """The channels of each of these alerts once they have fired."""
    with database.write() as connection:
        freeze_channels(connection, [fired(alert, T0, incident) for alert in alerts], routing)
        rows = connection.execute(
            sa.select(ALERT.c.id, INCIDENT.c.channels).join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
        ).all()
    return {row.id: sorted(json.loads(row.channels)) for row in rows if row.channels}


def test_a_channel_is_added_once_however_it_is_spelt_and_by_how_many(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
    alike = replace(OPS, severities=("critical",))
    subscribed(database, OPS, alike, MINE, replace(MINE, location_id="l1"), Subscription("C0ALERTS", "ev-alerts"))
    subscribed(database, replace(MINE, channel="U0OLE", location_id="l2"))
    assert frozen(database, 1) == {1: ["#ev-alerts", "C0OPS", "U0VERA"]}
    routing = Routing(T0, {"faulted": ["C0OPS"], "other": ["#ev-ops"]})
    with database.write() as connection:
        connection.execute(sa.update(INCIDENT).values(channels=None))
    assert frozen(database, 1, routing=routing)[1] == ["C0ALERTS", "C0OPS", "U0VERA"]


def test_a_channel_is_written_as_the_rules_write_it(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
    subscribed(database, OPS)
    assert frozen(database, 1, routing=replace(HERE, usual={**HERE.usual, "other": ["#ev-ops"]}))[1] == [
        "#ev-alerts",
        "#ev-ops",
    ]


def test_two_alerts_of_one_incident_are_told_where_each_is_meant(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_incident(connection, 7)
        connection.execute(sa.update(ALERT).values(incident_id=7))
        insert_alert(connection, 2, incident_id=7)
        connection.execute(sa.delete(INCIDENT).where(INCIDENT.c.id == 1))
    subscribed(database, replace(OPS, connector_id="c2"))
    assert frozen(database, 1, 2, incident=7) == {1: ["#ev-alerts"], 2: ["#ev-alerts", "C0OPS"]}


def test_what_guests_subscribed_to_is_told_them_only_while_they_may_look(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
    subscribed(database, MINE, is_outside=True)
    assert frozen(database, 1) == {1: ["#ev-alerts"]}
    with database.write() as connection:
        connection.execute(sa.update(INCIDENT).values(channels=None))
    assert frozen(database, 1, routing=replace(HERE, outsiders_hear=True)) == {1: ["#ev-alerts", "U0VERA"]}


def test_an_ended_one_counts_no_more_and_a_rule_without_a_channel_is_heard_by_its_subscribers(
    database: Database,
) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_incident(connection, 2)
        insert_alert(connection, 2, incident_id=2)
    subscribed(database, OPS, MINE)
    with database.write() as connection:
        assert end_subscriptions(connection, [2], "U0VERA", T0) == 1
        assert end_subscriptions(connection, [2], "U0OLE", T0) == 0
    assert frozen(database, 1, routing=Routing(T0)) == {1: ["C0OPS"]}


def test_a_storm_asks_once_for_the_subscriptions(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        for number in range(2, 41):
            insert_alert(connection, number)
    subscribed(database, *(replace(OPS, channel=f"C{n}", name=f"c{n}", rule_id="faulted") for n in range(30)))
    asked = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    with database.write() as connection:
        freeze_channels(connection, [fired(1)], HERE)
        few = len(asked)
        freeze_channels(connection, [fired(number) for number in range(2, 41)], HERE)
    assert len(asked) - few <= few
    with database.read() as connection:
        told = connection.execute(sa.select(INCIDENT.c.channels)).scalar_one()
    assert all(f"C{n}" in told for n in range(30))


def test_a_rise_reaches_those_who_subscribed_to_the_new_severity_and_no_card_goes(database: Database) -> None:
    begun(database)
    subscribed(database, replace(OPS, severities=("critical",)))
    rule = rule_from_document(RISING, "test.yaml")
    usual = {"faulted": ["C1"]}
    with database.write() as connection:
        freeze_channels(connection, [fired()], Routing(T0, usual))
    tell(database, [fired()], T0)
    show_next(database, SHOWN)
    assert [card.channel for card in items(database, ALERT_CARD)] == ["C1"]
    for late in (60, 61):
        with database.write() as connection:
            now = T0 + timedelta(minutes=late)
            speak_due(connection, Routing(now, usual, rules={"faulted": rule}))
    assert sorted(card.channel for card in items(database, ALERT_CARD)) == ["C0OPS", "C1"]


WANTED = st.builds(
    Subscription,
    channel=st.just("C1"),
    severities=st.sampled_from([(), ("info",), ("critical",), ("warning", "critical")]),
    rule_id=st.sampled_from([None, "r", "s"]),
    labels=st.sampled_from([{}, {"team": "a"}, {"team": "a", "site": "b"}]),
    charger_id=st.sampled_from([None, "1"]),
)
EVERY_ALERT = [
    tables.Alert(rule_id=rule, labels=labels, charger_id=charger)  # type: ignore[call-arg]  # only what is asked for
    for rule in ("r", "s")
    for labels in ({}, {"team": "a"}, {"team": "a", "site": "b"}, {"team": "b"})
    for charger in (None, "1", "2")
]


@given(WANTED, WANTED)
def test_one_covers_another_exactly_where_it_takes_all_that_the_other_takes(
    one: Subscription, other: Subscription
) -> None:
    told = [(alert, severity) for alert in EVERY_ALERT for severity in SEVERITIES]
    assert covers(one, other) is all(takes(one, *this) for this in told if takes(other, *this))
    assert at_least("info") == ()
    assert at_least("critical") == ("critical",)


def test_the_table_is_pruned_by_when_they_ended_and_forgets_drivers(database: Database) -> None:
    subscribed(database, replace(OPS, labels={"who": "TAG-1"}), MINE, OPS)
    with database.write() as connection:
        assert end_subscriptions(connection, [1, 3], "U0ADA", T0) == 2
        assert forget(connection, {"TAG-1"}) == {"subscription": 1}
        first = sa.select(SUBSCRIPTION.c.labels).where(SUBSCRIPTION.c.id == 1)
        assert connection.execute(first).scalar() == {"who": FORGOTTEN}
    gone = prune(database, T0 + timedelta(days=500), Lengths())
    assert gone["subscription"] == 1
    with database.read() as connection:  # the newest stays, so that no number is given out again
        assert connection.execute(sa.select(SUBSCRIPTION.c.id).order_by(SUBSCRIPTION.c.id)).scalars().all() == [2, 3]


def test_a_thing_s_new_id_is_followed_and_what_is_nothing_s_any_more_ends(database: Database) -> None:
    subscribed(database, *(replace(OPS, charger_id=charger) for charger in ("1", "2", "3")))
    with database.write() as connection:
        rename_things(connection, NewIds(renamed={"charger": {"1": "ch-1"}}, ended={"charger": ("2",)}), T0)
        rows = connection.execute(sa.select(SUBSCRIPTION).order_by(SUBSCRIPTION.c.id)).all()
    assert [(row.charger_id, row.ended_by) for row in rows] == [("ch-1", None), ("2", IDENTITY_CHANGED), ("3", None)]


def test_a_person_s_card_that_slack_refuses_moves_only_where_nobody_else_is_told(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
    usual = {"faulted": ["C1"]}
    subscribed(database, MINE)
    frozen(database, 1, routing=Routing(T0, usual))
    tell(database, [fired()], T0)
    for refused, moved in ((["U0VERA"], 0), (["U0VERA", "C1"], 1)):
        with database.engine.connect() as connection:
            for channel in refused:
                postpone_probe(connection, channel, "account_inactive", SHOWN)
            assert move_elsewhere(connection, "U0VERA", "C9", Routing(SHOWN, usual)) == moved
            told = sa.select(OUTBOX.c.channel, OUTBOX.c.error).where(OUTBOX.c.kind == ALERT_CARD)
            cards = {row.channel: row.error for row in connection.execute(told)}
            assert cards == ({"C1": None, "C9": None} if moved else {"C1": None, "U0VERA": SAID_ELSEWHERE})


def test_what_came_and_went_at_night_is_summed_up_for_those_who_had_subscribed_by_then(
    database: Database, tmp_path: Path
) -> None:
    begun(database)
    subscribed(database, OPS)
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan = replace(load_rule_files([tmp_path / "plan.yaml"]).plan, routes=())
    night = Routing(T0, {"faulted": ["C1"]}, plan)
    frozen(database, 1, routing=night)
    with database.write() as connection:
        enqueue_alert_messages(connection, [fired()], night)
        connection.execute(sa.update(ALERT).values(state="resolved", resolved_at=SHOWN, ended_because="recovered"))
        connection.execute(sa.update(INCIDENT).values(resolved_at=SHOWN))
    subscribed(database, MINE)  # too late for it
    with database.write() as connection:
        speak_due(connection, Routing(T0 + timedelta(hours=1), {"faulted": ["C1"]}))
    assert sorted(row.channel for row in items(database) if row.kind == QUIET_SUMMARY) == ["C0OPS", "C1"]
    assert items(database, ALERT_CARD) == []
