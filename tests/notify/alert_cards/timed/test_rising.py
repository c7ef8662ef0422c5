"""A severity that rises: it speaks once, louder channels come to it, and nothing that people did is undone."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident
from notify.alert_cards.due_messages import speak_due
from notify.outbox import ALERT_CARD, ALERT_REPLY
from notify.render import render_message
from notify.routing import Routing
from rules.alerts.silences import create_silence
from rules.documents.document import rule_from_document
from rules.documents.files import load_rule_files
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, INHIBITION, TRANSITION
from tests.notify.records import T0, fired
from tests.notify.test_outbox import SHOWN, items, prepared, show_next, tell

HOUR = timedelta(hours=1)
RISING = {
    "name": "faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "severity": ["warning", {"after": "1h", "severity": "critical"}],
}
PLAN = """
routes:
  - {severity: warning, notify: ["#ev-alerts"]}
  - {severity: critical, notify: ["#ev-critical"]}
quiet_hours: {from: "00:00", to: "23:59", timezone: UTC}
rules:
  - {name: other, for_each: connector, when: charger.online}
"""


@pytest.fixture
def plan(tmp_path: Path) -> SpeechPlan:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return load_rule_files([file]).plan


def look(database: Database, now: datetime, severity: Any = RISING["severity"], **values: Any) -> int:
    rule = rule_from_document({**RISING, "severity": severity}, "test.yaml")
    routing = Routing(now, usual={"faulted": ["C1"]}, rules={"faulted": rule}, **values)
    with database.write() as connection:
        return speak_due(connection, routing)


def shown(database: Database) -> None:
    """A card of one alert that fired at T0 as a warning, and stands."""
    begun(database)
    tell(database, [fired()], T0)
    show_next(database, SHOWN)


def begun(database: Database, **values: Any) -> None:
    prepared(database)
    with database.write() as connection:
        connection.execute(sa.update(ALERT).values(fired_at=T0, **values))
        connection.execute(sa.update(INCIDENT).values(severity="warning"))


def severities(database: Database) -> tuple[str | None, str]:
    with database.read() as connection:
        alert, incident = (connection.execute(sa.select(t.c.severity)).scalar() for t in (ALERT, INCIDENT))
    return alert, str(incident)


def test_it_rises_when_its_time_has_come_says_so_once_and_is_no_transition(database: Database) -> None:
    shown(database)
    look(database, T0 + HOUR - timedelta(seconds=1))
    assert severities(database) == (None, "warning")
    for late in (0, 1, 60):
        look(database, T0 + HOUR + timedelta(minutes=late))
    assert severities(database) == ("critical", "critical")
    (reply,) = items(database, ALERT_REPLY)
    with database.read() as connection:
        message = render_message(connection, reply, T0 + HOUR)
        assert connection.execute(sa.select(sa.func.count()).select_from(TRANSITION)).scalar() == 0
    assert "Now critical" in str(message.all_blocks)
    assert "now critical" in message.text


def test_a_late_look_over_several_steps_says_the_highest_once(database: Database, plan: SpeechPlan) -> None:
    """The service was down while it rose twice: nobody reads of the step between, nor of the highest again."""
    shown(database)
    with database.write() as connection:
        connection.execute(sa.update(INCIDENT).values(severity="info"))
    steps = {"1h": "warning", "2h": "critical"}
    severity = ["info", *({"after": after, "severity": one} for after, one in steps.items())]
    for at in (T0 + 3 * HOUR, T0 + 3 * HOUR, T0 + 4 * HOUR):
        look(database, at, severity=severity, plan=plan)
    assert severities(database) == ("critical", "critical")
    (reply,) = items(database, ALERT_REPLY)
    with database.read() as connection:
        message = render_message(connection, reply, T0 + 3 * HOUR)
    assert "Now critical" in str(message.all_blocks)
    assert "warning" not in f"{message.text} {message.all_blocks}"
    assert [one.channel for one in items(database, ALERT_CARD)] == ["C1", "#ev-critical"]


def test_what_is_acknowledged_rises_without_a_word_and_stays_acknowledged(database: Database) -> None:
    shown(database)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U0ADA", T0 + HOUR / 2)
    look(database, T0 + HOUR)
    assert severities(database) == ("critical", "critical")
    assert items(database, ALERT_REPLY) == []
    with database.read() as connection:
        assert connection.execute(sa.select(ALERT.c.acknowledged_by)).scalar() == "U0ADA"


def test_holding_does_not_stop_it(database: Database) -> None:
    shown(database)
    with database.write() as connection:
        connection.execute(sa.update(ALERT).values(held_since=T0 + HOUR / 2))
    look(database, T0 + HOUR)
    assert severities(database) == ("critical", "critical")


def test_the_channels_of_the_new_severity_come_to_it_and_none_goes(database: Database, plan: SpeechPlan) -> None:
    shown(database)
    look(database, T0 + HOUR, plan=plan)
    assert [one.channel for one in items(database, ALERT_CARD)] == ["C1", "#ev-critical"]
    assert len(items(database, ALERT_REPLY)) == 1  # in the thread of the first one
    look(database, T0 + 2 * HOUR, plan=plan)
    assert len(items(database, ALERT_CARD)) == 2


def test_quiet_hours_that_spare_what_it_has_become_end_for_it(database: Database, plan: SpeechPlan) -> None:
    begun(database, quiet_since=T0)
    look(database, T0 + HOUR / 2, plan=plan)
    assert items(database, ALERT_CARD) == []
    look(database, T0 + HOUR, plan=plan)
    assert [one.channel for one in items(database, ALERT_CARD)] == ["#ev-critical"]
    with database.read() as connection:
        assert connection.execute(sa.select(ALERT.c.quiet_ended_at)).scalar() == T0 + HOUR


def test_one_alert_of_a_card_rises_by_itself(database: Database) -> None:
    shown(database)
    with database.write() as connection:
        row = dict(connection.execute(sa.select(ALERT)).mappings().one())
        younger = {**row, "id": 2, "subject": "c2", "connector_id": "c2", "fired_at": T0 + HOUR / 2}
        connection.execute(sa.insert(ALERT).values(**younger))
    look(database, T0 + HOUR)
    with database.read() as connection:
        found = connection.execute(sa.select(ALERT.c.id, ALERT.c.severity).order_by(ALERT.c.id)).all()
    assert [tuple(row) for row in found] == [(1, "critical"), (2, None)]
    with database.write() as connection:
        connection.execute(sa.update(ALERT).where(ALERT.c.id == 1).values(state="resolved", resolved_at=T0 + HOUR))
    look(database, T0 + HOUR + timedelta(minutes=1))
    assert severities(database)[1] == "warning"  # what still fires has not risen


@pytest.mark.parametrize("muted", ["inhibited", "snoozed", "silenced", "nothing"])
def test_what_is_kept_quiet_rises_without_a_word_and_stays_so(database: Database, muted: str) -> None:
    """A rise ends no mute: whoever kept it quiet is not told, and what kept it quiet goes on."""
    shown(database)
    with database.write() as connection:
        if muted == "silenced":
            how: dict[str, Any] = {"author": "U0ADA", "reason": "r", "now": T0 + HOUR / 2, "until": T0 + 9 * HOUR}
            create_silence(connection, rule_id="faulted", **how)
        row = dict(connection.execute(sa.select(ALERT)).mappings().one())
        if muted == "inhibited":
            above = {**row, "id": 9, "rule_id": "site-down", "subject": row["location_id"], "incident_id": None}
            connection.execute(sa.insert(ALERT).values(**{**above, "charger_id": None, "connector_id": None}))
            connection.execute(sa.insert(INHIBITION).values(source_rule="site-down", target_rule="faulted"))
        every: dict[str, dict[str, Any]] = {
            "inhibited": {"inhibited_by": 9},
            "snoozed": {"snoozed_until": T0 + 9 * HOUR, "snoozed_by": "U0ADA", "snoozed_at": T0 + HOUR / 2},
        }
        values = every.get(muted, {})
        if values:
            connection.execute(sa.update(ALERT).where(ALERT.c.id == row["id"]).values(**values))
    look(database, T0 + HOUR)
    spoken = len(items(database, ALERT_REPLY))
    assert spoken == (1 if muted == "nothing" else 0)
    with database.read() as connection:
        after = connection.execute(sa.select(ALERT).where(ALERT.c.id == row["id"])).mappings().one()
    assert {name: after[name] for name in values} == values
    assert (after["state"], after["severity"]) == ("firing", "critical")
