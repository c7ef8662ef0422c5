"""Sessions that cannot have been: they end before they start, took energy back, or are told under two ids.

Sums leave them out, and they are told. Two sessions that began on one connector at the same moment are one: it counts
under the id that comes first.

It says which they are and how many; what is made of the others is not its business.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.schema import LOCATION, SESSION

IMPOSSIBLE_TIMES: ColumnElement[bool] = sa.func.coalesce(SESSION.c.ended_at < SESSION.c.started_at, sa.false())
NEGATIVE_ENERGY: ColumnElement[bool] = sa.func.coalesce(SESSION.c.energy_kwh < 0, sa.false())
_OTHER = SESSION.alias("other")
TOLD_TWICE: ColumnElement[bool] = (
    sa.exists()
    .where(
        _OTHER.c.started_at == SESSION.c.started_at,
        _OTHER.c.connector_id == SESSION.c.connector_id,
        _OTHER.c.status == SESSION.c.status,
        _OTHER.c.id < SESSION.c.id,
    )
    .correlate(SESSION)
)
POSSIBLE = sa.and_(sa.not_(IMPOSSIBLE_TIMES), sa.not_(NEGATIVE_ENERGY), sa.not_(TOLD_TWICE))


def count_impossible(connection: Connection, which: ColumnElement[bool]) -> Mapping[str, int]:
    """How many of some sessions are impossible, by what is: `times`, else `energy`, else `ids`; empty where none is."""
    of_energy = sa.and_(NEGATIVE_ENERGY, sa.not_(IMPOSSIBLE_TIMES))
    of_ids = sa.and_(TOLD_TWICE, sa.not_(IMPOSSIBLE_TIMES), sa.not_(NEGATIVE_ENERGY))
    counts = {"times": IMPOSSIBLE_TIMES, "energy": of_energy, "ids": of_ids}
    statement = sa.select(*(sa.func.count().filter(odd).label(name) for name, odd in counts.items()))
    source = SESSION.outerjoin(LOCATION, LOCATION.c.id == SESSION.c.location_id)
    row = connection.execute(statement.select_from(source).where(which, sa.not_(POSSIBLE))).one()
    return {name: number for name, number in row._mapping.items() if number}
