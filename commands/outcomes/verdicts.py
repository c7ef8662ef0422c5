"""What came of a command, as the polls that began after its answer see it.

An answer says only that EOSVOLT took a command; a reading says what the charger did. Old readings, an offline charger
and an unknown status prove nothing: they put the verdict off, until nothing can be expected any more. It only reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.outcomes.charger_verdicts import JUDGES, ChargerSight, Verdict, judge_own, shows_nothing, sight_of_charger
from commands.requests.lookups import open_sessions
from commands.requests.unread import why_unseen
from rules.actions.command_kinds import CHARGING, CommandKind, CommandState, is_own
from storage.polls import PollState
from storage.schema import CHARGER, CONNECTOR, SESSION

LOOK_AGAIN = timedelta(minutes=1)
"""How long a charger that came back is given, once it can be looked at again."""

GIVE_UP_AFTER = timedelta(hours=1)
CLOCK_SLACK = timedelta(minutes=2)  # between EOSVOLT's clock and ours, when a session's start is compared with the call


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a command's charger since its answer. A moment is None where no poll since then was good.

    `status` is the connector's, where the charger is online and the status known; `blind` says why it is not.
    """

    chargers_at: datetime | None
    sessions_at: datetime | None
    status: str | None
    status_since: datetime | None
    blind: str | None
    session: Row[Any] | None

    @property
    def told(self) -> str:
        """How things stand, in words."""
        return f"the connector is {self.status}"


def sight_of(connection: Connection, command: Row[Any], polls: Mapping[str, PollState]) -> Sight | ChargerSight:
    """What polls that began after a command's answer say about its charger."""
    chargers_at, sessions_at = (_seen_at(polls.get(name), command.answered_at) for name in ("chargers", "sessions"))
    if command.kind in JUDGES or is_own(command.kind):
        return sight_of_charger(connection, command, chargers_at, sessions_at)
    connector = connection.execute(
        sa.select(
            CONNECTOR.c.status,
            CONNECTOR.c.status_changed_at,
            CONNECTOR.c.gone_at,
            sa.func.coalesce(CONNECTOR.c.stale_since, CHARGER.c.stale_since).label("stale_since"),
            CHARGER.c.online,
        )
        .select_from(CONNECTOR)
        .outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
        .where(CONNECTOR.c.id == command.connector_id)
    ).first()
    blind = _blind(connector, chargers_at)
    return Sight(
        chargers_at=chargers_at,
        sessions_at=sessions_at,
        status=connector.status if connector is not None and blind is None else None,
        status_since=connector.status_changed_at if connector is not None and blind is None else None,
        blind=blind,
        session=_session(connection, command) if sessions_at is not None else None,
    )


def _seen_at(poll: PollState | None, answered_at: datetime) -> datetime | None:
    if poll is None or poll.good_at is None or poll.good_at <= answered_at:
        return None
    return poll.good_at


def _blind(connector: Any, chargers_at: datetime | None) -> str | None:
    if chargers_at is None:
        return "the chargers could not be read since"
    if (unseen := why_unseen(connector, "connector")) is not None:
        return unseen
    return "the connector's status is not known" if connector.status is None else None


def _session(connection: Connection, command: Row[Any]) -> Row[Any] | None:
    if command.session_id is not None:
        return connection.execute(sa.select(SESSION).where(SESSION.c.id == command.session_id)).first()
    # a start without an answer: the session that began on this connector since the call is its own
    return connection.execute(
        sa.select(SESSION)
        .where(
            SESSION.c.connector_id == command.connector_id,
            SESSION.c.started_at >= (command.sending_at or command.answered_at) - CLOCK_SLACK,
            open_sessions(),
        )
        .order_by(SESSION.c.started_at, SESSION.c.id)
        .limit(1)
    ).first()


def judge(command: Row[Any], sight: Sight | ChargerSight, now: datetime) -> Verdict | None:
    """How a command ended, as far as can be said at `now`; None while it is too early to say."""
    verdict = _judge(command, sight)
    if verdict is not None:
        return verdict
    if sight.blind is None and sight.chargers_at is not None and sight.chargers_at >= command.verify_until:
        return Verdict(CommandState.NOT_VERIFIED, f"{sight.told}{_advice(command)}")
    if now - command.answered_at >= GIVE_UP_AFTER:
        because = sight.blind or "too few polls were good since"
        return Verdict(CommandState.NOT_VERIFIED, f"it could not be seen: {because}{_advice(command)}")
    return None


def _judge(command: Row[Any], sight: Sight | ChargerSight) -> Verdict | None:
    if isinstance(sight, ChargerSight):
        seen = sight.blind is None or shows_nothing(command)
        return JUDGES.get(command.kind, judge_own)(command, sight) if seen else None
    return _judge_start(sight) if command.kind == CommandKind.START_SESSION else _judge_stop(sight)


def _advice(command: Row[Any]) -> str:
    if command.state == CommandState.UNKNOWN:
        return "; it was not sent again: look at the charger before you ask again"
    return "; look at the charger, or ask EOSVOLT"


def _judge_start(sight: Sight) -> Verdict | None:
    session, session_id = sight.session, sight.session.id if sight.session is not None else None
    if session is not None and session.status == "Failed":
        reason = f": {session.fail_reason}" if session.fail_reason else ""
        return Verdict(CommandState.NOT_VERIFIED, f"session {session.id} failed{reason}", None, session_id)
    if sight.blind is not None:
        return None
    if sight.status in CHARGING:
        since = session.started_at if session is not None else sight.status_since
        return Verdict(CommandState.VERIFIED, "charging", sight.status_since or since, session_id)
    if session is not None and session.status == "Active":
        return Verdict(CommandState.VERIFIED, "charging", session.started_at, session_id)
    if session is not None and session.status == "Completed":
        return Verdict(CommandState.VERIFIED, "it charged and has already ended", session.started_at, session_id)
    return None


def _judge_stop(sight: Sight) -> Verdict | None:
    if sight.blind is not None:
        return None
    session = sight.session
    if session is not None and (session.ended_at is not None or session.status in {"Completed", "Failed"}):
        return Verdict(CommandState.VERIFIED, "ended", session.ended_at or sight.status_since)
    if sight.status not in CHARGING:
        return Verdict(CommandState.VERIFIED, f"the connector is {sight.status}", sight.status_since)
    return None


def extended(command: Row[Any], sight: Sight | ChargerSight, now: datetime) -> datetime | None:
    """A later `verify_until`, where nothing can be seen: time does not run against the charger then."""
    until = now + LOOK_AGAIN
    return until if sight.blind is not None and command.verify_until < until else None
