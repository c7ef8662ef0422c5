"""Asking for a command: checked, locked and written down once, with its card and its audit entry, in one transaction.

A second press of the same button is the same request. Nothing here calls EOSVOLT or reads a clock.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from commands.requests.checks import check_command
from commands.requests.own_checks import details_of
from eosvolt.terms.own_commands import OwnCommand
from notify.outbox import COMMAND_CARD, insert_items, new_item
from rules.actions.command_kinds import COMMANDS_PER_DAY, CommandCheck, CommandState, Reason, Refusal, noun_of
from storage.dialects import insert
from storage.schema import AUDIT, CHARGER, COMMAND, LOCATION

EXPIRES_AFTER = timedelta(minutes=5)
"""A request that was not sent by then is not sent any more."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a request: its command, new or already known by its nonce, or why it was refused.

    Refused: `command_id` is None, `state` "refused" and `refusals` says why. Known before: `is_new` is False and
    `requested_by`, `requested_at` and `state` tell who was first and how far it is. A new one is "requested", or
    "awaiting_approval" where that was asked for.
    """

    command_id: str | None
    is_new: bool
    state: str
    requested_by: str
    requested_at: datetime
    refusals: tuple[Refusal, ...] = ()


def enqueue_command(
    connection: Connection,
    *,
    kind: str,
    nonce: str,
    user: str,
    channel: str,
    now: datetime,
    connector_id: str | None = None,
    session_id: str | None = None,
    charger_id: str | None = None,
    location_id: str | None = None,
    details: Mapping[str, Any] | None = None,
    ends: Collection[str] = (),
    rule_id: str | None = None,
    approve_within: timedelta | None = None,
    per_day: int = COMMANDS_PER_DAY,
    own_command: OwnCommand | None = None,
) -> Enqueued:
    """Write a command, its card in `channel` and its audit entry down, in the caller's transaction.

    1. A nonce that is known is the same request: it is answered with the first one's command.
    2. The charger is locked, and everything is checked again: the state may have changed since the preview.
    3. The command is due at once, and expires after EXPIRES_AFTER. With `approve_within` its card asks for approval
       first, for so long; `commands.outcomes.approvals` goes on from there.
    Give `connector_id` for a start or an unlock, `session_id` or `connector_id` for a stop, `charger_id` for a reset,
    either to enable or disable, `location_id` and `details` (`requests.prices`) for prices; ValueError where none is.
    `ends` names the open sessions that whoever asks knows will end. `user` is a Slack user id; a rule gives its name,
    and its id as `rule_id`. `own_command` is what the contract says of one of the account's own. Without a `channel`
    there is no card: the card of the rule's alert tells it.
    """
    target = session_id or connector_id or charger_id or location_id
    if target is None:
        raise ValueError(f"{kind}: a connector, a session, a charger or a location is needed")
    whole_charger = session_id is None and connector_id is None
    how: dict[str, Any] = {"ends": ends, "whole_charger": whole_charger, "per_day": per_day, "own_command": own_command}
    check = _checked(connection, nonce, partial(check_command, connection, kind, target, now, **how))
    if isinstance(check, Enqueued):
        return check
    known = {"own": details_of(own_command)} if own_command is not None else {}
    request = _Request(target, nonce, user, channel, now, {**(details or {}), **known}, rule_id, approve_within)
    refusals = check.refusals or _awaiting(connection, check, approve_within, now)
    return _refuse(connection, request, check, refusals) if refusals else _write_down(connection, request, check)


@dataclass(frozen=True, slots=True)
class _Request:
    """What somebody asks for, as it is written down once it is checked."""

    target: str
    nonce: str
    user: str
    channel: str
    at: datetime
    details: Mapping[str, Any]
    rule_id: str | None
    approve_within: timedelta | None

    def told(self, check: CommandCheck) -> dict[str, Any]:
        """The facts of its audit entry."""
        things = {"connector": check.connector_id, "session": check.session_id, "charger": check.charger_id}
        return {**things, **self.details}

    def audit(self, connection: Connection, check: CommandCheck, outcome: str, facts: Mapping[str, Any]) -> None:
        about = {"at": self.at, "user": self.user, "action": check.kind, "subject": self.target}
        write_audit(connection, **about, outcome=outcome, facts=facts)


def _checked(connection: Connection, nonce: str, look: Callable[[], CommandCheck]) -> CommandCheck | Enqueued:
    """What is found under the lock of the charger or location; or the request that this nonce has made already."""
    if (known := _by_nonce(connection, nonce)) is not None:
        return known
    check = look()
    if check.charger_id is not None or check.location_id is not None:
        # one at a time a charger: PostgreSQL would let two transactions both find it free
        lock_thing(connection, check.charger_id, check.location_id)
        if (known := _by_nonce(connection, nonce)) is not None:
            return known
        check = look()
    return check


def _refuse(connection: Connection, request: _Request, check: CommandCheck, refusals: tuple[Refusal, ...]) -> Enqueued:
    because = "; ".join(refusal.text for refusal in refusals)
    request.audit(connection, check, f"refused: {because}", request.told(check))
    return Enqueued(None, False, "refused", request.user, request.at, refusals)


def _write_down(connection: Connection, request: _Request, check: CommandCheck) -> Enqueued:
    """Write the command, its card and its audit entry; where its nonce was written meanwhile, answer with that."""
    approve_within, now = request.approve_within, request.at
    state = CommandState.REQUESTED if approve_within is None else CommandState.AWAITING_APPROVAL
    command_id = uuid4().hex
    values = {
        "id": command_id,
        "nonce": request.nonce,
        "kind": check.kind,
        "location_id": check.location_id,
        "charger_id": check.charger_id,
        "connector_id": check.connector_id,
        "session_id": check.session_id,
        "requested_by": request.user,
        "requested_at": now,
        "channel": request.channel,
        "state": state.value,
        "due_at": now,
        "expires_at": now + (approve_within or EXPIRES_AFTER),
        "rule_id": request.rule_id,
        "details": {**request.details, **({"ends": sorted(check.ends_sessions)} if check.ends_sessions else {})},
    }
    statement = insert(connection, COMMAND).values(**values).on_conflict_do_nothing().returning(COMMAND.c.id)
    if connection.execute(statement).first() is None:
        first = _by_nonce(connection, request.nonce)
        assert first is not None  # noqa: S101 - the conflict was with its nonce
        return first
    if request.channel:
        told = {"command": command_id}
        card = new_item(card_key(command_id), COMMAND_CARD, request.channel, due_at=now, now=now, facts=told)
        insert_items(connection, [card])
    asked = "requested" if approve_within is None else "approval asked for"
    request.audit(connection, check, asked, {**request.told(check), "command": command_id})
    return Enqueued(command_id, True, state.value, request.user, now)


def _awaiting(
    connection: Connection, check: CommandCheck, approve_within: timedelta | None, now: datetime
) -> tuple[Refusal, ...]:
    """The same request that waits for approval already, in the way of asking for it again."""
    if approve_within is None:
        return ()
    same = [
        COMMAND.c[name].is_not_distinct_from(getattr(check, name))
        for name in ("charger_id", "connector_id", "location_id")
    ]
    waiting = (COMMAND.c.state == CommandState.AWAITING_APPROVAL.value, COMMAND.c.expires_at > now)
    first = connection.execute(
        sa.select(COMMAND.c.requested_by).where(COMMAND.c.kind == check.kind, *same, *waiting).limit(1)
    ).first()
    if first is None:
        return ()
    text = f"the same {noun_of(check.kind)} waits for approval already"
    return (Refusal(Reason.UNDER_WAY, text, first.requested_by),)


def lock_thing(connection: Connection, charger_id: str | None, location_id: str | None) -> None:
    """Let nobody else write a command for a charger, or where it has none for a location, in this transaction."""
    table, thing_id = (CHARGER, charger_id) if charger_id is not None else (LOCATION, location_id)
    connection.execute(sa.select(table.c.id).where(table.c.id == thing_id).with_for_update()).all()


def card_key(command_id: str) -> str:
    """The natural key of a command's card in the outbox."""
    return f"command:{command_id}"


def write_audit(connection: Connection, **entry: Any) -> None:
    """Write who did what, when, to what, and what came of it."""
    connection.execute(sa.insert(AUDIT).values(**entry))


def _by_nonce(connection: Connection, nonce: str) -> Enqueued | None:
    known = connection.execute(sa.select(COMMAND).where(COMMAND.c.nonce == nonce)).first()
    if known is None:
        return None
    return Enqueued(known.id, False, known.state, known.requested_by, known.requested_at)
