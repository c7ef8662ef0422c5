"""Severities that rise: from how long an alert has fired follows how grave it is, and a graver one speaks anew.

A rise is no transition: it ends no acknowledgement and nothing that keeps an alert quiet, but for quiet hours that
spare what it has become. What is due follows from `fired_at`, so a late look says the highest step, once.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.card import insert_cards, list_quiet
from notify.alert_cards.thread import CHUNK
from notify.routing import Routing
from notify.subscriptions import MATCHERS, read_subscribers
from rules.alerts.incidents import AUDIBLE
from rules.documents.document import Rule
from rules.lifecycle import State
from rules.rising import graver, severity_after
from storage.schema import ALERT, INCIDENT


def raise_severities(connection: Connection, routing: Routing, only: str | None = None) -> dict[int, int]:
    """Raise what is due at `routing.now`; by the id of each alert that became graver, its incident.

    The incident becomes as grave as the gravest of its alerts that fire.
    """
    risen: dict[int, int] = {}
    for name, rule in routing.rules.items():
        if rule.rises and (only is None or name == only):
            risen |= _raise(connection, rule, routing)
    return risen


def _raise(connection: Connection, rule: Rule, routing: Routing) -> dict[int, int]:
    firing = connection.execute(_FIRING, {"rule": rule.name}).all()
    risen: dict[int, Row[Any]] = {}
    now_of: dict[int, str] = {}
    for row in firing:
        due = severity_after(rule.rises, routing.now - row.fired_at)
        now_of[row.id] = graver(row.severity or rule.severity, due)
        if now_of[row.id] != (row.severity or rule.severity):
            risen[row.id] = row
    for severity in dict.fromkeys(now_of[i] for i in risen):
        ids = [i for i in risen if now_of[i] == severity]
        for start in range(0, len(ids), CHUNK):
            mine = ALERT.c.id.in_(ids[start : start + CHUNK])
            connection.execute(sa.update(ALERT).where(mine).values(severity=severity))
    _grade_incidents(connection, firing, now_of)
    return {row.id: row.incident_id for row in risen.values()}


def _grade_incidents(connection: Connection, firing: Sequence[Row[Any]], now_of: Mapping[int, str]) -> None:
    grave: dict[int, str] = {}
    for row in firing:
        grave[row.incident_id] = graver(now_of[row.id], grave.get(row.incident_id))
    before = {row.incident_id: row.incident_severity for row in firing}
    for incident_id, severity in grave.items():
        if severity != before[incident_id]:
            mine = INCIDENT.c.id == incident_id
            connection.execute(sa.update(INCIDENT).where(mine).values(severity=severity))


def open_added_cards(connection: Connection, alert_ids: Collection[int], routing: Routing) -> None:
    """Open cards where the new severities of these alerts are told, too; no card is taken away.

    What has no card yet has chosen by its new severity; what is kept quiet or acknowledged gets more when it speaks.
    """
    wanted: dict[int, list[str]] = {}
    speaking: dict[int, str] = {}
    ids = sorted(alert_ids)
    rows: list[Row[Any]] = []
    for start in range(0, len(ids), CHUNK):
        rows += connection.execute(_THESE.where(ALERT.c.id.in_(ids[start : start + CHUNK]))).all()
    subscribers = read_subscribers(connection, routing)
    for row in rows:
        known = wanted.setdefault(row.incident_id, json.loads(row.channels))
        routed = routing.channels(row.rule_id, row.severity, row.location_id, row.labels)
        told = subscribers.beside((*known, *routed), row, row.severity)
        known += [channel for channel in told if channel not in known]
        if row.audible and row.acknowledged_at is None:
            speaking[row.incident_id] = row.rule_id
    for incident_id, channels in wanted.items():
        mine = INCIDENT.c.id == incident_id
        connection.execute(sa.update(INCIDENT).where(mine).values(channels=json.dumps(channels)))
    if speaking:
        opened = insert_cards(connection, speaking, routing)
        list_quiet(connection, speaking, opened.carded, routing)


_THESE: sa.Select[Any] = (
    sa.select(
        *(ALERT.c[name] for name in ("incident_id", "severity", "labels", "acknowledged_at", *MATCHERS)),
        AUDIBLE.label("audible"),
        INCIDENT.c.channels,
    )
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .where(INCIDENT.c.channels.is_not(None))
)
_FIRING: sa.Select[Any] = (
    sa.select(
        *(ALERT.c[name] for name in ("id", "incident_id", "fired_at", "severity")),
        INCIDENT.c.severity.label("incident_severity"),
    )
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .where(ALERT.c.rule_id == sa.bindparam("rule"), ALERT.c.state == State.FIRING.value)
    .order_by(ALERT.c.id)
)
