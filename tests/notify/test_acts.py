"""What somebody did to Chargehand itself, in the channels that it concerns and in no other."""

from typing import Any

import pytest
import sqlalchemy as sa

from notify.acts import MOST_CHANNELS, Act, enqueue_act
from notify.render import render_message
from notify.routing import Routing
from notify.text.limits import check_message
from rules.documents.document import rule_from_document
from rules.documents.routes import Route
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.alert_cards.test_card import assert_harmless
from tests.notify.records import HOSTILE, T0, without_nul

BASE: dict[str, Any] = {"for_each": "connector", "when": 'connector.status == "Faulted"'}
MORE: dict[str, dict[str, Any]] = {
    "own": {"notify": ["#own"]},
    "routed": {"severity": "critical"},
    "usual": {"severity": "info"},
    "acts": {"notify": ["#acts"], "actions": [{"reset": "soft"}]},
}
RULES = {name: rule_from_document({"name": name, **BASE, **more}, "test") for name, more in MORE.items()}
PLAN = SpeechPlan((Route(("#critical",), ("critical",)), Route(("#warn",), ("warning",))))


def channels(database: Database, act: Act, fallback: str | None = "#alerts") -> list[str]:
    usual = {name: rule.notify or ("#alerts",) for name, rule in RULES.items()}
    with database.write() as connection:
        connection.execute(sa.delete(OUTBOX))
        enqueue_act(connection, act, Routing(T0, usual, PLAN, RULES), fallback)
        return sorted(connection.execute(sa.select(OUTBOX.c.channel)).scalars())


def test_it_is_told_where_the_rules_speak_that_it_concerns(database: Database) -> None:
    told = {"verb": "switched off", "rule": "x", "ended": 0}
    assert channels(database, Act("rule", "U1", ("own",), told)) == ["#own"]
    assert channels(database, Act("rule", "U1", ("own", "routed", "usual"), told)) == ["#alerts", "#critical", "#own"]
    assert channels(database, Act("automations", "U1", None, told)) == ["#acts"]
    assert channels(database, Act("rule", "U1", ("gone",), told)) == ["#alerts"]
    assert channels(database, Act("rule", "U1", ("gone",), told), None) == []
    assert MOST_CHANNELS < 50


KINDS: dict[str, dict[str, Any]] = {
    "automations": {"before": "dry-run", "mode": "on"},
    "silence": {"number": 3, "how": "", "until": T0.isoformat(), "safety": True, "concerned": 2},
    "silence ended": {"number": 3},
    "rule": {"verb": "deleted", "ended": 1},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_what_is_told_of_an_act(database: Database, name: str) -> None:
    name = without_nul(name, database)
    with database.write() as connection:
        for kind, facts in KINDS.items():
            said = {**facts, "about": name, "reason": name, "rule": name}
            enqueue_act(connection, Act(kind, "U1", (), said), Routing(T0), "#alerts")
        for item in connection.execute(sa.select(OUTBOX)).all():
            message = render_message(connection, item, T0)
            assert check_message(message) == []
            assert_harmless(message, name)
