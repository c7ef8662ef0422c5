"""What a form is: who may open it, what it asks, and what is done when it is sent.

A form that is sent says words of /charge, or, where no words could say it, writes by the same function as those do.
Nothing here shows a form or hears of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked
from bot.slack.permissions import Role
from bot.slack.views.inputs import Typed
from notify.text.message import Block
from storage.engine import Database

Json = dict[str, Any]

CALLBACK = "form_"
"""What the callback id of each form begins with; its name follows."""


@dataclass(frozen=True, slots=True)
class Said:
    """Words of /charge, as somebody would have typed them (not escaped). `later` is shown below their answer."""

    words: str
    later: Callable[[Database], Answer] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Something to write, in one transaction, that answers what it did."""

    write: Callable[[Connection, Asked], Answer]


@dataclass(frozen=True, slots=True)
class Form:
    """A form. `opened` makes its blocks from what it was opened with; `sent` reads it, or raises FieldErrors.

    Both run inside a transaction that reads. `opened` may answer instead, where there is nothing to fill in.
    """

    name: str
    title: str
    submit: str
    needs: Role
    opened: Callable[[Connection, Asked, Json], Sequence[Block] | Answer]
    sent: Callable[[Connection, Asked, Typed], Said | Written]
