"""Commands that people ask for: checked, written down once, and followed until their outcome is known.

A command is one row, one card and one audit entry, written together. Nothing here calls EOSVOLT or reads a clock; no
command is ever put back to be sent once its call may have run.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

EXPIRES_AFTER = timedelta(minutes=5)
"""A request that was not sent by then is not sent any more."""


class CommandKind(StrEnum):
    """What can be asked of EOSVOLT."""

    START_SESSION = "start_session"
    STOP_SESSION = "stop_session"


class CommandState(StrEnum):
    """How far a command is: requested > sending > succeeded, failed or unknown > verified or not_verified."""

    REQUESTED = "requested"
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a command is refused before it is written down."""

    UNKNOWN_ID = "unknown_id"
    GONE = "gone"
    OFFLINE = "offline"
    FAULTED = "faulted"
    UNAVAILABLE = "unavailable"
    ALREADY_CHARGING = "already_charging"
    NO_OPEN_SESSION = "no_open_session"
    UNDER_WAY = "under_way"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a command. `text` is plain words with ids and names as given: escape it for mrkdwn."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """What a command would do, to which thing, and what speaks against it. All text is plain and unescaped.

    `nearest` holds the closest known ids where the one given is unknown.
    """

    kind: str
    target: str
    action: str
    connector_id: str | None = None
    session_id: str | None = None
    charger_id: str | None = None
    location_id: str | None = None
    charger_name: str | None = None
    location_name: str | None = None
    status: str | None = None
    session_started_at: datetime | None = None
    session_energy_kwh: float | None = None
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    nearest: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of a request: its command, new or already known by its nonce, or why it was refused.

    Refused: `command_id` is None, `state` "refused" and `refusals` says why. Known before: `is_new` is False and
    `requested_by`, `requested_at` and `state` tell who was first and how far it is.
    """

    command_id: str | None
    is_new: bool
    state: str
    requested_by: str
    requested_at: datetime
    refusals: tuple[Refusal, ...] = ()


def check_command(connection: Connection, kind: str, target: str, now: datetime) -> CommandCheck:
    """What a command would do at `now`; `target` is a connector id, or for a stop also a session id."""
    raise NotImplementedError


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
) -> Enqueued:
    """Write a command, its card and its audit entry down, once per nonce; checks everything again before."""
    raise NotImplementedError


def claim_next_command(connection: Connection, now: datetime) -> Row[Any] | None:
    """Mark the oldest command that is due as sending, before its call, and return it; None where nothing is due."""
    raise NotImplementedError


def verify_commands(connection: Connection, now: datetime) -> int:
    """Compare what was asked with what polls that began after the answer saw; how many commands ended."""
    raise NotImplementedError


def recover_commands(connection: Connection, now: datetime) -> int:
    """After a restart: what was being sent may have run, so it is unknown, never repeated; how many there were."""
    raise NotImplementedError


def wants_faster_polls(connection: Connection, now: datetime) -> bool:
    """Whether the outcome of a command waits for the next polls."""
    raise NotImplementedError
