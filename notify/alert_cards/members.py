"""The alerts of an incident as a card lists them: what each is about, since when, how it ended or why it is held.

It reads and orders rows, also of what keeps alerts quiet; which of them are told, and in what words, is decided
elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.text.error_codes import CodeInWords, ErrorCodes, standard_codes
from rules.alerts.incidents import AUDIBLE
from rules.alerts.silences import quiet_until
from rules.lifecycle import State
from storage.schema import ALERT, CHARGER, CONNECTOR, INTERVAL, LOCATION, SILENCE

SHOWN_MEMBERS = 10
SHOWN_QUIET = 3
NO_ERROR = "NoError"  # OCPP 1.6, section 7.6: the code that is none

ENDINGS = {
    "recovered": "Recovered",
    "removed": "No longer reported by EOSVOLT; whether it recovered is not known",
    "identity changed": "Its id is no longer used and may have been several things; whether it recovered is not known",
    "rule changed": "The rule was changed",
    "rule removed": "The rule was switched off or deleted",
}


@dataclass(frozen=True, slots=True)
class Held:
    """Why an alert stands still: since when nothing new is known, and the last status that was."""

    offline: bool
    since: datetime
    last_status: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """One alert of an incident. `thing` says what the id is of; `ending` is told only once the alert ended."""

    alert_id: int
    incident_id: int | None
    thing: str  # connector | charger | session | location | network
    thing_id: str
    name: str | None  # the charger's, or the location's own
    location_name: str | None
    ids: Mapping[str, str | None]  # of the thing and of what is above it
    status: str | None
    error_code: str | None
    vendor_error_code: str | None
    active_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    duration: timedelta
    held: Held | None
    ending: str | None
    quiet: bool = False  # something keeps it from speaking
    words: CodeInWords | None = None  # its error code


@dataclass(frozen=True, slots=True)
class Quiet:
    """What keeps members of an incident quiet: a silence of `author`, or the alert of `rule_name` on `subject`."""

    author: str | None = None
    until: datetime | None = None
    reason: str | None = None
    with_session: bool = False  # it ends with the session
    weekly: bool = False  # it is a window that comes again
    rule_name: str | None = None
    subject: str | None = None


def read_members(
    connection: Connection,
    which: sa.ColumnElement[bool],
    now: datetime,
    limit: int = SHOWN_MEMBERS,
    codes: ErrorCodes | None = None,
) -> tuple[Member, ...]:
    """The first members: what still fires before what ended, the unacknowledged first, then the oldest."""
    order = (
        sa.case((ALERT.c.state == State.FIRING.value, 0), else_=1),
        sa.case((ALERT.c.acknowledged_at.is_(None), 0), else_=1),
        ALERT.c.active_at,
        ALERT.c.subject,
        ALERT.c.id,
    )
    return _read(connection, which, order, limit, now, codes)


def faults_began(connection: Connection, incident_ids: Sequence[int]) -> dict[int, datetime]:
    """When the fault began in which each alert of these incidents came, by alert: a code may be told later."""
    if not incident_ids:
        return {}
    faulted = (
        INTERVAL.c.thing == "connector",
        INTERVAL.c.thing_id == ALERT.c.connector_id,
        INTERVAL.c.field == "status",
        INTERVAL.c.value == "Faulted",
        INTERVAL.c.valid_from <= ALERT.c.active_at,
        sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > ALERT.c.active_at),
    )
    began = sa.select(ALERT.c.id, sa.func.min(INTERVAL.c.valid_from, type_=ALERT.c.active_at.type))
    found = began.join_from(ALERT, INTERVAL, sa.and_(*faulted)).where(ALERT.c.incident_id.in_(incident_ids))
    return {row[0]: row[1] for row in connection.execute(found.group_by(ALERT.c.id))}


def since_the_fault(members: Sequence[Member], began: Mapping[int, datetime]) -> tuple[Member, ...]:
    """The members, each since its fault began where that is known to be earlier."""
    return tuple(
        replace(one, active_at=began[one.alert_id], duration=one.duration + (one.active_at - began[one.alert_id]))
        if one.alert_id in began
        else one
        for one in members
    )


def by_firing(
    connection: Connection,
    which: sa.ColumnElement[bool],
    now: datetime,
    shown: tuple[Member, ...],
    codes: ErrorCodes | None = None,
) -> tuple[Member, ...]:
    """The members in the order in which they fired, then those that are shown: who had the first code."""
    # it may be a member that the card does not list
    return (*_read(connection, which, (ALERT.c.fired_at, ALERT.c.id), SHOWN_MEMBERS, now, codes), *shown)


def _read(  # noqa: PLR0917 - what a look at members is made of
    connection: Connection,
    which: sa.ColumnElement[bool],
    order: Sequence[Any],
    limit: int,
    now: datetime,
    codes: ErrorCodes | None,
) -> tuple[Member, ...]:
    charger_id = sa.func.coalesce(ALERT.c.charger_id, CONNECTOR.c.charger_id)
    rows = connection.execute(
        sa.select(
            ALERT,
            sa.not_(AUDIBLE).label("is_quiet"),
            charger_id.label("its_charger"),
            CONNECTOR.c.status,
            CONNECTOR.c.status_raw,
            CHARGER.c.name.label("charger_name"),
            CHARGER.c.online,
            CHARGER.c.online_changed_at,
            LOCATION.c.name.label("location_name"),
        )
        .select_from(ALERT)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .outerjoin(CHARGER, CHARGER.c.id == charger_id)
        .outerjoin(LOCATION, LOCATION.c.id == ALERT.c.location_id)
        .where(which)
        .order_by(*order)
        .limit(limit)
    )
    return tuple(_member(row, now, codes or standard_codes()) for row in rows)


def _member(row: Row[Any], now: datetime, codes: ErrorCodes) -> Member:
    thing = next(
        (kind for kind in ("session", "connector", "charger", "location") if getattr(row, f"{kind}_id") is not None),
        "network",
    )
    thing_id = getattr(row, f"{thing}_id") if thing != "network" else row.subject
    evidence: Mapping[str, Any] = row.evidence or {}
    location_name = row.location_name or evidence.get("location_name")
    name = location_name if thing == "location" else row.charger_name or evidence.get("charger_name")
    open_ = row.state == State.FIRING
    status = _status(row)
    held = None
    if open_ and row.held_since is not None:
        offline = row.online is False
        held = Held(offline, row.online_changed_at if offline else row.held_since, status or evidence.get("status"))
    error_code, vendor_code = _code(evidence.get("error_code")), _code(evidence.get("vendor_error_code"))
    ids = {kind: getattr(row, f"{kind}_id") for kind in ("session", "connector", "location")}
    return Member(
        alert_id=row.id,
        incident_id=row.incident_id,
        thing=thing,
        thing_id=thing_id,
        name=name or None,
        location_name=location_name or row.location_id,
        ids={**ids, "charger": row.its_charger},
        status=status,
        error_code=error_code,
        vendor_error_code=vendor_code,
        active_at=row.active_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        duration=(row.resolved_at or now) - row.active_at,
        held=held,
        ending=None if open_ else ENDINGS.get(row.ended_because, row.ended_because),
        quiet=open_ and row.is_quiet,
        words=codes.explain(error_code, vendor_code),
    )


def _status(row: Row[Any]) -> str | None:
    if row.status is not None:
        return str(row.status)
    return f"unknown ({row.status_raw})" if row.status_raw else None


def _code(value: Any) -> str | None:
    return None if value is None or value in ("", NO_ERROR) else str(value)


def kept_quiet(
    connection: Connection, which: sa.ColumnElement[bool], zone: str | None, now: datetime
) -> tuple[Quiet, ...]:
    """What keeps firing members quiet: the silences, then the alerts that inhibit them; at most a few of each."""
    mine = (which, ALERT.c.state == State.FIRING.value)
    silences = connection.execute(
        sa.select(SILENCE)
        .where(SILENCE.c.id.in_(sa.select(ALERT.c.silence_id).where(*mine)))
        .order_by(SILENCE.c.id)
        .limit(SHOWN_QUIET)
    )
    source = ALERT.alias("source")
    inhibitors = connection.execute(
        sa.select(source.c.rule_id, source.c.subject)
        .where(source.c.id.in_(sa.select(ALERT.c.inhibited_by).where(*mine, ALERT.c.silence_id.is_(None))))
        .order_by(source.c.id)
        .limit(SHOWN_QUIET)
    )
    return (
        *(
            Quiet(
                author=row.author,
                until=quiet_until(row, zone, now),
                reason=row.reason,
                with_session=bool(row.until_sessions),
                weekly=bool(row.weekly),
            )
            for row in silences
        ),
        *(Quiet(rule_name=row.rule_id, subject=row.subject) for row in inhibitors),
    )
