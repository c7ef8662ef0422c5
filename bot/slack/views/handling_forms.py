"""The forms of a card's Assign and Add a note: who looks after it, and what somebody noted."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.alerting.handling import assign_firing, note_firing
from bot.slack.charge.answer import Asked
from bot.slack.permissions import Role
from bot.slack.views.form import Form, Written
from bot.slack.views.inputs import FieldErrors, Typed, person_field, text_field
from bot.slack.views.named import Named
from notify.handling import LONGEST_NOTE
from notify.text.message import Block

Json = dict[str, Any]


def assign_opened(_connection: Connection, asked: Asked, _given: Json) -> Sequence[Block]:
    """One field: the person, who asks unless another is chosen."""
    hint = "The card shows it. Nobody is told beside that; leave it empty for nobody."
    return [person_field("to", "Who looks after it", initial=asked.user, optional=True, hint=hint)]


def assign_sent(_connection: Connection, _asked: Asked, typed: Typed) -> Written:
    """Assign what still fires of what the card named."""
    named = Named(typed.kept)
    return Written(partial(_assign, named, typed.text("to") or None))


def _assign(named: Named, to: str | None, connection: Connection, asked: Asked) -> Any:
    return assign_firing(connection, asked, named.alerts(), to, named.subject)


def note_opened(_connection: Connection, _asked: Asked, _given: Json) -> Sequence[Block]:
    """One field: the note."""
    return [text_field("note", "Note", longest=LONGEST_NOTE, multiline=True, hint="The card shows the newest three.")]


def note_sent(_connection: Connection, _asked: Asked, typed: Typed) -> Written:
    """Note it about what still fires of what the card named."""
    text = " ".join(typed.text("note").split())
    if not any(letter.isprintable() for letter in text):
        raise FieldErrors({"note": "Say something that can be read."})
    return Written(partial(_note, Named(typed.kept), text))


def _note(named: Named, text: str, connection: Connection, asked: Asked) -> Any:
    return note_firing(connection, asked, named.alerts(), text, named.subject)


ASSIGN = Form("assign", "Assign", "Assign", Role.OPERATOR, assign_opened, assign_sent)
NOTE = Form("note", "Add a note", "Save", Role.OPERATOR, note_opened, note_sent)
