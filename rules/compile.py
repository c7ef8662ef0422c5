"""A rule, compiled to one SQL query that answers true, false or unknown for each subject it looks at.

This is the only evaluator: `full` looks at every subject, `changed` at those that a newer change or a moment that has
come may have moved. How a condition is said in SQL is in `clauses`.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.alerts import STATE_FIELDS, SUBJECT_FIELDS, AlertRecord
from rules.clauses import compile_condition, compile_since, current
from rules.document import Rule
from rules.expressions import Aggregate, Expression, LocalTime, Since, Windowed, fields_of, outside, to_text
from rules.fields import FIELDS, RESOURCE_OF
from rules.lifecycle import AlertState, OnGap, State, Timing
from rules.relations import inner_things, reached, start_of
from rules.scope import PATHS, RULE_ID, TABLES
from rules.wakes import due_subjects, is_slow, reads_clock, wakes_of
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, SESSION, WAKE

CLOCK_EVERY = timedelta(minutes=5)
"""How often a condition is matched over every subject that reads the clock in a way that tells no moment."""

SLOWLY_EVERY = timedelta(hours=1)
"""How often, where only the uptime of a day or more follows the clock."""

RELATIONS_EVERY = timedelta(hours=1)
"""How often one over related things is: a charger that moves to another location is seen there at once, and missed
where it was by then."""

EVIDENCE = {
    "status": CONNECTOR.c.status,
    "error_code": CONNECTOR.c.error_code,
    "vendor_error_code": CONNECTOR.c.vendor_error_code,
}
"""What is kept of a connector when an alert on it (or on a session of it) opens, for the card."""

NAMES = {"location_name": LOCATION.c.name, "charger_name": CHARGER.c.name}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule in force, ready to be matched. `full` looks at every subject, `changed` at those that may have moved.

    A rule that reads the clock either `wakes`, when each subject's next moment is known and stored (`wakes_full` and
    `wakes_changed` answer `subject` and `wake_at`), or is matched in full, as all rules over related things are now and
    then: `full_every`. Where it reads `local_time`, the statements take `clocks`. `computed` is what it works out, as
    written, for the trace.
    """

    id: str
    version: int
    severity: str
    group_by: tuple[str, ...]
    labels: dict[str, str]
    timing: Timing
    resources: frozenset[str]
    full_every: timedelta | None
    wakes: bool
    has_while: bool
    for_each: str
    reads: tuple[str, ...]
    computed: tuple[str, ...]
    local_time: bool
    full: Prepared
    changed: Prepared
    wakes_full: Prepared | None
    wakes_changed: Prepared | None
    forgotten_wakes: Prepared

    def open_alert(self, row: AnyRow, state: AlertState) -> AlertRecord:
        """A new alert on the subject of this row of the query's answer."""
        ids = {name: getattr(row, name) for name in SUBJECT_FIELDS}
        labels = {**self.labels, **{name.removesuffix("_id"): value for name, value in ids.items() if value}}
        evidence = {name: getattr(row, "now_" + name) for name in (*EVIDENCE, *NAMES)}
        return AlertRecord(row.subject, state, self.version, ids, labels, evidence=evidence, trace=self._trace(row))

    def renew_alert(self, row: AnyRow, record: AlertRecord) -> bool:
        """Bring an open alert up to what the rule and its subject say now; true if the stored alert must change."""
        record.trace = self._trace(row)
        renewed = record.rule_version != self.version
        record.rule_version = self.version
        for name in EVIDENCE:
            found = getattr(row, "now_" + name)
            if row.truth and record.evidence.get(name) is None and found is not None:
                record.evidence = {**record.evidence, name: found}
                renewed = True
        return renewed

    def _trace(self, row: AnyRow) -> dict[str, Any]:
        values = {key: getattr(row, _label(key)) for key in self.reads}
        worked_out = {text: getattr(row, f"computed_{place}") for place, text in enumerate(self.computed)}
        return {"values": {**values, **worked_out}}


