"""Snoozing an incident or a whole roll-up, and ending that early: one effect for any number of clicks.

What is covered are the alerts that fire at the click; a new member speaks. Nothing here moves an alert.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.alert_cards.card import named_alerts, show_click
from notify.outbox import ALERT_CARD
from rules.alerts.snoozes import snooze, snooze_end
from rules.documents.schedules import usable_zone
from rules.lifecycle import State
from storage.schema import ALERT, INCIDENT, LOCATION, OUTBOX


@dataclass(frozen=True, slots=True)
class Snoozing:
    """What a click on Snooze, or on End snooze, did.

    `outcome` is "snoozed", "already snoozed", "woken", "not snoozed", "already resolved" or "unknown alert"; `by` and
    `until` tell of the snooze that is in force, or was; `members` counts the alerts that this click moved.
    """

    outcome: str
    by: str | None = None
    until: datetime | None = None
    members: int = 0


@dataclass(frozen=True, slots=True)
class Snoozable:
    """What a menu is about: an incident by its id, or a roll-up by that of its message.

    `named` are the alerts that the message named when it was drawn; one from before carries none.
    """

    incident: int | None = None
    roll_up: str | None = None
    named: str | None = None

    def alerts(self) -> ColumnElement[bool]:
        """Which alerts are meant."""
        if self.named is not None:
            return named_alerts(self.named)
        if self.incident is not None:
            return ALERT.c.incident_id == self.incident
        rolled = (OUTBOX.c.rolled_into == self.roll_up, OUTBOX.c.kind == ALERT_CARD)
        return ALERT.c.incident_id.in_(sa.select(OUTBOX.c.incident_id).where(*rolled))

    def is_known(self, connection: Connection) -> bool:
        """Whether there is, or was, such a thing."""
        if self.incident is not None:
            statement = sa.select(INCIDENT.c.id).where(INCIDENT.c.id == self.incident)
            return connection.execute(statement).first() is not None
        return connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.id == self.roll_up)).first() is not None


def snooze_alerts(
    connection: Connection, what: Snoozable, choice: str, user: str, now: datetime, *, default_zone: str
) -> Snoozing:
    """Snooze the present firing members for `user` (a Slack user id), and show it on the cards.

    Idempotent: what is snoozed stays so until its first end. `choice` is the key of one of CHOICES, else LookupError;
    tomorrow's morning is that of the location, or of the default zone for several.
    """
    until = snooze_end(choice, _zone(connection, what, default_zone), now)
    incidents = snooze(connection, what.alerts(), until, user, now)
    if incidents:
        show_click(connection, {i for i in incidents if i is not None}, now)
        return Snoozing("snoozed", user, until, len(incidents))
    standing = _standing(connection, what)
    return _nothing(connection, what) if standing is None else Snoozing("already snoozed", *standing)


def wake_alerts(connection: Connection, what: Snoozable, now: datetime) -> Snoozing:
    """Let the snooze of an incident's or roll-up's members be over now; what still fires speaks at the next review."""
    standing = _standing(connection, what)
    if standing is None:
        firing = sa.select(ALERT.c.id).where(what.alerts(), ALERT.c.state == State.FIRING.value)
        fires = connection.execute(firing.limit(1)).first() is not None
        return Snoozing("not snoozed") if fires else _nothing(connection, what)
    snoozed = (what.alerts(), ALERT.c.state == State.FIRING.value, ALERT.c.snoozed_until > now)
    woken = connection.execute(sa.update(ALERT).where(*snoozed).values(snoozed_until=now))
    return Snoozing("woken", *standing, members=woken.rowcount) if woken.rowcount else Snoozing("not snoozed")


def _standing(connection: Connection, what: Snoozable) -> tuple[str | None, datetime | None] | None:
    """By whom and until when members that fire are snoozed: the one that lasts longest."""
    found = connection.execute(
        sa.select(ALERT.c.snoozed_by, ALERT.c.snoozed_until)
        .where(what.alerts(), ALERT.c.state == State.FIRING.value, ALERT.c.snoozed_until.is_not(None))
        .order_by(ALERT.c.snoozed_until.desc(), ALERT.c.id)
        .limit(1)
    ).first()
    return None if found is None else (found.snoozed_by, found.snoozed_until)


def _nothing(connection: Connection, what: Snoozable) -> Snoozing:
    return Snoozing("already resolved" if what.is_known(connection) else "unknown alert")


def _zone(connection: Connection, what: Snoozable, default_zone: str) -> str:
    if what.incident is None:
        return default_zone
    at = sa.select(LOCATION.c.timezone).join(INCIDENT, INCIDENT.c.location_id == LOCATION.c.id)
    return usable_zone(connection.execute(at.where(INCIDENT.c.id == what.incident)).scalar(), default_zone)
