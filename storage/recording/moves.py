"""Where things were before they moved, and when they were there before they went: what their rows no longer say.

A move closes an interval of the place that was left; what went, one of the life that ended. What never moved and is
still there has none: its row says all. Nothing is decided here.
"""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.prepared import Prepared
from storage.recording.things import RECORDED, THERE, Recorded
from storage.schema import CHARGER, INTERVAL, LOCATION

PLACES = {"charger": "location_id", "connector": "charger_id"}
"""By thing, the column that says where it is, and under which name the history keeps where it was."""

_ABOVE = {"charger": LOCATION, "connector": CHARGER}


def note_moves(connection: Connection, thing: str, seq: int) -> None:
    """Keep where the things of a kind were that moved at `seq`; what they left has changed by that, too."""
    if thing in PLACES:
        for statement in _of_moves(thing):
            statement.run(connection, {"seq": seq})


def note_ends(connection: Connection, recorded: Recorded, seq: int) -> None:
    """Keep from when to when the things of a kind were there that are gone since `seq`."""
    _of_ends(recorded.thing).run(connection, {"seq": seq})


@cache
def _of_moves(thing: str) -> tuple[Prepared, ...]:
    table, column = RECORDED[thing].table, PLACES[thing]
    place, before = table.c[column], table.c[f"previous_{column}"]
    seq = sa.bindparam("seq", type_=sa.Integer)
    # what a heartbeat alone changed is no news, and says nothing of where the charger was
    moved = (table.c.news_seq == seq, before.is_distinct_from(place), table.c.first_seen_at < table.c.changed_at)
    last = (
        sa.select(sa.func.max(INTERVAL.c.valid_to, type_=table.c.changed_at.type))
        .where(INTERVAL.c.thing == thing, INTERVAL.c.field == column, INTERVAL.c.thing_id == table.c.id)
        .where(INTERVAL.c.valid_to > table.c.first_seen_at)
        .correlate(table)
        .scalar_subquery()
    )
    since = sa.func.coalesce(last, table.c.first_seen_at)
    values = (sa.literal(thing), table.c.id, sa.literal(column), before, since, table.c.changed_at)
    keep = sa.insert(INTERVAL).from_select(_COLUMNS, sa.select(*values).where(*moved))
    above = _ABOVE[thing]
    left = sa.select(before).where(*moved)
    touch: list[Any] = [sa.update(above).where(above.c.id.in_(left)).values(_news(above, seq))]
    if thing == "connector":  # its location may be another too
        of_left = sa.select(CHARGER.c.location_id).where(CHARGER.c.id.in_(left))
        touch.append(sa.update(LOCATION).where(LOCATION.c.id.in_(of_left)).values(_news(LOCATION, seq)))
    return (Prepared(keep), *map(Prepared, touch))


def _news(table: sa.Table, seq: Any) -> dict[str, Any]:
    return {"changed_seq": seq} | ({"news_seq": seq} if "news_seq" in table.c else {})


@cache
def _of_ends(thing: str) -> Prepared:
    table = RECORDED[thing].table
    known = sa.exists().where(
        *(INTERVAL.c.thing == thing, INTERVAL.c.thing_id == table.c.id, INTERVAL.c.field == THERE),
        INTERVAL.c.valid_to == table.c.gone_at,
    )
    gone = (table.c.changed_seq == sa.bindparam("seq", type_=sa.Integer), table.c.gone_at.is_not(None), ~known)
    values = (
        sa.literal(thing),
        table.c.id,
        sa.literal(THERE),
        sa.literal("true"),
        table.c.first_seen_at,
        table.c.gone_at,
    )
    return Prepared(sa.insert(INTERVAL).from_select(_COLUMNS, sa.select(*values).where(*gone)))


_COLUMNS = ["thing", "thing_id", "field", "value", "valid_from", "valid_to"]