def compile_rule(rule: Rule, version: int = 1) -> CompiledRule:
    """Compile an alert rule. The document was checked before: what reaches this is typed."""
    if rule.when is None or rule.for_each is None:
        raise ValueError(f'rule "{rule.name}" has no condition to compile')
    conditions = [rule.when] if rule.while_ is None else [rule.when, rule.while_]
    nodes = [node for condition in conditions for node in outside(condition)]
    aggregates = [node for node in nodes if isinstance(node, Aggregate)]
    keys = tuple(sorted(frozenset[str]().union(*map(fields_of, conditions))))
    local_time = any(isinstance(node, LocalTime) for node in nodes)
    things = frozenset({FIELDS[key].thing for key in keys} | {rule.for_each}).union(
        map(start_of, aggregates), {"location"} if local_time else ()
    )
    worked_out = {to_text(node): node for node in nodes if isinstance(node, Aggregate | Windowed | Since | LocalTime)}
    polled = things.union(*map(inner_things, aggregates))
    wake = wakes_of(conditions)
    by_clock = wake is None and any(map(reads_clock, conditions))
    among = reached(rule.for_each, things, aggregates, [due_subjects] if wake is not None else [])
    id_ = TABLES[rule.for_each].c.id
    full = _select(rule, rule.for_each, keys, tuple(worked_out.values()))
    wakes_full = None if wake is None else _wakes(rule.for_each, wake)
    return CompiledRule(
        id=rule.name,
        version=version,
        severity=rule.severity,
        group_by=rule.group_by,
        labels=rule.labels,
        timing=Timing(rule.for_, rule.keep_firing_for, OnGap(rule.on_gap)),
        resources=frozenset(RESOURCE_OF[thing] for thing in polled),
        full_every=_full_every(conditions, aggregates, by_clock=by_clock),
        wakes=wake is not None,
        has_while=rule.while_ is not None,
        for_each=rule.for_each,
        reads=keys,
        computed=tuple(worked_out),
        local_time=local_time,
        full=Prepared(full),
        changed=Prepared(full.where(id_.in_(among))),
        wakes_full=None if wakes_full is None else Prepared(wakes_full),
        wakes_changed=None if wakes_full is None else Prepared(wakes_full.where(id_.in_(among))),
        forgotten_wakes=Prepared(sa.delete(WAKE).where(WAKE.c.rule_id == RULE_ID, WAKE.c.subject.in_(among))),
    )


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """One condition about one subject: `statement` answers its truth, and `resources` are what it is read from.

    The statement takes `subject` and `now`, and `clocks` where it reads local time.
    """

    statement: sa.Select[Any]
    resources: frozenset[str]
    local_time: bool


def compile_check(condition: Expression, for_each: str) -> CompiledCheck:
    """Compile a condition to be asked of one subject of a rule, by the same functions as the rule itself."""
    nodes = list(outside(condition))
    aggregates = [node for node in nodes if isinstance(node, Aggregate)]
    local_time = any(isinstance(node, LocalTime) for node in nodes)
    things = {for_each, *(FIELDS[key].thing for key in fields_of(condition)), *map(start_of, aggregates)}
    polled = things.union(*map(inner_things, aggregates))
    table = TABLES[for_each]
    truth = sa.type_coerce(compile_condition(condition, current), sa.Boolean())
    answer = sa.select(truth.label("truth")).select_from(_with_things_above(for_each, table))
    return CompiledCheck(
        answer.where(table.c.id == sa.bindparam("subject")),
        frozenset(RESOURCE_OF[thing] for thing in polled),
        local_time,
    )


def _full_every(conditions: list[Expression], aggregates: list[Aggregate], *, by_clock: bool) -> timedelta | None:
    if by_clock and all(map(is_slow, conditions)):
        return SLOWLY_EVERY
    return CLOCK_EVERY if by_clock else RELATIONS_EVERY if aggregates else None


