"""What a command of the account's own would do, and what speaks against it, from what is stored and the contract says.

It asks EOSVOLT nothing and writes nothing. What the contract says to end sessions is refused unless they are named.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from commands.requests.charger_checks import (
    action_of,
    charger_place,
    open_sessions_of,
    plugs_of,
    sessions_in_the_way,
    statuses_of,
)
from commands.requests.lookups import (
    connector_place,
    nearest_chargers,
    nearest_connectors,
    place_refusals,
    state_warnings,
    too_many,
    under_way,
)
from commands.requests.unread import unread_refusals, unread_warnings
from eosvolt.terms.own_commands import OwnCommand
from rules.actions.command_kinds import OWN, CommandCheck, Reason, Refusal


def check_own(
    connection: Connection,
    own: OwnCommand,
    target: str,
    now: datetime,
    *,
    ends: Collection[str],
    per_day: int,
    command_id: str | None,
) -> CommandCheck:
    """As `commands.requests.checks.check_command`, for a command of the account's own."""
    kind = f"{OWN}{own.name}"
    place = (charger_place if own.of == "charger" else connector_place)(connection, target)
    if place is None:
        return _unknown(connection, own, target)
    plugs, sessions = plugs_of(connection, place), open_sessions_of(connection, place)
    thing = f"connector {place.connector_id}" if place.connector_id else f"charger {place.charger_id}"
    ended = sessions if own.ends_sessions else ()
    refusals = (
        *place_refusals(place, thing, now),
        *unread_refusals(connection, place),
        *sessions_in_the_way(ended, ends),
        *under_way(connection, place.charger_id, place.connector_id, now, command_id),
        *too_many(connection, kind, place.charger_id, now, per_day),
    )
    return CommandCheck(
        kind=kind,
        target=target,
        action=action_of(own.does.capitalize(), thing, place),
        connector_id=place.connector_id,
        charger_id=place.charger_id,
        location_id=place.location_id,
        charger_name=place.charger_name or None,
        location_name=place.location_name or None,
        status=statuses_of(plugs),
        ends_sessions=tuple(row.id for row in ended),
        warnings=tuple(_warnings(connection, own, place, now, sessions)),
        refusals=refusals,
        details={"does": own.does},
    )


def details_of(own: OwnCommand) -> dict[str, Any]:
    """What is kept of a command with each time that it is asked for, so that it is judged as it was shown."""
    return {"does": own.does, "verified_by": dict(own.verified_by)}


def _warnings(
    connection: Connection, own: OwnCommand, place: Row[Any], now: datetime, sessions: Sequence[Row[Any]]
) -> Iterator[str]:
    yield from state_warnings(connection, f"{OWN}{own.name}", now)
    yield from unread_warnings(connection, place, now)
    if place.online is None:
        yield f"whether charger {place.charger_id} is online is not known"
    for session in sessions:
        where = f"session {session.id} on connector {session.connector_id}"
        yield f"this ends {where}" if own.ends_sessions else f"{where} is open"
    if not own.verified_by:
        yield "nothing that EOSVOLT tells afterwards shows whether it worked"


def _unknown(connection: Connection, own: OwnCommand, target: str) -> CommandCheck:
    near = (nearest_chargers if own.of == "charger" else nearest_connectors)(connection, target)
    return CommandCheck(
        kind=f"{OWN}{own.name}",
        target=target,
        action=f"{own.name} of {target}",
        refusals=(Refusal(Reason.UNKNOWN_ID, f"no {own.of} has the id {target}"),),
        nearest=tuple(near),
    )
