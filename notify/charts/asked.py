"""The chart of what a card is about, which somebody asked for: said in the card's thread, once for all who ask at once.

It is of the one charger, or else the one location, of the card's alerts, over the day before. Nothing here sends.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.charts.picture import CHART, chart_order
from notify.outbox import CARD_CHART, Rank, insert_items, new_item
from rules.documents.schedules import usable_zone
from rules.documents.windows import stretch
from storage.schema import ALERT, LOCATION, OUTBOX

SHOWN = timedelta(hours=24)
ONCE_IN = timedelta(minutes=5)
"""How long the chart of a card stands for everybody who asks for it."""


def enqueue_card_chart(
    connection: Connection, card_id: str, alerts: ColumnElement[bool], user: str, *, default_zone: str, now: datetime
) -> bool:
    """Enqueue the chart of a card; False where it was asked for a moment ago."""
    card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == card_id)).one()
    places = connection.execute(sa.select(ALERT.c.charger_id, ALERT.c.location_id).where(alerts).distinct()).all()
    chargers, locations = ({row[n] for row in places if row[n] is not None} for n in (0, 1))
    about: dict[str, Any] = {}
    if len(chargers) == 1:
        about = {"charger": min(chargers)}
    elif len(locations) == 1:
        about = {"location": min(locations)}
    zones = connection.execute(sa.select(LOCATION.c.timezone).where(LOCATION.c.id.in_(locations)).distinct()).scalars()
    named = list(zones)
    zone = usable_zone(named[0], default_zone) if len(named) == 1 else default_zone
    facts = {**stretch(now - SHOWN, now, zone).facts(), **about, "zone": None, "user": user}
    facts[CHART] = chart_order("status", zone, default_zone, now)
    slot = datetime.fromtimestamp(now.timestamp() // ONCE_IN.total_seconds() * ONCE_IN.total_seconds(), UTC)
    item = new_item(
        f"chart:{card_id}:{slot.isoformat()}",
        CARD_CHART,
        card.channel,
        due_at=now,
        now=now,
        thread_of=card_id,
        rank=Rank.CLICK.value,
        rule_id=card.rule_id,
        facts=facts,
    )
    return insert_items(connection, [item]) == 1
