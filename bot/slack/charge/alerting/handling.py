"""`/charge assign`, `note`, `unack`: who looks after what fires, what was noted, an acknowledgement taken back.

Each is written down at once, with an entry in the log of acts; what the words name is what fires of it now.
"""

import re
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, and_, true

from bot.slack.charge.alerting.alerts import read_filter
from bot.slack.charge.answer import Answer, Asked, Mode, Word, refused, told
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import Role
from notify.alert_cards.card import show_click
from notify.handling import add_note, assign, firing_incidents
from rules.alerts.acknowledgements import undo_acknowledgements
from storage.audit import record_act

PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|@?([UW][A-Z0-9]{6,})")
NOTE_EXAMPLES = ("/charge note #12 Technician comes at 15:00", "/charge alerts")
ASSIGN_EXAMPLES = ("/charge assign #12 me", "/charge assign #12 nobody", "/charge alerts")


def assign_firing(
    connection: Connection, asked: Asked, which: ColumnElement[bool], to: str | None, subject: str
) -> Answer:
    """Let somebody look after what fires of these alerts, and show it on the cards."""
    incidents = firing_incidents(connection, which)
    changed = assign(connection, incidents, to, asked.user, asked.now)
    if changed:
        show_click(connection, incidents, asked.now)
        facts = {"to": to, "incidents": incidents[:50]}
        record_act(connection, asked.user, "assign", subject, asked.now, outcome="assigned", facts=facts)
    return told("answer_handled", known=bool(incidents), note=False, to=to, changed=changed)


def note_firing(connection: Connection, asked: Asked, which: ColumnElement[bool], text: str, subject: str) -> Answer:
    """Note something about what fires of these alerts, and show it on the cards."""
    incidents = firing_incidents(connection, which)
    if incidents:
        add_note(connection, incidents, asked.user, text, asked.now)
        show_click(connection, incidents, asked.now)
        facts = {"text": text, "incidents": incidents[:50]}
        record_act(connection, asked.user, "note", subject, asked.now, outcome="noted", facts=facts)
    return told("answer_handled", known=bool(incidents), note=True, to=None, changed=len(incidents))


def unacknowledge_firing(connection: Connection, asked: Asked, which: ColumnElement[bool], subject: str) -> Answer:
    """Take the acknowledgement of what fires of these alerts back, and show it on the cards."""
    incidents = undo_acknowledgements(connection, which, asked.now)
    if incidents:
        show_click(connection, {one for one in incidents if one is not None}, asked.now)
        facts = {"members": len(incidents)}
        record_act(connection, asked.user, "unacknowledge", subject, asked.now, outcome="taken back", facts=facts)
    return told("answer_unacknowledged", members=len(incidents))


def answer_assign(connection: Connection, asked: Asked) -> Answer:
    """Let a person look after what fires of what the words name."""
    if len(asked.words) < 2:
        return refused("`assign` needs to know what, and to whom", mend="For example:", examples=ASSIGN_EXAMPLES)
    *what, said = asked.words
    person = PERSON.fullmatch(said)
    if said.lower() in {"me", "nobody"}:
        to = asked.user if said.lower() == "me" else None
    elif person is not None:
        to = person[1] or person[2]
    else:
        return refused(
            "The last word of `assign` is a person: a mention, `me` or `nobody`, and not",
            about=said[:60],
            mend="For example:",
            examples=ASSIGN_EXAMPLES,
        )
    try:
        which = _which(connection, tuple(what), "assign", " me")
    except WrongWords as wrong:
        return wrong.answer
    return assign_firing(connection, asked, which, to, " ".join(what)[:200])


def answer_note(connection: Connection, asked: Asked) -> Answer:
    """Note the words after the first one about what fires of what that names."""
    if len(asked.words) < 2:
        return refused("`note` needs to know about what, and the note", mend="For example:", examples=NOTE_EXAMPLES)
    what, *text = asked.words
    try:
        which = _which(connection, (what,), "note", f" {' '.join(text)}"[:100])
    except WrongWords as wrong:
        return wrong.answer
    return note_firing(connection, asked, which, " ".join(text), what[:200])


def answer_unack(connection: Connection, asked: Asked) -> Answer:
    """Take the acknowledgement back of what fires of what the words name."""
    if not asked.words:
        return refused("`unack` needs to know what", mend="For example:", examples=["/charge unack #12"])
    try:
        which = _which(connection, asked.words, "unack")
    except WrongWords as wrong:
        return wrong.answer
    return unacknowledge_firing(connection, asked, which, " ".join(asked.words)[:200])


def _which(connection: Connection, words: tuple[str, ...], word: str, end: str = "") -> ColumnElement[bool]:
    return and_(true(), *read_filter(connection, words, word, end).conditions())


def _acts(word: str, usage: str, does: str, example: str, answer: Callable[[Connection, Asked], Answer]) -> Word:
    return Word(word, usage, does, example, answer, needs=Role.OPERATOR, mode=Mode.WRITES)


WORDS = (
    _acts(
        "assign",
        "assign #NUMBER|THING @PERSON|me|nobody",
        "who looks after what fires; its card shows it",
        "assign rule={firing_rule} me",
        answer_assign,
    ),
    _acts(
        "note",
        "note #NUMBER|THING TEXT",
        "a note about what fires, shown on its card",
        "note rule={firing_rule} Technician comes at 15:00",
        answer_note,
    ),
    _acts(
        "unack",
        "unack #NUMBER|THING|rule=NAME",
        "take an acknowledgement back",
        "unack rule={firing_rule}",
        answer_unack,
    ),
)
