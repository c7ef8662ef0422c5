"""The one chart of a message: drawn from what the message's own facts say, and known by what it shows.

The file that Slack has of it is a fact of the message's delivery. Nothing here sends, and no clock is read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.charts.drawing import Chart, plain
from notify.charts.figures import CHARTS
from notify.kpis.places import Narrow, by_zone, location_zones
from notify.kpis.scope import Scope
from rules.documents.windows import period_of
from storage.schema import OUTBOX

CHART = "chart"
"""The fact of a message that says what is to be drawn for it."""

PICTURE = "picture"
"""The fact of a message's delivery that says which file shows its chart."""

NO_FONT = "no font"
REFUSED = "refused"
BROKEN = "broken"
"""Why a message has no chart: in short, for its small print."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart and what it is known by: the same picture has the same mark."""

    chart: Chart
    mark: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The chart of a message: Slack's id of its file and what it shows in words, or `without`: why there is none."""

    file: str | None
    alt: str
    without: str | None


def chart_order(name: str, zone: str, default_zone: str, at: datetime) -> dict[str, str]:
    """What is to be drawn for a message, as JSON-able facts: its times are in `zone`, and it goes to `at`."""
    return {"name": name, "zone": zone, "default_zone": default_zone, "at": at.isoformat()}


def picture_of(facts: Mapping[str, Any]) -> Picture | None:
    """The chart of a message, from its facts; None until it was drawn."""
    told = facts.get(PICTURE)
    return None if told is None else Picture(told.get("file"), told.get("alt", ""), told.get("without"))


def draw_picture(connection: Connection, facts: Mapping[str, Any]) -> Drawn:
    """The chart of a message, from its facts."""
    order = facts[CHART]
    at = datetime.fromisoformat(order["at"])
    zones = by_zone(location_zones(connection, order["default_zone"]), facts["zone"], order["default_zone"])
    narrow = Narrow(facts.get("location"), facts.get("label"), facts.get("charger"))
    scope = Scope(zones, period_of(facts).cut(at), narrow)
    chart = CHARTS[order["name"]](connection, scope, order["zone"], at)
    chart = replace(chart, title=plain(chart.title), alt=plain(chart.alt))
    return Drawn(chart, hashlib.sha256(chart.svg.encode("utf-8", "replace")).hexdigest()[:32])


def mark_picture(connection: Connection, item: Row[Any], picture: Mapping[str, Any]) -> None:
    """Note which file shows the chart of a message, or why none does."""
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == item.id).with_for_update()).scalar_one()
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts={**known, PICTURE: dict(picture)}))
