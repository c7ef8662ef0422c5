"""What would have kept a backtest's alerts from a card of their own: the kept silences, other rules' alerts, grouping.

It compares replayed alerts with what really was in force when they would have fired; it replays no silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from rules.alerts.silences import matches
from rules.documents.maintenance import window_from
from storage.schema import ALERT, INHIBITION, LOCATION, SILENCE

LEVELS = ("location_id", "charger_id", "connector_id", "session_id")


@dataclass(frozen=True, slots=True)
class Absorbed:
    """How many firings a silence covered when they fired, an alert of another rule would have kept quiet, and how many
    joined a card that was there already.
    """

    silenced: int = 0
    inhibited: int = 0
    grouped: int = 0


def find_absorbed(connection: Connection, scratch: Connection, rule_id: str) -> Absorbed:
    """Count what was absorbed: `connection` has what really was, `scratch` the replayed alerts of one rule."""
    fired = scratch.execute(sa.select(ALERT).where(ALERT.c.rule_id == rule_id, ALERT.c.fired_at.is_not(None))).all()
    if not fired:
        return Absorbed()
    silences = connection.execute(sa.select(SILENCE)).all()
    named = sa.select(LOCATION.c.id, LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None))
    zones = {row.id: row.timezone for row in connection.execute(named)}
    of_sources = sa.select(INHIBITION.c.source_rule).where(INHIBITION.c.target_rule == rule_id)
    sources = connection.execute(
        sa.select(ALERT).where(ALERT.c.rule_id.in_(of_sources), ALERT.c.fired_at.is_not(None))
    ).all()
    silenced = {alert.id for alert in fired if _is_silenced(alert, silences, zones.get(alert.location_id))}
    inhibited = {alert.id for alert in fired if any(_inhibits(source, alert) for source in sources)} - silenced
    heard = [alert for alert in fired if alert.id not in silenced | inhibited]
    return Absorbed(len(silenced), len(inhibited), len(heard) - len({alert.incident_id for alert in heard}))


def _is_silenced(alert: Row[Any], silences: Sequence[Row[Any]], zone: str | None) -> bool:
    at = alert.fired_at
    return any(
        _lasted(silence.created_at, silence.ended_at, at)
        and (silence.until is None or silence.until > at)
        and matches(silence, alert)
        and (not silence.weekly or window_from(silence.weekly).open_at(at, zone) is not None)
        for silence in silences
    )


def _inhibits(source: Row[Any], alert: Row[Any]) -> bool:
    """Whether the alert's subject is below that of a source that fired at the time."""
    depth = max((n for n, name in enumerate(LEVELS) if getattr(source, name) is not None), default=None)
    if depth is None or not _lasted(source.fired_at, source.resolved_at, alert.fired_at):
        return False
    same = getattr(source, LEVELS[depth]) == getattr(alert, LEVELS[depth])
    return same and any(getattr(alert, name) is not None for name in LEVELS[depth + 1 :])


def _lasted(begun: datetime, ended: datetime | None, at: datetime) -> bool:
    return begun <= at and (ended is None or ended > at)
