"""Messages of event rules: one an event and channel, with the facts that were stored when it was announced.

More than a few at once are told as a list, on as many messages as a channel's budget allows. Nothing here decides
what is an event; and because an event has no resolve, nothing here is ever edited.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.alert_cards.members import NO_ERROR
from notify.outbox import EVENT, EVENTS, insert_items, new_item
from notify.routing import BUDGET, Routing
from notify.text.prices import PriceLine, currency_of, lines_of
from notify.text.titles import Things, title_of
from rules.alerts.events import Event
from storage.schema import LOCATION

CHUNK = 500  # below every database's limit of bound values, with several a row

EVENTS_A_PAGE = 40
"""How many events a list names: each with names of hostile characters stays below Slack's 13,200 over all blocks."""

HAPPENED = {
    "session.started": "Session started",
    "session.ended": "Session ended",
    "session.failed": "Session failed",
    "status.changed": "Status changed",
    "error_code.changed": "Error code changed",
    "charger.online": "Charger online",
    "charger.offline": "Charger offline",
    "price.changed": "Prices changed",
}
"""What happened, in words."""


Message = tuple[str, str, dict[str, Any], timedelta]
"""The natural key, kind and facts of a message, and how long after the first it is due: pages stand in their order."""


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
    title: str
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
    prices: tuple[PriceLine, ...]
    currency: str

    @property
    def shows_location(self) -> bool:
        """Whether the place is to be said beside the title."""
        return bool(self.location_name) and str(self.location_name) not in self.title


@dataclass(frozen=True, slots=True)
class EventsContext:
    """What one page of a list of events says; `first` stands for what is the same of all: the rule and its words."""

    first: EventContext
    events: tuple[EventContext, ...]
    total: int
    left_out: int  # of the last page: those that no message of the channel's budget can name
    page: int
    pages: int


def enqueue_event_messages(
    connection: Connection,
    events: Sequence[Event],
    routing: Routing,
) -> int:
    """Enqueue what a channel of their rule is told of events, once for all time; how many messages were new.

    A message each, up to the channel's budget; more of one rule at once are a list. In quiet hours it waits.
    """
    told: dict[tuple[str, str, datetime | None], list[Event]] = {}
    held = _held(connection, events, routing)
    for event in events:
        for channel in _channels(event, routing):
            told.setdefault((event.rule_id, channel, held.get(event.natural_key)), []).append(event)
    items = [
        new_item(
            key,
            kind,
            channel,
            due_at=(until or routing.now) + in_turn,
            now=routing.now,
            rule_id=rule_id,
            facts={**facts, "held_since": routing.now.isoformat()} if until else facts,
        )
        for (rule_id, channel, until), mine in told.items()
        for key, kind, facts, in_turn in _messages(rule_id, mine, channel)
    ]
    return sum(insert_items(connection, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK))


def _held(connection: Connection, events: Sequence[Event], routing: Routing) -> dict[str, datetime | None]:
    """Until when quiet hours hold each of these events back, by its natural key."""
    if routing.plan.quiet_hours is None:
        return {}
    zones = {row.id: row.timezone for row in connection.execute(sa.select(LOCATION.c.id, LOCATION.c.timezone))}
    return {
        event.natural_key: routing.quiet_until(
            event.rule_id, event.facts["severity"], zones.get(event.facts.get("location_id"))
        )
        for event in events
    }


def _channels(event: Event, routing: Routing) -> tuple[str, ...]:
    if not routing.routes_something:
        return routing.usual_channels(event.rule_id)
    ids = {name: event.facts.get(f"{name}_id") for name in ("location", "charger", "connector")}
    session = event.subject if event.event.startswith("session.") else None
    labels = {**event.facts["labels"], **ids, "session": session}
    routed = routing.channels(event.rule_id, event.facts["severity"], ids["location"], labels)
    return tuple(dict.fromkeys(routed))


