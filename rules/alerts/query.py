"""A rule with its alerts, as two questions: where does an alert begin, and which open ones have something to do.

Both are asked of every subject, or of those that a newer change or a moment that has come may have moved. What is true
of a subject is said by `compile` alone, and what then happens to an alert by the lifecycle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from rules.alerts.records import RECORD_FIELDS, SUBJECT_FIELDS
from rules.documents.document import Rule
from rules.language.expressions import to_text
from rules.lifecycle import OnGap, State, Timing
from rules.matching.compile import (
    Demand,
    begins_where,
    demand_of,
    gone_of,
    match_columns,
    since_of,
    truth_of,
    wakes_statement,
    while_of,
    with_things_above,
)
from rules.matching.relations import any_changed
from rules.matching.scope import NOW, PATHS, RULE_ID, TABLES
from storage.drivers.conversions import SHARED_JSON
from storage.prepared import Prepared
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, WAKE

EVIDENCE = {
    "status": CONNECTOR.c.status,
    "error_code": CONNECTOR.c.error_code,
    "vendor_error_code": CONNECTOR.c.vendor_error_code,
}
"""What is kept of a connector when an alert on it (or on a session of it) opens, for the card."""

RULE_VERSION_NOW = sa.bindparam("version", type_=sa.Integer)
UNTIL = sa.bindparam("until", type_=ALERT.c.due_at.type)

NAMES = {"location_name": LOCATION.c.name, "charger_name": CHARGER.c.name}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule in force, ready to be matched: `births` and `standing` over every subject, `..._changed` over those that
    may have moved.

    A rule that reads the clock either `wakes`, when each subject's next moment is known and stored (`wakes_full` and
    `wakes_changed` answer `subject` and `wake_at`), or is matched in full, as all rules over related things are now and
    then: `full_every`. Where it reads `local_time`, the statements take `clocks`. `computed` is what it works out, as
    written, for the trace. `default_zone` is that of locations which name none, and `condition` is what it asks, in its
    canonical spelling. `changes` are the columns, by thing, of which a newer number is a change that may move it; how
    many there are is asked where it matters. `waiting` answers the open alerts that wait for a moment up to
    `until`.
    """

    id: str
    version: int
    severity: str
    group_by: tuple[str, ...] | None
    labels: dict[str, str]
    timing: Timing
    resources: frozenset[str]
    changes: frozenset[tuple[str, str]]
    full_every: timedelta | None
    wakes: bool
    has_while: bool
    for_each: str
    reads: tuple[str, ...]
    computed: tuple[str, ...]
    local_time: bool
    births: Prepared
    births_changed: Prepared
    standing: Prepared
    standing_changed: Prepared
    how_many_changed: Prepared | None
    births_among_many: Prepared
    standing_among_many: Prepared
    waiting: Prepared
    wakes_full: Prepared | None
    wakes_changed: Prepared | None
    forgotten_wakes: Prepared
    condition: str
    default_zone: str | None = None


def compile_rule(rule: Rule, version: int = 1, default_zone: str | None = None) -> CompiledRule:
    """Compile an alert rule. The document was checked before: what reaches this is typed.

    Without a `default_zone` the local time of locations that name no zone is unknown.
    """
    demand = demand_of(rule)
    assert rule.for_each is not None  # noqa: S101 - checked by demand_of
    assert rule.when is not None  # noqa: S101
    # what statements have in common is compiled once: it is most of what making rules ready takes
    each, asked = _each(rule, demand), _asked_of_open_alerts(rule, demand)
    opened = _subjects_of_open_alerts(rule, asked)
    begun, stands = births(rule, each), _that_move(rule, demand, opened)
    begun_changed = births(rule, each, among_few=not demand.by_range)
    begun_changed = begun_changed.where(demand.moved_among_many if demand.bound else demand.moved)
    among_many = stands.where(sa.or_(demand.moved_among_many, ALERT.c.held_since.is_not(None)))
    among_few = stands.where(ALERT.c.subject.in_(sa.union_all(_subjects(demand.among), _held)))
    wakes_full = None if demand.wake is None else wakes_statement(rule.for_each, demand.wake)
    return CompiledRule(
        id=rule.name,
        version=version,
        severity=rule.severity,
        group_by=rule.group_by,
        labels=rule.labels,
        timing=Timing(rule.for_, rule.keep_firing_for, OnGap(rule.on_gap), rule.for_hours),
        resources=demand.resources,
        changes=demand.changes,
        full_every=demand.full_every,
        wakes=demand.wake is not None,
        has_while=rule.while_ is not None,
        for_each=rule.for_each,
        reads=demand.keys,
        computed=tuple(demand.computed),
        local_time=demand.local_time,
        births=Prepared(begun),
        births_changed=Prepared(begun_changed),
        standing=Prepared(stands),
        standing_changed=Prepared(among_many if demand.bound else among_few),
        how_many_changed=None if demand.bound else _how_many(demand.changes),
        births_among_many=Prepared(begun.where(demand.moved_among_many)),
        standing_among_many=Prepared(among_many),
        waiting=Prepared(_waiting(rule, asked)),
        wakes_full=None if wakes_full is None else Prepared(wakes_full),
        wakes_changed=None if wakes_full is None else Prepared(wakes_full.where(demand.moved)),
        forgotten_wakes=Prepared(sa.delete(WAKE).where(WAKE.c.rule_id == RULE_ID, WAKE.c.subject.in_(demand.among))),
        condition=to_text(rule.when),
        default_zone=default_zone,
    )


