"""What quiet hours hold back: marked when it would speak, released in the morning, with a line for what came and went.

It moves no alert: an alert that is held advances like any other, and only its messages wait.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.alert_cards.parts import read_parts
from notify.alert_cards.thread import CHUNK
from notify.outbox import ALERT_CARD, QUIET_SUMMARY, insert_items, new_item
from notify.routing import Routing
from notify.text.titles import title_of
from rules.alerts.incidents import EVERY_RULE
from rules.lifecycle import State
from storage.schema import ALERT, INCIDENT, LOCATION, OUTBOX, TRANSITION

LINES = 20
"""How many incidents a summary names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Released:
    """The alerts that quiet hours hold no longer: the incident of each that fires, by id, and of what has ended."""

    firing: dict[int, int | None] = field(default_factory=dict)
    ended: tuple[Row[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class NightLine:
    """One incident that came and went in quiet hours. `location` is None where it spans several."""

    rule: str
    title: str
    severity: str
    location: str | None
    alerts: int
    since: datetime
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class NightContext:
    """What the summary of quiet hours says."""

    since: datetime
    alerts: int
    lines: tuple[NightLine, ...]
    more: int


def hold_back(connection: Connection, alert_ids: Collection[int], routing: Routing) -> set[int]:
    """Hold those of these alerts that quiet hours keep back now; which these are. Their transitions say so."""
    now = routing.now
    if routing.plan.quiet_hours is None or not alert_ids:
        return set()
    held: dict[int, datetime] = {}
    for ids in _chunks(alert_ids):
        for row in connection.execute(_WITH_PLACE.where(ALERT.c.id.in_(ids))):
            until = routing.quiet_until(row.rule_id, row.severity, row.timezone, row.risen)
            if until is not None:
                held[row.id] = until
    for ids in _chunks(held):
        waits = sa.and_(ALERT.c.quiet_since.is_not(None), ALERT.c.quiet_ended_at.is_(None))
        connection.execute(
            sa.update(ALERT)
            .where(ALERT.c.id.in_(ids))
            .values(quiet_since=sa.case((waits, ALERT.c.quiet_since), else_=now), quiet_ended_at=None)
        )
        told = (TRANSITION.c.alert_id.in_(ids), TRANSITION.c.at == now, TRANSITION.c.to_state == State.FIRING.value)
        for row in connection.execute(sa.select(TRANSITION).where(*told)).all():
            trace = {**row.trace, "muted_by": {"quiet_hours": held[row.alert_id].isoformat()}}
            connection.execute(sa.update(TRANSITION).where(TRANSITION.c.id == row.id).values(trace=trace))
    return set(held)


def quiet_until(connection: Connection, incident_ids: Sequence[int], routing: Routing) -> datetime | None:
    """Until when quiet hours keep all of these incidents back; None where one of them may speak now."""
    if routing.plan.quiet_hours is None:
        return None
    rows = connection.execute(
        sa.select(INCIDENT.c.rule_id, INCIDENT.c.severity, LOCATION.c.timezone)
        .outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id)
        .where(INCIDENT.c.id.in_(incident_ids))
    )
    ends = [routing.quiet_until(row.rule_id, row.severity, row.timezone, row.severity) for row in rows]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


def release_held(connection: Connection, routing: Routing, which: ColumnElement[bool] = EVERY_RULE) -> Released:
    """Release what quiet hours hold no longer, because they are over or were taken away; of `which` alerts."""
    waiting = (which, ALERT.c.quiet_since.is_not(None), ALERT.c.quiet_ended_at.is_(None))
    rows = connection.execute(_WITH_PLACE.where(*waiting).order_by(ALERT.c.id)).all()
    free = [row for row in rows if routing.quiet_until(row.rule_id, row.severity, row.timezone, row.risen) is None]
    for ids in _chunks([row.id for row in free]):
        connection.execute(
            sa.update(ALERT).where(ALERT.c.id.in_(ids)).values(quiet_ended_at=routing.now, heard_at=routing.now)
        )
    firing = {row.id: row.incident_id for row in free if row.state == State.FIRING.value}
    heard_of_nothing = (row for row in free if row.id not in firing and row.silence_id is None)
    return Released(firing, tuple(row for row in heard_of_nothing if row.inhibited_by is None))


def enqueue_night_summaries(
    connection: Connection, ended: Sequence[Row[Any]], routing: Routing, only: str | None = None
) -> int:
    """Tell, once a channel, which incidents came and went unheard in quiet hours; how many messages that makes.

    What has a card, or still fires, is told there. `only` names the rule whose alerts these are, where they are one's.
    """
    by_itself = f":{only}" if only is not None else ""
    by_incident: dict[int, list[Row[Any]]] = {}
    for row in ended:
        by_incident.setdefault(row.incident_id, []).append(row)
    unheard = _unheard(connection, by_incident)
    told: dict[str, list[list[Row[Any]]]] = {}
    for incident_id in sorted(unheard):
        rows = by_incident[incident_id]
        for channel in dict.fromkeys(name for row in rows for name in _channels(row, routing)):
            told.setdefault(channel, []).append(rows)
    items = [
        new_item(
            f"night:{channel}:{routing.now.isoformat()}{by_itself}",
            QUIET_SUMMARY,
            channel,
            due_at=routing.due_at,
            now=routing.now,
            facts=_facts(connection, incidents, routing.now),
        )
        for channel, incidents in told.items()
    ]
    return insert_items(connection, items)


def _channels(row: Row[Any], routing: Routing) -> Sequence[str]:
    """Where an alert is told: the channels that were chosen as it fired, or now where it had none."""
    kept = json.loads(row.channels) if row.channels is not None else ()
    return kept or routing.channels(row.rule_id, row.severity, row.location_id, row.labels)


def night_context(facts: Mapping[str, Any]) -> NightContext:
    """What a summary says, from its facts; a missing fact is a KeyError."""
    lines = tuple(
        NightLine(
            line["rule"],
            line.get("title") or title_of({}, line["rule"], {}, timedelta(), is_over=True),
            line["severity"],
            line["location"],
            line["alerts"],
            datetime.fromisoformat(line["since"]),
            timedelta(seconds=line["lasted_s"]),
        )
        for line in facts["lines"]
    )
    return NightContext(datetime.fromisoformat(facts["since"]), facts["alerts"], lines, facts["more"])


_WITH_PLACE: sa.Select[Any] = (
    sa.select(
        *(ALERT.c[name] for name in ("id", "rule_id", "state", "incident_id", "location_id", "labels")),
        *(ALERT.c[name] for name in ("silence_id", "inhibited_by", "quiet_since", "active_at", "resolved_at")),
        INCIDENT.c.severity,
        ALERT.c.severity.label("risen"),
        INCIDENT.c.location_id.label("incident_location_id"),
        INCIDENT.c.channels,
        LOCATION.c.timezone,
        LOCATION.c.name.label("location_name"),
    )
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .outerjoin(LOCATION, LOCATION.c.id == ALERT.c.location_id)
)


def _unheard(connection: Connection, incident_ids: Collection[int]) -> set[int]:
    """Those that are over and of which no card was ever opened."""
    unheard: set[int] = set()
    for ids in _chunks(incident_ids):
        card = sa.exists().where(OUTBOX.c.incident_id == INCIDENT.c.id, OUTBOX.c.kind == ALERT_CARD)
        over = (INCIDENT.c.id.in_(ids), INCIDENT.c.resolved_at.is_not(None), ~card)
        unheard |= set(connection.execute(sa.select(INCIDENT.c.id).where(*over)).scalars())
    return unheard


def _facts(connection: Connection, incidents: Sequence[Sequence[Row[Any]]], now: datetime) -> dict[str, Any]:
    """The facts of one summary: the first incidents by when they began, and the number of the others."""
    in_order = sorted(incidents, key=lambda rows: min(row.active_at for row in rows))
    titles = {
        part.incident_id: part.title
        for part in read_parts(connection, [rows[0].incident_id for rows in in_order[:LINES]], now)
    }
    lines = [
        {
            "rule": rows[0].rule_id,
            "title": titles[rows[0].incident_id],
            "severity": rows[0].severity,
            "location": (rows[0].location_name or rows[0].location_id) if rows[0].incident_location_id else None,
            "alerts": len(rows),
            "since": min(row.active_at for row in rows).isoformat(),
            "lasted_s": (max(row.resolved_at for row in rows) - min(row.active_at for row in rows)).total_seconds(),
        }
        for rows in in_order[:LINES]
    ]
    return {
        "since": min(row.quiet_since for rows in incidents for row in rows).isoformat(),
        "alerts": sum(map(len, incidents)),
        "lines": lines,
        "more": len(incidents) - len(lines),
    }


def _chunks(ids: Collection[int]) -> list[list[int]]:
    ordered = sorted(ids)
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]
