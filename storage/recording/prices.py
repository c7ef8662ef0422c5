"""Prices as they were told, location by location: what is true now, and its history as intervals.

A price is a text, and it has changed when the text is another: whoever records writes equal prices alike. Recording
the same twice changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import greatest
from storage.prepared import Prepared
from storage.record import close_intervals, next_seq, open_intervals, store_seq
from storage.recording.things import RECORDED
from storage.schema import LOCATION

_PRICED = Prepared(sa.select(LOCATION.c.id).where(LOCATION.c.gone_at.is_(None)).order_by(LOCATION.c.id))
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=LOCATION.c.changed_at.type)
_PRICE = sa.bindparam("text", type_=sa.String)
_WRITE = Prepared(
    sa.update(LOCATION)
    .where(LOCATION.c.id == sa.bindparam("location"), LOCATION.c.gone_at.is_(None))
    .where(LOCATION.c.price.is_distinct_from(_PRICE))
    .values(
        price=_PRICE,
        price_changed_at=greatest(_NOW, LOCATION.c.price_changed_at),
        changed_at=_NOW,
        changed_seq=sa.bindparam("seq"),
    )
)


def priced_locations(connection: Connection) -> list[str]:
    """The ids of the locations whose prices can be asked for: those that are not gone."""
    return _PRICED.scalars(connection)


def record_prices(connection: Connection, prices: Mapping[str, str], now: datetime) -> bool:
    """Record the prices, by location, that were told at `now`, in the caller's transaction; true if any changed."""
    if not prices:
        return False
    seq = next_seq(connection)
    changed = [
        _WRITE.run(connection, {"location": location_id, "text": text, "now": now, "seq": seq})
        for location_id, text in sorted(prices.items())
    ]
    if not any(changed):
        return False
    recorded = RECORDED["location"]
    for field, dated in recorded.history.items():
        close_intervals(connection, recorded, field, dated, seq)
        open_intervals(connection, recorded, field, dated, seq)
    store_seq(connection, seq)
    return True
