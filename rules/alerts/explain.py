"""Why a rule says what it says of one subject: clause by clause, from the same compiled SQL that judges it.

It reads what is stored and moves nothing. Each clause of the document's condition is asked by itself; a clause of a
kind that is new here is a leaf whose truth is told all the same.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.alerts.query import compile_rule
from rules.alerts.standing import Card, Muted, find_card, find_muting
from rules.documents.document import Rule, rule_from_document
from rules.language.expressions import (
    Aggregate,
    And,
    Compare,
    Expression,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    outside,
    parts_of,
    to_text,
    type_of,
)
from rules.language.fields import Type
from rules.lifecycle import OPEN_STATES, State
from rules.matching.clauses import compile_condition, compile_since, current
from rules.matching.learning import Learner, covered_since
from rules.matching.relations import seen_members, seen_of_aggregate, stopped
from rules.matching.scope import NOW, PATHS, TABLES
from rules.matching.windows import local_clocks
from storage.dialects import AnyRow
from storage.polls import poll_states
from storage.schema import ALERT, LOCATION, RULE, TRANSITION

PAST_TRANSITIONS = 20
MANY_IDS = 5000  # more are not searched for a near one


class ExplainError(Exception):
    """What was asked about does not exist; the message names what is near."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A value that a clause compares, as it is stored now; None is unknown."""

    text: str
    value: Any
    type: Type


@dataclass(frozen=True, slots=True)
class Learning:
    """A function that a clause compares goes further back than is known: so much is, of what is needed.

    `seen` and `needed` are times, or numbers of sessions; `needed` is None where any number may still be missing.
    """

    text: str
    seen: timedelta | int
    needed: timedelta | int | None


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a condition. `since`: when its truth last changed, None where that is not known."""

    text: str
    truth: bool | None
    since: datetime | None
    observed: tuple[Observed, ...]
    clauses: tuple["Clause", ...]
    learning: tuple[Learning, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is unknown in it and below it."""
        below = [name for clause in self.clauses for name in clause.missing]
        return tuple(dict.fromkeys([*(item.text for item in self.observed if item.value is None), *below]))


@dataclass(frozen=True, slots=True)
class Freshness:
    """How well one polled resource is known."""

    resource: str
    good_at: datetime | None
    fresh: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class AlertNow:
    """The open alert of this rule on this subject, or the last one."""

    state: State
    active_at: datetime
    fired_at: datetime | None
    due_at: datetime | None
    false_since: datetime | None
    held_since: datetime | None
    ended_because: str | None
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None


