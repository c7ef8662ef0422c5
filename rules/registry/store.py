"""Rules as they stand in the database: synchronised with the files, versioned, and loaded ready to be matched.

A rule that vanished from the files ends its alerts as "rule removed"; an edited one is matched anew at once. Rules
made in Slack (source "slack") are never touched by files: `rules.registry.authoring` makes and changes them.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.evaluate import end_alerts
from rules.alerts.events import CompiledEventRule, begin_events, compile_event_rule, forget_waiting
from rules.alerts.inhibitions import store_inhibitions
from rules.alerts.query import CompiledRule, compile_rule
from rules.documents.document import Rule, rule_from_document
from rules.documents.inhibition import evaluation_order
from rules.documents.speech_plan import PLAIN, SpeechPlan
from rules.language.errors import RuleError, RuleErrors
from rules.lifecycle import Transition
from rules.registry.digest_starts import begin_digest, comes_otherwise
from rules.registry.powers import keep_power_if_read
from rules.registry.speech_plan import load_plan, store_plan
from storage.dialects import AnyRow
from storage.prepared import Prepared
from storage.schema import GAP, RULE, RULE_VERSION

FROM_SLACK = "slack"
LONGEST_REASON = 300
C = TypeVar("C", CompiledRule, CompiledEventRule)


@dataclass(frozen=True, slots=True)
class StoredRules:
    """The rules in force as documents, with their versions by name; `broken` says why some cannot be read."""

    documents: dict[str, Rule]
    versions: Mapping[str, int]
    plan: SpeechPlan
    broken: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules that run: alert and event rules compiled, digest rules as documents.

    `broken` says of those that cannot run why, by name; they end no alert and keep no other rule from running.
    """

    alerts: tuple[CompiledRule, ...]
    digests: tuple[Rule, ...]
    documents: dict[str, Rule]
    events: tuple[CompiledEventRule, ...] = ()
    plan: SpeechPlan = PLAIN
    broken: dict[str, str] = field(default_factory=dict)


def sync_rules(
    connection: Connection, rules: Sequence[Rule], now: datetime, plan: SpeechPlan = PLAIN
) -> list[Transition]:
    """Make the stored rules, and how they speak, those of the files; the transitions of alerts that ended with theirs.

    RuleErrors where a name is taken by a rule that was made in Slack: nothing is changed then.
    """
    rows = {row.id: row for row in connection.execute(sa.select(RULE))}
    taken = {name for name, row in rows.items() if row.source == FROM_SLACK and row.removed_at is None}
    errors = [_taken(rule) for rule in rules if rule.name in taken]
    if errors:
        raise RuleErrors(errors)
    transitions: list[Transition] = []
    for rule in rules:
        row = rows.pop(rule.name, None)
        if row is None:
            insert_rule(connection, rule, rule.source, now)
        elif row.document != rule.document or row.removed_at is not None:
            if row.document.get("for_each") != rule.for_each:  # its alerts are about other things
                transitions += end_alerts(connection, rule.name, "rule changed", now)
            update_rule(connection, rule, row, rule.source, now)
    for name, row in rows.items():
        if row.removed_at is None and row.source != FROM_SLACK:
            connection.execute(sa.update(RULE).where(RULE.c.id == name).values(removed_at=now, updated_at=now))
            transitions += end_alerts(connection, name, "rule removed", now)
            forget_waiting(connection, name)
    attend_to(connection, now)
    store_plan(connection, plan)
    return transitions


def attend_to(connection: Connection, now: datetime) -> None:
    """Note what the rules in force need beside themselves: which keep which quiet, and whether powers are kept."""
    rules = stored_rules(connection).values()
    store_inhibitions(connection, rules)
    keep_power_if_read(connection, rules, now)


def in_force(connection: Connection, versions: Mapping[str, int]) -> frozenset[str]:
    """Those of these rules whose version is the one that counts; all stay so until the end of the transaction."""
    rows = _IN_FORCE.all(connection, {"rules": list(versions)})
    return frozenset(
        row.id for row in rows if row.enabled and row.removed_at is None and row.version == versions[row.id]
    )


_IN_FORCE = Prepared(
    sa.select(RULE.c.id, RULE.c.version, RULE.c.enabled, RULE.c.removed_at)
    .where(RULE.c.id.in_(sa.bindparam("rules", expanding=True)))
    .order_by(RULE.c.id)
    .with_for_update()  # SQLite drops this: there one transaction writes at a time
)


def load_rules(connection: Connection, default_zone: str | None = None) -> RulesInForce:
    """Every rule in force, from the stored documents; `default_zone` is that of locations which name none."""
    return made_ready(read_rules(connection), default_zone)


def read_rules(connection: Connection) -> StoredRules:
    """Every rule in force as it is stored, and how they speak."""
    documents, broken = _read_stored(connection)
    versions = {row.id: row.version for row in connection.execute(sa.select(RULE.c.id, RULE.c.version))}
    return StoredRules(documents, versions, load_plan(connection), broken)


