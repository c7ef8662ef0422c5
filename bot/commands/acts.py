"""`/charge start CONNECTOR` and `/charge stop SESSION|CONNECTOR`: a preview that asks. It sends nothing itself.

What is confirmed is checked again and written down by `bot.listeners.actions`; the button carries all it needs, so
that it works after a restart, and a nonce, so that it acts once.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.commands.answer import Answer, Asked, Word, age_of, button, refused, told
from bot.permissions import Role
from notify.actions import ActionId
from notify.commands import CommandCheck, CommandKind, Enqueued, Reason, check_command

VERBS = {CommandKind.START_SESSION.value: "start", CommandKind.STOP_SESSION.value: "stop"}
INSTEAD = {
    Reason.ALREADY_CHARGING: "stop",
    Reason.NO_OPEN_SESSION: "start",
}


@dataclass(frozen=True, slots=True)
class Intent:
    """What a Confirm button stands for, as its value carries it."""

    kind: str
    target: str
    nonce: str
    channel: str


def answer_start(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to start a session on a connector."""
    return _preview(connection, asked, CommandKind.START_SESSION, "a connector", "/charge chargers available")


def answer_stop(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to stop a session."""
    return _preview(
        connection, asked, CommandKind.STOP_SESSION, "a session or its connector", "/charge sessions active"
    )


def not_possible(check: CommandCheck) -> Answer:
    """Why a command cannot be asked for now, and what can."""
    verb = VERBS[check.kind]
    unknown = any(refusal.reason == Reason.UNKNOWN_ID for refusal in check.refusals)
    if unknown:
        examples = [f"/charge {verb} {known}" for known in check.nearest]
        mend = "Did you mean one of these?" if examples else "See which there are:"
    else:
        instead = next((INSTEAD[refusal.reason] for refusal in check.refusals if refusal.reason in INSTEAD), None)
        mend = "What you can do:"
        examples = [f"/charge {instead} {check.connector_id}"] if instead and check.connector_id else []
        examples += [f"/charge charger {check.charger_id}"] if check.charger_id else []
    fallback = "/charge sessions active" if verb == "stop" else "/charge chargers available"
    return refused(
        f"It is not possible to {verb} here now",
        reasons=[refusal.text for refusal in check.refusals],
        mend=mend,
        examples=examples or [fallback],
    )


def requested(enqueued: Enqueued, intent: Intent, user: str) -> Answer:
    """What a confirmation did: asked for, asked for before, or refused because things have changed."""
    if enqueued.command_id is None:
        reasons = [refusal.text for refusal in enqueued.refusals]
        again = f"/charge {VERBS[intent.kind]} {intent.target}"
        return refused(
            "Nothing was sent, because things have changed", reasons=reasons, mend="Ask again:", examples=[again]
        )
    return told("answer_requested", enqueued=enqueued, verb=VERBS[intent.kind], intent=intent, user=user)


def _preview(connection: Connection, asked: Asked, kind: CommandKind, what: str, example: str) -> Answer:
    verb = VERBS[kind]
    if not asked.words:
        return refused(f"`{verb}` needs the id of {what}", mend="See which there are:", examples=[example])
    target = " ".join(asked.words)
    check = check_command(connection, kind, target, asked.now)
    if not check.allowed:
        return not_possible(check)
    # what was shown is what is stopped, should another session have begun by then
    exact = check.session_id if kind == CommandKind.STOP_SESSION else check.connector_id
    intent = {"kind": kind.value, "target": exact or target, "nonce": uuid.uuid4().hex, "channel": asked.card_channel}
    style = "danger" if kind == CommandKind.STOP_SESSION else "primary"
    buttons = [
        button("Confirm", ActionId.CONFIRM_COMMAND, intent, style=style),
        button("Cancel", ActionId.CANCEL_COMMAND, {"verb": verb}),
    ]
    return told(
        "answer_preview",
        buttons=buttons,
        plain=check.warnings,
        check=check,
        verb=verb,
        age=age_of(connection, asked),
        now=asked.now,
    )


WORDS = (
    Word(
        "start",
        "start CONNECTOR",
        "start a session, after a preview and a confirmation",
        "start {available}",
        answer_start,
        needs=Role.OPERATOR,
        acts=True,
    ),
    Word(
        "stop",
        "stop SESSION|CONNECTOR",
        "stop a session, after a preview and a confirmation",
        "stop {open}",
        answer_stop,
        needs=Role.OPERATOR,
        acts=True,
    ),
)
