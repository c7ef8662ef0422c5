"""What the card of a command may say, read from the database at the moment of rendering and frozen.

It holds facts; words and escapes are the template's work. An outcome is plain text in which others may have spoken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.text.prices import PriceLine, command_lines
from rules.actions.command_kinds import noun_of
from storage.schema import CHARGER, COMMAND, LOCATION, SESSION


@dataclass(frozen=True, slots=True)
class CommandCardContext:
    """What the card of one command shows; `asked_as` is its kind, `kind` the noun of it, `state` one of CommandState.

    `since` is when the charger began to do what was asked; `energy_kwh` is what a stopped session delivered. `ends`
    are the open sessions that it ends; `decided_by` approved or refused it, where that was asked for. `prices` are the
    lines of a price change, in `currency` per `unit`.
    """

    id: str
    asked_as: str
    kind: str
    state: str
    connector_id: str | None
    session_id: str | None
    charger_id: str | None
    charger_name: str | None
    location_id: str | None
    location_name: str | None
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    since: datetime | None
    outcome: str | None
    energy_kwh: float | None
    rule_id: str | None
    decided_by: str | None
    decided_at: datetime | None
    ends: tuple[str, ...]
    prices: tuple[PriceLine, ...] = ()
    currency: str = ""
    unit: str = ""


def command_card(connection: Connection, facts: Mapping[str, Any]) -> CommandCardContext:
    """The card of a command as the database knows it now; LookupError for one that it does not know.

    `facts` are those of its outbox item.
    """
    row: Any = connection.execute(
        sa.select(
            COMMAND,
            CHARGER.c.name.label("charger_name"),
            LOCATION.c.name.label("location_name"),
            LOCATION.c.currency.label("location_currency"),
            SESSION.c.energy_kwh,
        )
        .select_from(COMMAND)
        .outerjoin(CHARGER, CHARGER.c.id == COMMAND.c.charger_id)
        .outerjoin(LOCATION, LOCATION.c.id == COMMAND.c.location_id)
        .outerjoin(SESSION, SESSION.c.id == COMMAND.c.session_id)
        .where(COMMAND.c.id == facts["command"])
    ).first()
    if row is None:
        raise LookupError(f"command {facts['command']} is not in the database")
    since = facts.get("since")
    kind = noun_of(row.kind)
    return CommandCardContext(
        id=row.id,
        asked_as=row.kind,
        kind=kind,
        state=row.state,
        connector_id=row.connector_id,
        session_id=row.session_id,
        charger_id=row.charger_id,
        charger_name=row.charger_name or row.charger_id,
        location_id=row.location_id,
        location_name=row.location_name or row.location_id,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        since=datetime.fromisoformat(since) if since else None,
        outcome=row.outcome,
        energy_kwh=row.energy_kwh if kind == "stop" else None,
        rule_id=row.rule_id,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        ends=tuple(row.details.get("ends", ())),
        prices=command_lines(row.details),
        currency=row.details.get("currency") or row.location_currency or "",
        unit=row.details.get("unit") or "",
    )
