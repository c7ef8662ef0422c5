"""What cannot be read at present of the thing that a command is for: an id that means two things, or an old state.

An id under which two things are told may act on another box than the one meant, so it is refused; what is only old is
said. It reads, and decides nothing else.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.text.words import duration
from rules.actions.command_kinds import Reason, Refusal
from storage.schema import CHARGER, CONNECTOR, SESSION, SET_ASIDE

_TABLES = {"charger": CHARGER, "connector": CONNECTOR, "session": SESSION}


def unread_refusals(connection: Connection, place: Row[Any]) -> Iterator[Refusal]:
    """Refuse a connector (`connector_id`) or charger (`charger_id`) whose id is told of two things now."""
    for resource, thing_id in _things(place):
        why = ambiguous(connection, resource, thing_id)
        if why is not None:
            text = f"{why}: nobody knows which of the two would act. Wait for EOSVOLT to tell them apart"
            yield Refusal(Reason.AMBIGUOUS, text)
            return


def session_refusals(connection: Connection, session_id: str) -> Iterator[Refusal]:
    """Refuse a session whose id is told of two sessions now."""
    why = ambiguous(connection, "session", session_id)
    if why is not None:
        yield Refusal(Reason.AMBIGUOUS, f"{why}: nobody knows which of the two would be stopped")


def unread_warnings(connection: Connection, place: Row[Any], now: datetime) -> Iterator[str]:
    """Say since when what EOSVOLT tells of the connector, its charger, or a connector of the charger is not read."""
    for resource, thing_id in _things(place):
        since = stale_since(connection, resource, thing_id)
        if since is not None:
            yield _old(resource, thing_id, since, now)
    if place.connector_id is None:
        plugs = sa.select(CONNECTOR.c.id, CONNECTOR.c.stale_since).where(
            CONNECTOR.c.charger_id == place.charger_id,
            CONNECTOR.c.gone_at.is_(None),
            CONNECTOR.c.stale_since.is_not(None),
        )
        for plug in connection.execute(plugs.order_by(CONNECTOR.c.id)):
            yield _old("connector", plug.id, plug.stale_since, now)


def stale_since(connection: Connection, resource: str, thing_id: str | None) -> datetime | None:
    """Since when a charger, connector or session cannot be read; None where it can."""
    table = _TABLES[resource]
    since: datetime | None = connection.execute(
        sa.select(table.c.stale_since).where(table.c.id == thing_id)
    ).scalar_one_or_none()
    return since


def ambiguous(connection: Connection, resource: str, thing_id: str | None) -> str | None:
    """How two things are told under one id now, None where they are not."""
    since = stale_since(connection, resource, thing_id)
    if since is None:
        return None
    told = sa.select(SET_ASIDE.c.reason).where(
        SET_ASIDE.c.resource == resource,
        SET_ASIDE.c.key == thing_id,
        SET_ASIDE.c.field == "id",
        SET_ASIDE.c.last_at >= since,
    )
    why: str | None = connection.execute(told.order_by(SET_ASIDE.c.last_at.desc()).limit(1)).scalar()
    return why


def _things(place: Row[Any]) -> list[tuple[str, str]]:
    things = [("connector", place.connector_id), ("charger", place.charger_id)]
    return [(resource, thing_id) for resource, thing_id in things if thing_id is not None]


def _old(resource: str, thing_id: str, since: datetime, now: datetime) -> str:
    return f"what EOSVOLT tells of {resource} {thing_id} cannot be read for {duration(now - since)}: it is as last read"


def why_unseen(row: Any, thing: str) -> str | None:
    """Why nobody can see how a charger or connector (`thing`) stands, if so; `row` has online, gone_at, stale_since."""
    if row is None or row.gone_at is not None:
        return f"EOSVOLT no longer reports the {thing}"
    if row.stale_since is not None:
        return f"what EOSVOLT tells of the {thing} cannot be read"
    if row.online is not True:
        return "the charger is offline" if row.online is False else "whether the charger is online is not known"
    return None
