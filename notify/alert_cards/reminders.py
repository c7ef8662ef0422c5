"""What speaks because time passed: a card that nobody acknowledges, said again, and the steps of its escalation.

What is due follows from what the database says was said and fired; nothing is kept in memory, so a restart neither
forgets nor repeats. An incident whose members are all acknowledged or kept quiet is left alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.thread import CHUNK, Saying, Voice, bump_voices, say_in_thread
from notify.routing import Routing
from rules.alerts.incidents import AUDIBLE
from rules.documents.document import Rule
from rules.lifecycle import State
from storage.schema import ALERT, INCIDENT, LOCATION

GROUPED = ("id", "rule_id", "spoke_at", "opened_at", "escalated", "severity")


def enqueue_due_reminders(connection: Connection, routing: Routing, only: str | None = None) -> int:
    """Say again what is due by `repeat`, and mention whom `escalate` names; how many threads speak.

    With `only` it is about this rule.
    The rules are those in force. Each step of an escalation is said once an incident; a repeat is due
    `repeat` after the incident was last said. What came due while nobody looked, or in quiet hours, is said once.
    """
    rules, now = routing.rules, routing.now
    said_again = [name for name, rule in rules.items() if rule.repeat or rule.escalate]
    names = [name for name in said_again if only is None or name == only]
    due: dict[int, Saying] = {}
    for start in range(0, len(names), CHUNK):
        for row in connection.execute(_waiting(names[start : start + CHUNK])):
            if routing.quiet_until(row.rule_id, row.severity, row.timezone, row.severity) is not None:
                continue
            saying = _due(connection, row, rules[row.rule_id], now)
            if saying is not None:
                due[row.id] = saying
    spoken = 0
    ids = sorted(due)
    for start in range(0, len(ids), CHUNK):
        for voice in bump_voices(connection, ids[start : start + CHUNK], now):
            spoken += _say(connection, voice, due, routing)
    return spoken


def _say(connection: Connection, voice: Voice, due: Mapping[int, Saying], routing: Routing) -> bool:
    sayings = [due[incident_id] for incident_id in voice.incident_ids]
    mentions = [mention for saying in sayings for mention in saying.mentions]
    if not voice.somebody_saw and not mentions:  # the card itself is still to be posted, and says it all
        return False
    saying = Saying(repeated=any(saying.repeated for saying in sayings), mentions=mentions)
    say_in_thread(connection, voice, saying, routing)
    return True


def _waiting(names: Sequence[str]) -> sa.Select[Any]:
    """The open incidents of these rules with a firing member that is neither acknowledged nor kept quiet."""
    return (
        sa.select(
            INCIDENT.c.id,
            INCIDENT.c.rule_id,
            INCIDENT.c.spoke_at,
            INCIDENT.c.opened_at,
            INCIDENT.c.escalated,
            INCIDENT.c.severity,
            LOCATION.c.timezone,
            sa.func.min(sa.func.coalesce(ALERT.c.heard_at, ALERT.c.fired_at)).label("heard_at"),
        )
        .join(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id)
        .where(
            INCIDENT.c.rule_id.in_(names),
            INCIDENT.c.resolved_at.is_(None),
            ALERT.c.state == State.FIRING.value,
            ALERT.c.acknowledged_at.is_(None),
            AUDIBLE,
        )
        .group_by(*(INCIDENT.c[name] for name in GROUPED), LOCATION.c.timezone)
    )


def _due(connection: Connection, row: Row[Any], rule: Rule, now: datetime) -> Saying | None:
    """What an incident has to say now; claimed by a conditional update, so that one of several processes says it."""
    repeated = rule.repeat is not None and (row.spoke_at or row.opened_at) + rule.repeat <= now
    done = row.escalated or 0
    heard_at = row.heard_at or row.opened_at
    steps = [step for step in rule.escalate[done:] if heard_at + step.after <= now]
    if not repeated and not steps:
        return None
    as_before = (
        sa.func.coalesce(INCIDENT.c.escalated, 0) == done,
        INCIDENT.c.spoke_at.is_(None) if row.spoke_at is None else INCIDENT.c.spoke_at == row.spoke_at,
    )
    claimed = connection.execute(
        sa.update(INCIDENT)
        .where(INCIDENT.c.id == row.id, *as_before)
        .values(spoke_at=max(now, row.spoke_at or now), escalated=done + len(steps))
    )
    if claimed.rowcount != 1:
        return None
    return Saying(repeated=repeated, mentions=[mention for step in steps for mention in step.notify])
