"""The energies of a session as they were: a sample about every five minutes, and each where its course turned.

A value that stood for a while is kept when another one follows it, and so is one that fell: whoever asks how much a
window delivered finds at its edge the last value that was known there. Nothing here interprets the course.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import insert
from storage.prepared import Prepared
from storage.schema import SAMPLE, SESSION

SAMPLE_EVERY = timedelta(minutes=5)
STOOD = timedelta(minutes=2)
"""A value that was not followed by another one for so long is one at which the session stood."""


def sample_energies(connection: Connection, seq: int, now: datetime) -> None:
    """Keep the energies of the sessions that changed at `seq`, so far as they are worth keeping."""
    known = {"seq": seq, "now": now, "before": now - SAMPLE_EVERY, "stood_since": now - STOOD}
    _KEEP_WHERE_IT_TURNED.run(connection, known)
    _INSERT_SAMPLES.run(connection, known)
    _NOTE_SAMPLED.run(connection, known)


_MOMENT = SAMPLE.c.at.type
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=_MOMENT)
_ENERGY, _WAS, _WAS_SINCE = SESSION.c.energy_kwh, SESSION.c.previous_energy_kwh, SESSION.c.previous_energy_at
_CHANGED = SESSION.c.changed_seq == sa.bindparam("seq")
_STOOD_SINCE = sa.bindparam("stood_since", type_=_MOMENT)
_TURNED = sa.and_(
    _WAS_SINCE.is_not(None),
    _ENERGY.is_distinct_from(_WAS),
    sa.or_(
        _ENERGY.is_(None),
        _WAS.is_(None),
        _ENERGY < _WAS,
        _WAS_SINCE <= _STOOD_SINCE,
    ),
)
_TO_SAMPLE = sa.and_(
    _CHANGED,
    SESSION.c.ended_at.is_(None),
    sa.or_(SESSION.c.sampled_at.is_(None), SESSION.c.sampled_at <= sa.bindparam("before", type_=_MOMENT), _TURNED),
)


def _inserting(of: sa.Select[tuple[str, datetime, float | None]]) -> Prepared:
    return Prepared(
        lambda connection: (
            insert(connection, SAMPLE)
            .from_select(["session_id", "at", "energy_kwh"], of)
            .on_conflict_do_nothing(index_elements=["session_id", "at"])
        )
    )


_KEEP_WHERE_IT_TURNED = _inserting(
    sa.select(SESSION.c.id, _WAS_SINCE, _WAS).where(_CHANGED, _TURNED, _WAS.is_not(None))
)
_INSERT_SAMPLES = _inserting(sa.select(SESSION.c.id, _NOW, _ENERGY).where(_TO_SAMPLE))
_NOTE_SAMPLED = Prepared(sa.update(SESSION).where(_TO_SAMPLE).values(sampled_at=_NOW))
