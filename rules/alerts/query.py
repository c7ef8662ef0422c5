"""A rule with its alerts: the condition's query, asked of the subjects for which an alert may begin, move or end.

`full` looks at every subject, `changed` at those that a newer change or a moment that has come may have moved. What is
true of a subject is said by `compile` alone.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from rules.alerts.records import STATE_FIELDS, SUBJECT_FIELDS
from rules.documents.document import Rule
from rules.lifecycle import OnGap, State, Timing
from rules.matching.compile import (
    Demand,
    demand_of,
    gone_of,
    match_columns,
    truth_of,
    wakes_statement,
    with_things_above,
)
from rules.matching.scope import PATHS, RULE_ID, TABLES
from storage.prepared import Prepared
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, WAKE

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
    written, for the trace. `default_zone` is that of locations which name none.
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
    default_zone: str | None = None


def compile_rule(rule: Rule, version: int = 1, default_zone: str | None = None) -> CompiledRule:
    """Compile an alert rule. The document was checked before: what reaches this is typed.

    Without a `default_zone` the local time of locations that name no zone is unknown.
    """
    demand = demand_of(rule)
    assert rule.for_each is not None  # noqa: S101 - checked by demand_of
    id_ = TABLES[rule.for_each].c.id
    full = _select(rule, rule.for_each, demand)
    wakes_full = None if demand.wake is None else wakes_statement(rule.for_each, demand.wake)
    return CompiledRule(
        id=rule.name,
        version=version,
        severity=rule.severity,
        group_by=rule.group_by,
        labels=rule.labels,
        timing=Timing(rule.for_, rule.keep_firing_for, OnGap(rule.on_gap)),
        resources=demand.resources,
        full_every=demand.full_every,
        wakes=demand.wake is not None,
        has_while=rule.while_ is not None,
        for_each=rule.for_each,
        reads=demand.keys,
        computed=tuple(demand.computed),
        local_time=demand.local_time,
        full=Prepared(full),
        changed=Prepared(full.where(id_.in_(demand.among))),
        wakes_full=None if wakes_full is None else Prepared(wakes_full),
        wakes_changed=None if wakes_full is None else Prepared(wakes_full.where(id_.in_(demand.among))),
        forgotten_wakes=Prepared(sa.delete(WAKE).where(WAKE.c.rule_id == RULE_ID, WAKE.c.subject.in_(demand.among))),
        default_zone=default_zone,
    )


def _select(rule: Rule, for_each: str, demand: Demand) -> sa.Select[Any]:
    table = TABLES[for_each]
    has_alert = ALERT.c.id.is_not(None)
    kept = {**EVIDENCE, **NAMES}
    columns: list[ColumnElement[Any]] = [
        *match_columns(rule, demand, has_alert),
        *_ids(for_each),
        *((c if _in_reach(c, for_each) else sa.null()).label("now_" + name) for name, c in kept.items()),
        *(ALERT.c[name].label("alert_" + name) for name in _ALERT_COLUMNS),
    ]
    firing = sa.and_(ALERT.c.rule_id == RULE_ID, ALERT.c.subject == table.c.id, ALERT.c.state.in_(_OPEN_LITERALLY))
    joined = with_things_above(for_each, table.outerjoin(ALERT, firing))
    begins = sa.and_(~gone_of(for_each), truth_of(rule))
    return sa.select(*columns).select_from(joined).where(sa.or_(has_alert, begins))


_OPEN = (State.PENDING.value, State.FIRING.value)
# SQLite takes the partial index of open alerts only where the statement says its condition to the letter
_OPEN_LITERALLY: sa.BindParameter[str] = sa.bindparam(None, _OPEN, expanding=True, literal_execute=True)
_ALERT_COLUMNS = ("id", *STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "labels", "evidence", "incident_id")


def _in_reach(column: ColumnElement[Any], for_each: str) -> bool:
    table = getattr(column, "table", None)
    return any(TABLES[thing] is table for thing in (for_each, *PATHS[for_each]))


def _ids(for_each: str) -> list[ColumnElement[Any]]:
    paths = {for_each: TABLES[for_each].c.id, **PATHS[for_each]}
    return [paths.get(name.removesuffix("_id"), sa.cast(sa.null(), sa.String)).label(name) for name in SUBJECT_FIELDS]
