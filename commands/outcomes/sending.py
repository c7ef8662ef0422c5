"""Commands that were asked for: claimed before they are sent, and followed until their outcome is known.

How one is asked for is in `commands.requests.enqueue`. Nothing here calls EOSVOLT or reads a clock; no
command is ever put back to be sent once its call may have run.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.outcomes.refusals import refusal_in_words
from commands.outcomes.verdicts import extended, judge, sight_of
from commands.requests.enqueue import card_key, write_audit
from eosvolt.errors import EosvoltError
from notify.outbox import one_version_on
from rules.actions.command_kinds import CommandKind, CommandState
from storage.ahead import AHEAD
from storage.polls import poll_states
from storage.schema import COMMAND, OUTBOX

APPROVE_WITHIN = timedelta(minutes=30)
"""A request that nobody approved by then is not sent any more."""

VERIFY_WITHIN = timedelta(minutes=5)
"""How long after the answer the charger may take to do what was asked: also a driver who has yet to plug in."""

SEND_AGAIN_AFTER = timedelta(seconds=10)

_STOPS_FIRST = sa.case((COMMAND.c.kind == CommandKind.STOP_SESSION.value, 0), else_=1)
_other = COMMAND.alias("other")
_IS_SPOKEN_TO = (
    sa.select(_other.c.id)
    .where(
        _other.c.state == CommandState.SENDING.value,
        sa.func.coalesce(_other.c.charger_id, _other.c.location_id)
        == sa.func.coalesce(COMMAND.c.charger_id, COMMAND.c.location_id),
    )
    .correlate(COMMAND)
    .exists()
)
"""Whether another command is being sent to the same charger, or changes prices at the same location."""


def claim_next_command(connection: Connection, now: datetime) -> Row[Any] | None:
    """Mark the next command that is due as sending, before its call, and return it; None where nothing is due.

    Stops go first, then what is due for longest; one whose charger (or, of prices, location) is being spoken to waits.
    Commit before calling: whatever is found as sending later may have run.
    """
    waiting = (COMMAND.c.state == CommandState.REQUESTED.value, COMMAND.c.due_at <= now, COMMAND.c.expires_at > now)
    due = (
        sa.select(COMMAND.c.id)
        .where(*waiting, ~_IS_SPOKEN_TO)
        .order_by(_STOPS_FIRST, COMMAND.c.due_at, COMMAND.c.requested_at, COMMAND.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite drops this: there one transaction writes at a time
        .scalar_subquery()
    )
    command = connection.execute(
        sa.update(COMMAND)
        .where(COMMAND.c.id == due, *waiting)
        .values(state=CommandState.SENDING.value, sending_at=now, due_at=None, outcome=None, error_code=None)
        .returning(*COMMAND.c)
    ).first()
    if command is not None:
        show_command(connection, command.id, now)
    return command


def mark_command_answer(
    connection: Connection,
    command: Row[Any],
    now: datetime,
    *,
    session_id: str | None = None,
    answer: str | None = None,
    error: EosvoltError | None = None,
) -> CommandState | None:
    """Write down what EOSVOLT answered: accepted (with the session or the word, where it gave one) or an error.

    `now` is the moment of the answer. What provably did not run waits to be sent again until it expires; a refusal is
    final; anything else is unknown and never repeated. None where the command has ended meanwhile.
    """
    if error is not None and error.did_not_run:
        return _put_back(connection, command, error, now)
    if error is not None and error.refused:
        outcome, code = refusal_in_words(error), error.code
        if end_command(connection, command, CommandState.FAILED, outcome, now, error_code=code, answered_at=now):
            return CommandState.FAILED
        return None
    state = CommandState.SUCCEEDED if error is None else CommandState.UNKNOWN
    values: dict[str, Any] = {
        "state": state.value,
        "answered_at": now,
        "due_at": now,
        "verify_until": now + VERIFY_WITHIN,
        "outcome": None if error is None else str(error),
        "error_code": None if error is None else error.code,
    }
    if session_id is not None:
        values["session_id"] = session_id
    if answer is not None:
        values["details"] = {**command.details, "answer": answer}
    if not move_command(connection, command.id, (CommandState.SENDING, CommandState.UNKNOWN), values):
        return None
    show_command(connection, command.id, now)
    return state


def recover_commands(connection: Connection, now: datetime, *, older_than: timedelta = timedelta(0)) -> int:
    """After a restart: what was being sent may have run, so it is unknown and never repeated; how many there were.

    `older_than` spares those whose call another process may still be making; one that a clock which was ahead dates is
    doubted all the same.
    """
    begun = sa.or_(COMMAND.c.sending_at <= now - older_than, COMMAND.c.sending_at > now + AHEAD)
    found = connection.execute(
        sa.update(COMMAND)
        .where(COMMAND.c.state == CommandState.SENDING.value, begun)
        .values(
            state=CommandState.UNKNOWN.value,
            sending_at=sa.case((COMMAND.c.sending_at > now, now), else_=COMMAND.c.sending_at),
            answered_at=now,
            due_at=now,
            verify_until=now + VERIFY_WITHIN,
            outcome="the service stopped while the command was being sent",
        )
        .returning(COMMAND.c.id)
    ).all()
    for row in found:
        show_command(connection, row.id, now)
    return len(found)


def verify_commands(connection: Connection, now: datetime) -> int:
    """Compare what was asked with what polls that began after the answer saw; how many commands ended."""
    waiting = (CommandState.SUCCEEDED.value, CommandState.UNKNOWN.value)
    commands = connection.execute(
        sa.select(COMMAND)
        .where(
            COMMAND.c.state.in_(waiting),
            COMMAND.c.due_at <= now,
            COMMAND.c.ended_at.is_(None),
            COMMAND.c.kind != CommandKind.CHANGE_PRICE.value,  # no poll tells of prices: they are read back
        )
        .order_by(COMMAND.c.requested_at)
    ).all()
    polls = poll_states(connection, now) if commands else {}
    ended = 0
    for command in commands:
        sight = sight_of(connection, command, polls)
        verdict = judge(command, sight, now)
        if verdict is not None:
            more = {"session_id": verdict.session_id} if verdict.session_id else {}
            shown = {"since": verdict.since.isoformat()} if verdict.since else None
            ended += end_command(connection, command, verdict.state, verdict.outcome, now, shown=shown, **more)
        elif (until := extended(command, sight, now)) is not None:
            connection.execute(sa.update(COMMAND).where(COMMAND.c.id == command.id).values(verify_until=until))
    return ended


def expire_commands(connection: Connection, now: datetime) -> int:
    """End the requests that could not be sent in time: nothing was done; how many there were."""
    unsent = [state.value for state in _UNSENT]
    stale = connection.execute(
        sa.select(COMMAND).where(
            COMMAND.c.state.in_(unsent), COMMAND.c.due_at.is_not(None), COMMAND.c.expires_at <= now
        )
    ).all()
    ended = 0
    for command in stale:
        last = f"; the last attempt: {command.outcome}" if command.outcome else ""
        outcome = f"it could not be sent in time, so nothing was done{last}"
        if command.state == CommandState.AWAITING_APPROVAL:
            outcome = "nobody approved it in time, so nothing was done"
        ended += end_command(connection, command, CommandState.EXPIRED, outcome, now, error_code=command.error_code)
    return ended


def end_command(
    connection: Connection,
    command: Row[Any],
    state: CommandState,
    outcome: str,
    now: datetime,
    *,
    shown: dict[str, Any] | None = None,
    **columns: Any,
) -> bool:
    """End a command with its outcome in words, on its card and in the audit log; False where it had ended already.

    `shown` are facts for its card, `columns` more columns of its row.
    """
    before = _UNSENT if state in {CommandState.EXPIRED, CommandState.CANCELLED} else _UNENDED
    values = {"state": state.value, "outcome": outcome, "ended_at": now, "due_at": None, **columns}
    if not move_command(connection, command.id, before, values):
        return False
    show_command(connection, command.id, now, **(shown or {}))
    write_audit(
        connection,
        at=now,
        user=command.requested_by,
        action=command.kind,
        subject=command.connector_id or command.session_id or command.charger_id or command.location_id or "",
        outcome=f"{state.value}: {outcome}",
        facts={"command": command.id},
    )
    return True


def cancel_command(connection: Connection, command: Row[Any], reason: str, now: datetime) -> bool:
    """End a command that was not sent yet, with the reason in words; False where it was sent or has ended."""
    return end_command(connection, command, CommandState.CANCELLED, reason, now)


def withdraw_command(connection: Connection, command: Row[Any], reason: str, now: datetime) -> bool:
    """End a command that was about to be sent when nothing had to be, or could be; False where it has moved on."""
    unsent = {"state": CommandState.REQUESTED.value, "sending_at": None}
    claimed = move_command(connection, command.id, (CommandState.SENDING,), unsent)
    return claimed and cancel_command(connection, command, reason, now)


def show_command(connection: Connection, command_id: str, now: datetime, **facts: Any) -> None:
    """Make a command's card one version newer, with these facts beside those it has."""
    card = sa.and_(OUTBOX.c.natural_key == card_key(command_id), OUTBOX.c.abandoned_at.is_(None))
    values = one_version_on(now)
    if facts:
        known = connection.execute(sa.select(OUTBOX.c.facts).where(card).with_for_update()).scalar()
        values["facts"] = {**(known or {}), **facts}
    connection.execute(sa.update(OUTBOX).where(card).values(values))


