"""Rules made in Slack: created, changed, switched and deleted, each a version with its author; and the rehearsal of it.

Rules of files are read-only here. What a change does to open alerts is decided by the one evaluator, in the caller's
transaction: a rehearsal is the same act, rolled back.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.evaluate import end_alerts, evaluate_rule
from rules.alerts.events import begin_events, forget_waiting
from rules.alerts.query import CompiledRule, compile_rule
from rules.documents.document import Rule, rule_from_document
from rules.documents.inhibition import relation_errors
from rules.language.errors import RuleErrors
from rules.language.fields import nearest
from rules.lifecycle import OPEN_STATES, State, Transition
from rules.registry.digest_starts import begin_digest
from rules.registry.runnable import check_runnable
from rules.registry.store import FROM_SLACK, attend_to, insert_rule, insert_version, stored_rules, update_rule
from storage.dialects import AnyRow
from storage.polls import poll_states
from storage.schema import ALERT, RULE, RULE_VERSION


class Act(StrEnum):
    """What was done to a rule, as its history tells it."""

    CREATE = "created"
    CHANGE = "changed"
    SWITCH_ON = "switched on"
    SWITCH_OFF = "switched off"
    DELETE = "deleted"


class RuleRefused(Exception):  # noqa: N818 - read as what happened
    """A rule cannot be made or changed so; the message says why and what to do. `who` is a Slack user it is about."""

    def __init__(self, message: str, who: str | None = None) -> None:
        super().__init__(message)
        self.who = who


class NoSuchRule(RuleRefused):
    """No rule is called `name`; `near` is the nearest name there is, if any, as the message says too."""

    def __init__(self, name: str, near: str | None) -> None:
        super().__init__(f'There is no rule "{name[:80]}"' + (f'; did you mean "{near}"?' if near else "."))
        self.name, self.near = name, near


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act did to the alerts of a rule that is at `version` now.

    `stay` counts the alerts that were open and are, `ended` those that ended by reason, `pending` and `firing` those
    that are new. Without `evaluated` the next good poll decides: the last one was not good.
    """

    version: int
    transitions: tuple[Transition, ...] = ()
    stay: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    firing: int = 0
    evaluated: bool = True


def create_rule(
    connection: Connection,
    rule: Rule,
    author: str,
    now: datetime,
    *,
    base_version: int = 0,
    rehearsed: bool = False,
    default_zone: str | None = None,
) -> Outcome:
    """Put a new rule in force, made by `author` (a Slack user id). RuleRefused where its name is taken.

    `base_version` is that of a deleted rule of the name, else 0. `rehearsed` evaluates even what is stale.
    `default_zone` is that of locations which name none.
    """
    row = _row(connection, rule.name)
    if row is not None and row.removed_at is None:
        where = "was made in Slack" if row.source == FROM_SLACK else f"stands in {row.source}"
        raise RuleRefused(f'The name "{rule.name}" is taken: that rule {where}. Choose another name.')
    _check_version(connection, row, base_version)
    _check_relations(connection, rule)
    if rehearsed:  # what is confirmed was
        check_runnable([rule])
    version = (
        insert_rule(connection, rule, author, now) if row is None else update_rule(connection, rule, row, author, now)
    )
    return _changed(connection, rule, version, now, rehearsed=rehearsed, default_zone=default_zone)


def change_rule(
    connection: Connection,
    rule: Rule,
    author: str,
    now: datetime,
    *,
    base_version: int,
    rehearsed: bool = False,
    default_zone: str | None = None,
) -> Outcome:
    """Make `rule` the next version of the stored rule of its name, if that is still at `base_version`.

    What is still true keeps its alert and its `active_at`; the others end as "rule changed". RuleRefused otherwise.
    """
    row = _changeable(connection, rule.name, base_version)
    if row.document == rule.document:
        raise RuleRefused(f'Rule "{rule.name}" says exactly this already: nothing would change.')
    _check_relations(connection, rule)
    if rehearsed:  # what is confirmed was
        check_runnable([rule])
    before = _open(connection, rule.name)
    ended: list[Transition] = []
    if row.document.get("for_each") != rule.for_each:  # its alerts are about other things
        ended = end_alerts(connection, rule.name, "rule changed", now)
    version = update_rule(connection, rule, row, author, now)
    stood = Stood(ended, before, row.enabled)
    return _changed(connection, rule, version, now, stood, rehearsed=rehearsed, default_zone=default_zone)


def switch_rule(
    connection: Connection,
    name: str,
    author: str,
    now: datetime,
    *,
    on: bool,
    base_version: int,
    rehearsed: bool = False,
    default_zone: str | None = None,
) -> Outcome:
    """Switch a rule on or off; off ends its alerts as "rule removed". RuleRefused as `change_rule`.

    A digest that stands in a file can be switched too: what it says is the file's, when it speaks is people's.
    """
    row = _changeable(connection, name, base_version, switched=True)
    if row.enabled == on:
        raise RuleRefused(f'Rule "{name}" is {"on" if on else "off"} already.')
    rule = rule_from_document(row.document, row.source)
    version = _next_version(connection, row, author, Act.SWITCH_ON if on else Act.SWITCH_OFF, now, enabled=on)
    if not on:
        return _ended(connection, name, version, now)
    if rule.kind == "event":
        begin_events(connection, name, now)
    if rule.kind == "digest":
        begin_digest(connection, name, now)
    return _changed(connection, rule, version, now, rehearsed=rehearsed, default_zone=default_zone)


