"""What can be asked of EOSVOLT, the states of a command, and what a check of one says: words only, no queries.

All text is plain, with ids and names as they were given: whoever shows it in mrkdwn escapes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

CHARGING = ("Charging", "SuspendedEV", "SuspendedEVSE")
"""The statuses in which a session holds a connector (OCPP 1.6, section 7.7)."""

COMMANDS_PER_DAY = 20
"""How many commands one charger takes in 24 hours, unless the settings say otherwise."""


class CommandKind(StrEnum):
    """What can be asked of EOSVOLT."""

    START_SESSION = "start_session"
    STOP_SESSION = "stop_session"
    RESET_SOFT = "reset_soft"
    RESET_HARD = "reset_hard"
    UNLOCK = "unlock"
    ENABLE = "enable"
    DISABLE = "disable"
    CHANGE_PRICE = "change_price"


RESETS = (CommandKind.RESET_SOFT, CommandKind.RESET_HARD)

NOUNS: Mapping[str, str] = {
    CommandKind.START_SESSION.value: "start",
    CommandKind.STOP_SESSION.value: "stop",
    CommandKind.RESET_SOFT.value: "soft reset",
    CommandKind.RESET_HARD.value: "hard reset",
    CommandKind.UNLOCK.value: "unlocking",
    CommandKind.ENABLE.value: "enabling",
    CommandKind.DISABLE.value: "disabling",
    CommandKind.CHANGE_PRICE.value: "price change",
}
"""Each kind as a thing that is asked for, accepted or refused."""


OWN = "do:"
"""What the kind of an account's own command begins with; its name in the contract follows."""


def is_own(kind: str) -> bool:
    """Whether a kind is a command of the account's own."""
    return kind.startswith(OWN)


ASKED_FOR: Mapping[str, tuple[str, ...]] = {
    "start": (CommandKind.START_SESSION.value,),
    "stop": (CommandKind.STOP_SESSION.value,),
    "reset": (CommandKind.RESET_SOFT.value, CommandKind.RESET_HARD.value),
    "unlock": (CommandKind.UNLOCK.value,),
    "enable": (CommandKind.ENABLE.value,),
    "disable": (CommandKind.DISABLE.value,),
    "price": (CommandKind.CHANGE_PRICE.value,),
}
"""The word that people ask for each kind with, and the kinds that it may mean."""


def kinds_of(words: str) -> tuple[str, ...]:
    """The kinds of commands that words such as `reset` or `do reboot` ask for; none where they ask for nothing."""
    verb, _, name = words.partition(" ")
    return (f"{OWN}{name}",) if verb == "do" and name else ASKED_FOR.get(words, ())


def noun_of(kind: str) -> str:
    """A kind as a thing that is asked for; an own command by its name."""
    return NOUNS.get(kind) or kind.removeprefix(OWN)


class CommandState(StrEnum):
    """How far a command is.

    (awaiting_approval >) requested > sending > succeeded, failed or unknown > verified, not_verified or, where nothing
    that EOSVOLT tells could show it, unverifiable. A request may also end as cancelled or expired: nothing was sent.
    """

    AWAITING_APPROVAL = "awaiting_approval"
    REQUESTED = "requested"
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    UNVERIFIABLE = "unverifiable"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a command is refused before it is written down."""

    UNKNOWN_ID = "unknown_id"
    GONE = "gone"
    AMBIGUOUS = "ambiguous"
    OFFLINE = "offline"
    FAULTED = "faulted"
    UNAVAILABLE = "unavailable"
    ALREADY_CHARGING = "already_charging"
    NO_OPEN_SESSION = "no_open_session"
    UNDER_WAY = "under_way"
    OPEN_SESSION = "open_session"
    ALREADY_SO = "already_so"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a command; `user` is the Slack user whose own command is in the way, if one is."""

    reason: Reason
    text: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """What a command would do, to which thing, and what speaks against it.

    `action` says it in one line, `status` is the connector's, `nearest` holds the closest known ids where the one
    given is unknown. A charger as a whole has no `connector_id`. `ends_sessions` are the open sessions that it would
    end.
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
    ends_sessions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    nearest: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals
