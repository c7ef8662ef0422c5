"""The kept powers of a replay: read back with what windows look back on, and put into the scratch database.

A rule that never looked at a power has none here, and nothing makes one up.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.recording.powers import KEPT
from storage.schema import POWER as TABLE

POWER = "power"
"""The field under which changes of a connector's power are told."""

Row = dict[str, Any]
_NAMES = ("thing", "thing_id", "kw", "valid_from", "valid_to")


def read_powers(connection: Connection, since: datetime, until: datetime) -> list[Row]:
    """The powers of things that lasted beyond `since`, up to `until`, and since when they are kept."""
    lasted = sa.or_(TABLE.c.valid_to.is_(None), TABLE.c.valid_to > since)
    statement = sa.select(*(TABLE.c[name] for name in _NAMES)).where(lasted, TABLE.c.valid_from <= until)
    return [dict(row) for row in connection.execute(statement.order_by(TABLE.c.valid_from, TABLE.c.id)).mappings()]


def changes_of(powers: Sequence[Row], since: datetime) -> Iterator[tuple[datetime, str, str, str, str | None]]:
    """What changed of connectors' powers, in time order, from that on which stood at `since`."""
    for row in powers:
        ended = row["valid_to"] is not None and row["valid_to"] <= since
        if row["thing"] == "connector" and not ended:
            yield row["valid_from"], "connector", row["thing_id"], POWER, None if row["kw"] is None else repr(row["kw"])


def copy_powers(connection: Connection, powers: Sequence[Row], now: datetime) -> None:
    """Put the powers beside the state as they were kept at `now`, in place of those that were recorded just then."""
    rows = [
        row | {"valid_to": None if row["valid_to"] is not None and row["valid_to"] > now else row["valid_to"]}
        for row in powers
        if row["valid_from"] <= now and (row["thing"] != KEPT or row["valid_to"] is None)
    ]
    if rows:
        connection.execute(sa.delete(TABLE))
        connection.execute(sa.insert(TABLE), rows)
