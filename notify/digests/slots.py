"""The slots of digests in the database: when one need wait no longer, and the claim that makes each count once.

Every function works inside the caller's transaction, so that a slot and what it says are written together.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.outbox import DIGEST
from rules.documents.schedules import REFRESH_FOR, SESSIONS, SETTLE, WAIT_AT_MOST, Slot
from storage.ahead import AHEAD
from storage.dialects import insert
from storage.schema import DIGEST_SLOT, OUTBOX, POLL


@dataclass(frozen=True, slots=True)
class LastSlot:
    """The newest claimed slot of a rule and zone: when it came, and where the window that it told about ended."""

    at: datetime
    window_to: datetime


def is_ready(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Whether a slot need wait no longer: a good session poll began after its window settled, or 30 minutes passed."""
    if now - slot.at >= WAIT_AT_MOST:
        return True
    complete = complete_to(connection)
    return complete is not None and complete >= slot.window_to + SETTLE


def complete_to(connection: Connection) -> datetime | None:
    """The moment up to which sessions are known: the last good poll of them, or None before the first."""
    found: datetime | None = connection.execute(
        sa.select(POLL.c.good_at).where(POLL.c.resource == SESSIONS)
    ).scalar_one_or_none()
    return found


def last_slots(connection: Connection, rule_ids: Collection[str]) -> dict[tuple[str, str], LastSlot]:
    """The newest claimed slot of each of these rules and each zone, by rule id and zone."""
    newest = (
        sa.select(
            DIGEST_SLOT.c.rule_id,
            DIGEST_SLOT.c.zone,
            sa.func.max(DIGEST_SLOT.c.slot_at).label("at"),
            sa.func.max(DIGEST_SLOT.c.window_to).label("window_to"),
        )
        .where(DIGEST_SLOT.c.rule_id.in_(rule_ids))
        .group_by(DIGEST_SLOT.c.rule_id, DIGEST_SLOT.c.zone)
    )
    return {(row.rule_id, row.zone): LastSlot(row.at, row.window_to) for row in connection.execute(newest)}


def forget_early_slots(connection: Connection, now: datetime) -> None:
    """Forget the slots that a clock which was ahead claimed before they came: each is claimed again in its time."""
    early = (DIGEST_SLOT.c.enqueued_at > now + AHEAD, DIGEST_SLOT.c.slot_at > now)
    if connection.execute(sa.delete(DIGEST_SLOT).where(*early)).rowcount:
        made = sa.update(OUTBOX).where(OUTBOX.c.kind == DIGEST, OUTBOX.c.created_at > now + AHEAD)
        connection.execute(made.values(created_at=now))  # by which it is known as too early later on


def claim_slot(
    connection: Connection, rule_id: str, slot: Slot, facts: Mapping[str, Any], now: datetime, *, voice: str = ""
) -> bool:
    """Claim a slot for the caller's transaction; False where it was claimed before. `facts`: what is being said.

    `voice` is whose slot it is, where that is more than its zone.
    """
    claimed = connection.execute(
        insert(connection, DIGEST_SLOT)
        .values(
            rule_id=rule_id,
            zone=voice or slot.zone,
            slot=slot.local,
            slot_at=slot.at,
            window_from=slot.window_from,
            window_to=slot.window_to,
            enqueued_at=now,
            facts=dict(facts),
        )
        .on_conflict_do_nothing()
        .returning(DIGEST_SLOT.c.slot)
    )
    return claimed.first() is not None


def slots_to_refresh(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The claimed slots of the last 48 hours, oldest first: late sessions may still edit what they said."""
    return list(
        connection.execute(
            sa.select(DIGEST_SLOT)
            .where(DIGEST_SLOT.c.slot_at > now - REFRESH_FOR, DIGEST_SLOT.c.enqueued_at.is_not(None))
            .order_by(DIGEST_SLOT.c.slot_at, DIGEST_SLOT.c.rule_id, DIGEST_SLOT.c.zone)
        )
    )