def _messages(rule_id: str, events: Sequence[Event], channel: str) -> Iterator[Message]:
    """Each message that tells these events of one rule in a channel."""
    if len(events) <= BUDGET:
        for event in events:
            yield f"event:{rule_id}:{event.natural_key}:{channel}", EVENT, event.facts, timedelta()
        return
    all_of_them = hashlib.sha256("\n".join(event.natural_key for event in events).encode()).hexdigest()[:32]
    pages = min(BUDGET, -(-len(events) // EVENTS_A_PAGE))
    for page in range(1, pages + 1):
        named = events[(page - 1) * EVENTS_A_PAGE : page * EVENTS_A_PAGE]
        left_out = max(0, len(events) - pages * EVENTS_A_PAGE) if page == pages else 0
        facts: dict[str, Any] = {"total": len(events), "page": page, "pages": pages, "left_out": left_out}
        facts["events"] = [event.facts for event in named]
        yield f"events:{rule_id}:{all_of_them}:{channel}:{page}", EVENTS, facts, timedelta(milliseconds=page)


def event_context(facts: Mapping[str, Any]) -> EventContext:
    """What a message says, from the facts of its event; a missing fact is a KeyError."""
    event: str = facts["event"]
    return EventContext(
        rule_name=facts["rule"],
        title=_title(facts),
        description=facts["description"],
        severity=facts["severity"],
        happened=HAPPENED[event],
        at=datetime.fromisoformat(facts["event_at"]),
        connector_id=facts.get("connector_id"),
        charger_id=facts.get("charger_id"),
        charger_name=facts.get("charger_name") or None,
        location_name=facts["location_name"] or facts["location_id"],
        session=_session(facts) if event.startswith("session.") else None,
        change=_change(facts) if event in {"status.changed", "error_code.changed"} else None,
        prices=lines_of(json.loads(facts["before"]), json.loads(facts["value"])) if event == "price.changed" else (),
        currency=currency_of(facts.get("currency")),
    )


def events_context(facts: Mapping[str, Any]) -> EventsContext:
    """What a list of events says, from the facts of each; a missing fact is a KeyError."""
    told = tuple(event_context(event) for event in facts["events"])
    return EventsContext(told[0], told, facts["total"], facts["left_out"], facts["page"], facts["pages"])


def _title(facts: Mapping[str, Any]) -> str:
    """The rule's title, else what happened to what."""
    event: str = facts["event"]
    charger, location = facts.get("charger_name") or None, facts["location_name"] or None
    ids = {name: facts.get(f"{name}_id") for name in ("connector", "charger", "location")}
    ids["session"] = facts["subject"] if event.startswith("session.") else None
    names = {"connector": charger, "charger": charger, "location": location}
    things = {name: Things(1, one, names.get(name)) for name, one in ids.items() if one}
    if facts.get("title"):
        return title_of(facts, facts["rule"], things, timedelta(), is_over=True)
    about = next((things[name].words(name) for name in ("connector", "charger", "location") if name in things), None)
    return f"{HAPPENED[event]}: {about}" if about else HAPPENED[event]


def _session(facts: Mapping[str, Any]) -> SessionFacts:
    started, ended = (facts[name] and datetime.fromisoformat(facts[name]) for name in ("started_at", "ended_at"))
    told = {name: facts[name] for name in ("status", "energy_kwh", "cost", "currency", "fail_reason", "stop_reason")}
    return SessionFacts(
        id=facts["subject"], duration=ended - started if started and ended and started <= ended else None, **told
    )


def _change(facts: Mapping[str, Any]) -> ChangeFacts:
    """A code that changed says itself from what to what, so that it is not said twice."""
    own = facts["event"] == "error_code.changed"
    codes = (
        facts[name] if facts[name] not in ("", NO_ERROR) and not own else None
        for name in ("error_code", "vendor_error_code")
    )
    return ChangeFacts(facts["before"], facts["value"], *codes)