def delete_rule(connection: Connection, name: str, author: str, now: datetime, *, base_version: int) -> Outcome:
    """Delete a rule; its alerts end as "rule removed", its history stays. RuleRefused as `change_rule`."""
    row = _changeable(connection, name, base_version)
    version = _next_version(connection, row, author, Act.DELETE, now, removed_at=now)
    return _ended(connection, name, version, now)


def rehearse(connection: Connection, act: Callable[[Connection], Outcome]) -> Outcome:
    """What an act would do, found by doing it and taking it back; the transaction stays as it was."""
    savepoint = connection.begin_nested()
    try:
        return act(connection)
    finally:
        savepoint.rollback()


def find_rule(connection: Connection, name: str) -> AnyRow:
    """The stored row of a rule that is not deleted; RuleRefused, with the nearest name, where there is none."""
    row = _row(connection, name)
    if row is not None and row.removed_at is None:
        return row
    known = connection.execute(sa.select(RULE.c.id).where(RULE.c.removed_at.is_(None)).order_by(RULE.c.id)).scalars()
    raise NoSuchRule(name, nearest(name, tuple(known)))


def _row(connection: Connection, name: str) -> AnyRow | None:
    return connection.execute(sa.select(RULE).where(RULE.c.id == name).with_for_update()).first()


def _changeable(connection: Connection, name: str, base_version: int, *, switched: bool = False) -> AnyRow:
    row = find_rule(connection, name)
    if row.source != FROM_SLACK and not (switched and "schedule" in row.document):
        raise RuleRefused(f'Rule "{name}" stands in {row.source} and can only be changed there, not from Slack.')
    _check_version(connection, row, base_version)
    return row


def _check_version(connection: Connection, row: AnyRow | None, base_version: int) -> None:
    version = row.version if row is not None else 0
    if row is None or version == base_version:
        return
    mine = (RULE_VERSION.c.rule_id == row.id, RULE_VERSION.c.version == version)
    last = connection.execute(sa.select(RULE_VERSION).where(*mine)).first()
    act = last.act if last is not None else Act.CHANGE
    raise RuleRefused(
        f'Rule "{row.id}" was {act} meanwhile: it is at version {version}, and you were shown {base_version}. '
        "Look at it again, and repeat your change if you still want it.",
        last.author if last is not None and row.source == FROM_SLACK else None,
    )


def _check_relations(connection: Connection, rule: Rule) -> None:
    """Refuse a rule that inhibits what is not there, or closes a circle; what was wrong before is not its fault."""
    others = {name: known for name, known in stored_rules(connection).items() if name != rule.name}
    before = {str(error) for error in relation_errors(list(others.values()))}
    errors = [error for error in relation_errors([*others.values(), rule]) if str(error) not in before]
    if errors:
        raise RuleErrors(errors)


def _next_version(
    connection: Connection, row: AnyRow, author: str, act: Act, now: datetime, **columns: datetime | bool
) -> int:
    version: int = row.version + 1
    seen = row.evaluated_seq if row.document.get("on") else 0
    values = {"version": version, "updated_at": now, "evaluated_seq": seen, **columns}
    connection.execute(sa.update(RULE).where(RULE.c.id == row.id).values(**values))
    insert_version(connection, row.id, version, row.document, author=author, act=act, now=now)
    return version


def _ended(connection: Connection, name: str, version: int, now: datetime) -> Outcome:
    transitions = end_alerts(connection, name, "rule removed", now)
    forget_waiting(connection, name)
    attend_to(connection, now)
    return Outcome(version, tuple(transitions), ended=_reasons(transitions))


@dataclass(frozen=True, slots=True)
class Stood:
    """How a rule stood before an act: what ended with it, its open alerts by id, and whether it is switched on."""

    ended: Sequence[Transition] = ()
    before: Mapping[int, str] = field(default_factory=dict)
    on: bool = True


def _changed(
    connection: Connection,
    rule: Rule,
    version: int,
    now: datetime,
    stood: Stood | None = None,
    *,
    rehearsed: bool,
    default_zone: str | None,
) -> Outcome:
    """Evaluate a rule that is new, changed or switched on, and count what came of it."""
    attend_to(connection, now)
    stood = stood or Stood()
    transitions = list(stood.ended)
    evaluated = True
    if rule.kind == "alert" and stood.on:
        compiled = compile_rule(rule, version, default_zone)
        evaluated = rehearsed or _is_fresh(connection, compiled)
        if evaluated:
            transitions += evaluate_rule(connection, compiled, now).transitions
    after = _open(connection, rule.name)
    new = Counter(state for alert_id, state in after.items() if alert_id not in stood.before)
    return Outcome(
        version,
        tuple(transitions),
        stay=sum(alert_id in after for alert_id in stood.before),
        ended=_reasons([move for move in transitions if move.alert_id in stood.before]),
        pending=new[State.PENDING],
        firing=new[State.FIRING],
        evaluated=evaluated,
    )


def _is_fresh(connection: Connection, compiled: CompiledRule) -> bool:
    states = poll_states(connection)
    known = [states.get(name) for name in compiled.resources]
    return all(state is not None and state.good_at == state.attempted_at for state in known)


def _open(connection: Connection, name: str) -> dict[int, str]:
    mine = (ALERT.c.rule_id == name, ALERT.c.state.in_(OPEN_STATES))
    return {row.id: row.state for row in connection.execute(sa.select(ALERT.c.id, ALERT.c.state).where(*mine))}


def _reasons(transitions: list[Transition]) -> dict[str, int]:
    return dict(Counter(move.reason for move in transitions if move.to_state not in OPEN_STATES))
