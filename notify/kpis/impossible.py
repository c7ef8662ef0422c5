"""Sessions that cannot have been: they end before they start, took energy back, or are told under two ids.

Sums leave them out, and they are told. Two sessions that began on one connector at the same moment are one: it counts
under the id that comes first.

It says which they are and why; what is made of the others is not its business.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.schema import SESSION

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


def possible(twice: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a session can have been, where `twice` tells that it is another one under a second id."""
    return sa.and_(sa.not_(IMPOSSIBLE_TIMES), sa.not_(NEGATIVE_ENERGY), sa.not_(twice))


POSSIBLE = possible(TOLD_TWICE)

ODDITIES = ("times", "energy", "ids")


def odd_of(twice: ColumnElement[bool]) -> ColumnElement[int]:
    """What is impossible about a session, by its number among ODDITIES, counted from 1; 0 where nothing is."""
    return sa.case((IMPOSSIBLE_TIMES, 1), (NEGATIVE_ENERGY, 2), (twice, 3), else_=0)


MOST_NAMED = 500


def twice_among(connection: Connection, since: datetime, until: datetime) -> ColumnElement[bool]:
    """TOLD_TWICE for statements over most of what began between two moments: there it knows the few ids beforehand.

    One pass over an index finds the moments at which several began; no session is then asked for its like by itself.
    """
    moment = _OTHER.c.started_at
    within = (moment >= since, moment < until)
    several = sa.select(moment).where(*within).group_by(moment).having(sa.func.count() > 1)
    named = sa.select(SESSION.c.id).where(SESSION.c.started_at.in_(several), TOLD_TWICE).limit(MOST_NAMED + 1)
    ids = list(connection.execute(named).scalars())
    if len(ids) > MOST_NAMED:
        return TOLD_TWICE
    outside = sa.or_(SESSION.c.started_at < since, SESSION.c.started_at >= until)
    beyond = sa.and_(outside, TOLD_TWICE)
    return sa.or_(SESSION.c.id.in_(ids), beyond) if ids else beyond