def _select(rule: Rule, for_each: str, keys: tuple[str, ...], worked_out: tuple[Expression, ...]) -> sa.Select[Any]:
    table = TABLES[for_each]
    assert rule.when is not None  # noqa: S101 - checked by compile_rule
    truth = compile_condition(rule.when, current)
    gone: ColumnElement[Any] = sa.false()
    if for_each == "session":  # a state rule looks at open sessions: with its session, a condition's truth ends
        truth = sa.case((SESSION.c.ended_at.is_not(None), sa.false()), else_=truth)
    else:
        gone = table.c.gone_at.is_not(None)
    while_truth = compile_condition(rule.while_, current) if rule.while_ is not None else sa.true()
    has_alert = ALERT.c.id.is_not(None)
    since = sa.case((sa.and_(truth, ~has_alert), compile_since(rule.when, True)))
    boolean = sa.Boolean()
    columns: list[ColumnElement[Any]] = [
        table.c.id.label("subject"),
        sa.type_coerce(truth, boolean).label("truth"),
        sa.type_coerce(while_truth, boolean).label("while_truth"),
        sa.type_coerce(gone, boolean).label("gone"),
        sa.type_coerce(since, CONNECTOR.c.changed_at.type).label("since"),
        *_ids(for_each),
        *(column.label("now_" + name) for name, column in {**EVIDENCE, **NAMES}.items() if _in_reach(column, for_each)),
        *(
            sa.null().label("now_" + name)
            for name, column in {**EVIDENCE, **NAMES}.items()
            if not _in_reach(column, for_each)
        ),
        *(current(key).label(_label(key)) for key in keys),
        *(compile_condition(node, current).label(f"computed_{place}") for place, node in enumerate(worked_out)),
        *(ALERT.c[name].label("alert_" + name) for name in _ALERT_COLUMNS),
    ]
    firing = sa.and_(ALERT.c.rule_id == RULE_ID, ALERT.c.subject == table.c.id, ALERT.c.state.in_(_OPEN_LITERALLY))
    joined = _with_things_above(for_each, table.outerjoin(ALERT, firing))
    return sa.select(*columns).select_from(joined).where(sa.or_(has_alert, sa.and_(~gone, truth)))


def _with_things_above(for_each: str, source: FromClause) -> FromClause:
    return reduce(
        lambda joined, thing: joined.outerjoin(TABLES[thing], TABLES[thing].c.id == PATHS[for_each][thing]),
        PATHS[for_each],
        source,
    )


def _wakes(for_each: str, wake: ColumnElement[Any]) -> sa.Select[Any]:
    """The next moment of each subject that a rule looks at; null where time alone changes nothing."""
    table = TABLES[for_each]
    looked_at = SESSION.c.ended_at.is_(None) if for_each == "session" else table.c.gone_at.is_(None)
    answer = sa.select(table.c.id.label("subject"), wake.label("wake_at")).where(looked_at)
    return answer.select_from(_with_things_above(for_each, table))


_OPEN = (State.PENDING.value, State.FIRING.value)
# SQLite takes the partial index of open alerts only where the statement says its condition to the letter
_OPEN_LITERALLY: sa.BindParameter[str] = sa.bindparam(None, _OPEN, expanding=True, literal_execute=True)
_ALERT_COLUMNS = ("id", *STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "labels", "evidence", "incident_id")


def _label(key: str) -> str:
    return "field_" + key.replace(".", "_")


def _in_reach(column: ColumnElement[Any], for_each: str) -> bool:
    table = getattr(column, "table", None)
    return any(TABLES[thing] is table for thing in (for_each, *PATHS[for_each]))


def _ids(for_each: str) -> list[ColumnElement[Any]]:
    paths = {for_each: TABLES[for_each].c.id, **PATHS[for_each]}
    return [paths.get(name.removesuffix("_id"), sa.cast(sa.null(), sa.String)).label(name) for name in SUBJECT_FIELDS]
