"""What the checks of commands ask of the database alike: what goes on, what is under way, which ids are near.

It only reads, and decides nothing by itself.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from commands.requests.routes import right_warnings
from notify.text.words import duration
from rules.actions.command_kinds import CommandKind, CommandState, Reason, Refusal, noun_of
from storage.polls import poll_states
from storage.schema import CHARGER, COMMAND, CONNECTOR, LOCATION, SESSION

STALE_AFTER = timedelta(minutes=5)
DAY = timedelta(days=1)
NEAREST = 5
SEARCHED_IDS = 2_000  # difflib compares one by one
_NOTHING_SENT = (CommandState.AWAITING_APPROVAL.value, CommandState.EXPIRED.value, CommandState.CANCELLED.value)


def connector_place(connection: Connection, connector_id: str | None) -> Row[Any] | None:
    """A connector (`id`, also as `connector_id`) with its charger and location as they stand; None if there is none."""
    location_id = sa.func.coalesce(CONNECTOR.c.location_id, CHARGER.c.location_id)
    columns: list[Any] = [
        CONNECTOR.c.id,
        CONNECTOR.c.id.label("connector_id"),
        CONNECTOR.c.charger_id,
        location_id.label("location_id"),
        CONNECTOR.c.status,
        CONNECTOR.c.status_raw,
        CONNECTOR.c.error_code,
        sa.func.coalesce(CONNECTOR.c.gone_at, CHARGER.c.gone_at).label("gone_at"),
        CHARGER.c.name.label("charger_name"),
        CHARGER.c.online,
        CHARGER.c.online_changed_at,
        LOCATION.c.name.label("location_name"),
    ]
    return connection.execute(
        sa.select(*columns)
        .select_from(CONNECTOR)
        .outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
        .outerjoin(LOCATION, LOCATION.c.id == location_id)
        .where(CONNECTOR.c.id == connector_id)
    ).first()


def open_sessions() -> ColumnElement[bool]:
    """Sessions that have not ended, as far as is known."""
    status = SESSION.c.status
    return sa.and_(SESSION.c.ended_at.is_(None), sa.or_(status.is_(None), status.not_in(("Completed", "Failed"))))


def ahead_of(charger_id: str | None, connector_id: str | None, now: datetime) -> ColumnElement[bool]:
    """Commands that another one must wait for: on this charger until its outcome is known, on this connector until
    it was looked at. One for the charger as a whole waits for all of them, and all wait for it until then."""
    state, whole = COMMAND.c.state, COMMAND.c.connector_id.is_(None)
    on_connector = sa.false() if connector_id is None else COMMAND.c.connector_id == connector_id
    on_charger = sa.false() if charger_id is None else COMMAND.c.charger_id == charger_id
    looked_at = on_charger if connector_id is None else sa.or_(on_connector, sa.and_(on_charger, whole))
    return sa.and_(
        sa.or_(on_charger, on_connector),
        COMMAND.c.ended_at.is_(None),
        sa.or_(
            sa.and_(state == CommandState.REQUESTED.value, COMMAND.c.expires_at > now),
            state.in_((CommandState.SENDING.value, CommandState.UNKNOWN.value)),
            sa.and_(state == CommandState.SUCCEEDED.value, looked_at),
        ),
    )


def under_way(
    connection: Connection, charger_id: str | None, connector_id: str | None, now: datetime, own: str | None
) -> Iterator[Refusal]:
    """The command that is in the way of another one, if one is; `own` is the other one's id where it has one."""
    command = connection.execute(
        sa.select(COMMAND)
        .where(ahead_of(charger_id, connector_id, now), COMMAND.c.id != (own or ""))
        .order_by(COMMAND.c.requested_at)
        .limit(1)
    ).first()
    if command is None:
        return
    asked = duration(now - command.requested_at)
    how_far = {
        CommandState.SUCCEEDED: "accepted and not yet seen to have worked",
        CommandState.UNKNOWN: "without a known outcome so far",
    }.get(command.state, "not answered yet")
    thing = f"connector {command.connector_id}" if command.connector_id else f"charger {command.charger_id}"
    what = noun_of(command.kind)
    article = "an" if what[0] in "aeiou" else "a"
    text = f"{article} {what} of {thing}, asked for {asked} ago, is {how_far}; wait for it"
    yield Refusal(Reason.UNDER_WAY, text, command.requested_by)


