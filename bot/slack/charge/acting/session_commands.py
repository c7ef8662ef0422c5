"""`/charge start CONNECTOR` and `/charge stop SESSION|CONNECTOR`, and the preview that every command asks with.

Nothing is sent here: what is confirmed is checked again and written down by `listeners.block_actions`. The button
carries all it needs, so that it works after a restart, and a nonce, so that it acts once.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Word, age_of, button, form_button, refused, told
from bot.slack.charge.things_by_id import by_name, find_thing, need_thing
from bot.slack.permissions import Role
from commands.requests.checks import check_command
from commands.requests.enqueue import Enqueued
from eosvolt.terms.own_commands import OwnCommand
from notify.text.action_ids import ActionId
from rules.actions.command_kinds import ASKED_FOR, OWN, CommandCheck, CommandKind, Reason
from storage.queries.names import things_called
from storage.queries.state import Kind

VERBS = {kind: verb for verb, kinds in ASKED_FOR.items() for kind in kinds}
"""The word that each kind is asked for with."""

KINDS_OF: Mapping[str, tuple[Kind, ...]] = {
    CommandKind.START_SESSION.value: ("connector",),
    CommandKind.STOP_SESSION.value: ("session", "connector"),
    CommandKind.RESET_SOFT.value: ("charger",),
    CommandKind.RESET_HARD.value: ("charger",),
    CommandKind.UNLOCK.value: ("connector",),
    CommandKind.ENABLE.value: ("connector", "charger"),
    CommandKind.DISABLE.value: ("connector", "charger"),
}
"""What each kind is done to."""

INSTEAD = {
    Reason.ALREADY_CHARGING: "stop",
    Reason.NO_OPEN_SESSION: "start",
}
HARMLESS = (CommandKind.START_SESSION, CommandKind.ENABLE)


@dataclass(frozen=True, slots=True)
class Intent:
    """What a Confirm button stands for, as its value carries it.

    `thing` says what `target` is the id of: connector, session or charger. `ends` are the open sessions of which the
    preview said that they end, `details` the change of prices.
    """

    kind: str
    target: str
    thing: str
    nonce: str
    channel: str
    ends: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def typed(self) -> str:
        """The words that ask for the same again."""
        return typed(self.kind, self.target)


def role_for(kind: str, own: OwnCommand | None = None) -> Role:
    """The role that a command needs, of who asks and of who approves; `own` is the account's own, where it is one."""
    needs_admin = kind == CommandKind.CHANGE_PRICE or (own is not None and own.who == "admin")
    return Role.ADMIN if needs_admin else Role.OPERATOR


def verb_of(kind: str) -> str:
    """The words that a command is asked for with."""
    return VERBS.get(kind) or f"do {kind.removeprefix(OWN)}"


def typed(kind: str, target: str) -> str:
    """The words that ask for a command."""
    return f"/charge {verb_of(kind)} {target}{' hard' if kind == CommandKind.RESET_HARD else ''}"


