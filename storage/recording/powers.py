"""The power of connectors, and of all of a location together, as it was: kept only while a rule asks for it.

Of a large fleet it changes by the thousand each minute, so what nobody reads is not written. Nothing here averages.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.dialects import greatest
from storage.prepared import Prepared
from storage.schema import CHARGER, CONNECTOR, LOCATION, POWER

KEPT = "kept"
"""The `thing` of the row that says since when power is kept."""

_MOMENT = POWER.c.valid_from.type
_NOW: ColumnElement[Any] = sa.bindparam("now", type_=_MOMENT)
_SEQ = sa.bindparam("seq", type_=sa.Integer)
_IS_OPEN = POWER.c.valid_to.is_(None)

KEPT_SINCE = sa.select(POWER.c.valid_from).where(POWER.c.thing == KEPT, POWER.c.thing_id == "", _IS_OPEN)
"""Since when power is kept without a break; nothing where it is not."""

_KEPT_SINCE = Prepared(KEPT_SINCE)


def kept_since(connection: Connection) -> datetime | None:
    """Since when power is kept without a break; None where it is not."""
    found: datetime | None = _KEPT_SINCE.scalar(connection)
    return found


def keep_power(connection: Connection, now: datetime, *, wanted: bool) -> None:
    """Begin to keep the power of everything, or end it; what is so already stays so."""
    if (kept_since(connection) is not None) is wanted:
        return
    connection.execute(
        sa.update(POWER).where(_IS_OPEN).values(valid_to=greatest(POWER.c.valid_from, _NOW)), {"now": now}
    )
    if wanted:
        row = {"thing": KEPT, "thing_id": "", "valid_from": now}
        connection.execute(sa.insert(POWER).values(**row))
        for begin in (_begun(_OF_CONNECTORS), _begun(_OF_LOCATIONS)):
            connection.execute(begin, {"now": now})


def note_powers(connection: Connection, seq: int, now: datetime) -> None:
    """Keep the powers of the connectors that changed at `seq`, and what those of their locations come to."""
    if kept_since(connection) is None:
        return
    for statement in _NOTE:
        statement.run(connection, {"seq": seq, "now": now})


_THERE = (CONNECTOR.c.gone_at.is_(None),)
# what cannot be read now is not known: neither of it, nor of what all there come to
_kw = sa.case((CONNECTOR.c.stale_since.is_(None), CONNECTOR.c.power_kw))
_sum = sa.case((sa.func.count(CONNECTOR.c.stale_since) == 0, sa.func.sum(CONNECTOR.c.power_kw)))
_OF_CONNECTORS = sa.select(
    sa.literal("connector").label("thing"), CONNECTOR.c.id.label("thing_id"), _kw.label("kw")
).where(*_THERE)
_OF_LOCATIONS = (
    sa.select(sa.literal("location").label("thing"), CONNECTOR.c.location_id.label("thing_id"), _sum.label("kw"))
    .where(*_THERE, CONNECTOR.c.location_id.is_not(None))
    .group_by(CONNECTOR.c.location_id)
)
_changed = sa.select(CONNECTOR.c.id).where(CONNECTOR.c.changed_seq == _SEQ)
_places = sa.union(
    sa.select(CONNECTOR.c.location_id).where(CONNECTOR.c.changed_seq == _SEQ, CONNECTOR.c.location_id.is_not(None)),
    sa.select(LOCATION.c.id).where(LOCATION.c.changed_seq == _SEQ),
    sa.select(CHARGER.c.previous_location_id).where(
        CHARGER.c.changed_seq == _SEQ, CHARGER.c.previous_location_id.is_not(None)
    ),
)


def _begun(of: sa.Select[Any]) -> sa.Insert:
    """Begin a row of each of these that has none."""
    now = of.subquery()
    has_one = sa.select(POWER.c.id).where(POWER.c.thing == now.c.thing, POWER.c.thing_id == now.c.thing_id, _IS_OPEN)
    told = sa.select(now.c.thing, now.c.thing_id, now.c.kw, _NOW).where(~has_one.exists())
    return sa.insert(POWER).from_select(["thing", "thing_id", "kw", "valid_from"], told)


def _closing(thing: str, ids: sa.Select[Any] | sa.CompoundSelect[Any], is_now: sa.Select[Any]) -> sa.Update:
    """End the open rows of these things of which the power is another now, or which are gone."""
    same = is_now.exists()
    open_ones = (POWER.c.thing == thing, POWER.c.thing_id.in_(ids), _IS_OPEN)
    return sa.update(POWER).where(*open_ones, ~same).values(valid_to=greatest(POWER.c.valid_from, _NOW))


_NOTE = tuple(
    map(
        Prepared,
        (
            _closing(
                "connector",
                _changed,
                sa.select(CONNECTOR.c.id).where(
                    *_THERE, CONNECTOR.c.id == POWER.c.thing_id, _kw.is_not_distinct_from(POWER.c.kw)
                ),
            ),
            _begun(_OF_CONNECTORS.where(CONNECTOR.c.changed_seq == _SEQ)),
            _closing(
                "location",
                _places,
                sa.select(CONNECTOR.c.location_id)
                .where(*_THERE, CONNECTOR.c.location_id == POWER.c.thing_id)
                .group_by(CONNECTOR.c.location_id)
                .having(_sum.is_not_distinct_from(POWER.c.kw)),
            ),
            _begun(_OF_LOCATIONS.where(CONNECTOR.c.location_id.in_(_places))),
        ),
    )
)
