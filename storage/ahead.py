"""Moments that lie ahead of now, because a wrong clock wrote them: what was done then counts as never done.

What was done is brought down to now, or forgotten where only its rhythm counts. What is planned may lie ahead by
right: it is doubted only where it was written at such a moment, and is then counted anew from now. It knows no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from storage import schema
from storage.dialects import latest
from storage.prepared import Prepared
from storage.recording.things import news_at
from storage.sql import seconds_between, shifted

AHEAD = timedelta(minutes=2)
"""How far ahead of now something that was done may lie: clocks that are kept differ by less."""


def done(moment: datetime | None, now: datetime) -> datetime | None:
    """The moment at which something was done, None where it never was, or was only by a clock that was wrong."""
    return None if moment is None or is_ahead(moment, now) else moment


def by_now(moment: datetime | None, now: datetime) -> datetime | None:
    """The moment, or `now` where it lies ahead."""
    return None if moment is None else min(moment, now)


def is_ahead(moment: datetime | None, now: datetime) -> bool:
    """Whether a moment lies so far ahead of `now` that nothing can have been done at it."""
    return moment is not None and moment > now + AHEAD


@dataclass(frozen=True, slots=True)
class Moments:
    """What the moments of a table are.

    `done` happened and is brought down to now; of `last` only the rhythm counts, so it is forgotten. `planned` lies
    ahead by right; by its columns, the latest of those that tell when it was written. `told` is others' time, or the
    calendar's. `apart` is seen to by whoever writes it.
    """

    done: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    planned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """Every moment of the table."""
        return (*self.done, *self.last, *self.planned, *self.told, *self.apart)


_SEEN = ("first_seen_at", "changed_at", "stale_since")

OF_THE_WORLD: Mapping[Table, Moments] = {
    schema.LOCATION: Moments(("price_changed_at", *_SEEN, "gone_at")),
    schema.CHARGER: Moments(("online_changed_at", "heartbeat_changed_at", *_SEEN, "gone_at"), told=("last_heartbeat",)),
    schema.CONNECTOR: Moments(
        ("status_changed_at", "error_code_changed_at", "power_changed_at", "code_missing_since", *_SEEN, "gone_at")
    ),
    schema.SESSION: Moments(
        ("status_changed_at", "energy_changed_at", "previous_energy_at", "pending_until", *_SEEN),
        ("sampled_at",),
        told=("started_at", "ended_at"),
    ),
    schema.SAMPLE: Moments(apart=("at",)),  # part of the key
    schema.INTERVAL: Moments(("valid_from", "valid_to")),
    schema.POWER: Moments(("valid_from", "valid_to")),
    schema.GAP: Moments(("valid_from", "valid_to")),
    schema.ALERT: Moments(
        (
            *("active_at", "false_since", "held_since", "fired_at", "resolved_at", "switched_on", "covered_at"),
            *("acknowledged_at", "ack_ended_at", "quiet_since", "quiet_ended_at", "heard_at", "snoozed_at"),
        ),
        planned={"snoozed_until": ("snoozed_at",), "acting_until": ("fired_at",)},
        apart=("due_at",),
    ),
    schema.TRANSITION: Moments(("at", "active_at")),
    schema.INCIDENT: Moments(("opened_at", "resolved_at", "assigned_at"), apart=("spoke_at",)),
    schema.RULE: Moments(("removed_at", "created_at", "updated_at", "events_since"), ("full_match_at",)),
    schema.WAKE: Moments(apart=("wake_at",)),
    schema.RULE_EVENT: Moments(("event_at", "unchanged_since", "judged_at"), planned={"due_at": ("unchanged_since",)}),
}
"""What polls recorded and what was evaluated of it: brought down by the first good poll of a clock that is right."""

OF_THE_SERVICE: Mapping[Table, Moments] = {
    schema.API: Moments(("slowed_at",), apart=("not_before",)),
    schema.AUDIT: Moments(("at",)),
    schema.COMMAND: Moments(
        ("requested_at", "answered_at", "ended_at", "decided_at"),
        planned={
            "due_at": ("requested_at", "decided_at", "answered_at"),
            "expires_at": ("requested_at", "decided_at"),
            "verify_until": ("answered_at",),
        },
        apart=("sending_at",),  # what is being sent by a doubted clock is unknown
    ),
    schema.COUNT: Moments(("last_at",)),
    schema.DIGEST_SLOT: Moments(("enqueued_at",), told=("slot_at", "window_from", "window_to")),
    schema.DIGEST_START: Moments(("counts_from",)),
    schema.DRAFT: Moments(("created_at", "used_at")),
    schema.HEARD: Moments(("heard_at",)),
    schema.HOME_TAB: Moments(("opened_at", "shown_at")),
    schema.NOTE: Moments(("at",)),
    schema.OUTBOX: Moments(
        ("clicked_at", "created_at", "abandoned_at", "shown_at"),
        ("sent_at",),
        planned={"due_at": ("created_at",)},
        apart=("claimed_until",),
    ),
    schema.POLL: Moments(
        apart=(
            *("attempted_at", "good_at", "previous_good_at", "first_good_at", "swept_at"),
            *("unread_since", "unread_at", "sweep_due_at"),
        )
    ),
    schema.PLACE: Moments(apart=("began_at", "since")),
    schema.LEASE: Moments(told=("until",)),  # by the database's own clock
    schema.LEASE_TERM: Moments(told=("began_at", "before_until")),
    schema.TURN: Moments(("posted_at",), apart=("until",)),
    schema.REFUSED: Moments(("since",), apart=("probe_at",)),
    schema.RULE_VERSION: Moments(("at",)),
    schema.SET_ASIDE: Moments(("first_at", "last_at")),
    schema.UNREAD: Moments(("first_at", "last_at", "read_at")),
    schema.DOUBT: Moments(("since", "swept_at", "confirmed_at")),
    schema.SILENCE: Moments(("created_at", "ended_at"), planned={"until": ("created_at",)}),
    schema.SUBSCRIPTION: Moments(("created_at", "ended_at")),
    schema.SWITCH: Moments(("set_at",)),
    schema.ROLE_GRANT: Moments(("granted_at",)),
    schema.TROUBLES: Moments(("since", "raised_at", "ended_at")),
    schema.TRY: Moments(
        ("planned_at", "acted_at", "ended_at"),
        planned={"due_at": ("planned_at", "acted_at", "ended_at"), "verify_until": ("acted_at",)},
    ),
}
"""What the service itself did and plans: brought down as soon as the clock is right."""


def bring_down_service(connection: Connection, now: datetime) -> bool:
    """Let nothing that the service did or plans be dated ahead of `now`; true if anything was."""
    _look_further_back(connection, now)
    found = [table for table, moments in OF_THE_SERVICE.items() if _bring_down(connection, table, moments, now)]
    if found:
        _forget_early_slots(connection)
        _send_edits_now(connection, now)
    return bool(found)


def bring_down_commands(connection: Connection, now: datetime) -> bool:
    """As `bring_down_service`, of commands alone."""
    return _bring_down(connection, schema.COMMAND, OF_THE_SERVICE[schema.COMMAND], now)


def bring_down_world(connection: Connection, now: datetime, seq: int) -> None:
    """Let nothing that was recorded or evaluated be dated ahead of `now`, and have it all evaluated anew at `seq`.

    What was judged by a clock that was wrong may be otherwise now, and no wake-up that it set can be relied on.
    """
    for table, moments in OF_THE_WORLD.items():
        if table is schema.ALERT:
            _bring_down_due(connection, now)
        _bring_down(connection, table, moments, now)
    limit = now + AHEAD
    connection.execute(sa.delete(schema.SAMPLE).where(schema.SAMPLE.c.at > limit))
    ahead = schema.INCIDENT.c.spoke_at > limit
    connection.execute(sa.update(schema.INCIDENT).where(ahead).values(spoke_at=None))
    connection.execute(sa.delete(schema.WAKE))
    for table in (schema.LOCATION, schema.CHARGER, schema.CONNECTOR):
        connection.execute(sa.update(table).where(table.c.gone_at.is_(None)).values(news_at(table, seq)))
    is_open = schema.SESSION.c.ended_at.is_(None)
    connection.execute(sa.update(schema.SESSION).where(is_open).values(news_at(schema.SESSION, seq)))


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = schema.CONNECTOR.c.changed_at.type
_NOW: ColumnElement[Any] = sa.bindparam("now", type_=_MOMENT)
_LIMIT: ColumnElement[Any] = sa.bindparam("limit", type_=_MOMENT)


def _bring_down(connection: Connection, table: Table, moments: Moments, now: datetime) -> bool:
    """Bring the moments of one table down; false, at the price of one look, where none lies ahead."""
    happened = (*moments.done, *moments.last)
    if not happened:
        return False
    known = {"now": now, "limit": now + AHEAD}
    if _any_ahead(table, happened).first(connection, known) is None:
        return False
    ahead = _lies_ahead(table, happened)
    values: dict[str, Any] = {}
    for name in happened:
        instead = _NOW if name in moments.done else sa.null()
        values[name] = sa.case((table.c[name] > _LIMIT, instead), else_=table.c[name])
    for name, written in moments.planned.items():
        since = latest([sa.func.coalesce(table.c[one], sa.literal(_LONG_AGO, _MOMENT)) for one in written])
        values[name] = sa.case((since > _LIMIT, _anew(since, table.c[name])), else_=table.c[name])
    connection.execute(sa.update(table).where(ahead).values(values), known)
    return True


def _lies_ahead(table: Table, happened: tuple[str, ...]) -> ColumnElement[bool]:
    return sa.or_(*(table.c[name] > _LIMIT for name in happened))


@cache
def _any_ahead(table: Table, happened: tuple[str, ...]) -> Prepared:
    """The look at one table: every start takes it at each."""
    return Prepared(sa.select(sa.literal(1)).select_from(table).where(_lies_ahead(table, happened)).limit(1))


def _anew(since: ColumnElement[Any], moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """A planned moment as far from now as it was from when it was planned."""
    return shifted(_NOW, seconds_between(since, moment))


def _bring_down_due(connection: Connection, now: datetime) -> None:
    """Count what an open alert waits for from where it begins now, with no more of gaps than there was time for."""
    alert = schema.ALERT.c
    begun = sa.func.coalesce(alert.false_since, alert.active_at)
    begins = sa.case((begun > _LIMIT, _NOW), else_=begun)
    unseen = sa.case((alert.gap_s > seconds_between(begins, _NOW), seconds_between(begins, _NOW)), else_=alert.gap_s)
    wait = seconds_between(begun, alert.due_at) - alert.gap_s
    too_long = sa.and_(alert.gap_s > 0, alert.gap_s > seconds_between(begun, _LIMIT))
    statement = sa.update(schema.ALERT).where(alert.due_at.is_not(None), sa.or_(begun > _LIMIT, too_long))
    values = {"due_at": shifted(begins, wait + unseen), "gap_s": unseen}
    connection.execute(statement.values(values), {"now": now, "limit": now + AHEAD})


def _forget_early_slots(connection: Connection) -> None:
    """A slot that was claimed before it came was not: its digest is said when it does."""
    slot = schema.DIGEST_SLOT.c
    connection.execute(sa.delete(schema.DIGEST_SLOT).where(slot.slot_at > slot.enqueued_at))


LOOK_BACK = timedelta(days=1)
"""How far back a message that may have been sent by a wrong clock is looked for: Slack's own clock was right."""


def _look_further_back(connection: Connection, now: datetime) -> None:
    box = schema.OUTBOX.c
    doubted = sa.update(schema.OUTBOX).where(sa.or_(box.uncertain, box.claimed_by.is_not(None)))
    for name in ("created_at", "due_at"):
        connection.execute(doubted.where(box[name] > now + AHEAD).values({name: now - LOOK_BACK}))


def _send_edits_now(connection: Connection, now: datetime) -> None:
    """A message that was edited or tried by a wrong clock is due now; only a new one may be put off by right."""
    box, limit = schema.OUTBOX.c, now + AHEAD
    messages = sa.update(schema.OUTBOX)
    tried = sa.or_(box.shown_version > 0, box.sent_at.is_not(None), box.error.is_not(None))
    connection.execute(messages.where(box.due_at > limit, tried).values(due_at=now))
    connection.execute(messages.where(box.claimed_until > limit, box.claimed_by.is_(None)).values(claimed_until=now))
