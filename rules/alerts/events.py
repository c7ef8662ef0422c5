"""Event rules: what happened since a rule was made, each event judged once it has settled and announced once.

An event is read from stored rows: a session's, or an interval of a connector's status, a charger's link or a location's
prices. What is judged is written down with its natural key in the caller's transaction, so that neither a kill nor a
repeated poll loses or doubles one. It sends nothing, and an event has no resolve.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause

from rules.alerts.event_sources import MOMENT, EventSource, source_of
from rules.alerts.query import compile_rule
from rules.documents.document import Rule
from rules.language.expressions import LocalTime, outside
from rules.language.fields import FIELDS, RESOURCE_OF
from rules.matching.clauses import compile_condition, current
from rules.matching.scope import NOW, PATHS, TABLES, AsOf
from rules.matching.windows import local_clocks, zone_offsets
from storage.dialects import AnyRow, latest
from storage.recording.things import news_of
from storage.schema import COUNTER, LOCATION, POLL, RULE, RULE_EVENT

ANNOUNCED = "announced"
NOT_MATCHED = "not matched"
DID_NOT_LAST = "did not last"
TOO_OLD = "too old"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and is announced at `at`; `facts` is what was stored of it then, as JSON-able values."""

    at: datetime
    rule_id: str
    subject: str
    event: str
    event_at: datetime
    natural_key: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompiledEventRule:
    """An event rule in force. `unseen` finds events that a newer change may have made, `waiting` those not yet judged.

    `resource` is the one whose polls tell of the event, `resources` are all that must be fresh.
    """

    id: str
    version: int
    event: str
    rule: Rule
    resource: str
    resources: frozenset[str]
    local_time: bool
    unseen: sa.Select[Any]
    waiting: sa.Select[Any]
    default_zone: str | None = None


def compile_event_rule(rule: Rule, version: int = 1, default_zone: str | None = None) -> CompiledEventRule:
    """Compile an event rule. The document was checked before: what reaches this is typed.

    The locations' own clocks are read as of the event; `default_zone` is that of locations which name none.
    """
    if rule.on is None:
        raise ValueError(f'rule "{rule.name}" waits for no event')
    source = source_of(rule.on)
    resource = "prices" if rule.on == "price.changed" else RESOURCE_OF[source.thing]
    resources = frozenset({resource})
    reads: tuple[str, ...] = ()
    truth: ColumnElement[Any] = sa.true()
    if rule.when is not None:
        as_state = compile_rule(replace(rule, for_each=source.thing))  # what it reads, whoever reads it
        resources, reads = resources | as_state.resources, as_state.reads
        then = AsOf(lambda key: source.replaced.get(key, current(key)), source.event_at)
        truth = compile_condition(rule.when, then)
    answer = _answer(source, reads, truth)
    key_is_known = sa.exists().where(RULE_EVENT.c.rule_id == _RULE, RULE_EVENT.c.natural_key == source.natural_key)
    unseen = answer.select_from(_joined(source, source.rows)).where(
        news_of(TABLES[source.thing]) > _SEEN,
        source.occurred,
        source.event_at > _SINCE,
        source.event_at >= _OLDEST,
        ~key_is_known,
    )
    is_waiting = (RULE_EVENT.c.rule_id == _RULE, RULE_EVENT.c.due_at.is_not(None), RULE_EVENT.c.event == rule.on)
    waiting = (
        answer.add_columns(RULE_EVENT.c.fields_json, RULE_EVENT.c.unchanged_since.label("stored_since"))
        .select_from(_joined(source, RULE_EVENT.join(source.rows, source.of_waiting)))
        .where(*is_waiting)
    )
    return CompiledEventRule(
        rule.name,
        version,
        rule.on,
        rule,
        resource=resource,
        resources=resources,
        local_time=rule.when is not None and any(isinstance(node, LocalTime) for node in outside(rule.when)),
        unseen=unseen,
        waiting=waiting,
        default_zone=default_zone,
    )


def event_rules_to_evaluate(
    connection: Connection, rules: Iterable[CompiledEventRule], now: datetime
) -> list[CompiledEventRule]:
    """The event rules for which something may have happened, or has settled, at `now`."""
    behind = set(connection.execute(_BEHIND_OR_DUE, {"now": now}).scalars())
    return [rule for rule in rules if rule.id in behind]


