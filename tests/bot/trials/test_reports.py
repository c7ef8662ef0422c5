"""What an explanation says in words: durations, and why a window that is not covered yet decides all the same."""

from datetime import datetime

from bot.trials.reports import render_explanation
from rules.documents.document import rule_from_document
from rules.explanations.explain import explain
from rules.registry.store import sync_rules
from storage.engine import Database
from tests.readings import MINUTE, T0, charger, connector, poll, session

FLAPPING = {"name": "flapping", "for_each": "connector", "when": "changes(connector.status, 1h) >= 2"}
OLD = {"name": "old", "for_each": "session", "when": "session.duration > 90m"}


def told(database: Database, document: dict[str, str], subject: str, now: datetime) -> str:
    with database.write() as connection:
        sync_rules(connection, [rule_from_document(document, "x.yaml")], T0)
        return render_explanation(explain(connection, document["name"], subject, now))


def test_what_was_seen_decides_before_a_window_is_covered_and_that_is_said(database: Database) -> None:
    for minute, status in enumerate(["Available", "Faulted", "Available"]):
        poll(database, T0 + minute * MINUTE, charger(connector("c1", status)))
    words = told(database, FLAPPING, "c1", T0 + 3 * MINUTE)
    seen = "is learning: 3 min of 1 h seen; true all the same, for what was seen decides it, whatever came before"
    assert seen in words


def test_durations_are_said_in_words_and_an_ended_session_is_over(database: Database) -> None:
    poll(
        database, T0, session("s1", started=T0 - 2 * 60 * MINUTE, ended_at=T0, status="Completed"), resource="sessions"
    )
    words = told(database, OLD, "s1", T0 + MINUTE)
    assert "session.duration is 2 h" in words
    assert "The session has ended: it is over, and no alert begins." in words
    assert "fires: at the earliest" not in words
