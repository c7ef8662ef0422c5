"""How long each table keeps its rows: one entry a table, with what a row must not be needed for when it goes.

It decides and deletes nothing. What an open alert, a card that stands for something, an unfinished command, an open
session or interval needs stays, and so does a key that keeps something from being said or done twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table

from storage import schema
from storage.health import SWITCHED_OFF


class Span(StrEnum):
    """Which of the lengths a table's rows live by."""

    HISTORY = "history"
    DETAIL = "detail"
    EVENTS = "events"
    TWO_DAYS = "two days"


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long rows are kept. `events` is at least as long as a rule may look back for what happened."""

    history: timedelta = timedelta(days=400)
    detail: timedelta = timedelta(days=35)
    events: timedelta = timedelta(days=35)

    def of(self, span: Span) -> timedelta:
        """The length of a span."""
        named = {Span.HISTORY: self.history, Span.DETAIL: self.detail, Span.EVENTS: max(self.detail, self.events)}
        return named.get(span, timedelta(days=2))


@dataclass(frozen=True, slots=True)
class Life:
    """A table's life: rows go once `since` is a span ago and every condition of `over` holds; kept without a span."""

    why: str
    span: Span | None = None
    since: ColumnElement[Any] | None = None
    over: tuple[ColumnElement[bool], ...] = ()


