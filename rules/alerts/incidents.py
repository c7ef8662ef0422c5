"""Which alerts share a card: an incident is one rule and one group, from its first firing until all are resolved."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT

OUT_OF_QUIET_HOURS = sa.or_(ALERT.c.quiet_since.is_(None), ALERT.c.quiet_ended_at.is_not(None))
AUDIBLE = sa.and_(
    ALERT.c.silence_id.is_(None),
    ALERT.c.inhibited_by.is_(None),
    ALERT.c.snoozed_until.is_(None),
    ALERT.c.acting_until.is_(None),
    OUT_OF_QUIET_HOURS,
)
"""Nothing keeps the alert quiet: no silence, no other alert, no snooze, no actions at work, no quiet hours."""

EVERY_RULE: ColumnElement[bool] = sa.true()
"""Alerts of all rules."""


def of_rule(only: str | None) -> ColumnElement[bool]:
    """Whether an alert is one of this rule's; None: of any."""
    return EVERY_RULE if only is None else ALERT.c.rule_id == only


CHUNK = 512  # below every database's limit of bound values
T = TypeVar("T")


def in_chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in lists that one statement takes."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def group_key(group_by: Sequence[str], labels: Mapping[str, Any]) -> str:
    """The group of an alert with these labels, as text that is equal for equal groups."""
    return json.dumps({name: labels.get(name) for name in sorted(group_by)}, ensure_ascii=False)


def open_incidents(
    connection: Connection, rule_id: str, severity: str, groups: Mapping[str, str | None], now: datetime
) -> dict[str, int]:
    """The ids of the open incidents of these groups, by group key; those that are missing are opened.

    `groups` maps a group's key to the location that it lies in, or None where it spans several.
    """
    if not groups:
        return {}
    ids: dict[str, int] = {}
    for some in in_chunks(list(groups)):
        ids |= dict(_OPEN_INCIDENTS.all(connection, {"rule": rule_id, "groups": some}))
    common = {"rule_id": rule_id, "severity": severity, "opened_at": now}
    new = [{"group_key": key, "location_id": groups[key], **common} for key in groups if key not in ids]
    if new:
        last = _LAST.scalar(connection)
        _INSERT.run_many(connection, new)
        ids |= dict(_INSERTED.all(connection, {"last": last, "rule": rule_id}))
    return ids


def close_incidents(connection: Connection, incident_ids: Iterable[int], now: datetime) -> None:
    """Close those of these incidents that have no firing member left."""
    for some in in_chunks(sorted(set(incident_ids))):
        _CLOSE.run(connection, {"ids": some, "now": now})


_OPEN_INCIDENTS = Prepared(
    sa.select(INCIDENT.c.group_key, INCIDENT.c.id).where(
        INCIDENT.c.rule_id == sa.bindparam("rule"),
        INCIDENT.c.resolved_at.is_(None),
        INCIDENT.c.group_key.in_(sa.bindparam("groups", expanding=True)),
    )
)
_INSERT = Prepared(
    sa.insert(INCIDENT).values(
        {name: sa.bindparam(name) for name in ("rule_id", "group_key", "severity", "location_id", "opened_at")}
    )
)
_LAST = Prepared(sa.select(sa.func.coalesce(sa.func.max(INCIDENT.c.id), 0)))
_INSERTED = Prepared(
    sa.select(INCIDENT.c.group_key, INCIDENT.c.id).where(
        INCIDENT.c.id > sa.bindparam("last"), INCIDENT.c.rule_id == sa.bindparam("rule")
    )
)
_FIRING = sa.select(ALERT.c.id).where(ALERT.c.incident_id == INCIDENT.c.id, ALERT.c.state == State.FIRING)
_CLOSE = Prepared(
    sa.update(INCIDENT)
    .where(INCIDENT.c.id.in_(sa.bindparam("ids", expanding=True)), INCIDENT.c.resolved_at.is_(None), ~_FIRING.exists())
    .values(resolved_at=sa.bindparam("now"))
)