def answer_start(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to start a session on a connector."""
    target = " ".join(asked.words)
    return preview(connection, asked, CommandKind.START_SESSION, target, "a connector")


def answer_stop(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to stop a session."""
    target = " ".join(asked.words)
    return preview(connection, asked, CommandKind.STOP_SESSION, target, "a session or its connector")


def not_possible(check: CommandCheck) -> Answer:
    """Why a command cannot be asked for now, and what can."""
    verb = verb_of(check.kind)
    unknown = any(refusal.reason == Reason.UNKNOWN_ID for refusal in check.refusals)
    if unknown:
        examples = [typed(check.kind, known) for known in check.nearest]
        mend = "Did you mean one of these?" if examples else "See which there are:"
    else:
        instead = next((INSTEAD[refusal.reason] for refusal in check.refusals if refusal.reason in INSTEAD), None)
        mend = "What you can do:"
        examples = [f"/charge {instead} {check.connector_id}"] if instead and check.connector_id else []
        examples += [f"/charge charger {check.charger_id}"] if check.charger_id else []
        examples += [f"/charge price {check.target}"] if check.kind == CommandKind.CHANGE_PRICE else []
    return refused(
        f"It is not possible to {verb} here now",
        reasons=[refusal.text for refusal in check.refusals],
        mend=mend,
        examples=examples or [_where_to_look(check.kind)],
    )


def requested(enqueued: Enqueued, intent: Intent, user: str) -> Answer:
    """What a confirmation did: asked for, asked for before, or refused because things have changed."""
    if enqueued.command_id is None:
        reasons = [refusal.text for refusal in enqueued.refusals]
        return refused(
            "Nothing was sent, because things have changed",
            reasons=reasons,
            mend="Ask again:",
            examples=[intent.typed],
        )
    return told("answer_requested", enqueued=enqueued, verb=verb_of(intent.kind), intent=intent, user=user)


def preview(  # noqa: PLR0917 - what is asked for, of what, by whom
    connection: Connection, asked: Asked, kind: str, target: str, what: str, own: OwnCommand | None = None
) -> Answer:
    """Ask whether to do it, with what it would do and how things stand; or say why it is not possible."""
    verb = verb_of(kind)
    if not target:
        form = [form_button("Choose one…", "start")] if kind == CommandKind.START_SESSION else []
        needs = f"`{verb}` needs the id of {what}"
        return refused(needs, buttons=form, mend="See which there are:", examples=[_where_to_look(kind)])
    kinds = KINDS_OF.get(kind) or (("connector" if own.of == "connector" else "charger",) if own is not None else ())
    if kinds and find_thing(connection, target, kinds) is None:  # the check says what there is, where no name fits
        called = things_called(connection, target, by_name(kinds))
        if called.things and not called.is_near:
            after = ("hard",) if kind == CommandKind.RESET_HARD else ()
            target = need_thing(connection, target, verb, kinds, after).id
    how: dict[str, Any] = {"per_day": asked.commands_per_day, "own_command": own}
    check = check_command(connection, kind, target, asked.now, **how)
    if check.ends_sessions:
        # the warnings now say that they end, and the button names them: another one that begins meanwhile is not ended
        check = check_command(connection, kind, target, asked.now, ends=check.ends_sessions, **how)
    if not check.allowed:
        return not_possible(check)
    intent = _intent(check, asked.card_channel)
    style = "primary" if kind in HARMLESS else "danger"
    buttons = [
        button("Confirm", ActionId.CONFIRM_COMMAND, asdict(intent), style=style),
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
        approval=asked.approvals.get(check.kind),
    )


def _intent(check: CommandCheck, channel: str) -> Intent:
    """What was shown is what is done: the session that was seen, should another one have begun by then."""
    exact, thing = check.connector_id, "connector"
    if check.kind == CommandKind.STOP_SESSION:
        exact, thing = check.session_id, "session"
    elif check.connector_id is None:
        exact, thing = check.charger_id, "charger"
    return Intent(check.kind, exact or check.target, thing, uuid.uuid4().hex, channel, check.ends_sessions)


def _where_to_look(kind: str) -> str:
    if kind == CommandKind.STOP_SESSION:
        return "/charge sessions active"
    return "/charge chargers available" if kind == CommandKind.START_SESSION else "/charge chargers"


WORDS = (
    Word(
        "start",
        "start CONNECTOR",
        "start a session, after a preview and a confirmation",
        "start {available}",
        answer_start,
        route="session_start",
        needs=Role.OPERATOR,
        acts=True,
    ),
    Word(
        "stop",
        "stop SESSION|CONNECTOR",
        "stop a session, after a preview and a confirmation",
        "stop {open}",
        answer_stop,
        route="session_stop",
        needs=Role.OPERATOR,
        acts=True,
    ),
)
