"""What there is to see of rules: the list with its open alerts, one rule's history, and the recipes to begin with.

It reads; `rules.registry.authoring` changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.documents.document import Rule
from rules.documents.files import load_rules
from rules.lifecycle import OPEN_STATES, State
from rules.registry.store import FROM_SLACK
from rules.rising import first_severity
from storage.schema import ALERT, RULE, RULE_VERSION, TROUBLES

TROUBLE_OF_RULE = "rule:"
"""What the key of a trouble begins with that is about one rule; its name follows."""

LIBRARY = Path(__file__).resolve().parents[1] / "library"


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as a list shows it. `file` is None for one that was made in Slack; `author` then last changed it."""

    name: str
    description: str
    kind: str
    severity: str
    enabled: bool
    version: int
    file: str | None
    author: str | None
    updated_at: datetime
    firing: int
    pending: int
    broken: str | None = None  # why it cannot run, as the watcher of the service found


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a rule: who did what, and which keys of the document it moved."""

    version: int
    act: str
    author: str
    at: datetime
    keys: tuple[str, ...]


def count_file_rules(connection: Connection) -> int:
    """How many rules that files made are in force."""
    there = (RULE.c.removed_at.is_(None), RULE.c.source != FROM_SLACK)
    return int(connection.execute(sa.select(sa.func.count()).select_from(RULE).where(*there)).scalar_one())


def list_rules(connection: Connection, name: str | None = None) -> list[RuleLine]:
    """Every rule that is not deleted, those with open alerts first; or the one of this name."""
    only = RULE.c.id == name if name is not None else sa.true()
    counted = sa.select(ALERT.c.rule_id, ALERT.c.state, sa.func.count()).where(ALERT.c.state.in_(OPEN_STATES))
    counts = {(row[0], row[1]): row[2] for row in connection.execute(counted.group_by(ALERT.c.rule_id, ALERT.c.state))}
    of_version = sa.and_(RULE_VERSION.c.rule_id == RULE.c.id, RULE_VERSION.c.version == RULE.c.version)
    rows = connection.execute(
        sa.select(RULE, RULE_VERSION.c.author)
        .select_from(RULE.outerjoin(RULE_VERSION, of_version))
        .where(RULE.c.removed_at.is_(None), only)
    )
    broken = _broken(connection)
    lines = [
        RuleLine(
            name=row.id,
            description=row.document.get("description") or "",
            kind=kind_of(row.document),
            severity=first_severity(row.document),
            enabled=row.enabled,
            version=row.version,
            file=row.source if row.source != FROM_SLACK else None,
            author=row.author if row.source == FROM_SLACK else None,
            updated_at=row.updated_at,
            firing=counts.get((row.id, State.FIRING), 0),
            pending=counts.get((row.id, State.PENDING), 0),
            broken=broken.get(row.id) if row.enabled else None,
        )
        for row in rows
    ]
    return sorted(lines, key=lambda line: (-line.firing, -line.pending, line.name))


def _broken(connection: Connection) -> dict[str, str]:
    """Why rules cannot run, by name: from the troubles that last."""
    lasts = (TROUBLES.c.ended_at.is_(None), TROUBLES.c.key.startswith(TROUBLE_OF_RULE, autoescape=True))
    rows = connection.execute(sa.select(TROUBLES.c.key, TROUBLES.c.facts).where(*lasts))
    return {row.key.removeprefix(TROUBLE_OF_RULE): row.facts.get("error") or "" for row in rows}


def kind_of(document: Mapping[str, Any]) -> str:
    """Whether a document is of an alert, event or digest rule."""
    return "event" if "on" in document else "digest" if "schedule" in document else "alert"


def history_of(connection: Connection, name: str, limit: int) -> list[VersionLine]:
    """The last versions of a rule, the newest first, whether it is deleted or not."""
    newest = sa.select(RULE_VERSION).where(RULE_VERSION.c.rule_id == name).order_by(RULE_VERSION.c.version.desc())
    rows = connection.execute(newest.limit(limit + 1)).all()
    before = [*(row.document for row in rows[1:]), {}] if rows else []
    return [
        VersionLine(row.version, row.act, row.author, row.at, _moved(old, row.document))
        for row, old in list(zip(rows, before, strict=True))[:limit]
    ]


@cache
def library() -> Mapping[str, Rule]:
    """The recipes that come with Chargehand, by name."""
    return {rule.name: rule for rule in load_rules([LIBRARY])}


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    if not before:
        return ()
    return tuple(key for key in dict.fromkeys([*after, *before]) if before.get(key) != after.get(key))


def stored_versions(connection: Connection) -> list[tuple[object, ...]]:
    """Every rule with its version and whether it is in force: the same as before where nobody has changed a rule."""
    told = (RULE.c.id, RULE.c.version, RULE.c.enabled, RULE.c.removed_at)
    return [tuple(row) for row in connection.execute(sa.select(*told).order_by(RULE.c.id))]
