"""Repeats and escalations: what nobody acknowledges is said again, no more often than asked, each step once."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident
from notify.alert_cards.reminders import enqueue_due_reminders
from notify.claims import mark_mentions
from notify.outbox import ALERT_REPLY
from notify.render import render_message
from notify.routing import Routing
from rules.documents.document import rule_from_document
from storage import tables
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import MINUTE, T0, fired, insert_alert, insert_connector, resolve_incident, resolved, table
from tests.notify.test_outbox import SHOWN, items, prepared, show_next, tell

HOUR = 60 * MINUTE
REPEATED = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"', "repeat": "4h"}
LADDER = [{"after": "30m", "notify": ["@oncall"]}, {"after": "1h", "notify": ["@boss", "@oncall"]}]
ESCALATED = {**{key: value for key, value in REPEATED.items() if key != "repeat"}, "escalate": LADDER}
STEP = timedelta(seconds=30)


def remind(database: Database, now: datetime, document: dict[str, Any] = REPEATED) -> int:
    rule = rule_from_document(document, "test.yaml")
    with database.write() as connection:
        return enqueue_due_reminders(connection, Routing(now, rules={rule.name: rule}))


def shown_card(database: Database) -> Database:
    """A card of incident 1 that stands since half a minute after T0, where its alert fired."""
    prepared(database)
    with database.write() as connection:
        connection.execute(sa.update(table(tables.Alert)).values(fired_at=T0))
    tell(database, [fired()], T0)
    show_next(database, SHOWN)
    return database


def said(database: Database) -> list[Any]:
    return items(database, ALERT_REPLY)


def show_all(database: Database, now: datetime) -> None:
    with database.write() as connection:
        connection.execute(sa.update(OUTBOX).values(shown_version=OUTBOX.c.version, sent_at=OUTBOX.c.due_at))


def test_a_card_that_nobody_acknowledges_is_said_again_every_repeat(database: Database) -> None:
    shown_card(database)
    said_at = []
    for minute in range(0, 13 * 60, 10):
        now = T0 + STEP + minute * MINUTE
        if remind(database, now):
            said_at.append(minute // 60)
            show_all(database, now)
    assert said_at == [4, 8, 12]
    assert [(reply.broadcast, reply.facts["repeated"]) for reply in said(database)] == [(True, True)] * 3


def test_a_repeat_survives_any_restart_because_it_is_due_by_the_database(database: Database) -> None:
    shown_card(database)
    assert remind(database, T0 + 11 * HOUR) == 1  # down meanwhile: said once
    assert remind(database, T0 + 11 * HOUR + MINUTE) == 0
    assert remind(database, T0 + 15 * HOUR) == 1


def test_an_acknowledged_card_is_not_said_again_until_something_new_fires(database: Database) -> None:
    shown_card(database)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U1", T0 + HOUR)
    assert remind(database, T0 + 5 * HOUR) == 0
    with database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2, fired_at=T0 + 6 * HOUR)
    tell(database, [fired(2)], T0 + 6 * HOUR)
    assert remind(database, T0 + 6 * HOUR + MINUTE) == 0
    assert remind(database, T0 + 10 * HOUR) == 1


def test_news_in_the_thread_puts_the_repeat_off(database: Database) -> None:
    shown_card(database)
    with database.write() as connection:
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
    tell(database, [fired(2)], T0 + 3 * HOUR)
    show_all(database, T0 + 3 * HOUR)
    assert remind(database, T0 + 5 * HOUR) == 0
    assert remind(database, T0 + 7 * HOUR) == 1


def test_what_is_over_or_was_never_posted_is_not_said_again(database: Database) -> None:
    prepared(database)
    tell(database, [fired()], T0)
    assert remind(database, T0 + 5 * HOUR) == 0  # the card still waits for Slack, and says it all
    show_next(database, T0 + 5 * HOUR)
    with database.write() as connection:
        resolve_incident(connection, T0 + 6 * HOUR)
    tell(database, [resolved()], T0 + 6 * HOUR)
    assert remind(database, T0 + 20 * HOUR) == 0


def test_each_step_of_an_escalation_is_said_once(database: Database) -> None:
    shown_card(database)
    heard = {}
    for minute in range(180):
        now = T0 + minute * MINUTE
        if remind(database, now, ESCALATED):
            heard[minute] = said(database)[-1].facts["mentions"]
            show_all(database, now)
    assert heard == {30: ["@oncall"], 60: ["@boss", "@oncall"]}


def test_steps_that_came_due_while_the_service_was_down_are_one_message(database: Database) -> None:
    shown_card(database)
    assert remind(database, T0 + 2 * HOUR, ESCALATED) == 1
    (reply,) = said(database)
    assert reply.facts["mentions"] == ["@oncall", "@boss"]
    assert remind(database, T0 + 3 * HOUR, ESCALATED) == 0


def test_an_acknowledgement_stops_the_escalation(database: Database) -> None:
    shown_card(database)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U1", T0 + 29 * MINUTE)
    assert remind(database, T0 + 3 * HOUR, ESCALATED) == 0


def test_what_was_kept_quiet_escalates_from_when_it_is_heard(database: Database) -> None:
    shown_card(database)
    alert = table(tables.Alert)
    with database.write() as connection:
        connection.execute(sa.update(alert).values(silence_id=1))
    assert remind(database, T0 + 2 * HOUR, ESCALATED) == 0
    with database.write() as connection:
        connection.execute(sa.update(alert).values(silence_id=None, heard_at=T0 + 2 * HOUR))
    assert remind(database, T0 + 2 * HOUR + 29 * MINUTE, ESCALATED) == 0
    assert remind(database, T0 + 2 * HOUR + 30 * MINUTE, ESCALATED) == 1


def test_a_mention_pages_the_group_that_slack_knows_and_is_text_for_another(database: Database) -> None:
    shown_card(database)
    remind(database, T0 + 2 * HOUR, ESCALATED)
    (reply,) = said(database)
    with database.write() as connection:
        mark_mentions(connection, reply, {"@oncall": "S0ONCALL"})
    (reply,) = said(database)
    with database.read() as connection:
        message = render_message(connection, reply, T0 + 2 * HOUR)
    assert message.text.startswith("<!subteam^S0ONCALL> `@boss` ")
    assert "<!subteam^S0ONCALL> `@boss`" in message.blocks[0]["text"]["text"]
    assert "*Still firing*, not acknowledged: Faulted: Charger of c1 c1" in message.blocks[0]["text"]["text"]