def made_ready(stored: StoredRules, default_zone: str | None = None) -> RulesInForce:
    """The rules ready to be matched, which takes its time: no transaction should wait for it.

    Those that were made ready lately and have not changed since are not made ready again.
    """
    documents, versions, broken = stored.documents, stored.versions, dict(stored.broken)
    ready: dict[_Key, Any] = {}
    named = [name for name, rule in documents.items() if rule.kind == "alert"]
    alerts: list[CompiledRule] = []
    events: list[CompiledEventRule] = []
    # what inhibits advances before what it inhibits
    for name in evaluation_order(documents, named):
        alerts += _compiled(compile_rule, documents[name], versions[name], default_zone, broken, ready)
    for name, rule in documents.items():
        if rule.kind == "event":
            events += _compiled(compile_event_rule, rule, versions[name], default_zone, broken, ready)
    _LATELY.append(ready)
    digests = [rule for rule in documents.values() if rule.kind == "digest"]
    return RulesInForce(tuple(alerts), tuple(digests), documents, tuple(events), stored.plan, broken)


_Key = tuple[Any, str, int, str | None]
_LATELY: deque[dict[_Key, Any]] = deque(maxlen=2)  # the rules in force, and those of a backtest beside them


def _compiled(  # noqa: PLR0917 - what a rule is made ready from, and where it is kept
    compile_: Callable[[Rule, int, str | None], C],
    rule: Rule,
    version: int,
    default_zone: str | None,
    broken: dict[str, str],
    ready: dict[_Key, C],
) -> list[C]:
    """The rule ready to be matched, also in `ready`, or nothing and why not in `broken`."""
    key = (compile_, json.dumps(rule.document, sort_keys=True, default=repr), version, default_zone)
    known = next((lately[key] for lately in tuple(_LATELY) if key in lately), None)
    try:
        ready[key] = known or compile_(rule, version, default_zone)
        return [ready[key]]
    except Exception as error:
        broken[rule.name] = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        return []


def stored_rules(connection: Connection) -> dict[str, Rule]:
    """The rules in force by name, as documents, without those whose stored form cannot be read."""
    return _read_stored(connection)[0]


def _read_stored(connection: Connection) -> tuple[dict[str, Rule], dict[str, str]]:
    """The rules in force as documents, and what is wrong with those that cannot be read."""
    statement = sa.select(RULE).where(RULE.c.enabled, RULE.c.removed_at.is_(None)).order_by(RULE.c.id)
    rules: dict[str, Rule] = {}
    broken: dict[str, str] = {}
    for row in connection.execute(statement):
        try:
            rules[row.id] = rule_from_document(row.document, row.source)
        except RuleErrors as errors:
            broken[row.id] = errors.errors[0].message[:LONGEST_REASON]
        except (TypeError, ValueError, AttributeError):
            broken[row.id] = "what is stored of it is no rule"
    return rules, broken


def insert_rule(connection: Connection, rule: Rule, author: str, now: datetime) -> int:
    """A rule that never was: its first version."""
    last_gap = connection.execute(sa.select(sa.func.max(GAP.c.id))).scalar() or 0
    values = {"id": rule.name, "version": 1, "document": rule.document, "source": rule.source, "enabled": True}
    times = {"created_at": now, "updated_at": now, "evaluated_seq": 0, "evaluated_gap": last_gap}
    connection.execute(sa.insert(RULE).values(**values, **times))
    if rule.kind == "event":
        begin_events(connection, rule.name, now)
    if rule.kind == "digest":
        begin_digest(connection, rule.name, now)
    insert_version(connection, rule.name, 1, rule.document, author=author, act="created", now=now)
    return 1


def update_rule(connection: Connection, rule: Rule, row: AnyRow, author: str, now: datetime) -> int:
    """A new version, matched at once over every subject: what is still true keeps its `active_at`.

    An event rule goes on where it was, unless it was gone or waits for another event now: then it begins anew.
    """
    version: int = row.version + 1
    values = {"version": version, "document": rule.document, "source": rule.source}
    begins = row.removed_at is not None  # a name that is used anew is switched on
    seen = row.evaluated_seq if rule.kind == "event" else 0
    on = {"removed_at": None, "enabled": True} if begins else {}
    this = sa.update(RULE).where(RULE.c.id == rule.name)
    connection.execute(this.values(**values, **on, updated_at=now, evaluated_seq=seen))
    if rule.on != row.document.get("on"):
        forget_waiting(connection, rule.name)
    if rule.kind == "event" and (begins or rule.on != row.document.get("on")):
        begin_events(connection, rule.name, now)
    if rule.kind == "digest" and (begins or comes_otherwise(rule, row.document)):
        begin_digest(connection, rule.name, now)
    act = "created" if begins else "changed"
    insert_version(connection, rule.name, version, rule.document, author=author, act=act, now=now)
    return version


def insert_version(
    connection: Connection, name: str, version: int, document: dict[str, Any], *, author: str, act: str, now: datetime
) -> None:
    """Write down what a rule says from `now` on, and who said so."""
    values = {"rule_id": name, "version": version, "document": document, "author": author, "at": now, "act": act}
    connection.execute(sa.insert(RULE_VERSION).values(**values))


def _taken(rule: Rule) -> RuleError:
    told = "the name is taken by a rule that was made in Slack"
    mend = f"give it another name, or delete that one with `/charge rules delete {rule.name}`"
    return RuleError(rule.source, rule.name, f"{told}; {mend}")