@cache
def _how_many(changes: frozenset[tuple[str, str]]) -> Prepared:
    """One for all rules that read the same, so that it is asked once for all."""
    return Prepared(any_changed(changes))


_OPEN = (State.PENDING.value, State.FIRING.value)
# SQLite takes the partial index of open alerts only where the statement says its condition to the letter
_OPEN_LITERALLY: sa.BindParameter[str] = sa.bindparam(None, _OPEN, expanding=True, literal_execute=True)
# a session that ended while its alert was held changes no more: what is held is always looked at
_HELD = ALERT.alias("held")
_held = sa.select(_HELD.c.subject).where(
    _HELD.c.rule_id == RULE_ID, _HELD.c.held_since.is_not(None), _HELD.c.state.in_(_OPEN_LITERALLY)
)


def _subjects(among: sa.CompoundSelect[Any] | sa.Select[Any]) -> sa.Select[Any]:
    return sa.select(among.subquery().c[0])


def _each(rule: Rule, demand: Demand) -> sa.Select[Any]:
    """What is asked of every subject of a rule, and kept of it where an alert begins."""
    for_each = str(rule.for_each)
    columns = [*match_columns(rule, demand, since_of(rule)), *_ids(for_each), *_kept(for_each)]
    joined = with_things_above(for_each, TABLES[for_each])
    return sa.select(*columns, sa.null().label("alert_id"), sa.false().label("blind")).select_from(joined)


def every_subject(rule: Rule) -> sa.Select[Any]:
    """What is asked of every subject of a rule, whatever is so of it, and kept of it where an alert begins."""
    return _each(rule, demand_of(rule))


def births(rule: Rule, each: sa.Select[Any], *, among_few: bool = False) -> sa.Select[Any]:
    """The subjects on which an alert begins: they can be read, the condition and `while` are true, no alert is open.

    With `among_few` they are to be found by another way than what the condition says of them.
    """
    table = TABLES[str(rule.for_each)]
    open_one = sa.and_(ALERT.c.rule_id == RULE_ID, ALERT.c.subject == table.c.id, ALERT.c.state.in_(_OPEN_LITERALLY))
    readable = table.c.stale_since.is_(None)
    return each.where(*begins_where(rule, among_few=among_few), readable, ~sa.exists().where(open_one))


def standing(rule: Rule, demand: Demand, *, all_of_them: bool = False) -> sa.Select[Any]:
    """The open alerts of a rule for which the lifecycle has something to do, or with `all_of_them` every one.

    A law in the tests holds that what is left out would not have moved.
    """
    opened = _subjects_of_open_alerts(rule, _asked_of_open_alerts(rule, demand))
    return _that_move(rule, demand, opened, all_of_them=all_of_them)


def _that_move(rule: Rule, demand: Demand, opened: sa.Select[Any], *, all_of_them: bool = False) -> sa.Select[Any]:
    """Of a rule's open alerts those of `standing`."""
    for_each = str(rule.for_each)
    blind = blind_of(rule, demand)
    alert = record_columns("alert_")
    moved = () if all_of_them else (_may_move(rule, for_each, blind),)
    return opened.add_columns(*alert, blind.label("blind")).where(*moved)


def _asked_of_open_alerts(rule: Rule, demand: Demand) -> list[ColumnElement[Any]]:
    """What is asked of the subjects of a rule's open alerts, and kept of them; the subject is the first.

    Names are kept as an alert begins: only where a gap ends one may another begin of what is told here.
    """
    for_each = str(rule.for_each)
    named = NAMES if OnGap(rule.on_gap) == OnGap.RESET else {}
    return [*match_columns(rule, demand, sa.null()), *_ids(for_each), *_kept(for_each, named)]


_MINE = (ALERT.c.rule_id == RULE_ID, ALERT.c.state.in_(_OPEN_LITERALLY))


