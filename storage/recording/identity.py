"""Ids that mean two things: what is told under them is refused, never merged.

Where one answer names a connector in two chargers, or a poll of changes names one in another charger than the stored
one, nobody knows which is meant. A move looks alike, and is believed once a whole sweep names the thing in its new
place alone. It refuses; telling of it is for whoever keeps what was set aside.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from eosvolt.models import ChargerReading, Fetched, SessionReading, SetAside
from storage.schema import CHARGER, CONNECTOR, SESSION

_CHUNK = 500
IsNews = Callable[[Any], bool]


def without_ambiguous(connection: Connection, fetched: Fetched[Any], is_news: IsNews, *, whole: bool) -> Fetched[Any]:
    """An answer without the things whose ids mean two; those are set aside, with the reason.

    `is_news` tells which readings say something else than was recorded last: only they are compared with what is
    stored. `whole`: the answer is a complete sweep, so that what it names in one place alone has moved there.
    """
    if not fetched.rows:
        return fetched
    news = [row for row in fetched.rows if is_news(row)]
    if isinstance(fetched.rows[0], ChargerReading):
        return _chargers(connection, fetched, news, whole=whole)
    if isinstance(fetched.rows[0], SessionReading):
        return _sessions(connection, fetched, news)
    return fetched


def _chargers(
    connection: Connection, fetched: Fetched[Any], news: Sequence[ChargerReading], *, whole: bool
) -> Fetched[Any]:
    refused = _in_several(fetched.rows)
    moved: dict[str, tuple[str, str | None]] = {}
    if not whole:
        moved = _moved_chargers(connection, news)
    unread = {row.key for row in fetched.set_aside if row.resource == "charger"}
    for plug, stored, told in _moved_connectors(connection, news):
        if plug not in refused and (not whole or stored in unread or None in unread):
            refused[plug] = [stored, told]
    if not refused and not moved:
        return fetched
    rows = tuple(_without_plugs(row, refused) for row in fetched.rows if row.id not in moved)
    aside = [
        _refused("connector", plug, f"connector id {plug} is used by chargers {' and '.join(of)}", {"chargers": of})
        for plug, of in sorted(refused.items())
    ]
    aside += [
        _refused("charger", one, f"charger id {one} is at location {at[1]}, and was at {at[0]}", {"locations": at})
        for one, at in sorted(moved.items())
    ]
    return replace(fetched, rows=rows, set_aside=(*fetched.set_aside, *aside))


def _in_several(rows: Sequence[ChargerReading]) -> dict[str, list[str]]:
    """The chargers of each connector that is told in more than one."""
    first: dict[str, str] = {}
    several: dict[str, set[str]] = {}
    for row in rows:
        for plug in row.connectors:
            if first.setdefault(plug.id, row.id) != row.id:
                several.setdefault(plug.id, {first[plug.id]}).add(row.id)
    return {plug: sorted(of) for plug, of in several.items()}


def _without_plugs(row: ChargerReading, refused: Mapping[str, Any]) -> ChargerReading:
    if not any(plug.id in refused for plug in row.connectors):
        return row
    return replace(row, connectors=tuple(plug for plug in row.connectors if plug.id not in refused))


def _moved_connectors(connection: Connection, news: Sequence[ChargerReading]) -> Iterable[tuple[str, str, str]]:
    """Each connector that is told in another charger than the stored one: its id, that charger, and the one told."""
    told = {plug.id: row.id for row in news for plug in row.connectors}
    for stored in _stored(connection, CONNECTOR, ("charger_id",), told):
        if stored.charger_id != told[stored.id]:
            yield stored.id, stored.charger_id, told[stored.id]


def _moved_chargers(connection: Connection, news: Sequence[ChargerReading]) -> dict[str, tuple[str, str | None]]:
    """Each charger that is told at another location than the stored one: the stored one, and the one told."""
    told = {row.id: row.location_id for row in news}
    stored = _stored(connection, CHARGER, ("location_id",), told)
    return {
        row.id: (row.location_id, told[row.id])
        for row in stored
        if row.location_id is not None and row.location_id != told[row.id]
    }


def _sessions(connection: Connection, fetched: Fetched[Any], news: Sequence[SessionReading]) -> Fetched[Any]:
    told = {row.id: row for row in news}
    odd: dict[str, SetAside] = {}
    for stored in _stored(connection, SESSION, ("connector_id", "started_at", "ended_at"), told):
        why = _why_another(stored, told[stored.id])
        if why:
            parts = {"connectors": [stored.connector_id, told[stored.id].connector_id]}
            odd[stored.id] = _refused("session", stored.id, f"session id {stored.id} {why}", parts)
    if not odd:
        return fetched
    rows = tuple(row for row in fetched.rows if row.id not in odd)
    return replace(fetched, rows=rows, set_aside=(*fetched.set_aside, *odd.values()))


def _why_another(stored: Row[Any], told: SessionReading) -> str:
    if stored.connector_id is not None and stored.connector_id != told.connector_id:
        return f"is told on connector {told.connector_id}, and was on {stored.connector_id}"
    if stored.ended_at is not None and stored.started_at is not None and stored.started_at <= stored.ended_at:
        began = told.started_at
        if began is not None and began >= stored.ended_at and began != stored.started_at:
            return "was over before the session began that is told under it now"
    return ""


def _stored(connection: Connection, table: sa.Table, names: tuple[str, ...], ids: Iterable[str]) -> list[Row[Any]]:
    ordered, found = sorted(ids), list[Row[Any]]()
    there = (table.c.gone_at.is_(None),) if "gone_at" in table.c else ()
    for start in range(0, len(ordered), _CHUNK):
        some = table.c.id.in_(ordered[start : start + _CHUNK])
        found += connection.execute(sa.select(table.c.id, *(table.c[name] for name in names)).where(some, *there))
    return found


def _refused(resource: str, key: str, reason: str, parts: Mapping[str, Any]) -> SetAside:
    return SetAside(resource, key, reason, json.dumps({"id": key, **parts}, ensure_ascii=False), "id")
