"""Sessions that cannot have been: they end before they start, or took energy back. Sums leave them out; they are told.

It says which they are and how many; what is made of the others is not its business.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.schema import LOCATION, SESSION

IMPOSSIBLE_TIMES: ColumnElement[bool] = sa.func.coalesce(SESSION.c.ended_at < SESSION.c.started_at, sa.false())
NEGATIVE_ENERGY: ColumnElement[bool] = sa.func.coalesce(SESSION.c.energy_kwh < 0, sa.false())
POSSIBLE = sa.and_(sa.not_(IMPOSSIBLE_TIMES), sa.not_(NEGATIVE_ENERGY))


def count_impossible(connection: Connection, which: ColumnElement[bool]) -> Mapping[str, int]:
    """How many of some sessions are impossible, by what is: `times`, else `energy`; empty where none is."""
    of_energy = sa.and_(NEGATIVE_ENERGY, sa.not_(IMPOSSIBLE_TIMES))
    counts = {"times": IMPOSSIBLE_TIMES, "energy": of_energy}
    statement = sa.select(*(sa.func.count().filter(odd).label(name) for name, odd in counts.items()))
    source = SESSION.outerjoin(LOCATION, LOCATION.c.id == SESSION.c.location_id)
    row = connection.execute(statement.select_from(source).where(which, sa.not_(POSSIBLE))).one()
    return {name: number for name, number in row._mapping.items() if number}