def _subjects_of_open_alerts(rule: Rule, asked: Sequence[ColumnElement[Any]]) -> sa.Select[Any]:
    """What is asked of the subjects of a rule's open alerts; nothing of the alerts."""
    table = TABLES[str(rule.for_each)]
    joined = with_things_above(str(rule.for_each), ALERT.join(table, ALERT.c.subject == table.c.id))
    return sa.select(*asked).select_from(joined).where(*_MINE)


def _waiting(rule: Rule, asked: Sequence[ColumnElement[Any]]) -> sa.Select[Any]:
    """The open alerts that wait for a moment up to `until`, with what is asked of those subjects that `is_there`."""
    table = TABLES[str(rule.for_each)]
    joined = with_things_above(str(rule.for_each), ALERT.outerjoin(table, ALERT.c.subject == table.c.id))
    own = (ALERT.c.subject.label("subject"), table.c.id.is_not(None).label("is_there"))
    columns = (*own, *asked[1:], *record_columns("alert_"))
    return sa.select(*columns).select_from(joined).where(*_MINE, ALERT.c.due_at <= UNTIL)


def blind_of(rule: Rule, demand: Demand) -> ColumnElement[bool]:
    """Whether nothing new is told of an open alert: its subject cannot be read, or the code of a lasting fault is not.

    A code that is no longer told still stands, so that an alert may begin by it and fire; then it is held.
    """
    for_each = str(rule.for_each)
    stale: ColumnElement[bool] = TABLES[for_each].c.stale_since.is_not(None)
    if "connector.error_code" not in demand.keys or not _in_reach(CONNECTOR.c.error_code, for_each):
        return stale
    fires = sa.and_(ALERT.c.state == State.FIRING.value, sa.func.coalesce(truth_of(rule), sa.false()))
    return sa.or_(stale, sa.and_(CONNECTOR.c.code_missing_since.is_not(None), fires))


def _may_move(rule: Rule, for_each: str, blind: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the lifecycle, or what is kept of the rule and its subject, has something to do for an open alert."""
    truth, held_by_while = truth_of(rule), sa.func.coalesce(while_of(rule), sa.false())
    known = sa.and_(truth.is_not(None), held_by_while, ~blind)
    waits_for_end = sa.and_(ALERT.c.state == State.FIRING.value, ALERT.c.false_since.is_not(None), ALERT.c.due_at > NOW)
    evidence = [
        sa.and_(column.is_not(None), ALERT.c.evidence[name].as_string().is_(None))
        for name, column in EVIDENCE.items()
        if _in_reach(column, for_each)
    ]
    when_true = sa.or_(
        ALERT.c.false_since.is_not(None),
        sa.and_(ALERT.c.state == State.PENDING.value, ALERT.c.due_at <= NOW),
        *evidence,
    )
    when_known = sa.or_(ALERT.c.held_since.is_not(None), sa.case((truth, when_true), else_=~waits_for_end))
    elsewhere = [
        sa.and_(there.is_not(None), ALERT.c[f"{thing}_id"].is_distinct_from(there))
        for thing, there in PATHS[for_each].items()
    ]
    return sa.or_(
        gone_of(for_each),
        *elsewhere,
        ALERT.c.rule_version < RULE_VERSION_NOW,
        sa.case((known, when_known), else_=ALERT.c.held_since.is_(None)),
    )


def _kept(for_each: str, named: Mapping[str, ColumnElement[Any]] = NAMES) -> list[ColumnElement[Any]]:
    """What the card keeps of the subject, under `now_`; null where it is out of reach."""
    kept = {**EVIDENCE, **named}
    return [(c if _in_reach(c, for_each) else sa.null()).label("now_" + name) for name, c in kept.items()]


def record_columns(prefix: str = "") -> list[ColumnElement[Any]]:
    """The columns of RECORD_FIELDS as `record_of` reads them; alerts with the same labels or evidence share these."""
    columns = {name: ALERT.c[name] for name in RECORD_FIELDS}
    shared = {name: sa.type_coerce(columns[name], SHARED_JSON) for name in ("labels", "evidence")}
    return [column.label(prefix + name) for name, column in {**columns, **shared}.items()]


def _in_reach(column: ColumnElement[Any], for_each: str) -> bool:
    table = getattr(column, "table", None)
    return any(TABLES[thing] is table for thing in (for_each, *PATHS[for_each]))


def _ids(for_each: str) -> list[ColumnElement[Any]]:
    paths = {for_each: TABLES[for_each].c.id, **PATHS[for_each]}
    return [paths.get(name.removesuffix("_id"), sa.cast(sa.null(), sa.String)).label(name) for name in SUBJECT_FIELDS]
