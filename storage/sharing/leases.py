"""Who leads, on PostgreSQL: one row with the leader's name, a token that grows with each new one, and the end.

Time is the database's alone. Whoever led and wakes up late can write nothing: each of a leader's transactions locks
the row and looks whether the token is still its own; and while such a transaction lasts, nobody else can take over.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import insert
from storage.schema import LEASE, LEASE_TERM

LEADER = "leader"
LENGTH = timedelta(seconds=10)
"""How long a lease lasts after it was last renewed."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_WAIT = "SET LOCAL lock_timeout = '2s'"
_NOW = sa.func.clock_timestamp(type_=LEASE.c.until.type)
_ROW = LEASE.c.name == LEADER


class LeaseLostError(BaseException):
    """Another one leads by now. As a cancellation does, it ends whatever was being done, and is no fault of it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What stands in the row: who leads, by which token, and for how long yet by the database's clock."""

    holder: str
    token: int
    left: timedelta


def claim(connection: Connection, holder: str) -> int | None:
    """Lead, or go on leading, for LENGTH from now: the token, or None while another one leads.

    A lock that is held by a leader's transaction is waited for 2 s; raises OperationalError then.
    """
    connection.exec_driver_sql(_WAIT)
    first = insert(connection, LEASE).values(name=LEADER, holder="", token=0, until=LONG_AGO)
    connection.execute(first.on_conflict_do_nothing())
    before = connection.execute(sa.select(LEASE).where(_ROW).with_for_update()).one()
    mine = before.holder == holder
    length = sa.literal(LENGTH, sa.Interval)
    free = sa.or_(LEASE.c.holder == holder, LEASE.c.until < _NOW)
    values: dict[str, Any] = {"holder": holder, "token": before.token + (not mine), "until": _NOW + length}
    taken = sa.update(LEASE).where(_ROW, free).values(values).returning(LEASE.c.token)
    token: int | None = connection.execute(taken).scalar()
    if token is not None and not mine:
        term = {"token": token, "holder": holder, "began_at": _NOW, "before_until": before.until}
        connection.execute(sa.insert(LEASE_TERM).values(term))
    return token


def give_up(connection: Connection, holder: str) -> None:
    """Let another one lead at once, because this one stops."""
    connection.exec_driver_sql(_WAIT)
    connection.execute(sa.update(LEASE).where(_ROW, LEASE.c.holder == holder).values(until=LONG_AGO))


_STILL = (
    sa.select(sa.literal(1))
    .where(_ROW, LEASE.c.holder == sa.bindparam("holder"), LEASE.c.token == sa.bindparam("token"))
    .with_for_update(read=True)
)


def hold(connection: Connection, holder: str, token: int) -> None:
    """Let nobody take over until this transaction ends; raises LeaseLostError where somebody has."""
    if connection.execute(_STILL, {"holder": holder, "token": token}).first() is None:
        raise LeaseLostError


def lease(connection: Connection) -> Lease | None:
    """Who leads; None where nobody ever did."""
    row = connection.execute(sa.select(LEASE.c.holder, LEASE.c.token, (LEASE.c.until - _NOW).label("left"))).first()
    return None if row is None else Lease(row.holder, row.token, row.left)
