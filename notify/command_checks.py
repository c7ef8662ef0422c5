"""What a command would do and what speaks against it, in words, from what is stored now.

It asks EOSVOLT nothing and writes nothing. All text is plain, with ids and names as they were given: whoever shows it
in mrkdwn escapes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row
from sqlmodel import SQLModel

from notify.contexts import CHARGERS, CONNECTORS, LOCATIONS, SESSIONS
from notify.words import duration, one_line
from storage.polls import poll_states
from storage.tables import Command

COMMANDS = SQLModel.metadata.tables[Command.__tablename__]

CHARGING = ("Charging", "SuspendedEV", "SuspendedEVSE")
"""The statuses in which a session holds a connector (OCPP 1.6, section 7.7)."""

STALE_AFTER = timedelta(minutes=5)
NEAREST = 5
SEARCHED_IDS = 2_000  # difflib compares one by one


class CommandKind(StrEnum):
    """What can be asked of EOSVOLT."""

    START_SESSION = "start_session"
    STOP_SESSION = "stop_session"


class CommandState(StrEnum):
    """How far a command is: requested > sending > succeeded, failed or unknown > verified or not_verified."""

    REQUESTED = "requested"
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a command is refused before it is written down."""

    UNKNOWN_ID = "unknown_id"
    GONE = "gone"
    OFFLINE = "offline"
    FAULTED = "faulted"
    UNAVAILABLE = "unavailable"
    ALREADY_CHARGING = "already_charging"
    NO_OPEN_SESSION = "no_open_session"
    UNDER_WAY = "under_way"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a command; `user` is the Slack user whose own command is in the way, if one is."""

    reason: Reason
    text: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """What a command would do, to which thing, and what speaks against it.

    `action` says it in one line, `status` is the connector's, `nearest` holds the closest known ids where the one
    given is unknown.
    """

    kind: str
    target: str
    action: str
    connector_id: str | None = None
    session_id: str | None = None
    charger_id: str | None = None
    location_id: str | None = None
    charger_name: str | None = None
    location_name: str | None = None
    status: str | None = None
    session_started_at: datetime | None = None
    session_energy_kwh: float | None = None
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    nearest: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals


def check_command(connection: Connection, kind: str, target: str, now: datetime) -> CommandCheck:
    """What a command would do at `now`; `target` is a connector id, or for a stop also a session id.

    Raises ValueError for a kind that there is not.
    """
    wanted, target = CommandKind(kind), one_line(target)
    session = _open_session(connection, wanted, target)
    connector_id = session.connector_id if session is not None else target
    place = _place(connection, connector_id)
    if place is None and session is None:
        return _unknown(connection, wanted, target)
    refusals = [*_state_refusals(wanted, place, session, now)]
    if (ahead := _ahead(connection, connector_id, place, now)) is not None:
        refusals.append(_under_way(ahead, now))
    return CommandCheck(
        kind=wanted.value,
        target=target,
        action=_action(wanted, connector_id, place, session),
        connector_id=connector_id,
        session_id=session.id if session is not None and wanted is CommandKind.STOP_SESSION else None,
        charger_id=place.charger_id if place is not None else session.charger_id if session is not None else None,
        location_id=place.location_id if place is not None else session.location_id if session is not None else None,
        charger_name=(place.charger_name or None) if place is not None else None,
        location_name=(place.location_name or None) if place is not None else None,
        status=_status(place),
        session_started_at=session.started_at if session is not None else None,
        session_energy_kwh=session.energy_kwh if session is not None else None,
        warnings=tuple(_warnings(connection, wanted, place, now)),
        refusals=tuple(refusals),
    )


def open_sessions() -> ColumnElement[bool]:
    """Sessions that have not ended, as far as is known."""
    status = SESSIONS.c.status
    return sa.and_(SESSIONS.c.ended_at.is_(None), sa.or_(status.is_(None), status.not_in(("Completed", "Failed"))))


def ahead_of(charger_id: str | None, connector_id: str | None, now: datetime) -> ColumnElement[bool]:
    """Commands that another one must wait for: on this charger until its outcome is known, on this connector until
    it was looked at."""
    state, connector = COMMANDS.c.state, COMMANDS.c.connector_id == connector_id
    same = connector if charger_id is None else sa.or_(COMMANDS.c.charger_id == charger_id, connector)
    return sa.and_(
        same,
        COMMANDS.c.ended_at.is_(None),
        sa.or_(
            sa.and_(state == CommandState.REQUESTED.value, COMMANDS.c.expires_at > now),
            state.in_((CommandState.SENDING.value, CommandState.UNKNOWN.value)),
            sa.and_(state == CommandState.SUCCEEDED.value, connector),
        ),
    )


def _ahead(connection: Connection, connector_id: str | None, place: Row[Any] | None, now: datetime) -> Row[Any] | None:
    charger_id = place.charger_id if place is not None else None
    return connection.execute(
        sa.select(COMMANDS).where(ahead_of(charger_id, connector_id, now)).order_by(COMMANDS.c.requested_at).limit(1)
    ).first()


def _under_way(command: Row[Any], now: datetime) -> Refusal:
    what = "start" if command.kind == CommandKind.START_SESSION else "stop"
    asked = duration(now - command.requested_at)
    how_far = {
        CommandState.SUCCEEDED: "accepted and not yet seen to have worked",
        CommandState.UNKNOWN: "without a known outcome so far",
    }.get(command.state, "not answered yet")
    text = f"a {what} of connector {command.connector_id}, asked for {asked} ago, is {how_far}; wait for it"
    return Refusal(Reason.UNDER_WAY, text, command.requested_by)


def _open_session(connection: Connection, kind: CommandKind, target: str) -> Row[Any] | None:
    """The session that a stop is about, or that holds the connector of a start; by its id also one that ended."""
    if kind is CommandKind.STOP_SESSION:
        named = connection.execute(sa.select(SESSIONS).where(SESSIONS.c.id == target)).first()
        if named is not None:
            return named
    return connection.execute(
        sa.select(SESSIONS)
        .where(SESSIONS.c.connector_id == target, open_sessions())
        .order_by(SESSIONS.c.started_at.desc(), SESSIONS.c.id)
        .limit(1)
    ).first()


def _place(connection: Connection, connector_id: str | None) -> Row[Any] | None:
    columns: list[Any] = [
        CONNECTORS.c.id,
        CONNECTORS.c.charger_id,
        sa.func.coalesce(CONNECTORS.c.location_id, CHARGERS.c.location_id).label("location_id"),
        CONNECTORS.c.status,
        CONNECTORS.c.status_raw,
        CONNECTORS.c.error_code,
        sa.func.coalesce(CONNECTORS.c.gone_at, CHARGERS.c.gone_at).label("gone_at"),
        CHARGERS.c.name.label("charger_name"),
        CHARGERS.c.online,
        CHARGERS.c.online_changed_at,
        LOCATIONS.c.name.label("location_name"),
    ]
    return connection.execute(
        sa.select(*columns)
        .select_from(CONNECTORS)
        .outerjoin(CHARGERS, CHARGERS.c.id == CONNECTORS.c.charger_id)
        .outerjoin(LOCATIONS, LOCATIONS.c.id == sa.func.coalesce(CONNECTORS.c.location_id, CHARGERS.c.location_id))
        .where(CONNECTORS.c.id == connector_id)
    ).first()


def _state_refusals(
    kind: CommandKind, place: Row[Any] | None, session: Row[Any] | None, now: datetime
) -> Iterator[Refusal]:
    if place is not None and place.gone_at is not None:
        yield Refusal(Reason.GONE, f"EOSVOLT no longer reports connector {place.id}")
    if place is not None and place.online is False:
        since = duration(now - place.online_changed_at)
        yield Refusal(Reason.OFFLINE, f"charger {place.charger_id} has been offline for {since}: it would not hear it")
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


def _stop_refusals(place: Row[Any] | None, session: Row[Any] | None) -> Iterator[Refusal]:
    if session is None:
        where = f" on connector {place.id}" if place is not None else ""
        yield Refusal(Reason.NO_OPEN_SESSION, f"no session is open{where}")
    elif session.ended_at is not None or session.status in {"Completed", "Failed"}:
        yield Refusal(Reason.NO_OPEN_SESSION, f"session {session.id} has already ended")


def _warnings(connection: Connection, kind: CommandKind, place: Row[Any] | None, now: datetime) -> Iterator[str]:
    poll = poll_states(connection).get("chargers")
    if poll is None or poll.good_at is None:
        yield "the state of the chargers has not been read yet"
    elif now - poll.good_at > STALE_AFTER:
        yield f"the state was last read {duration(now - poll.good_at)} ago and may have changed"
    if place is None:
        yield "the connector of this session is not known"
        return
    if place.online is None:
        yield f"whether charger {place.charger_id} is online is not known"
    if kind is CommandKind.STOP_SESSION:
        return
    if place.status is None:
        yield f"the status of connector {place.id} is {_status(place) or 'not known'}"
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


def _status(place: Row[Any] | None) -> str | None:
    if place is None:
        return None
    if place.status is not None:
        return str(place.status)
    return f"unknown ({place.status_raw})" if place.status_raw else None


def _unknown(connection: Connection, kind: CommandKind, target: str) -> CommandCheck:
    nearest = _nearest(connection, target, CONNECTORS.c.id, CONNECTORS.c.gone_at.is_(None))
    things = "connector"
    if kind is CommandKind.STOP_SESSION:
        things = "session or connector"
        nearest = [*_nearest(connection, target, SESSIONS.c.id, open_sessions()), *nearest][:NEAREST]
    verb = "Start a session on" if kind is CommandKind.START_SESSION else "Stop"
    return CommandCheck(
        kind=kind.value,
        target=target,
        action=f"{verb} {target}",
        refusals=(Refusal(Reason.UNKNOWN_ID, f"no {things} has the id {target}"),),
        nearest=tuple(nearest),
    )


def _nearest(connection: Connection, target: str, ids: Any, which: ColumnElement[bool]) -> Sequence[str]:
    """The known ids closest to one that is not; those that begin alike are compared first."""
    found: dict[str, str] = {}
    for beginning in (target[:3], target[:1], ""):
        near = sa.select(ids).where(which, ids.startswith(beginning, autoescape=True)).order_by(ids)
        found |= {str(id_).casefold(): str(id_) for id_ in connection.execute(near.limit(SEARCHED_IDS)).scalars()}
        matches = get_close_matches(target.casefold(), found, n=NEAREST, cutoff=0.6)
        if matches:
            return [found[match] for match in matches]
    return []
