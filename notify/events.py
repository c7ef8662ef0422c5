"""Messages of event rules: one an event and channel, with the facts that were stored when it was announced.

Nothing here decides what is an event; and because an event has no resolve, nothing here is ever edited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from notify.contexts import NO_ERROR
from notify.outbox import EVENT, insert_items, new_item
from rules.events import Event

CHUNK = 500  # below every database's limit of bound values, with several a row

HAPPENED = {
    "session.started": "Session started",
    "session.ended": "Session ended",
    "session.failed": "Session failed",
    "status.changed": "Status changed",
    "charger.online": "Charger online",
    "charger.offline": "Charger offline",
}
"""What happened, in words."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A charging session as it stood; energy in kWh, `duration` None while it is open."""

    id: str
    status: str | None
    duration: timedelta | None
    energy_kwh: float | None
    cost: float | None
    currency: str | None
    fail_reason: str | None
    stop_reason: str | None


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """A connector's status, from what to what; the error code that is none is left out."""

    before: str | None
    value: str | None
    error_code: str | None
    vendor_error_code: str | None


@dataclass(frozen=True, slots=True)
class EventContext:
    """What the message of one event says."""

    rule_name: str
    description: str
    severity: str
    happened: str
    at: datetime
    connector_id: str | None
    charger_id: str | None
    charger_name: str | None
    location_name: str | None
    session: SessionFacts | None
    change: ChangeFacts | None


def enqueue_event_messages(
    connection: Connection, events: Sequence[Event], *, channels: Mapping[str, Sequence[str]], now: datetime
) -> int:
    """Enqueue a message for each event and channel of its rule, once for all time; how many were new."""
    items = [
        new_item(
            f"event:{event.rule_id}:{event.natural_key}:{channel}",
            EVENT,
            channel,
            due_at=now,
            now=now,
            rule_id=event.rule_id,
            facts=event.facts,
        )
        for event in events
        for channel in dict.fromkeys(channels.get(event.rule_id, ()))
    ]
    return sum(insert_items(connection, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK))


def event_context(facts: Mapping[str, Any]) -> EventContext:
    """What a message says, from the facts of its event; a missing fact is a KeyError."""
    event: str = facts["event"]
    return EventContext(
        rule_name=facts["rule"],
        description=facts["description"],
        severity=facts["severity"],
        happened=HAPPENED[event],
        at=datetime.fromisoformat(facts["event_at"]),
        connector_id=facts.get("connector_id"),
        charger_id=facts["charger_id"],
        charger_name=facts["charger_name"] or None,
        location_name=facts["location_name"] or facts["location_id"],
        session=_session(facts) if event.startswith("session.") else None,
        change=_change(facts) if event == "status.changed" else None,
    )


def _session(facts: Mapping[str, Any]) -> SessionFacts:
    started, ended = (facts[name] and datetime.fromisoformat(facts[name]) for name in ("started_at", "ended_at"))
    told = {name: facts[name] for name in ("status", "energy_kwh", "cost", "currency", "fail_reason", "stop_reason")}
    return SessionFacts(id=facts["subject"], duration=ended - started if started and ended else None, **told)


def _change(facts: Mapping[str, Any]) -> ChangeFacts:
    codes = (facts[name] if facts[name] not in ("", NO_ERROR) else None for name in ("error_code", "vendor_error_code"))
    return ChangeFacts(facts["before"], facts["value"], *codes)