def evaluate_events(connection: Connection, compiled: CompiledEventRule, now: datetime) -> list[Event]:
    """Judge at `now` what has happened, and write down every verdict; the events to be announced, in their order.

    1. Find what happened since the rule was made and since the first sync, and is not older than `max_age`.
    2. Of each event, and of those that wait, see whether the fields it depends on have changed since.
    3. Judge those that have been unchanged for `settle` and whose condition is known; the rest waits.
    """
    position = connection.execute(_POSITION, {"rule": compiled.id, "resource": compiled.resource}).one()
    if position.first_good_at is None:
        return []
    since = max(position.first_good_at, position.events_since or position.first_good_at)
    parameters: dict[str, Any] = {"rule": compiled.id, "now": now, "seen": position.evaluated_seq}
    if compiled.local_time:
        zones = list(connection.execute(_ZONES).scalars())
        oldest = now - compiled.rule.max_age - timedelta(days=1)
        parameters["clocks"] = local_clocks(zones, now, compiled.default_zone)
        parameters["offsets"] = zone_offsets(zones, oldest, now, compiled.default_zone)
    waiting = connection.execute(compiled.waiting, parameters).all()
    bounds = {"since": since, "oldest": now - compiled.rule.max_age}
    unseen = connection.execute(compiled.unseen, parameters | bounds).all()
    rows = sorted([*waiting, *unseen], key=lambda row: (row.event_at, row.natural_key))
    judged = [_judge(compiled, row, now) for row in rows]
    _write(connection, compiled, judged)
    if position.evaluated_seq != position.changed_seq:
        statement = sa.update(RULE).where(RULE.c.id == compiled.id)
        connection.execute(statement.values(evaluated_seq=position.changed_seq))
    return [_event(compiled, one.row, now) for one in judged if one.verdict == ANNOUNCED]


def begin_events(connection: Connection, rule_id: str, now: datetime) -> None:
    """Let an event rule begin at `now`: what is stored already is none of its events."""
    statement = sa.update(RULE).where(RULE.c.id == rule_id)
    connection.execute(statement.values(events_since=now, evaluated_seq=sa.func.coalesce(_SEQ, 0)))
    forget_waiting(connection, rule_id)


def forget_waiting(connection: Connection, rule_id: str) -> None:
    """Forget what a rule has not judged yet, because it waits for it no longer."""
    connection.execute(sa.delete(RULE_EVENT).where(RULE_EVENT.c.rule_id == rule_id, RULE_EVENT.c.due_at.is_not(None)))


@dataclass(frozen=True, slots=True)
class _Judged:
    """One event with its verdict, None while it waits, and its columns: None where it is no event any more."""

    row: AnyRow
    verdict: str | None = None
    columns: dict[str, Any] | None = None


def _judge(compiled: CompiledEventRule, row: AnyRow, now: datetime) -> _Judged:
    if not row.occurred:
        return _Judged(row)
    rule = compiled.rule
    fields_json = json.dumps([getattr(row, name) for name in row._fields if name.startswith("field_")], default=str)
    since = row.unchanged_since
    if _is_stored(row):
        since = row.stored_since if row.fields_json == fields_json else min(max(row.last_change, row.stored_since), now)
    due_at = since + rule.settle
    verdict = None
    if now - row.event_at > rule.max_age:
        verdict = TOO_OLD
    elif row.lasted_until is not None and row.lasted_until < due_at:
        verdict = DID_NOT_LAST
    elif now >= due_at and row.truth is not None:
        verdict = ANNOUNCED if row.truth else NOT_MATCHED
    columns = {
        "event_at": row.event_at,
        "fields_json": fields_json,
        "unchanged_since": since,
        "due_at": due_at if verdict is None else None,
        "judged_at": None if verdict is None else now,
        "verdict": verdict,
    }
    return _Judged(row, verdict, columns)


def _write(connection: Connection, compiled: CompiledEventRule, judged: Sequence[_Judged]) -> None:
    what = {"rule_id": compiled.id, "event": compiled.event}
    known = [one for one in judged if _is_stored(one.row)]
    new = [
        {**what, **{name: getattr(one.row, name) for name in ("natural_key", "subject", "interval_id")}, **one.columns}
        for one in judged
        if one.columns is not None and not _is_stored(one.row)
    ]
    moved = [
        {"this": one.row.natural_key, "rule": compiled.id, **one.columns}
        for one in known
        if one.columns is not None and (one.verdict, one.row.stored_since) != (None, one.columns["unchanged_since"])
    ]
    undone = [{"this": one.row.natural_key, "rule": compiled.id} for one in known if one.columns is None]
    if new:
        connection.execute(sa.insert(RULE_EVENT), new)
    if moved:
        connection.execute(_MOVE, moved)
    if undone:
        connection.execute(_UNDO, undone)


