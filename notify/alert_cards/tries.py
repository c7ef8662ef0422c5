"""What the rule of an incident tried by itself, for its card: which step, when, and what came of it.

It holds facts; words and escapes are the template's work. A reason is plain text in which others may have spoken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.text.prices import amount
from rules.actions.command_kinds import noun_of
from storage.schema import COMMAND, LOCATION, TRY

SHOWN_TRIES = 5


@dataclass(frozen=True, slots=True)
class Tried:
    """One step: `what` is its noun ("soft reset"), `state` one of TryState, `at` when it was sent or decided.

    `decided_by` is the Slack user who approved or refused it, where that was asked for. `price` is what it makes of the
    location's default price per kWh, in figures, with the currency where that is known.
    """

    what: str
    thing_id: str
    state: str
    at: datetime
    ended_at: datetime | None
    reason: str
    decided_by: str | None
    price: str | None


@dataclass(frozen=True, slots=True)
class TriedOnes:
    """The newest steps of an incident, the oldest of them first, and how many more there were."""

    shown: tuple[Tried, ...] = ()
    more: int = 0

    @property
    def helped(self) -> Tried | None:
        """The last one that was seen to help."""
        return next((one for one in reversed(self.shown) if one.state == "helped"), None)

    @property
    def changed(self) -> Tried | None:
        """The last one that changed a price, which ends no alert."""
        return next((one for one in reversed(self.shown) if one.state == "changed"), None)

    @property
    def failed(self) -> Tried | None:
        """The last one that did not help."""
        return next((one for one in reversed(self.shown) if one.state == "did_not_help"), None)


def tried(connection: Connection, incident_ids: Sequence[int]) -> TriedOnes:
    """What was tried for the alerts of these incidents."""
    mine = TRY.c.incident_id.in_(incident_ids)
    total = connection.execute(sa.select(sa.func.count()).select_from(TRY).where(mine)).scalar_one()
    if not total:
        return TriedOnes()
    rows = connection.execute(
        sa.select(TRY, COMMAND.c.decided_by, LOCATION.c.currency)
        .select_from(TRY)
        .outerjoin(COMMAND, COMMAND.c.id == TRY.c.command_id)
        .outerjoin(LOCATION, LOCATION.c.id == TRY.c.location_id)
        .where(mine)
        .order_by(TRY.c.planned_at.desc(), TRY.c.id.desc())
        .limit(SHOWN_TRIES)
    ).all()
    shown = tuple(
        Tried(
            what=noun_of(row.kind),
            thing_id=_thing(row.kind, row),
            state=row.state,
            at=row.acted_at or row.ended_at or row.planned_at,
            ended_at=row.ended_at,
            reason=row.reason,
            decided_by=row.decided_by,
            price=" ".join(filter(None, (amount(row.price), row.currency))) if row.price is not None else None,
        )
        for row in reversed(rows)
    )
    return TriedOnes(shown, total - len(shown))


def _thing(kind: str, row: sa.Row[tuple[object, ...]]) -> str:
    whole = row.charger_id if kind.startswith("reset") else row.location_id if kind == "change_price" else None
    return str(whole or row.connector_id or row.session_id or row.charger_id or "")