def too_many(
    connection: Connection, kind: str, charger_id: str | None, now: datetime, per_day: int
) -> Iterator[Refusal]:
    """Refuse what would be one command too many for a charger within 24 hours; a stop is never too many."""
    if charger_id is None or kind == CommandKind.STOP_SESSION:
        return
    recent = (COMMAND.c.charger_id == charger_id, COMMAND.c.requested_at > now - DAY)
    sent = connection.execute(
        sa.select(sa.func.count(), sa.func.min(COMMAND.c.requested_at)).where(
            *recent, COMMAND.c.state.not_in(_NOTHING_SENT)
        )
    ).one()
    if sent[0] >= per_day:
        again = duration(sent[1] + DAY - now)
        commands = "1 command" if sent[0] == 1 else f"{sent[0]} commands"
        text = (
            f"charger {charger_id} was sent {commands} in the last 24 hours, and {per_day} is the most "
            f"(CHARGEHAND_COMMANDS_PER_DAY); the next one is possible in {again}"
        )
        yield Refusal(Reason.TOO_MANY, text)


def state_warnings(connection: Connection, kind: str, now: datetime) -> Iterator[str]:
    """Say that EOSVOLT refused such a command lately, and that the state of the chargers is old, or was never read."""
    yield from right_warnings(connection, kind, now)
    poll = poll_states(connection, now).get("chargers")
    if poll is None or poll.good_at is None:
        yield "the state of the chargers has not been read yet"
    elif now - poll.good_at > STALE_AFTER:
        yield f"the state was last read {duration(now - poll.good_at)} ago and may have changed"


def place_refusals(place: Row[Any], thing: str, now: datetime) -> Iterator[Refusal]:
    """Refuse what EOSVOLT no longer reports, and what is offline; `thing` names the first."""
    if place.gone_at is not None:
        yield Refusal(Reason.GONE, f"EOSVOLT no longer reports {thing}")
    if place.online is False:
        since = duration(now - place.online_changed_at)
        yield Refusal(Reason.OFFLINE, f"charger {place.charger_id} has been offline for {since}: it would not hear it")


def status_text(place: Row[Any] | None) -> str | None:
    """A connector's status as people read it; one that OCPP does not know with its raw text."""
    if place is None:
        return None
    if place.status is not None:
        return str(place.status)
    return f"unknown ({place.status_raw})" if place.status_raw else None


def nearest_chargers(connection: Connection, target: str) -> Sequence[str]:
    """The ids of present chargers closest to one that is not known."""
    return nearest(connection, target, CHARGER.c.id, CHARGER.c.gone_at.is_(None))


def nearest_connectors(connection: Connection, target: str) -> Sequence[str]:
    """The ids of present connectors closest to one that is not known."""
    return nearest(connection, target, CONNECTOR.c.id, CONNECTOR.c.gone_at.is_(None))


def nearest(connection: Connection, target: str, ids: Any, which: ColumnElement[bool]) -> Sequence[str]:
    """The known ids closest to one that is not; those that begin alike are compared first."""
    found: dict[str, str] = {}
    for beginning in (target[:3], target[:1], ""):
        near = sa.select(ids).where(which, ids.startswith(beginning, autoescape=True)).order_by(ids)
        found |= {str(id_).casefold(): str(id_) for id_ in connection.execute(near.limit(SEARCHED_IDS)).scalars()}
        matches = get_close_matches(target.casefold(), found, n=NEAREST, cutoff=0.6)
        if matches:
            return [found[match] for match in matches]
    return []
