"""Which alerts belong together: an incident is one rule and one group, from its first firing until all are resolved.

Incidents of one problem share a card: what stands on one charger or place, whichever rules found it. Rules that group
by themselves are part of no problem. What is said of either is decided elsewhere.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT
from storage.sql import text_starts_with

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


@dataclass(frozen=True, slots=True)
class Group:
    """The group of an alert, as text that is equal for equal groups, and the problem that it is part of."""

    key: str
    problem: str | None = None
    location_id: str | None = None  # None where the group spans several
    before: str | None = None  # the key that an incident from before there were problems has


def group_of(group_by: Sequence[str] | None, labels: Mapping[str, Any], ids: Mapping[str, str | None]) -> Group:
    """The group of an alert with these labels about a thing with these ids (`charger_id` and so on)."""
    location = ids.get("location_id")
    if group_by is not None:
        return Group(group_key(group_by, labels), location_id=location if PLACED.intersection(group_by) else None)
    charger = ids.get("charger_id")
    if charger:
        return _group_of_problem("charger", charger, location, labels.get("location"))
    return _group_of_problem("location" if location else None, location, location, labels.get("location"))


@lru_cache(maxsize=4096)  # many rules find something on one thing
def _group_of_problem(thing: str | None, thing_id: str | None, location: str | None, label: str | None) -> Group:
    before = group_key(("location",), {"location": label})  # it begins as BEFORE
    if thing is None:
        return Group(json.dumps({"problem": "network"}), "network", before=before)
    problem = f"{thing}:{thing_id}"
    return Group(json.dumps({"problem": problem}, ensure_ascii=False), problem, location, before)


BEFORE = '{"location": '

PLACED = frozenset({"location", "charger", "connector", "session"})
"""What lies in one place."""


def group_key(group_by: Sequence[str], labels: Mapping[str, Any]) -> str:
    """The group of an alert with these labels, as text that is equal for equal groups."""
    return json.dumps({name: labels.get(name) for name in sorted(group_by)}, ensure_ascii=False)


def open_incidents(
    connection: Connection, rule_id: str, severity: str, groups: Collection[Group], now: datetime
) -> dict[str, int]:
    """The ids of the open incidents of these groups, by group key; those that are missing are opened.

    One that stood before there were problems goes on to take what would have been its own.
    """
    if not groups:
        return {}
    known: dict[str, int] = {}
    keys = {group.key for group in groups}
    if _FROM_BEFORE.first(connection, {"rule": rule_id}) is not None:
        keys |= {group.before for group in groups if group.before is not None}
    for some in in_chunks(sorted(keys)):
        known |= dict(_OPEN_INCIDENTS.all(connection, {"rule": rule_id, "groups": some}))
    ids: dict[str, int] = {}
    new: list[Group] = []
    for group in groups:
        found = known.get(group.before or group.key) or known.get(group.key) if known else None
        if found is None:
            new.append(group)
        else:
            ids[group.key] = found
    if new:
        last = _LAST.scalar(connection)
        own = {
            "group_key": [group.key for group in new],
            "problem_key": [group.problem for group in new],
            "location_id": [group.location_id for group in new],
        }
        _INSERT.run_columns(connection, own, {"rule_id": rule_id, "severity": severity, "opened_at": now})
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
_FROM_BEFORE = Prepared(
    sa.select(INCIDENT.c.id)
    .where(
        INCIDENT.c.rule_id == sa.bindparam("rule"),
        INCIDENT.c.resolved_at.is_(None),
        text_starts_with(INCIDENT.c.group_key, sa.literal(BEFORE)),
    )
    .limit(1)
)
"""Whether a rule has an incident from before there were problems: one that any `before` could name."""
_OF_INCIDENT = ("rule_id", "group_key", "problem_key", "severity", "location_id", "opened_at")
_INSERT = Prepared(sa.insert(INCIDENT).values({name: sa.bindparam(name) for name in _OF_INCIDENT}))
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
