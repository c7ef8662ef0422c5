"""`/charge reset`, `unlock`, `enable` and `disable`: a preview that asks, for a charger or a connector of it.

As with start and stop nothing is sent here. A reset or an unlock that would end sessions says which before it asks.
"""

from sqlalchemy import Connection

from bot.slack.charge.acting.session_commands import preview
from bot.slack.charge.answer import Answer, Asked, Word
from bot.slack.permissions import Role
from rules.actions.command_kinds import CommandKind

RESET_KINDS = {"soft": CommandKind.RESET_SOFT, "hard": CommandKind.RESET_HARD}


def answer_reset(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to reset a charger; a soft reset unless told otherwise."""
    words, kind = asked.words, CommandKind.RESET_SOFT
    if len(words) > 1 and words[-1].lower() in RESET_KINDS:
        words, kind = words[:-1], RESET_KINDS[words[-1].lower()]
    return preview(connection, asked, kind, " ".join(words), "a charger")


def answer_unlock(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to release the cable of a connector."""
    return preview(connection, asked, CommandKind.UNLOCK, " ".join(asked.words), "a connector")


def answer_enable(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to put a charger or a connector into service."""
    return preview(connection, asked, CommandKind.ENABLE, " ".join(asked.words), "a charger or a connector")


def answer_disable(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to take a charger or a connector out of service."""
    return preview(connection, asked, CommandKind.DISABLE, " ".join(asked.words), "a charger or a connector")


WORDS = (
    Word(
        "reset",
        "reset CHARGER [soft|hard]",
        "restart a charger, gently or by its power",
        "reset {online}",
        answer_reset,
        route="charger_reset",
        needs=Role.OPERATOR,
        acts=True,
    ),
    Word(
        "unlock",
        "unlock CONNECTOR",
        "release a cable that is stuck",
        "unlock {available}",
        answer_unlock,
        route="charger_unlock",
        needs=Role.OPERATOR,
        acts=True,
    ),
    Word(
        "enable",
        "enable CHARGER|CONNECTOR",
        "put it into service",
        "enable {out_of_service}",
        answer_enable,
        route="charger_availability",
        needs=Role.OPERATOR,
        acts=True,
    ),
    Word(
        "disable",
        "disable CHARGER|CONNECTOR",
        "take it out of service",
        "disable {available}",
        answer_disable,
        route="charger_availability",
        needs=Role.OPERATOR,
        acts=True,
    ),
)
