"""Why a rule says what it says of one subject: clause by clause, from the same compiled SQL that judges it.

It reads what is stored and moves nothing. The clauses are asked in `clause_truths`; here the alert, the polls and what
else stands in its way are told beside them.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.query import compile_rule
from rules.documents.document import Rule, rule_from_document
from rules.explanations.clause_truths import Clause, ask, clause_of, tree_of
from rules.explanations.muting_and_card import Card, Muted, find_card, find_muting
from rules.lifecycle import OPEN_STATES, State
from rules.matching.scope import PATHS, TABLES
from rules.matching.windows import zones_of_locations
from storage.dialects import AnyRow
from storage.polls import poll_states
from storage.schema import ALERT, RULE, TRANSITION

PAST_TRANSITIONS = 20
MANY_IDS = 5000  # more are not searched for a near one


class ExplainError(Exception):
    """What was asked about does not exist; the message names what is near."""


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
    is_over: bool = False

    @property
    def held(self) -> bool:
        """Whether the alert can neither fire nor resolve: the condition is unknown, or `while` is not true.

        What is over, a session that has ended or a thing that is gone, holds nothing any more.
        """
        unknown = self.when.truth is None or (self.while_ is not None and self.while_.truth is not True)
        return unknown and not self.is_over


def explain(
    connection: Connection, rule_id: str, subject: str, now: datetime, default_zone: str | None = None
) -> Explanation:
    """Explain what a stored rule says of a subject at `now`. ExplainError, with near ids, where one is unknown.

    `default_zone` is that of locations which name none.
    """
    row = _rule_row(connection, rule_id)
    rule = rule_from_document(row.document, row.source)
    if rule.kind != "alert" or rule.when is None or rule.for_each is None:
        told = "it has a schedule" if rule.schedule is not None else "it tells of events"
        raise ExplainError(f'"{rule_id}" is no alert rule: {told}, and no subject has a state under it')
    parts = [part for condition in (rule.when, rule.while_) if condition is not None for part in tree_of(condition)]
    answers = ask(connection, rule.for_each, subject, parts, now, default_zone)
    if answers is None:
        raise ExplainError(_unknown_subject(connection, rule.for_each, subject))
    when = clause_of(rule.when, answers, now)
    while_ = clause_of(rule.while_, answers, now) if rule.while_ is not None else None
    freshness = _freshness(connection, compile_rule(rule, row.version).resources, now)
    alert_row = _alert_row(connection, rule_id, subject)
    alert = _alert(alert_row)
    notes = _notes(row, answers.row, freshness)
    fires_at = _fires_at(connection, rule, subject, default_zone)
    is_over = answers.row.gone_at is not None
    earliest, assuming = _earliest(rule, alert, when, while_, now=now, fires_at=fires_at) if not is_over else (None, "")
    past = _past(connection, rule_id, subject)
    known = Explanation(rule, subject, now, when, while_, freshness, alert, earliest, assuming, notes, past)
    muted, card = find_muting(connection, alert_row, now), find_card(connection, alert_row)
    return replace(known, muted=muted, card=card, is_over=is_over)


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


def _freshness(connection: Connection, resources: frozenset[str], now: datetime) -> tuple[Freshness, ...]:
    states = poll_states(connection, now)
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
        over = "The session has ended: it is over" if rule.document.get("for_each") == "session" else None
        notes.append(f"{over or 'EOSVOLT no longer reports it'}, and no alert begins.")
    stale = [item.resource for item in freshness if not item.fresh]
    if stale:
        notes.append(
            f"The last poll of {', '.join(stale)} was not good: nothing fires and nothing resolves until one is."
        )
    return tuple(notes)


def _fires_at(
    connection: Connection, rule: Rule, subject: str, default_zone: str | None
) -> Callable[[datetime], datetime]:
    """When a condition that is true since a moment has been so for long enough."""
    if rule.for_hours is None:
        return lambda since: since + rule.for_
    for_each = str(rule.for_each)
    table = TABLES[for_each]
    place = table.c.id if for_each == "location" else PATHS[for_each].get("location", sa.null())
    location_id = connection.execute(sa.select(place).where(table.c.id == subject)).scalar()
    zone, hours = zones_of_locations(connection, default_zone)(location_id), rule.for_hours
    return lambda since: hours.after(since, rule.for_, zone)


def _earliest(
    rule: Rule,
    alert: AlertNow | None,
    when: Clause,
    while_: Clause | None,
    *,
    now: datetime,
    fires_at: Callable[[datetime], datetime],
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
        return max(fires_at(when.since or now), now), supposed or "if the condition stays true"
    return fires_at(now), supposed or "if the condition became true now"


def _past(connection: Connection, rule_id: str, subject: str) -> tuple[Moved, ...]:
    """The last transitions, the oldest first."""
    of_subject = sa.select(TRANSITION).where(TRANSITION.c.rule_id == rule_id, TRANSITION.c.subject == subject)
    rows = connection.execute(of_subject.order_by(TRANSITION.c.id.desc()).limit(PAST_TRANSITIONS)).all()
    return tuple(
        Moved(row.at, row.from_state, row.to_state, row.active_at, row.reason, row.trace or {})
        for row in reversed(rows)
    )
