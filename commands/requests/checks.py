"""What a command would do and what speaks against it, in words, from what is stored now.

It asks EOSVOLT nothing and writes nothing. All text is plain, with ids and names as they were given: whoever shows it
in mrkdwn escapes it.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.requests import charger_checks
from commands.requests.lookups import (
    NEAREST,
    connector_place,
    nearest,
    nearest_connectors,
    open_sessions,
    place_refusals,
    state_warnings,
    status_text,
    too_many,
    under_way,
)
from commands.requests.own_checks import check_own
from commands.requests.price_checks import check_price_change
from commands.requests.unread import session_refusals, unread_refusals, unread_warnings
from eosvolt.terms.own_commands import OwnCommand
from notify.text.words import one_line
from rules.actions.command_kinds import CHARGING, COMMANDS_PER_DAY, CommandCheck, CommandKind, Reason, Refusal
from storage.schema import SESSION


def check_command(
    connection: Connection,
    kind: str,
    target: str,
    now: datetime,
    *,
    ends: Collection[str] = (),
    whole_charger: bool = False,
    per_day: int = COMMANDS_PER_DAY,
    own: str | None = None,
    own_command: OwnCommand | None = None,
) -> CommandCheck:
    """What a command would do at `now`, and what speaks against it; ValueError for a kind that there is not.

    `own_command` is what the contract says of a kind of the account's own.

    `target` is a connector id, for a stop also a session id, for a reset a charger id, for prices a location id, to
    enable or disable a connector or charger id (`whole_charger` where only a charger is meant). `ends` names the open
    sessions that whoever asks knows will end; `per_day` is how many commands a charger takes in 24 hours; `own` is the
    command's id where it is already written.
    """
    if own_command is not None:
        how: dict[str, Any] = {"ends": ends, "per_day": per_day, "command_id": own}
        return check_own(connection, own_command, one_line(target), now, **how)
    wanted, target = CommandKind(kind), one_line(target)
    if wanted is CommandKind.CHANGE_PRICE:
        return check_price_change(connection, target, now, own)
    if wanted in charger_checks.KINDS:
        return charger_checks.check(
            connection, wanted, target, now, ends=ends, whole_charger=whole_charger, per_day=per_day, own=own
        )
    return _check_session(connection, wanted, target, now, per_day=per_day, own=own)


def _check_session(
    connection: Connection, wanted: CommandKind, target: str, now: datetime, *, per_day: int, own: str | None
) -> CommandCheck:
    """What starting or stopping a session would do, and what speaks against it."""
    session = _open_session(connection, wanted, target)
    connector_id = session.connector_id if session is not None else target
    place = connector_place(connection, connector_id)
    if place is None and session is None:
        return _unknown(connection, wanted, target)
    charger_id = place.charger_id if place is not None else session.charger_id if session is not None else None
    refusals = (
        *_state_refusals(wanted, place, session, now),
        *_unread_refusals(connection, wanted, target, place, session),
        *under_way(connection, charger_id, connector_id, now, own),
        *too_many(connection, wanted, charger_id, now, per_day),
    )
    return CommandCheck(
        kind=wanted.value,
        target=target,
        action=_action(wanted, connector_id, place, session),
        connector_id=connector_id,
        session_id=session.id if session is not None and wanted is CommandKind.STOP_SESSION else None,
        charger_id=charger_id,
        location_id=place.location_id if place is not None else session.location_id if session is not None else None,
        charger_name=(place.charger_name or None) if place is not None else None,
        location_name=(place.location_name or None) if place is not None else None,
        status=status_text(place),
        session_started_at=session.started_at if session is not None else None,
        session_energy_kwh=session.energy_kwh if session is not None else None,
        warnings=tuple(_warnings(connection, wanted, place, now)),
        refusals=refusals,
    )


def _open_session(connection: Connection, kind: CommandKind, target: str) -> Row[Any] | None:
    """The session that a stop is about, or that holds the connector of a start; by its id also one that ended."""
    if kind is CommandKind.STOP_SESSION:
        named = connection.execute(sa.select(SESSION).where(SESSION.c.id == target)).first()
        if named is not None:
            return named
    return connection.execute(
        sa.select(SESSION)
        .where(SESSION.c.connector_id == target, open_sessions())
        .order_by(SESSION.c.started_at.desc(), SESSION.c.id)
        .limit(1)
    ).first()


def _state_refusals(
    kind: CommandKind, place: Row[Any] | None, session: Row[Any] | None, now: datetime
) -> Iterator[Refusal]:
    if place is not None:
        yield from place_refusals(place, f"connector {place.id}", now)
    if kind is CommandKind.STOP_SESSION:
        yield from _stop_refusals(place, session)
        return
    if place is None:
        return
    if place.status == "Faulted":
        error = f" ({place.error_code})" if place.error_code not in (None, "", "NoError") else ""
        yield Refusal(Reason.FAULTED, f"connector {place.id} is Faulted{error}: it cannot charge")
    if place.status == "Unavailable":
        yield Refusal(Reason.UNAVAILABLE, f"connector {place.id} is Unavailable: it was taken out of service")
    if place.status in CHARGING:
        yield Refusal(Reason.ALREADY_CHARGING, f"connector {place.id} is already {place.status}")
    elif session is not None:
        yield Refusal(Reason.ALREADY_CHARGING, f"session {session.id} is already open on connector {place.id}")


def _unread_refusals(
    connection: Connection, kind: CommandKind, target: str, place: Row[Any] | None, session: Row[Any] | None
) -> Iterator[Refusal]:
    """Refuse ids that mean two things; a session that is named is stopped by its own."""
    stops = kind is CommandKind.STOP_SESSION
    if stops and session is not None:
        yield from session_refusals(connection, session.id)
    if place is not None and not (stops and session is not None and session.id == target):
        yield from unread_refusals(connection, place)


def _stop_refusals(place: Row[Any] | None, session: Row[Any] | None) -> Iterator[Refusal]:
    if session is None:
        where = f" on connector {place.id}" if place is not None else ""
        yield Refusal(Reason.NO_OPEN_SESSION, f"no session is open{where}")
    elif session.ended_at is not None or session.status in {"Completed", "Failed"}:
        yield Refusal(Reason.NO_OPEN_SESSION, f"session {session.id} has already ended")


def _warnings(connection: Connection, kind: CommandKind, place: Row[Any] | None, now: datetime) -> Iterator[str]:
    yield from state_warnings(connection, kind, now)
    if place is None:
        yield "the connector of this session is not known"
        return
    yield from unread_warnings(connection, place, now)
    if place.online is None:
        yield f"whether charger {place.charger_id} is online is not known"
    if kind is CommandKind.STOP_SESSION:
        return
    if place.status is None:
        yield f"the status of connector {place.id} is {status_text(place) or 'not known'}"
    if place.status == "Reserved":
        yield f"connector {place.id} is reserved for somebody"
    if place.status == "Finishing":
        yield f"the last session on connector {place.id} is still finishing"


def _action(kind: CommandKind, connector_id: str | None, place: Row[Any] | None, session: Row[Any] | None) -> str:
    charger = (place.charger_name or place.charger_id) if place is not None else None
    at = f" of {charger}" if charger else ""
    at += f" at {place.location_name}" if place is not None and place.location_name else ""
    if kind is CommandKind.START_SESSION:
        return f"Start a session on connector {connector_id}{at}"
    which = f"session {session.id}" if session is not None else "the session"
    return f"Stop {which} on connector {connector_id}{at}"


def _unknown(connection: Connection, kind: CommandKind, target: str) -> CommandCheck:
    near = [*nearest_connectors(connection, target)]
    things = "connector"
    if kind is CommandKind.STOP_SESSION:
        things = "session or connector"
        near = [*nearest(connection, target, SESSION.c.id, open_sessions()), *near][:NEAREST]
    verb = "Start a session on" if kind is CommandKind.START_SESSION else "Stop"
    return CommandCheck(
        kind=kind.value,
        target=target,
        action=f"{verb} {target}",
        refusals=(Refusal(Reason.UNKNOWN_ID, f"no {things} has the id {target}"),),
        nearest=tuple(near),
    )