@dataclass(frozen=True, slots=True)
class Moved:
    """One transition of the past, with the trace that was kept of it."""

    at: datetime
    from_state: str
    to_state: str
    active_at: datetime
    reason: str
    trace: dict[str, Any]

    @property
    def muted_by(self) -> dict[str, Any] | None:
        """What kept it quiet: `silence`, `by` and `reason`, or `rule` and `subject`."""
        return self.trace.get("muted_by") or None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about one rule and one subject at `now`.

    `earliest`: when the alert may fire at the earliest, None where it fires already or cannot. `assuming` says what
    that supposes. `notes` are what else stands in its way.
    """

    rule: Rule
    subject: str
    now: datetime
    when: Clause
    while_: Clause | None
    freshness: tuple[Freshness, ...]
    alert: AlertNow | None
    earliest: datetime | None
    assuming: str
    notes: tuple[str, ...]
    past: tuple[Moved, ...]
    muted: Muted | None = None
    card: Card | None = None

    @property
    def held(self) -> bool:
        """Whether the alert can neither fire nor resolve: the condition is unknown, or `while` is not true."""
        return self.when.truth is None or (self.while_ is not None and self.while_.truth is not True)


def explain(connection: Connection, rule_id: str, subject: str, now: datetime) -> Explanation:
    """Explain what a stored rule says of a subject at `now`. ExplainError, with near ids, where one is unknown."""
    row = _rule_row(connection, rule_id)
    rule = rule_from_document(row.document, row.source)
    if rule.kind != "alert" or rule.when is None or rule.for_each is None:
        told = "it has a schedule" if rule.schedule is not None else "it tells of events"
        raise ExplainError(f'"{rule_id}" is no alert rule: {told}, and no subject has a state under it')
    parts = [part for condition in (rule.when, rule.while_) if condition is not None for part in _tree(condition)]
    answers = _answers(connection, rule.for_each, subject, parts, now)
    if answers is None:
        raise ExplainError(_unknown_subject(connection, rule.for_each, subject))
    when = _clause(rule.when, answers, now)
    while_ = _clause(rule.while_, answers, now) if rule.while_ is not None else None
    freshness = _freshness(connection, compile_rule(rule, row.version).resources)
    alert_row = _alert_row(connection, rule_id, subject)
    alert = _alert(alert_row)
    notes = _notes(row, answers.row, freshness)
    earliest, assuming = _earliest(rule, alert, when, while_, now)
    past = _past(connection, rule_id, subject)
    muted, card = find_muting(connection, alert_row, now), find_card(connection, alert_row)
    return Explanation(
        rule, subject, now, when, while_, freshness, alert, earliest, assuming, notes, past, muted=muted, card=card
    )


@dataclass(slots=True)
class _Answers:
    """The row that answers for each part of the conditions, by its place in `parts`."""

    parts: list[Expression]
    row: AnyRow

    def of(self, part: Expression, what: str, *otherwise: Any) -> Any:
        number = next(n for n, known in enumerate(self.parts) if known is part)
        return getattr(self.row, f"{what}_{number}", *otherwise)


def _clauses_of(expression: Expression) -> tuple[Expression, ...]:
    return parts_of(expression) if isinstance(expression, And | Or | Not) else ()


def _operands_of(leaf: Expression) -> tuple[Expression, ...]:
    """What a leaf compares, constants aside; nothing of a kind unknown here, whose parts may be about other things."""
    if isinstance(leaf, FieldRef):
        return (leaf,)
    if not isinstance(leaf, Compare | Membership | IsUnknown):
        return ()
    return tuple(part for part in parts_of(leaf) if not isinstance(part, Literal))


def _tree(condition: Expression) -> list[Expression]:
    """The clauses of a condition and what its leaves compare."""
    below = _clauses_of(condition)
    if below:
        return [condition, *(part for clause in below for part in _tree(clause))]
    return [condition, *(part for part in _operands_of(condition) if part is not condition)]


def _answers(
    connection: Connection, for_each: str, subject: str, parts: list[Expression], now: datetime
) -> _Answers | None:
    table = TABLES[for_each]
    columns: list[ColumnElement[Any]] = []
    for number, part in enumerate(parts):
        value = compile_condition(part, current)
        columns += [column.label(f"{what}_{number}") for what, column in _learning_columns(part)]
        if type_of(part) is not Type.BOOLEAN:
            columns.append(value.label(f"value_{number}"))
            continue
        columns.append(sa.type_coerce(value, sa.Boolean()).label(f"value_{number}"))
        columns += [
            sa.type_coerce(compile_since(part, truth), NOW.type).label(f"since_{truth}_{number}")
            for truth in (True, False)
        ]
    gone = table.c.ended_at if for_each == "session" else table.c.gone_at
    source: sa.FromClause = table
    for thing, path in PATHS[for_each].items():
        source = source.outerjoin(TABLES[thing], TABLES[thing].c.id == path)
    statement = sa.select(*columns, gone.label("gone_at")).select_from(source).where(table.c.id == subject)
    zones = connection.execute(sa.select(LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None)).distinct())
    parameters = {"now": now, "clocks": local_clocks(zones.scalars(), now)}
    row = connection.execute(statement, parameters).first()
    return None if row is None else _Answers(parts, row)


def _learners(part: Expression) -> list[Learner]:
    """The functions over history that a leaf compares."""
    if _clauses_of(part):
        return []
    return [node for node in outside(part) if isinstance(node, Learner)]


def _learning_columns(part: Expression) -> list[tuple[str, ColumnElement[Any]]]:
    """By the place of each function of a leaf: how far its history reaches, and how many sessions it has."""
    columns: list[tuple[str, ColumnElement[Any]]] = []
    for place, node in enumerate(_learners(part) if type_of(part) is Type.BOOLEAN else []):
        since = covered_since(node)
        if since is not None:
            columns.append((f"known_{place}", sa.type_coerce(since, NOW.type)))
        elif isinstance(node, Aggregate) and node.last is not None:
            columns.append((f"known_{place}", seen_members(node, compile_condition)))
        elif isinstance(node, Aggregate) and node.name == "streak":
            stop = stopped(node, compile_condition)
            columns.append((f"known_{place}", sa.case((stop.is_(None), seen_of_aggregate(node, compile_condition)))))
    return columns


def _learning(part: Expression, answers: _Answers, now: datetime) -> tuple[Learning, ...]:
    told = []
    for place, node in enumerate(_learners(part)):
        known = answers.of(part, f"known_{place}", None)
        if known is None:
            continue
        needed: timedelta | int | None = None if not isinstance(node, Aggregate) else node.last
        if node.window is not None:
            known, needed = now - known, timedelta(seconds=float(node.window.value))
        if needed is None or known < needed:
            told.append(Learning(to_text(node), known, needed))
    return tuple(told)


def _clause(condition: Expression, answers: _Answers, now: datetime) -> Clause:
    truth: bool | None = answers.of(condition, "value")
    since = None if truth is None else answers.of(condition, f"since_{truth}")
    below = _clauses_of(condition)
    return Clause(
        text=to_text(condition),
        truth=truth,
        since=since if since is not None and since < now else None,  # `now` stands for "not kept"
        observed=tuple(
            Observed(to_text(part), answers.of(part, "value"), type_of(part))
            for part in ([] if below else _operands_of(condition))
        ),
        clauses=tuple(_clause(part, answers, now) for part in below),
        learning=_learning(condition, answers, now),
    )


def _rule_row(connection: Connection, rule_id: str) -> AnyRow:
    row = connection.execute(sa.select(RULE).where(RULE.c.id == rule_id)).first()
    if row is not None:
        return row
    names = list(connection.execute(sa.select(RULE.c.id).order_by(RULE.c.id)).scalars())
    raise ExplainError(f'there is no rule "{rule_id[:80]}"{_near(rule_id, names)}')


def _unknown_subject(connection: Connection, for_each: str, subject: str) -> str:
    """There is no such thing; what stands at a charger or location of that id, else the nearest ids."""
    table = TABLES[for_each]
    message = f'there is no {for_each} "{subject[:80]}"'
    for thing, path in PATHS[for_each].items():
        inside = connection.execute(sa.select(table.c.id).where(path == subject).order_by(table.c.id).limit(6))
        ids = list(inside.scalars())
        if ids:
            listed = ", ".join(ids[:5]) + (" and more" if len(ids) > 5 else "")
            return f"{message}; that is a {thing}, with {listed}"
    ids = list(connection.execute(sa.select(table.c.id).order_by(table.c.id).limit(MANY_IDS)).scalars())
    return message + _near(subject, ids)


def _near(word: str, words: Sequence[str]) -> str:
    by_lower = {known.lower(): known for known in words}
    near = [by_lower[found] for found in difflib.get_close_matches(word.lower()[:200], by_lower, n=3, cutoff=0.5)]
    if near:
        return "; did you mean {}?".format(" or ".join(f'"{name}"' for name in near))
    return f"; there is {', '.join(words[:5])}" if words else "; there is none yet"


def _freshness(connection: Connection, resources: frozenset[str]) -> tuple[Freshness, ...]:
    states = poll_states(connection)
    told = []
    for name in sorted(resources):
        state = states.get(name)
        if state is None:
            told.append(Freshness(name, None, fresh=False, error="never polled"))
        else:
            fresh = state.good_at is not None and state.good_at == state.attempted_at
            told.append(Freshness(name, state.good_at, fresh, state.error))
    return tuple(told)


_ALERT_FIELDS = tuple(AlertNow.__dataclass_fields__)
_OPEN_FIRST = sa.case((ALERT.c.state.in_(OPEN_STATES), 0), else_=1)


def _alert_row(connection: Connection, rule_id: str, subject: str) -> AnyRow | None:
    of_subject = sa.select(ALERT).where(ALERT.c.rule_id == rule_id, ALERT.c.subject == subject)
    return connection.execute(of_subject.order_by(_OPEN_FIRST, ALERT.c.id.desc()).limit(1)).first()


def _alert(row: AnyRow | None) -> AlertNow | None:
    if row is None:
        return None
    values = {name: getattr(row, name) for name in _ALERT_FIELDS}
    return AlertNow(**{**values, "state": State(row.state)})


def _notes(rule: AnyRow, answer: AnyRow, freshness: Sequence[Freshness]) -> tuple[str, ...]:
    notes = []
    if rule.removed_at is not None:
        notes.append("The rule was removed: it is not evaluated.")
    elif not rule.enabled:
        notes.append("The rule is switched off: it is not evaluated.")
    if answer.gone_at is not None:
        notes.append("EOSVOLT no longer reports it, or it has ended: no alert begins.")
    stale = [item.resource for item in freshness if not item.fresh]
    if stale:
        notes.append(
            f"The last poll of {', '.join(stale)} was not good: nothing fires and nothing resolves until one is."
        )
    return tuple(notes)


def _earliest(
    rule: Rule, alert: AlertNow | None, when: Clause, while_: Clause | None, now: datetime
) -> tuple[datetime | None, str]:
    """When the alert may fire at the earliest, and what that supposes."""
    if alert is not None and alert.state == State.FIRING:
        return None, ""
    held = [] if when.truth is not None else ["the condition is known and true"]
    if while_ is not None and while_.truth is not True:
        held.append(f'"{while_.text}" is true')
    supposed = f"once {' and '.join(held)} again" if held else ""
    if alert is not None and alert.state == State.PENDING:
        return max(alert.due_at or now, now), supposed or "if the condition stays true"
    if when.truth is True:
        return max((when.since or now) + rule.for_, now), supposed or "if the condition stays true"
    return now + rule.for_, supposed or "if the condition became true now"


def _past(connection: Connection, rule_id: str, subject: str) -> tuple[Moved, ...]:
    """The last transitions, the oldest first."""
    of_subject = sa.select(TRANSITION).where(TRANSITION.c.rule_id == rule_id, TRANSITION.c.subject == subject)
    rows = connection.execute(of_subject.order_by(TRANSITION.c.id.desc()).limit(PAST_TRANSITIONS)).all()
    return tuple(
        Moved(row.at, row.from_state, row.to_state, row.active_at, row.reason, row.trace or {})
        for row in reversed(rows)
    )
