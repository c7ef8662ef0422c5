"""`/charge missing`: what EOSVOLT's lists no longer show and is not believed to be gone; an admin may say that it is.

It notes that and no more: the next list that shows the same is believed.
"""

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Mode, Word, refused, told, words_button
from bot.slack.permissions import Role
from storage.audit import record_act
from storage.polls import want_sweep
from storage.recording.doubts import confirm_doubt, open_doubts

ACCEPT = "accept missing things"
"""What the audit log calls this."""


def answer_missing(connection: Connection, _: Asked) -> Answer:
    """Say which lists are doubted."""
    doubts = open_doubts(connection)
    buttons = [words_button("They are gone", "missing accept")] if doubts else []
    return told("answer_missing", buttons=buttons, doubts=doubts, accepted=False)


def answer_accept(connection: Connection, asked: Asked) -> Answer:
    """Show what would be taken for gone; with `yes`, note that it may."""
    doubts = open_doubts(connection)
    if not doubts:
        return refused(
            "Nothing is missing that is not believed to be gone", mend="Look at the polls:", examples=["/charge health"]
        )
    accepted = [word.lower() for word in asked.words] == ["yes"]
    if accepted:
        for doubt in doubts:
            confirm_doubt(connection, doubt.resource, asked.user, asked.now)
            want_sweep(connection, doubt.resource, asked.now)
            facts = {"missing": doubt.missing, "known": doubt.known}
            record_act(connection, asked.user, ACCEPT, doubt.resource, asked.now, outcome="accepted", facts=facts)
    buttons = [] if accepted else [words_button("They are gone", "missing accept yes")]
    return told("answer_missing", buttons=buttons, doubts=doubts, accepted=accepted)


WORDS = (
    Word(
        "missing",
        "missing",
        "what EOSVOLT no longer shows and is not believed to be gone",
        "missing",
        answer_missing,
    ),
    Word(
        "missing accept",
        "missing accept [yes]",
        "let things go that EOSVOLT no longer shows; before that their alerts are held, for 24 h",
        "missing accept",
        answer_accept,
        needs=Role.ADMIN,
        needs_data=False,
        mode=Mode.WRITES,
    ),
)
