"""Sessions that cannot have been: they end before they start, took energy back, or are told under two ids.

Sums leave them out, and they are told. Two sessions that began on one connector at the same moment are one: it counts
under the id that comes first.

It says which they are and why; what is made of the others is not its business.
"""

import sqlalchemy as sa
from sqlalchemy import ColumnElement

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
POSSIBLE = sa.and_(sa.not_(IMPOSSIBLE_TIMES), sa.not_(NEGATIVE_ENERGY), sa.not_(TOLD_TWICE))

ODDITIES = ("times", "energy", "ids")
ODD: ColumnElement[str] = sa.case(
    (IMPOSSIBLE_TIMES, "times"), (NEGATIVE_ENERGY, "energy"), (TOLD_TWICE, "ids"), else_=""
)
"""What is impossible about a session: `times`, else `energy`, else `ids`; empty where nothing is."""
