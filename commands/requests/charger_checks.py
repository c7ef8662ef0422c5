"""What a reset, an unlock, or taking in and out of service would do, and what speaks against it, from what is stored.

It asks EOSVOLT nothing and writes nothing. What would end somebody's session is refused unless whoever asks names it.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.requests.lookups import (
    NEAREST,
    connector_place,
    nearest_chargers,
    nearest_connectors,
    open_sessions,
    place_refusals,
    state_warnings,
    status_text,
    too_many,
    under_way,
)
from commands.requests.unread import unread_refusals, unread_warnings
from rules.actions.command_kinds import NOUNS, RESETS, CommandCheck, CommandKind, Reason, Refusal
from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION

KINDS = (*RESETS, CommandKind.UNLOCK, CommandKind.ENABLE, CommandKind.DISABLE)
ENDS_SESSIONS = (*RESETS, CommandKind.UNLOCK)
"""What ends the sessions of its connectors (OCPP 1.6, sections 5.14 and 5.18)."""

VERBS = {
    CommandKind.RESET_SOFT: "Reset (soft)",
    CommandKind.RESET_HARD: "Reset (hard, its power is cut)",
    CommandKind.UNLOCK: "Unlock",
    CommandKind.ENABLE: "Put into service",
    CommandKind.DISABLE: "Take out of service",
}


def check(
    connection: Connection,
    kind: CommandKind,
    target: str,
    now: datetime,
    *,
    ends: Collection[str],
    whole_charger: bool,
    per_day: int,
    own: str | None,
) -> CommandCheck:
    """As `commands.requests.checks.check_command`, for KINDS."""
    place = _place(connection, kind, target, whole_charger)
    if place is None:
        return _unknown(connection, kind, target)
    plugs = plugs_of(connection, place)
    sessions = open_sessions_of(connection, place)
    thing = f"connector {place.connector_id}" if place.connector_id else f"charger {place.charger_id}"
    refusals = (
        *place_refusals(place, thing, now),
        *unread_refusals(connection, place),
        *_so_already(kind, place, plugs),
        *(sessions_in_the_way(sessions, ends) if kind in ENDS_SESSIONS else ()),
        *under_way(connection, place.charger_id, place.connector_id, now, own),
        *too_many(connection, kind, place.charger_id, now, per_day),
    )
    ended = sessions if kind in ENDS_SESSIONS else ()
    only = ended[0] if len(ended) == 1 and kind is CommandKind.UNLOCK else None
    return CommandCheck(
        kind=kind.value,
        target=target,
        action=action_of(VERBS[kind], thing, place),
        connector_id=place.connector_id,
        session_id=only.id if only is not None else None,
        charger_id=place.charger_id,
        location_id=place.location_id,
        charger_name=place.charger_name or None,
        location_name=place.location_name or None,
        status=statuses_of(plugs),
        session_started_at=only.started_at if only is not None else None,
        session_energy_kwh=only.energy_kwh if only is not None else None,
        ends_sessions=tuple(row.id for row in ended),
        warnings=tuple(_warnings(connection, kind, place, now, plugs=plugs, sessions=sessions)),
        refusals=refusals,
    )


def _place(connection: Connection, kind: CommandKind, target: str, whole_charger: bool) -> Row[Any] | None:
    """The connector or the charger that a command is for."""
    if kind in RESETS or whole_charger:
        return charger_place(connection, target)
    connector = connector_place(connection, target)
    return connector if connector is not None or kind is CommandKind.UNLOCK else charger_place(connection, target)


def charger_place(connection: Connection, charger_id: str) -> Row[Any] | None:
    """A charger as a whole, with the names of it and of its location."""
    columns: list[Any] = [
        sa.null().label("connector_id"),
        CHARGER.c.id.label("charger_id"),
        CHARGER.c.location_id,
        CHARGER.c.gone_at,
        CHARGER.c.name.label("charger_name"),
        CHARGER.c.online,
        CHARGER.c.online_changed_at,
        LOCATION.c.name.label("location_name"),
    ]
    places = CHARGER.outerjoin(LOCATION, LOCATION.c.id == CHARGER.c.location_id)
    return connection.execute(sa.select(*columns).select_from(places).where(CHARGER.c.id == charger_id)).first()


def plugs_of(connection: Connection, place: Row[Any]) -> Sequence[Row[Any]]:
    """The connector, or the present connectors of the charger."""
    here = (
        CONNECTOR.c.id == place.connector_id
        if place.connector_id
        else sa.and_(CONNECTOR.c.charger_id == place.charger_id, CONNECTOR.c.gone_at.is_(None))
    )
    columns: list[Any] = [CONNECTOR.c.id, CONNECTOR.c.status, CONNECTOR.c.status_raw]
    return connection.execute(sa.select(*columns).where(here).order_by(CONNECTOR.c.id)).all()


def open_sessions_of(connection: Connection, place: Row[Any]) -> Sequence[Row[Any]]:
    """The open sessions of the connector, or of the charger."""
    here = (
        SESSION.c.connector_id == place.connector_id
        if place.connector_id
        else sa.or_(
            SESSION.c.charger_id == place.charger_id,
            SESSION.c.connector_id.in_(sa.select(CONNECTOR.c.id).where(CONNECTOR.c.charger_id == place.charger_id)),
        )
    )
    return connection.execute(sa.select(SESSION).where(here, open_sessions()).order_by(SESSION.c.id)).all()


def _so_already(kind: CommandKind, place: Row[Any], plugs: Sequence[Row[Any]]) -> Iterator[Refusal]:
    """Refuse to enable what is in service, and to disable what is not, where that is known of every connector."""
    if kind not in (CommandKind.ENABLE, CommandKind.DISABLE) or not plugs or any(p.status is None for p in plugs):
        return
    out = [plug for plug in plugs if plug.status == "Unavailable"]
    if kind is CommandKind.DISABLE and len(out) == len(plugs):
        what = f"connector {place.connector_id}" if place.connector_id else "every connector"
        yield Refusal(Reason.ALREADY_SO, f"{what} is already out of service (Unavailable)")
    if kind is CommandKind.ENABLE and not out:
        if place.connector_id is None:
            text = f"no connector of charger {place.charger_id} is out of service"
        else:
            text = f"connector {place.connector_id} is not out of service: it is {plugs[0].status}"
        yield Refusal(Reason.ALREADY_SO, text)


def sessions_in_the_way(sessions: Sequence[Row[Any]], ends: Collection[str]) -> Iterator[Refusal]:
    """Refuse to end sessions that whoever asks did not name."""
    for session in sessions:
        if session.id not in ends:
            text = f"session {session.id} is open on connector {session.connector_id}, and this would end it"
            yield Refusal(Reason.OPEN_SESSION, text)


def _warnings(
    connection: Connection,
    kind: CommandKind,
    place: Row[Any],
    now: datetime,
    *,
    plugs: Sequence[Row[Any]],
    sessions: Sequence[Row[Any]],
) -> Iterator[str]:
    yield from state_warnings(connection, kind, now)
    yield from unread_warnings(connection, place, now)
    if place.online is None:
        yield f"whether charger {place.charger_id} is online is not known"
    for session in sessions:
        where = f"session {session.id} on connector {session.connector_id}"
        if kind in ENDS_SESSIONS:
            yield f"this ends {where}"
        elif kind is CommandKind.DISABLE:
            yield f"{where} goes on: its connector is taken out of service when it has ended"
    for plug in plugs:
        if kind is CommandKind.ENABLE and plug.status == "Faulted":
            yield f"connector {plug.id} is Faulted, and this does not mend it"
    if kind is CommandKind.UNLOCK and not sessions:
        yield "EOSVOLT does not report locks: whether the cable came free can only be seen there"


def action_of(verb: str, thing: str, place: Row[Any]) -> str:
    """What would be done, to which thing, in one line."""
    name = place.charger_name or (place.charger_id if place.connector_id else None)
    of = f" of {name}" if place.connector_id and name else f" ({name})" if name and name != place.charger_id else ""
    at = f" at {place.location_name}" if place.location_name else ""
    return f"{verb}: {thing}{of}{at}"


def statuses_of(plugs: Sequence[Row[Any]]) -> str | None:
    """The status of the one connector, or each status with its number: "2 Available, 1 Faulted"."""
    told = [status_text(plug) or "unknown" for plug in plugs]
    if len(told) == 1:
        return told[0]
    return ", ".join(f"{told.count(status)} {status}" for status in dict.fromkeys(told)) or None


def _unknown(connection: Connection, kind: CommandKind, target: str) -> CommandCheck:
    near: list[str] = []
    if kind not in RESETS:
        near += nearest_connectors(connection, target)
    if kind is not CommandKind.UNLOCK:
        near += nearest_chargers(connection, target)
    things = "connector" if kind is CommandKind.UNLOCK else "charger" if kind in RESETS else "charger or connector"
    return CommandCheck(
        kind=kind.value,
        target=target,
        action=f"{NOUNS[kind].capitalize()} of {target}",
        refusals=(Refusal(Reason.UNKNOWN_ID, f"no {things} has the id {target}"),),
        nearest=tuple(near[:NEAREST]),
    )
