"""The one chart of a digest: which one each kind has, and drawn anew from what the digest's own facts say.

The file that Slack has of it is a fact of the message's delivery. Nothing here sends, and no clock is read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.charts.drawing import Chart
from notify.charts.figures import CHARTS
from notify.digests.digest_facts import PICTURE
from notify.kpis.places import Narrow, by_zone, location_zones
from notify.kpis.scope import Scope
from notify.outbox import DIGEST
from rules.documents.windows import Period, period_of
from storage.schema import OUTBOX

BY_DAY = {"uptime": "uptime", "maintenance": "uptime"}
OF_KIND = {"sessions": "energy", "revenue": "revenue", "alerts": "alerts", "uptime": "status", "maintenance": "status"}
"""The chart of each kind; a map of days needs more than one day."""

NO_FONT = "no font"
REFUSED = "refused"
BROKEN = "broken"
"""Why a digest has no chart: in short, for its small print."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart and what it is known by: the same picture has the same mark."""

    chart: Chart
    mark: str


def chart_order(kind: str, period: Period, zone: str, default_zone: str, at: datetime) -> dict[str, str]:
    """What is to be drawn for a digest, as JSON-able facts: figures are in `zone` and go to `at`."""
    name = BY_DAY.get(kind, OF_KIND[kind]) if period.days > 1 else OF_KIND[kind]
    return {"name": name, "zone": zone, "default_zone": default_zone, "at": at.isoformat()}


def wants_picture(item: Row[Any]) -> bool:
    """Whether a message is a digest that has a chart."""
    return item.kind == DIGEST and "chart" in item.facts


def draw_picture(connection: Connection, facts: Mapping[str, Any]) -> Drawn:
    """The chart of a digest, from its facts."""
    order = facts["chart"]
    at = datetime.fromisoformat(order["at"])
    zones = by_zone(location_zones(connection, order["default_zone"]), facts["zone"], order["default_zone"])
    scope = Scope(zones, period_of(facts).cut(at), Narrow(facts.get("location"), facts.get("label")))
    chart = CHARTS[order["name"]](connection, scope, order["zone"], at)
    return Drawn(chart, hashlib.sha256(chart.svg.encode("utf-8", "replace")).hexdigest()[:32])


def mark_picture(connection: Connection, item: Row[Any], picture: Mapping[str, Any]) -> None:
    """Note which file shows the chart of a message, or why none does."""
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item.id).with_for_update()).scalar_one()
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts={**known, PICTURE: dict(picture)}))
