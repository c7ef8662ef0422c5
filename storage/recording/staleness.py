"""Things that are there but cannot be read: what their rows say is old, and rules hold what they know of them.

A thing is stale from the moment at which it could not be read until it is read again, which `storage.record` notes.
Nothing here takes a thing for gone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from eosvolt.models import ChargerReading, Fetched, SetAside
from storage.dialects import insert
from storage.prepared import Prepared
from storage.record import next_seq, store_seq
from storage.recording.powers import note_powers
from storage.recording.things import STALE, news_at
from storage.schema import CHARGER, CONNECTOR, INTERVAL, LOCATION, SESSION, UNREAD

Ids = Mapping[str, set[str]]
"""Ids of things by the name of their table."""

TABLES = {table.name: table for table in (LOCATION, CHARGER, CONNECTOR, SESSION)}
_OF_RESOURCE = {"location": LOCATION, "charger": CHARGER, "connector": CONNECTOR, "session": SESSION}
_CHUNK = 500
_OLD = INTERVAL.alias("old")
_OPEN_STALE = Prepared(
    sa.insert(INTERVAL).from_select(
        ["thing", "thing_id", "field", "value", "valid_from"],
        sa.select(
            sa.literal("connector"), CONNECTOR.c.id, sa.literal(STALE), sa.literal("true"), CONNECTOR.c.stale_since
        ).where(
            CONNECTOR.c.changed_seq == sa.bindparam("seq", type_=sa.Integer),
            CONNECTOR.c.stale_since.is_not(None),
            ~sa.exists().where(
                _OLD.c.thing == "connector",
                _OLD.c.thing_id == CONNECTOR.c.id,
                _OLD.c.field == STALE,
                _OLD.c.valid_to.is_(None),
            ),
        ),
    )
)
"""When connectors could not be read is kept, so that time of which nothing was seen counts for nothing."""


def record_unreadable(connection: Connection, fetched: Fetched[Any], now: datetime) -> bool:
    """Note the fields that could not be read, and that things set aside are stale; true if any became so now."""
    _record_unread(connection, fetched, now)
    return mark_stale(connection, _ids_set_aside(connection, fetched), now)


def mark_stale(connection: Connection, ids: Ids, now: datetime) -> bool:
    """Note that these things cannot be read since `now`, where they could until then; true if any could."""
    if not any(ids.values()):
        return False
    seq = next_seq(connection)
    marked = 0
    for name, some in ids.items():
        table = TABLES[name]
        there = [table.c.stale_since.is_(None)]
        if "gone_at" in table.c:
            there.append(table.c.gone_at.is_(None))
        for chunk in _chunks(some):
            marking = sa.update(table).where(table.c.id.in_(chunk), *there)
            marked += connection.execute(marking.values(stale_since=now, **news_at(table, seq))).rowcount
    if marked:
        _OPEN_STALE.run(connection, {"seq": seq})
        note_powers(connection, seq, now)
        store_seq(connection, seq)
    return marked > 0


def _ids_set_aside(connection: Connection, fetched: Fetched[Any]) -> Ids:
    """The things that rows set aside are about: those whose id could be read, and of a charger its connectors too."""
    if not fetched.set_aside:
        return {}
    read = {reading.id for reading in fetched.rows}
    plugs = {plug.id for row in fetched.rows if isinstance(row, ChargerReading) for plug in row.connectors}
    stale: dict[str, set[str]] = {}
    for row in fetched.set_aside:
        if row.key is not None and row.key not in (plugs if row.resource == "connector" else read):
            stale.setdefault(_OF_RESOURCE[row.resource].name, set()).add(row.key)
    around = stale.get("charger", set()) | _with_nameless_connectors(fetched.set_aside)
    if around:
        of_them = set[str]()
        for chunk in _chunks(around):
            of_them |= set(
                connection.execute(sa.select(CONNECTOR.c.id).where(CONNECTOR.c.charger_id.in_(chunk))).scalars()
            )
        stale["connector"] = stale.get("connector", set()) | of_them - plugs
    return stale


def _with_nameless_connectors(rows: Sequence[SetAside]) -> set[str]:
    """The chargers of which a connector could not be told from the others."""
    return {row.parent for row in rows if row.resource == "connector" and row.key is None and row.parent is not None}


def _record_unread(connection: Connection, fetched: Fetched[Any], now: datetime) -> None:
    """Note each field that could not be read, in how many of the rows that came, and whether it ever could be."""
    came = _came(fetched)
    if not came:
        return
    known = {(row.resource, row.field): row.read_at for row in connection.execute(sa.select(UNREAD))}
    reasons = {(one.resource, one.name): one.reason for one in fetched.unread}
    keys = sorted({*reasons, *(key for key in known if key[0] in came)})
    if not keys:
        return
    older = {kind for kind in {kind for kind, _ in reasons} if _was_there_before(connection, kind, now)}
    rows = []
    for kind, name in keys:
        failed = sum(name in unread for unread in came.get(kind, ()))
        of = len(came.get(kind, ()))
        was_read = failed < of or ((kind, name) not in known and kind in older)
        read_at = now if was_read else known.get((kind, name))
        told = {"resource": kind, "field": name, "reason": reasons.get((kind, name), ""), "read_at": read_at}
        rows.append(told | {"failed": failed, "came": of, "first_at": now, "last_at": now})
    statement = insert(connection, UNREAD)
    counted = {name: statement.excluded[name] for name in ("read_at", "failed", "came")}
    failing = counted | {name: statement.excluded[name] for name in ("reason", "last_at")}
    for new, some in ((failing, [r for r in rows if r["reason"]]), (counted, [r for r in rows if not r["reason"]])):
        if some:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[UNREAD.c.resource, UNREAD.c.field], set_=new), some
            )


def _came(fetched: Fetched[Any]) -> dict[str, list[tuple[str, ...]]]:
    """By kind of thing, the fields of each row that could not be read."""
    came: dict[str, list[tuple[str, ...]]] = {}
    for row in fetched.rows:
        came.setdefault(type(row).__name__.removesuffix("Reading").lower(), []).append(row.unread)
        if isinstance(row, ChargerReading):
            came.setdefault("connector", []).extend(plug.unread for plug in row.connectors)
    return came


def _was_there_before(connection: Connection, kind: str, now: datetime) -> bool:
    """Whether a thing of a kind was seen before this poll: then the field could be read in it."""
    table = _OF_RESOURCE[kind]
    return connection.execute(sa.select(table.c.id).where(table.c.first_seen_at < now).limit(1)).first() is not None


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
