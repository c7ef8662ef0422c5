"""Alerts that fire and were never said, because their rule had no channel: they speak once there is one.

It finds them and says nothing: an alert that something keeps quiet, or that somebody has acknowledged, is not meant.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.outbox import ALERT_CARD
from notify.routing import Routing
from rules.alerts.incidents import AUDIBLE
from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, OUTBOX


def unheard_alerts(connection: Connection) -> list[Any]:
    """The id, rule and moment of firing of each alert that fires and has no card anywhere."""
    return _UNHEARD.all(connection)


def may_speak_now(connection: Connection, routing: Routing, only: str | None = None) -> list[int]:
    """Those of them whose rule has a channel by now; with `only` those of this rule."""
    heard = {name for name, channels in routing.usual.items() if channels}
    mine = [row for row in unheard_alerts(connection) if only is None or row.rule_id == only]
    return [row.id for row in mine if routing.routes_something or row.rule_id in heard]


_UNHEARD = Prepared(
    sa.select(ALERT.c.id, ALERT.c.rule_id, ALERT.c.fired_at)
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .where(
        INCIDENT.c.resolved_at.is_(None),
        INCIDENT.c.channels.is_(None),
        ALERT.c.state == State.FIRING.value,
        ALERT.c.acknowledged_at.is_(None),
        AUDIBLE,
        ~sa.exists().where(OUTBOX.c.incident_id == INCIDENT.c.id, OUTBOX.c.kind == ALERT_CARD),
    )
    .order_by(ALERT.c.id)
)
