"""Alerts that somebody put off for a while: until when, by whom, and what wakes when the time is over.

A snooze is about messages alone and covers the alerts that fire at that moment: it moves none of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.alerts.incidents import EVERY_RULE
from rules.lifecycle import State
from storage.schema import ALERT

MORNING = time(8)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to snooze: `key` is kept in the menus of old messages; without `length` it lasts until the morning."""

    key: str
    label: str
    length: timedelta | None = None


CHOICES = (
    Choice("30m", "30 min", timedelta(minutes=30)),
    Choice("1h", "1 h", timedelta(hours=1)),
    Choice("4h", "4 h", timedelta(hours=4)),
    Choice("morning", "Until 08:00 tomorrow"),
)


def snooze_end(key: str, zone: str, now: datetime) -> datetime:
    """When a snooze that is chosen now is over, in UTC; `zone` is an IANA name. LookupError for an unknown choice."""
    choice = next((choice for choice in CHOICES if choice.key == key), None)
    if choice is None:
        raise LookupError(f'no snooze is called "{key}"; there is {", ".join(choice.key for choice in CHOICES)}')
    if choice.length is not None:
        return now + choice.length
    tomorrow = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return datetime.combine(tomorrow, MORNING, ZoneInfo(zone)).astimezone(UTC)


def snooze(
    connection: Connection, which: ColumnElement[bool], until: datetime, user: str, now: datetime | None = None
) -> list[int | None]:
    """Snooze those of these alerts that fire and are not snoozed yet; the incident of each."""
    return list(
        connection.execute(
            sa.update(ALERT)
            .where(which, ALERT.c.state == State.FIRING.value, ALERT.c.snoozed_until.is_(None))
            .values(snoozed_until=until, snoozed_by=user, snoozed_at=now)
            .returning(ALERT.c.incident_id)
        ).scalars()
    )


def end_snoozes(
    connection: Connection, now: datetime, which: ColumnElement[bool] = EVERY_RULE
) -> dict[int, int | None]:
    """End those of `which` alerts whose time is over; the incident of each alert that still fires, by its id."""
    over = sa.and_(which, ALERT.c.snoozed_until <= now)
    ended = connection.execute(
        sa.update(ALERT)
        .where(ALERT.c.state == State.FIRING.value, over)
        .values(snoozed_until=None, heard_at=now)
        .returning(ALERT.c.id, ALERT.c.incident_id)
    )
    return {row.id: row.incident_id for row in ended}
