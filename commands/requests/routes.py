"""Which call of the contract each kind of command makes, and whether EOSVOLT said lately that the key may not make it.

What was said lately is a warning and refuses nothing: a right is given in a minute, and may lack for one charger only.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection

from rules.actions.command_kinds import OWN, CommandKind
from storage.health import switched_off

ROUTES: Mapping[str, str] = {
    CommandKind.START_SESSION.value: "session_start",
    CommandKind.STOP_SESSION.value: "session_stop",
    CommandKind.RESET_SOFT.value: "charger_reset",
    CommandKind.RESET_HARD.value: "charger_reset",
    CommandKind.UNLOCK.value: "charger_unlock",
    CommandKind.ENABLE.value: "charger_availability",
    CommandKind.DISABLE.value: "charger_availability",
    CommandKind.CHANGE_PRICE.value: "pricing_change",
}
"""The contract's name of what each kind needs."""

COMMAND_ROUTES = frozenset(ROUTES.values())


def route_of(kind: str) -> str:
    """The contract's name of the call that a kind of command makes."""
    return ROUTES.get(kind) or f"commands.{kind.removeprefix(OWN)}"


def right_warnings(connection: Connection, kind: str, now: datetime) -> Iterator[str]:
    """Say that EOSVOLT refused such a command for want of a right, less than an hour ago."""
    if any(one.name == route_of(kind) and one.reason == "forbidden" for one in switched_off(connection, now)):
        yield (
            "the last such command was refused, because the EOSVOLT key had no right to it: "
            "give it the scope in the EOSVOLT admin portal; confirming asks again"
        )
