"""What came of a reset, an unlock, or of taking in and out of service, as the polls after the answer see it.

What no poll can show is said to be so, and never guessed. It only reads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.requests.lookups import open_sessions
from commands.requests.unread import why_unseen
from rules.actions.command_kinds import CHARGING, CommandKind, CommandState
from storage.schema import CHARGER, CONNECTOR, INTERVAL, SESSION

OUT = "Unavailable"
SHOWN_PLUGS = 5


@dataclass(frozen=True, slots=True)
class ChargerSight:
    """What is known of a charger since a command's answer. A moment is None where no poll since then was good.

    `blind` says why nothing can be said now. `back_at` is when it was seen back after having been away. `holding` are
    the connectors on which a session is open.
    """

    chargers_at: datetime | None
    blind: str | None
    plugs: Sequence[Row[Any]] = ()
    back_at: datetime | None = None
    holding: frozenset[str] = frozenset()
    session: Row[Any] | None = None

    @property
    def told(self) -> str:
        """How things stand, in words."""
        states = [f"{plug.id} is {plug.status}" for plug in self.plugs[:SHOWN_PLUGS]]
        more = f" and {len(self.plugs) - SHOWN_PLUGS} more" if len(self.plugs) > SHOWN_PLUGS else ""
        return f"connector {', '.join(states)}{more}" if states else "the charger is online"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a command ended; `since` is when the charger began to do what was asked, where that is known."""

    state: CommandState
    outcome: str
    since: datetime | None = None
    session_id: str | None = None


def sight_of_charger(
    connection: Connection, command: Row[Any], chargers_at: datetime | None, sessions_at: datetime | None
) -> ChargerSight:
    """What polls that began after a command's answer say about its charger; the moments are theirs."""
    if chargers_at is None:
        return ChargerSight(None, "the chargers could not be read since")
    charger = connection.execute(sa.select(CHARGER).where(CHARGER.c.id == command.charger_id)).first()
    columns: list[Any] = [CONNECTOR.c[name] for name in ("id", "status", "status_changed_at", "stale_since")]
    plugs = connection.execute(
        sa.select(*columns).where(_of_command(command), CONNECTOR.c.gone_at.is_(None)).order_by(CONNECTOR.c.id)
    ).all()
    hidden = _hidden(charger, plugs)
    if charger is None or hidden is not None:
        return ChargerSight(chargers_at, hidden)
    held = sa.select(SESSION.c.connector_id).where(
        SESSION.c.connector_id.in_([plug.id for plug in plugs]), open_sessions()
    )
    session = sa.select(SESSION).where(SESSION.c.id == command.session_id)
    return ChargerSight(
        chargers_at=chargers_at,
        blind=None if sessions_at is not None else "the sessions could not be read since",
        plugs=plugs,
        back_at=_back_at(connection, command, charger),
        holding=frozenset(connection.execute(held).scalars()),
        session=connection.execute(session).first() if command.session_id is not None else None,
    )


def _hidden(charger: Row[Any] | None, plugs: Sequence[Row[Any]]) -> str | None:
    """Why nobody can see how a charger and its connectors stand, if so."""
    if (unseen := why_unseen(charger, "charger")) is not None:
        return unseen
    if not plugs:
        return "EOSVOLT no longer reports its connectors"
    stale = next((plug.id for plug in plugs if plug.stale_since is not None), None)
    if stale is not None:
        return f"what EOSVOLT tells of connector {stale} cannot be read"
    unknown = next((plug.id for plug in plugs if plug.status is None), None)
    return None if unknown is None else f"the status of connector {unknown} is not known"


def _of_command(command: Row[Any]) -> Any:
    if command.connector_id is not None:
        return CONNECTOR.c.id == command.connector_id
    return CONNECTOR.c.charger_id == command.charger_id


def _back_at(connection: Connection, command: Row[Any], charger: Row[Any]) -> datetime | None:
    """When a charger that is online now came back: from offline, or its connectors from Unavailable, since the call."""
    since = command.sending_at or command.answered_at
    if charger.online_changed_at > since:
        at: datetime = charger.online_changed_at
        return at
    mine = sa.select(CONNECTOR.c.id).where(CONNECTOR.c.charger_id == command.charger_id)
    returned: datetime | None = connection.execute(
        sa.select(sa.func.max(INTERVAL.c.valid_to)).where(
            INTERVAL.c.thing == "connector",
            INTERVAL.c.field == "status",
            INTERVAL.c.thing_id.in_(mine),
            INTERVAL.c.value == OUT,
            INTERVAL.c.valid_from >= since.replace(microsecond=0),  # many accounts tell whole seconds
            INTERVAL.c.valid_to.is_not(None),
        )
    ).scalar()
    return returned