def wants_faster_polls(connection: Connection, now: datetime) -> bool:
    """Whether the outcome of a command waits for the next polls, and is still expected soon."""
    watched = (CommandState.SENDING.value, CommandState.SUCCEEDED.value, CommandState.UNKNOWN.value)
    soon = sa.or_(COMMAND.c.verify_until.is_(None), COMMAND.c.verify_until > now - timedelta(minutes=1))
    polled = COMMAND.c.kind != CommandKind.CHANGE_PRICE.value
    waits = sa.select(COMMAND.c.id).where(COMMAND.c.state.in_(watched), COMMAND.c.ended_at.is_(None), polled, soon)
    return connection.execute(waits.limit(1)).first() is not None


_UNSENT = (CommandState.AWAITING_APPROVAL, CommandState.REQUESTED)
_UNENDED = (CommandState.SENDING, CommandState.SUCCEEDED, CommandState.UNKNOWN)


def _put_back(connection: Connection, command: Row[Any], error: EosvoltError, now: datetime) -> CommandState | None:
    wait = SEND_AGAIN_AFTER if error.retry_after is None else timedelta(seconds=max(1.0, error.retry_after))
    values = {
        "state": CommandState.REQUESTED.value,
        "sending_at": None,
        "due_at": min(now + wait, command.expires_at),
        "outcome": str(error),
        "error_code": error.code,
    }
    # one that a restart has made unknown meanwhile stays so
    if not move_command(connection, command.id, (CommandState.SENDING,), values):
        return None
    show_command(connection, command.id, now)
    return CommandState.REQUESTED


def move_command(
    connection: Connection, command_id: str, before: tuple[CommandState, ...], values: dict[str, Any]
) -> bool:
    """Give a command these values, where it is still in one of the states before; False where it has moved on."""
    states = [state.value for state in before]
    moved = connection.execute(
        sa.update(COMMAND).where(COMMAND.c.id == command_id, COMMAND.c.state.in_(states)).values(**values)
    )
    return moved.rowcount == 1
