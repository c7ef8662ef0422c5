"""`/charge do NAME CHARGER`: the commands that the account has beside OCPP's, as its contract file names them.

As with the others nothing is sent here: a preview asks first. Without a name, or with one that there is not, it says
what there is.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from sqlalchemy import Connection

from bot.slack.charge.acting.session_commands import preview, role_for
from bot.slack.charge.answer import Answer, Asked, Word, refused
from bot.slack.permissions import Role
from eosvolt.terms.own_commands import OwnCommand
from rules.actions.command_kinds import OWN
from storage.queries.state import first_id


def answer_do(connection: Connection, asked: Asked) -> Answer:
    """Ask whether to do a command of the account's own; say which there are where none of this name is."""
    there = asked.own_commands
    name = asked.words[0].lower() if asked.words else ""
    own = there.get(name)
    if own is None:
        return _what_there_is(connection, name, there)
    if asked.role < role_for(f"{OWN}{name}", own):
        return refused(
            f"`do {name}` needs the role {Role.ADMIN.word}; you are {asked.role.word}",
            mend="The contract file says who may; admins are named in CHARGEHAND_ADMINS. What you may do:",
            examples=["/charge help"],
        )
    return preview(connection, asked, f"{OWN}{name}", " ".join(asked.words[1:]), f"a {own.of}", own)


def gone(kind: str, there: Mapping[str, OwnCommand]) -> Answer:
    """Say that the contract file has no such command any more."""
    names = ", ".join(f"`do {name}`" for name in there) or "none"
    return refused(
        f"There is no command {kind.removeprefix(OWN)} any more, so nothing was sent",
        mend=f"The contract file names: {names}",
        examples=["/charge do"],
    )


def _what_there_is(connection: Connection, wrong: str, there: Mapping[str, OwnCommand]) -> Answer:
    if not there:
        return refused(
            "This account has no commands beside the usual ones",
            mend="Whoever runs Chargehand names them as [commands.NAME] in the file of CHARGEHAND_CONTRACT. See:",
            examples=["/charge help"],
        )
    near = get_close_matches(wrong, there, n=1, cutoff=0.5) if wrong else []
    shown = [there[name] for name in (*near, *(name for name in there if name not in near))]
    ids = {of: first_id(connection, "charger" if of == "charger" else "connector") for of in ("charger", "connector")}
    return refused(
        "There is no command" if wrong else "`do` needs one of the account's own commands, and what it is for",
        about=wrong,
        reasons=[f"{one.name}: {one.does} (of a {one.of}; {one.who})" for one in shown],
        mend="These there are:" if not near else "Did you mean the first of these?",
        examples=[f"/charge do {one.name} {ids[one.of] or one.of.upper()}" for one in shown],
    )


WORDS = (
    Word(
        "do",
        "do COMMAND CHARGER|CONNECTOR",
        "a command that only this account has; alone it says which there are",
        "do",
        answer_do,
        needs=Role.OPERATOR,
        acts=True,
    ),
)
