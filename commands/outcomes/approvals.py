"""A second pair of eyes: a command that waits for approval is approved or refused once, by somebody else.

Whoever asked may not approve; everything is checked again, as the state may have changed. Nothing here sends anything,
and who has the right at all is for the caller to know.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.outcomes.sending import cancel_command, move_command, show_command
from commands.requests.checks import check_command
from commands.requests.enqueue import EXPIRES_AFTER, lock_thing, write_audit
from eosvolt.terms.own_commands import OwnCommand
from rules.actions.command_kinds import COMMANDS_PER_DAY, CommandState, Refusal
from storage.schema import COMMAND

AWAITING = (CommandState.AWAITING_APPROVAL,)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a click on Approve or Refuse.

    `outcome` is approved or refused (by this click), decided (before, by `by` at `at`; `state` says how far it is),
    own (who asks may not approve), too_late, changed (`refusals` say what speaks against it now: it is cancelled) or
    unknown (no such command).
    """

    outcome: str
    kind: str | None = None
    thing: str | None = None
    state: str | None = None
    by: str | None = None
    at: datetime | None = None
    refusals: tuple[Refusal, ...] = ()


def approve_command(
    connection: Connection,
    command_id: str,
    user: str,
    now: datetime,
    *,
    per_day: int = COMMANDS_PER_DAY,
    own_command: OwnCommand | None = None,
) -> Decision:
    """Approve a command for `user`, in the caller's transaction: it is then due like any other request.

    `own_command` is what the contract says of one of the account's own.
    """
    command = _waiting(connection, command_id)
    if isinstance(command, Decision):
        return command
    if command.expires_at <= now:
        return _told(command, "too_late")
    if command.requested_by == user:
        return _told(command, "own")
    refusals = _speaks_against(connection, command, now, per_day, own_command)
    if refusals:
        because = "; ".join(refusal.text for refusal in refusals)
        cancel_command(connection, command, f"things had changed when it was approved: {because}", now)
        return _told(command, "changed", refusals)
    values = {
        "state": CommandState.REQUESTED.value,
        "decided_by": user,
        "decided_at": now,
        "due_at": now,
        "expires_at": now + EXPIRES_AFTER,
    }
    move_command(connection, command.id, AWAITING, values)
    show_command(connection, command.id, now)
    _audit(connection, command, user, now, "approved")
    return _told(command, "approved")


def refuse_command(connection: Connection, command_id: str, user: str, now: datetime) -> Decision:
    """Refuse a command for `user`; who asked for it may take it back so."""
    command = _waiting(connection, command_id)
    if isinstance(command, Decision):
        return command
    connection.execute(sa.update(COMMAND).where(COMMAND.c.id == command.id).values(decided_by=user, decided_at=now))
    cancel_command(connection, command, "refused", now)
    _audit(connection, command, user, now, "refused")
    return _told(command, "refused")


def _waiting(connection: Connection, command_id: str) -> Row[Any] | Decision:
    """The command where it still waits, locked with its charger against a second click; else what to say of it."""
    statement = sa.select(COMMAND).where(COMMAND.c.id == command_id)
    command = connection.execute(statement).first()
    if command is None:
        return Decision("unknown")
    lock_thing(connection, command.charger_id, command.location_id)
    command = connection.execute(statement.with_for_update()).one()
    if command.state == CommandState.AWAITING_APPROVAL:
        return command
    return _told(command, "decided")


def _speaks_against(
    connection: Connection, command: Row[Any], now: datetime, per_day: int, own_command: OwnCommand | None
) -> tuple[Refusal, ...]:
    target = command.session_id or command.connector_id or command.charger_id or command.location_id
    check = check_command(
        connection,
        command.kind,
        target,
        now,
        ends=command.details.get("ends", ()),
        whole_charger=command.connector_id is None,
        per_day=per_day,
        own=command.id,
        own_command=own_command,
    )
    return check.refusals


def _told(command: Row[Any], outcome: str, refusals: tuple[Refusal, ...] = ()) -> Decision:
    thing = command.connector_id or command.session_id or command.charger_id or command.location_id
    return Decision(outcome, command.kind, thing, command.state, command.decided_by, command.decided_at, refusals)


def _audit(connection: Connection, command: Row[Any], user: str, now: datetime, outcome: str) -> None:
    write_audit(
        connection,
        at=now,
        user=user,
        action=f"{command.kind} approval",
        subject=command.connector_id or command.session_id or command.charger_id or command.location_id or "",
        outcome=outcome,
        facts={"command": command.id, "requested_by": command.requested_by},
    )
