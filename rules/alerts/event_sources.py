"""Where each kind of event is read from: the rows of sessions, or the intervals of a status, a link or prices.

Here stands what makes a row an event, when it happened, how long it lasted and what is told of it. Nothing here judges
an event or runs a statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.documents.reader import EVENTS
from rules.language.fields import FIELDS
from rules.matching.scope import PATHS, TABLES, kept_value
from storage.dialects import least
from storage.schema import CHARGER, INTERVAL, LOCATION, RULE_EVENT, SESSION

MOMENT = SESSION.c.changed_at.type
_NAMES = {"charger_name": CHARGER.c.name, "location_name": LOCATION.c.name}


@dataclass(frozen=True, slots=True)
class EventSource:
    """Where an event is read from: `rows` joined to the things above `thing`, one row an event."""

    thing: str
    rows: FromClause
    of_waiting: ColumnElement[bool]
    natural_key: ColumnElement[Any]
    interval_id: ColumnElement[Any]
    event_at: ColumnElement[Any]
    occurred: ColumnElement[bool]
    lasted_until: ColumnElement[Any]  # null while it lasts
    known: ColumnElement[bool]
    unchanged_since: ColumnElement[Any]
    own: tuple[ColumnElement[Any], ...]
    replaced: Mapping[str, ColumnElement[Any]]  # fields that are read as they were when it happened
    facts: Mapping[str, ColumnElement[Any]]


def source_of(event: str) -> EventSource:
    """Where an event of this name is read from. The document was checked before: there is no other name."""
    match event:
        case "status.changed":
            return _interval_source(event, "status")
        case "charger.online" | "charger.offline":
            return _interval_source(event, "online", "true" if event == "charger.online" else "false")
        case "error_code.changed":
            return _interval_source(event, "error_code", blank=NO_ERROR)
        case "price.changed":
            return _interval_source(event, "price")
        case _:
            return _session_source(event)


def _session_source(event: str) -> EventSource:
    columns = SESSION.c
    happened, occurred, own = {
        # a booking that is still to come has begun nothing
        "session.started": (
            columns.started_at,
            sa.and_(columns.started_at.is_not(None), columns.status.is_distinct_from("Pending")),
            (columns.started_at,),
        ),
        "session.ended": (
            columns.ended_at,
            columns.ended_at.is_not(None),
            (columns.ended_at, columns.status, columns.energy_kwh, columns.cost),
        ),
        "session.failed": (
            sa.func.coalesce(columns.ended_at, columns.status_changed_at),
            columns.status == "Failed",
            (columns.ended_at, columns.status, columns.energy_kwh, columns.cost),
        ),
    }[event]
    told = ("status", "started_at", "ended_at", "energy_kwh", "cost", "fail_reason", "stop_reason")
    ids = ("connector_id", "charger_id", "location_id")
    return EventSource(
        thing="session",
        rows=SESSION,
        of_waiting=columns.id == RULE_EVENT.c.subject,
        natural_key=sa.literal(f"{event}:") + columns.id,
        interval_id=sa.null(),
        event_at=least(happened, columns.changed_at),  # a clock ahead of ours: it has happened when we saw it
        occurred=occurred,
        lasted_until=sa.type_coerce(sa.null(), MOMENT),
        known=sa.true(),
        unchanged_since=columns.changed_at,
        own=own,
        replaced={},
        facts={
            **{name: columns[name] for name in (*ids, *told)},
            "currency": sa.func.coalesce(columns.currency, LOCATION.c.currency),
            **_NAMES,
        },
    )


NO_ERROR = "NoError"
"""What is taken for the error code of a connector that tells none."""


def _interval_source(event: str, field: str, value: str | None = None, *, blank: str | None = None) -> EventSource:
    """A field came to have a value, where the last one that was known before it was another.

    It has it until another one is known: unknown in between ends nothing, but nothing is judged meanwhile. With `blank`
    what is not told is that value, and never unknown.
    """
    thing = EVENTS[event]
    table = TABLES[thing]
    value_before, known_next = _value_before(blank), _known_next(blank)
    lasted_until = sa.func.coalesce(known_next, table.c.gone_at)
    told = _told(INTERVAL, blank)
    became = told == value if value is not None else told.is_not(None)
    of_thing = (INTERVAL.c.thing == thing, INTERVAL.c.field == field, INTERVAL.c.thing_id == table.c.id)
    known = sa.true() if blank is not None else sa.or_(lasted_until.is_not(None), table.c[field].is_not(None))
    then = {
        key: kept_value(spec, INTERVAL)
        for key, spec in FIELDS.items()
        if spec.thing == thing and spec.interval == field
    }
    names = {"connector": ("status_raw", "error_code", "vendor_error_code"), "location": ("currency",)}.get(thing, ())
    above = {
        f"{other}_name": TABLES[other].c.name for other in ("charger", "location") if other in {thing, *PATHS[thing]}
    }
    return EventSource(
        thing=thing,
        rows=INTERVAL.join(table, sa.and_(*of_thing)),
        of_waiting=INTERVAL.c.id == RULE_EVENT.c.interval_id,
        natural_key=sa.literal(f"{event}:") + table.c.id + ":" + sa.cast(INTERVAL.c.id, sa.String),
        interval_id=INTERVAL.c.id,
        event_at=INTERVAL.c.valid_from,
        occurred=sa.and_(became, value_before != told),
        lasted_until=lasted_until,
        known=known,
        unchanged_since=INTERVAL.c.valid_from,
        own=(known,),
        replaced=then,
        facts={
            "before": value_before,
            "value": told,
            f"{thing}_id": table.c.id,
            **{f"{other}_id": column for other, column in PATHS[thing].items()},
            **{name: table.c[name] for name in names},
            **above,
        },
    )


def _told(interval: FromClause, blank: str | None) -> ColumnElement[Any]:
    value: ColumnElement[Any] = interval.c.value
    return value if blank is None else sa.func.coalesce(sa.func.nullif(value, ""), blank)


def _value_before(blank: str | None) -> ColumnElement[Any]:
    """The last value that was known before an interval of the same field began."""
    earlier = INTERVAL.alias("earlier")
    before = (
        sa.select(_told(earlier, blank))
        .where(
            *_known_of_same(earlier, blank),
            earlier.c.valid_from <= INTERVAL.c.valid_from,
            earlier.c.id < INTERVAL.c.id,
        )
        .order_by(earlier.c.valid_from.desc(), earlier.c.id.desc())
        .limit(1)
    )
    return before.correlate(INTERVAL).scalar_subquery()


def _known_next(blank: str | None) -> ColumnElement[Any]:
    """When another value than an interval's came to be known of the same field; null where none has."""
    later = INTERVAL.alias("later")
    after = sa.select(sa.func.min(later.c.valid_from)).where(
        *_known_of_same(later, blank),
        later.c.valid_from >= INTERVAL.c.valid_from,
        later.c.id > INTERVAL.c.id,
        _told(later, blank) != _told(INTERVAL, blank),
    )
    return after.correlate(INTERVAL).scalar_subquery()


def _known_of_same(interval: FromClause, blank: str | None) -> list[ColumnElement[bool]]:
    same = [interval.c[name] == INTERVAL.c[name] for name in ("thing", "thing_id", "field")]
    return same if blank is not None else [*same, interval.c.value.is_not(None)]
