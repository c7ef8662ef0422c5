"""A change of prices as a command: what speaks against it, and whether the prices read back say that it came about.

It asks EOSVOLT nothing: who reads the prices back hands them in. It writes only what its command has come to.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.requests.lookups import NEAREST, nearest
from commands.requests.prices import agrees, as_details
from eosvolt.errors import EosvoltError
from eosvolt.models import PricingReading
from notify.text.words import duration
from rules.actions.command_kinds import CommandCheck, CommandKind, CommandState, Reason, Refusal
from storage.schema import COMMAND, LOCATION

LOOK_AGAIN_AFTER = timedelta(seconds=20)
_GOING_ON = [
    s.value for s in (CommandState.REQUESTED, CommandState.SENDING, CommandState.SUCCEEDED, CommandState.UNKNOWN)
]
_SENT = [s.value for s in (CommandState.SUCCEEDED, CommandState.UNKNOWN)]


def check_price_change(connection: Connection, location_id: str, now: datetime, own: str | None) -> CommandCheck:
    """Whether the prices of a location may be changed now: it is there, and no other change is under way."""
    row = connection.execute(sa.select(LOCATION).where(LOCATION.c.id == location_id)).first()
    kind, action = CommandKind.CHANGE_PRICE.value, f"Change the prices of location {location_id}"
    if row is None:
        near = nearest(connection, location_id, LOCATION.c.id, LOCATION.c.gone_at.is_(None))
        refusal = Refusal(Reason.UNKNOWN_ID, f"no location has the id {location_id}")
        return CommandCheck(kind, location_id, action, refusals=(refusal,), nearest=tuple(near[:NEAREST]))
    refusals = (*_gone(row), *_under_way(connection, location_id, now, own))
    return CommandCheck(
        kind, location_id, action, location_id=location_id, location_name=row.name or None, refusals=refusals
    )


def _gone(location: Row[Any]) -> Iterator[Refusal]:
    if location.gone_at is not None:
        yield Refusal(Reason.GONE, f"EOSVOLT no longer reports location {location.id}")


def _under_way(connection: Connection, location_id: str, now: datetime, own: str | None) -> Iterator[Refusal]:
    first = connection.execute(
        sa.select(COMMAND)
        .where(
            COMMAND.c.kind == CommandKind.CHANGE_PRICE.value,
            COMMAND.c.location_id == location_id,
            COMMAND.c.ended_at.is_(None),
            COMMAND.c.state.in_(_GOING_ON),
            COMMAND.c.id != (own or ""),
        )
        .limit(1)
    ).first()
    if first is not None:
        asked = duration(now - first.requested_at)
        text = f"another change of its prices, asked for {asked} ago, is not confirmed yet; wait for it"
        yield Refusal(Reason.UNDER_WAY, text, first.requested_by)


def waiting_price_changes(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """The changes of prices that were sent and whose prices are to be read back now."""
    return connection.execute(
        sa.select(COMMAND)
        .where(
            COMMAND.c.kind == CommandKind.CHANGE_PRICE.value,
            COMMAND.c.state.in_(_SENT),
            COMMAND.c.ended_at.is_(None),
            COMMAND.c.due_at <= now,
        )
        .order_by(COMMAND.c.requested_at)
    ).all()


def judge_price_change(
    command: Row[Any], now: datetime, *, told: PricingReading | None, error: EosvoltError | None
) -> tuple[CommandState, str] | None:
    """How a change of prices ended, by the prices read back (or why they could not be); None: look again later."""
    if told is not None and agrees(as_details(told), command.details["changes"]):
        return CommandState.VERIFIED, "read back as asked for"
    if now < command.verify_until:
        return None
    again = "; it was not sent again" if command.state == CommandState.UNKNOWN else ""
    if told is None:
        return CommandState.NOT_VERIFIED, f"the prices could not be read back: {error}{again}"
    return CommandState.NOT_VERIFIED, f"EOSVOLT still tells other prices{again}: look at them before you ask again"


def put_off(connection: Connection, command: Row[Any], now: datetime) -> None:
    """Look at a change of prices again later."""
    connection.execute(
        sa.update(COMMAND)
        .where(COMMAND.c.id == command.id, COMMAND.c.ended_at.is_(None))
        .values(due_at=now + LOOK_AGAIN_AFTER)
    )
