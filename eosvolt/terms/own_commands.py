"""Commands that an account has beside those that Chargehand knows: each is named in the contract and done as it says.

A command here is what people may ask for, of what, and what shows that it worked; its call is a route of the contract.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eosvolt.models import CONNECTOR_STATUSES

COMMAND_KEYS = (
    "call", "of", "does", "who", "ends_sessions", "verified_by", "body", "values", "query", "headers", "fixed",
)  # fmt: skip
OF = ("charger", "connector")
WHO = ("operator", "admin")
VERIFIED_BY = ("status", "restart", "session_ended")
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command of the account: `of` a charger or a connector, `does` says what in a few words, `who` may ask for it.

    `verified_by` is empty where nothing that is polled shows what came of it, else one of: `status` (the connectors'
    come to be one of these), `restart` (the charger was away and is back), `session_ended` (no session is open on it).
    """

    name: str
    of: str
    does: str
    who: str
    ends_sessions: bool
    verified_by: Mapping[str, Any]

    @property
    def route(self) -> str:
        """The contract's name of its call."""
        return f"commands.{self.name}"


def why_no_verification(value: Any) -> str:
    """Return what `verified_by` must be, where this is none."""
    if not isinstance(value, Mapping) or len(value) > 1 or not set(value) <= set(VERIFIED_BY):
        return 'one of { status = ["Available"] }, { restart = true } and { session_ended = true }, or left out'
    statuses = value.get("status", [])
    if not isinstance(statuses, list) or not set(map(str, statuses)) <= set(CONNECTOR_STATUSES) or "" in statuses:
        return f"a list of statuses of OCPP 1.6: {', '.join(CONNECTOR_STATUSES)}"
    if "status" in value and not statuses:
        return "a list with at least one status"
    if any(value.get(key) is not True for key in ("restart", "session_ended") if key in value):
        return "true where it is said"
    return ""