def _is_stored(row: AnyRow) -> bool:
    return hasattr(row, "stored_since")


def _event(compiled: CompiledEventRule, row: AnyRow, now: datetime) -> Event:
    facts = _facts(compiled, row)
    return Event(now, compiled.id, row.subject, compiled.event, row.event_at, row.natural_key, facts)


def _facts(compiled: CompiledEventRule, row: AnyRow) -> dict[str, Any]:
    rule = compiled.rule
    told = {name.removeprefix("fact_"): getattr(row, name) for name in row._fields if name.startswith("fact_")}
    return {
        "rule": rule.name,
        "description": rule.description,
        "title": rule.title,
        "severity": rule.severity,
        "labels": rule.labels,
        "event": compiled.event,
        "event_at": row.event_at.isoformat(),
        "subject": row.subject,
        **{name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()},
    }


_RULE = sa.bindparam("rule", type_=sa.String)
_SEEN = sa.bindparam("seen", type_=sa.Integer)
_SINCE = sa.bindparam("since", type_=MOMENT)
_OLDEST = sa.bindparam("oldest", type_=MOMENT)
_ZONES = sa.select(LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None)).distinct()
_LONG_AGO = sa.literal(datetime(1970, 1, 1, tzinfo=UTC), type_=MOMENT)
_SEQ = sa.select(COUNTER.c.value).where(COUNTER.c.name == "changed").scalar_subquery()
_POSITION = (
    sa.select(
        RULE.c.evaluated_seq,
        RULE.c.events_since,
        POLL.c.first_good_at,
        sa.func.coalesce(_SEQ, 0).label("changed_seq"),
    )
    .outerjoin(POLL, POLL.c.resource == sa.bindparam("resource", type_=sa.String))
    .where(RULE.c.id == _RULE)
)
_THIS = sa.and_(RULE_EVENT.c.rule_id == _RULE, RULE_EVENT.c.natural_key == sa.bindparam("this", type_=sa.String))
_JUDGED_COLUMNS = ("event_at", "fields_json", "unchanged_since", "due_at", "judged_at", "verdict")
_MOVE = sa.update(RULE_EVENT).where(_THIS).values({name: sa.bindparam(name) for name in _JUDGED_COLUMNS})
_UNDO = sa.delete(RULE_EVENT).where(_THIS)
_BEHIND_OR_DUE = sa.select(RULE.c.id).where(
    RULE.c.enabled,
    RULE.c.removed_at.is_(None),
    sa.or_(
        RULE.c.evaluated_seq < sa.func.coalesce(_SEQ, 0),
        sa.exists().where(RULE_EVENT.c.rule_id == RULE.c.id, RULE_EVENT.c.due_at <= NOW),
    ),
)


def _answer(source: EventSource, reads: tuple[str, ...], truth: ColumnElement[Any]) -> sa.Select[Any]:
    """What is asked of each event; the tables to ask are still to be said."""
    fields = [key for key in reads if not FIELDS[key].reads_clock and key not in source.replaced]
    things = {source.thing, *(FIELDS[key].thing for key in fields)}
    dated = [FIELDS[key] for key in fields if FIELDS[key].changed_at not in {"changed_at", "first_seen_at"}]
    # a session's row tells when any field of it changed; of other things each field tells for itself
    moments = [
        sa.func.coalesce(TABLES[spec.thing].c[spec.changed_at], _LONG_AGO) for spec in dated if spec.thing != "session"
    ]
    boolean = sa.Boolean()
    return sa.select(
        TABLES[source.thing].c.id.label("subject"),
        source.natural_key.label("natural_key"),
        source.interval_id.label("interval_id"),
        source.event_at.label("event_at"),
        sa.type_coerce(source.occurred, boolean).label("occurred"),
        source.lasted_until.label("lasted_until"),
        latest([source.unchanged_since, *moments]).label("unchanged_since"),
        latest([sa.func.coalesce(TABLES[thing].c.changed_at, _LONG_AGO) for thing in sorted(things)]).label(
            "last_change"
        ),
        sa.type_coerce(sa.case((source.known, truth)), boolean).label("truth"),
        *(column.label(f"field_own_{place}") for place, column in enumerate(source.own)),
        *(current(key).label("field_" + key.replace(".", "_")) for key in fields),
        *(column.label("fact_" + name) for name, column in source.facts.items()),
    )


def _joined(source: EventSource, rows: FromClause) -> FromClause:
    paths = PATHS[source.thing]
    return reduce(
        lambda joined, thing: joined.outerjoin(TABLES[thing], TABLES[thing].c.id == paths[thing]), paths, rows
    )
