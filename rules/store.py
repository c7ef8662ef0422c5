"""Rules as they stand in the database: synchronised with the files, versioned, and loaded ready to be matched.

A rule that vanished from the files ends its alerts as "rule removed"; an edited one is matched anew at once. Rules
made in Slack (source "slack") are never touched by files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from rules.compile import CompiledRule, compile_rule
from rules.document import Rule, rule_from_document
from rules.evaluate import RULE, end_alerts
from rules.events import CompiledEventRule, begin_events, compile_event_rule, forget_waiting
from rules.inhibition import evaluation_order, store_inhibitions
from rules.lifecycle import Transition
from storage.dialects import AnyRow
from storage.polls import GAP
from storage.tables import RuleVersion

RULE_VERSION: Table = RuleVersion.__table__  # type: ignore[attr-defined]
FROM_SLACK = "slack"


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules that run: alert and event rules compiled, digest rules as documents."""

    alerts: tuple[CompiledRule, ...]
    digests: tuple[Rule, ...]
    documents: dict[str, Rule]
    events: tuple[CompiledEventRule, ...] = ()


def sync_rules(connection: Connection, rules: Sequence[Rule], now: datetime) -> list[Transition]:
    """Make the stored rules those of the files; returns the transitions of alerts that ended with their rule."""
    stored = {row.id: row for row in connection.execute(sa.select(RULE)) if row.source != FROM_SLACK}
    transitions: list[Transition] = []
    for rule in rules:
        row = stored.pop(rule.name, None)
        if row is None:
            _insert(connection, rule, now)
        elif row.document != rule.document or row.removed_at is not None:
            if row.document.get("for_each") and rule.kind != "alert":
                transitions += end_alerts(connection, rule.name, "rule changed", now)
            _update(connection, rule, row, now)
    for name, row in stored.items():
        if row.removed_at is None:
            connection.execute(sa.update(RULE).where(RULE.c.id == name).values(removed_at=now, updated_at=now))
            transitions += end_alerts(connection, name, "rule removed", now)
            forget_waiting(connection, name)
    store_inhibitions(connection, _documents(connection).values())
    return transitions


def load_rules(connection: Connection) -> RulesInForce:
    """Every rule in force, from the stored documents."""
    documents = _documents(connection)
    versions = {row.id: row.version for row in connection.execute(sa.select(RULE.c.id, RULE.c.version))}
    named = [name for name, rule in documents.items() if rule.kind == "alert"]
    # what inhibits advances before what it inhibits
    alerts = [compile_rule(documents[name], versions[name]) for name in evaluation_order(documents, named)]
    digests = [rule for rule in documents.values() if rule.kind == "digest"]
    events = [compile_event_rule(rule, versions[name]) for name, rule in documents.items() if rule.kind == "event"]
    return RulesInForce(tuple(alerts), tuple(digests), documents, tuple(events))


def _documents(connection: Connection) -> dict[str, Rule]:
    statement = sa.select(RULE).where(RULE.c.enabled, RULE.c.removed_at.is_(None)).order_by(RULE.c.id)
    return {row.id: rule_from_document(row.document, row.source) for row in connection.execute(statement)}


def _insert(connection: Connection, rule: Rule, now: datetime) -> None:
    last_gap = connection.execute(sa.select(sa.func.max(GAP.c.id))).scalar() or 0
    values = {"id": rule.name, "version": 1, "document": rule.document, "source": rule.source, "enabled": True}
    times = {"created_at": now, "updated_at": now, "evaluated_seq": 0, "evaluated_gap": last_gap}
    connection.execute(sa.insert(RULE).values(**values, **times))
    if rule.kind == "event":
        begin_events(connection, rule.name, now)
    _insert_version(connection, rule, 1, now)


def _update(connection: Connection, rule: Rule, row: AnyRow, now: datetime) -> None:
    """A new version, matched at once over every subject: what is still true keeps its `active_at`.

    An event rule goes on where it was, unless it was gone or waits for another event now: then it begins anew.
    """
    version = row.version + 1
    values = {"version": version, "document": rule.document, "source": rule.source, "removed_at": None}
    seen = row.evaluated_seq if rule.kind == "event" else 0
    this = sa.update(RULE).where(RULE.c.id == rule.name)
    connection.execute(this.values(**values, updated_at=now, evaluated_seq=seen))
    if rule.on != row.document.get("on"):
        forget_waiting(connection, rule.name)
    if rule.kind == "event" and (row.removed_at is not None or rule.on != row.document.get("on")):
        begin_events(connection, rule.name, now)
    _insert_version(connection, rule, version, now)


def _insert_version(connection: Connection, rule: Rule, version: int, now: datetime) -> None:
    values = {"rule_id": rule.name, "version": version, "document": rule.document, "author": rule.source, "at": now}
    connection.execute(sa.insert(RULE_VERSION).values(**values))