def _none(table: Any, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    return ~sa.exists(sa.select(sa.literal(1)).select_from(table).where(*where))


def _not_newest(table: Table) -> ColumnElement[bool]:
    """The newest row stays: SQLite would give its number out again, and keys of messages and events hold numbers."""
    again = table.alias()
    return table.c.id < sa.select(sa.func.max(again.c.id)).scalar_subquery()


_ALERT, _BOX, _COMMAND, _TRY = schema.ALERT.c, schema.OUTBOX.c, schema.COMMAND.c, schema.TRY.c
_SESSION, _INCIDENT, _SLOT = schema.SESSION.c, schema.INCIDENT.c, schema.DIGEST_SLOT.c
_OPEN = ("pending", "firing")
_other_alert = schema.ALERT.alias("open_alert")
_is_open = _other_alert.c.state.in_(_OPEN)
_waits = _TRY.due_at.is_not(None)
_reply, _later = schema.OUTBOX.alias("reply"), schema.DIGEST_SLOT.alias("later")
_settled = sa.or_(_BOX.abandoned_at.is_not(None), _BOX.shown_version >= _BOX.version, _BOX.rolled_into.is_not(None))
_trouble = schema.TROUBLES

_OF_MESSAGES = (
    _settled,
    _BOX.claimed_by.is_(None),
    # the card of what is still open, and all that was said in its thread
    _none(schema.INCIDENT, _INCIDENT.id == _BOX.incident_id, _INCIDENT.resolved_at.is_(None)),
    _none(schema.TRY, _TRY.incident_id == _BOX.incident_id, _waits),
    _none(_reply, sa.or_(_reply.c.thread_of == _BOX.id, _reply.c.rolled_into == _BOX.id)),
    _none(schema.COMMAND, _BOX.natural_key == sa.literal("command:") + _COMMAND.id, _COMMAND.ended_at.is_(None)),
    _none(
        _trouble,
        _trouble.c.ended_at.is_(None),
        _BOX.kind == "trouble",
        _BOX.natural_key.startswith(sa.literal("trouble:") + sa.cast(_trouble.c.id, sa.String) + ":"),
    ),
)

LIVES: Mapping[Table, Life] = {
    schema.LOCATION: Life("one row a location: what is true now"),
    schema.CHARGER: Life("one row a charger: what is true now"),
    schema.CONNECTOR: Life("one row a connector: what is true now"),
    schema.COUNTER: Life("one number"),
    schema.POLL: Life("one row a resource"),
    schema.API: Life("one row a resource"),
    schema.ID_FORM: Life("one row a resource"),
    schema.PLACE: Life("one row a resource, gone when its list is read to its end"),
    schema.DOUBT: Life("one row a resource, gone when its sweep is believed"),
    schema.DIGEST_START: Life("one row a digest's rule and zone"),
    schema.LEASE: Life("one row: who leads"),
    schema.LEASE_TERM: Life(
        "who led",
        Span.HISTORY,
        schema.LEASE_TERM.c.began_at,
        (_none(schema.LEASE, schema.LEASE.c.token == schema.LEASE_TERM.c.token),),
    ),
    schema.TURN: Life("whose turn channels are", Span.DETAIL, schema.TURN.c.until),
    schema.RULE: Life("one row a rule; its name stays known after its end"),
    schema.RULE_VERSION: Life("who changed which rule, and to what: as long as there are rules"),
    schema.WAKE: Life("one row a rule and subject, gone with either"),
    schema.SPEECH_PLAN: Life("one row"),
    schema.INHIBITION: Life("what the rules in force say"),
    schema.SWITCH: Life("one row"),
    schema.ROLE_GRANT: Life("one row a person or group with a role, gone when it is taken back"),
    schema.REFUSED: Life("one row a channel, gone when it takes messages again"),
    schema.DRAFT: Life("changes of rules that nobody confirmed", Span.TWO_DAYS, schema.DRAFT.c.created_at),
    schema.HEARD: Life("requests of Slack that were heard", Span.TWO_DAYS, schema.HEARD.c.heard_at),
    schema.HOME_TAB: Life("who opened the Home tab", Span.TWO_DAYS, schema.HOME_TAB.c.opened_at),
    schema.SESSION: Life(
        "charging sessions, by their end; open ones stay",
        Span.HISTORY,
        _SESSION.ended_at,
        (
            _none(_other_alert, _other_alert.c.session_id == _SESSION.id, _is_open),
            _none(schema.COMMAND, _COMMAND.session_id == _SESSION.id, _COMMAND.ended_at.is_(None)),
        ),
    ),
    schema.SAMPLE: Life(
        "energies of sessions, while those are open and then for the detail's time",
        Span.DETAIL,
        schema.SAMPLE.c.at,
        (_none(schema.SESSION, _SESSION.id == schema.SAMPLE.c.session_id, _SESSION.ended_at.is_(None)),),
    ),
    schema.INTERVAL: Life(
        "history of statuses, links and prices, by when each value ended; what still holds stays",
        Span.HISTORY,
        schema.INTERVAL.c.valid_to,
        (_not_newest(schema.INTERVAL),),
    ),
    schema.POWER: Life("powers over time, by when each ended", Span.DETAIL, schema.POWER.c.valid_to),
    schema.GAP: Life("times unseen, by their end", Span.HISTORY, schema.GAP.c.valid_to, (_not_newest(schema.GAP),)),
    schema.COUNT: Life(
        "what came of polls, by when it last did",
        Span.DETAIL,
        schema.COUNT.c.last_at,
        (schema.COUNT.c.kind != SWITCHED_OFF,),
    ),
    schema.SET_ASIDE: Life("unreadable rows, by when they last came", Span.DETAIL, schema.SET_ASIDE.c.last_at),
    schema.UNREAD: Life("unreadable fields, by when they last came", Span.DETAIL, schema.UNREAD.c.last_at),
    schema.RULE_EVENT: Life(
        "events that were judged, at least as long as their rule would announce them",
        Span.EVENTS,
        schema.RULE_EVENT.c.event_at,
        (schema.RULE_EVENT.c.due_at.is_(None),),
    ),
    schema.OUTBOX: Life(
        "messages, by when they were last shown; cards of what is still open stay, with their threads",
        Span.DETAIL,
        sa.func.coalesce(_BOX.shown_at, _BOX.sent_at, _BOX.abandoned_at, _BOX.created_at),
        _OF_MESSAGES,
    ),
    schema.DIGEST_SLOT: Life(
        "digests that were said; the last of each rule and zone stays",
        Span.HISTORY,
        _SLOT.slot_at,
        (
            sa.exists(
                sa.select(sa.literal(1)).where(
                    _later.c.rule_id == _SLOT.rule_id, _later.c.zone == _SLOT.zone, _later.c.slot_at > _SLOT.slot_at
                )
            ),
        ),
    ),
    schema.COMMAND: Life(
        "commands, by their end; unfinished ones stay",
        Span.HISTORY,
        _COMMAND.ended_at,
        (
            _COMMAND.due_at.is_(None),
            _none(schema.TRY, _TRY.command_id == _COMMAND.id, _waits),
            _none(schema.OUTBOX, _BOX.natural_key == sa.literal("command:") + _COMMAND.id),
        ),
    ),
    schema.TRY: Life(
        "what rules tried, by its end",
        Span.HISTORY,
        _TRY.ended_at,
        (
            _TRY.due_at.is_(None),
            _none(_other_alert, _other_alert.c.id == _TRY.alert_id, _is_open),
            _not_newest(schema.TRY),
        ),
    ),
    schema.AUDIT: Life("who did what", Span.HISTORY, schema.AUDIT.c.at, (_not_newest(schema.AUDIT),)),
    schema.SILENCE: Life(
        "silences, by their end",
        Span.HISTORY,
        schema.SILENCE.c.ended_at,
        (_none(_other_alert, _other_alert.c.silence_id == schema.SILENCE.c.id, _is_open), _not_newest(schema.SILENCE)),
    ),
    schema.SUBSCRIPTION: Life(
        "subscriptions to alerts, by their end; those that last stay",
        Span.HISTORY,
        schema.SUBSCRIPTION.c.ended_at,
        (_not_newest(schema.SUBSCRIPTION),),
    ),
    schema.TROUBLES: Life(
        "troubles of the service, by their end", Span.HISTORY, _trouble.c.ended_at, (_not_newest(_trouble),)
    ),
    schema.TRANSITION: Life(
        "how alerts moved; those of an open alert stay",
        Span.HISTORY,
        schema.TRANSITION.c.at,
        (
            _none(_other_alert, _other_alert.c.id == schema.TRANSITION.c.alert_id, _is_open),
            _not_newest(schema.TRANSITION),
        ),
    ),
    schema.ALERT: Life(
        "alerts, by their end; open ones stay",
        Span.HISTORY,
        sa.func.coalesce(_ALERT.resolved_at, _ALERT.fired_at, _ALERT.active_at),
        (
            _ALERT.state.not_in(_OPEN),
            _none(_other_alert, _other_alert.c.inhibited_by == _ALERT.id, _is_open),
            _none(schema.TRY, _TRY.alert_id == _ALERT.id),
            _none(schema.INCIDENT, _INCIDENT.id == _ALERT.incident_id, _INCIDENT.resolved_at.is_(None)),
            _not_newest(schema.ALERT),
        ),
    ),
    schema.NOTE: Life(
        "what people noted about incidents; that of an open one stays",
        Span.HISTORY,
        schema.NOTE.c.at,
        (
            _none(schema.INCIDENT, _INCIDENT.id == schema.NOTE.c.incident_id, _INCIDENT.resolved_at.is_(None)),
            _not_newest(schema.NOTE),
        ),
    ),
    schema.INCIDENT: Life(
        "incidents, by their end, after all that belongs to them",
        Span.HISTORY,
        _INCIDENT.resolved_at,
        (
            _none(schema.ALERT, _ALERT.incident_id == _INCIDENT.id),
            _none(schema.OUTBOX, _BOX.incident_id == _INCIDENT.id),
            _not_newest(schema.INCIDENT),
        ),
    ),
}
"""In this order: what belongs to something goes before it."""


def without_a_life() -> list[str]:
    """The names of tables that state no life, or state one of a span without a moment to count from."""
    named = {table.name for table, life in LIVES.items() if (life.span is None) == (life.since is None)}
    return sorted(set(schema.INTERVAL.metadata.tables) - named)


def told(table: Table, lengths: Lengths) -> str:
    """A table's life in words."""
    life = LIVES[table]
    return f"{life.why}: {'kept' if life.span is None else f'{lengths.of(life.span).days} days'}"