def _judge_reset(command: Row[Any], sight: ChargerSight) -> Verdict | None:
    settled = all(plug.status != OUT for plug in sight.plugs)
    faulted = [plug.id for plug in sight.plugs if plug.status == "Faulted"]
    after = f"; connector {', '.join(faulted[:SHOWN_PLUGS])} is Faulted" if faulted else ""
    if sight.back_at is not None and settled:
        return Verdict(CommandState.VERIFIED, f"it was away and is back{after}", sight.back_at)
    if _accepted(command) and settled and _is_late(command, sight):
        # a quick restart lies between two polls: accepted, and well since, is all that can be said
        return Verdict(CommandState.VERIFIED, f"it is online; the restart itself was too short to be seen{after}")
    return None


def _judge_unlock(command: Row[Any], sight: ChargerSight) -> Verdict | None:
    session = sight.session
    if session is None:
        if _accepted(command):
            text = "EOSVOLT does not report locks, and no session was open: whether the cable is free can be seen there"
            return Verdict(CommandState.UNVERIFIABLE, text)
        return Verdict(
            CommandState.NOT_VERIFIED, "EOSVOLT does not report locks; look at the plug before you ask again"
        )
    if session.ended_at is not None or session.status in {"Completed", "Failed"}:
        return Verdict(CommandState.VERIFIED, f"session {session.id} has ended", session.ended_at)
    if all(plug.status not in CHARGING for plug in sight.plugs):
        return Verdict(CommandState.VERIFIED, sight.told, sight.plugs[0].status_changed_at)
    return None


def _judge_disable(command: Row[Any], sight: ChargerSight) -> Verdict | None:
    left = [plug for plug in sight.plugs if plug.status not in {OUT, "Faulted"}]
    since = max((plug.status_changed_at for plug in sight.plugs if plug.status == OUT), default=None)
    if not left and since is not None:
        return Verdict(CommandState.VERIFIED, "out of service", since)
    if not left:
        return None
    if _accepted(command) and all(plug.id in sight.holding for plug in left):
        waits = ", ".join(plug.id for plug in left[:SHOWN_PLUGS])
        text = f"connector {waits} is taken out of service when its session has ended"
        return Verdict(CommandState.UNVERIFIABLE if since is None else CommandState.VERIFIED, text, since)
    return None


def _judge_enable(_command: Row[Any], sight: ChargerSight) -> Verdict | None:
    if any(plug.status == OUT for plug in sight.plugs):
        return None
    return Verdict(CommandState.VERIFIED, sight.told, max(plug.status_changed_at for plug in sight.plugs))


def shows_nothing(command: Row[Any]) -> bool:
    """Whether a command was accepted, and nothing that is polled can show what came of it."""
    own = command.details.get("own")
    return own is not None and not own["verified_by"] and _accepted(command)


def judge_own(command: Row[Any], sight: ChargerSight) -> Verdict | None:
    """How a command of the account's own ended, by what the contract said would show it."""
    shown_by = command.details["own"]["verified_by"]
    if shows_nothing(command):
        return Verdict(CommandState.UNVERIFIABLE, "nothing that EOSVOLT tells shows what came of it")
    if shown_by.get("restart"):
        return _judge_reset(command, sight)
    if shown_by.get("session_ended") and not sight.holding:
        return Verdict(CommandState.VERIFIED, "no session is open on it")
    if "status" in shown_by and all(plug.status in shown_by["status"] for plug in sight.plugs):
        return Verdict(CommandState.VERIFIED, sight.told, max(plug.status_changed_at for plug in sight.plugs))
    return None


JUDGES: Mapping[str, Callable[[Row[Any], ChargerSight], Verdict | None]] = {
    CommandKind.RESET_SOFT.value: _judge_reset,
    CommandKind.RESET_HARD.value: _judge_reset,
    CommandKind.UNLOCK.value: _judge_unlock,
    CommandKind.ENABLE.value: _judge_enable,
    CommandKind.DISABLE.value: _judge_disable,
}


def _accepted(command: Row[Any]) -> bool:
    return bool(command.state == CommandState.SUCCEEDED)


def _is_late(command: Row[Any], sight: ChargerSight) -> bool:
    return sight.chargers_at is not None and bool(sight.chargers_at >= command.verify_until)
