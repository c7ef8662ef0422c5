"""`/charge roles`, `grant` and `revoke`: who may do what, and admins giving and taking roles, after a preview.

What the settings name is shown with its setting and cannot be taken here. What is confirmed is kept in a table, with
its line in the audit log, and counts from the next click on.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Mode, Office, Word, confirm_words, refused, told
from bot.slack.charge.governing.people import EXAMPLES, HOW, Holder, came_by, find_holder, permissions_in
from bot.slack.charge.spoken import group_of, person_of
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import GIVEN, GRANTED, MEANS, Role, Standing, given_by
from bot.slack.web_client import SLACK_FAULTS
from storage.grants import Grant, all_grants, give_role, take_role

SHOWN = 30


def answer_roles(connection: Connection, asked: Asked) -> Errand:
    """Who is admin and operator, and why; and what whoever asks, or the person or group that they name, may do."""
    given = all_grants(connection)
    if asked.words:
        said = " ".join(word for word in asked.words if word.lower() not in {"of", "for"})
        return Errand("roles", lambda office: _of_somebody(office, said, given))
    grants = list(given.values())

    async def run(office: Office) -> Answer:
        permissions = permissions_in(office)
        mine = await permissions.standing_of(asked.user)
        settings = {"admin": permissions.admins, "operator": permissions.operators}
        return told(
            "answer_roles",
            mine=mine,
            why=came_by(mine),
            means=MEANS,
            settings=settings,
            permissions=permissions,
            grants=grants[:SHOWN],
            more=max(0, len(grants) - SHOWN),
            admins=asked.role >= Role.ADMIN,
        )

    return Errand("roles", run)


async def _of_somebody(office: Office, said: str, given: Mapping[str, Grant]) -> Answer:
    """What one person or group may do, and why."""
    holder = await _holder(office, said)
    if isinstance(holder, Answer):
        return holder
    theirs = await _standing_of(office, holder, given)
    why = came_by(replace(theirs, group="") if holder.handle else theirs)
    return told("answer_role_of", holder=holder, theirs=theirs, why=why, means=MEANS)


async def _holder(office: Office, said: str) -> Holder | Answer:
    """The person or group that somebody named, or what to say where there is none or Slack does not tell."""
    try:
        return await find_holder(office, said)
    except WrongWords as wrong:
        return wrong.answer
    except SLACK_FAULTS as error:
        return _not_asked(error)


async def _standing_of(office: Office, holder: Holder, given: Mapping[str, Grant]) -> Standing:
    """What a person may do, and by what; of a group what it gives."""
    if not holder.handle:
        return await permissions_in(office).standing_of(holder.id)
    return max(holder.set, given_by(given.get(holder.id)), key=lambda standing: standing.role)


def answer_grant(connection: Connection, asked: Asked) -> Answer | Errand:
    """Ask whether to give a role; once that is confirmed, give it."""
    words = [word for word in asked.words if word.lower() not in {"to", "the", "role", "as", "is"}]
    if Role.VIEWER.word in map(str.lower, words) and not asked.confirmed:
        others = tuple(word for word in words if word.lower() != Role.VIEWER.word)
        return answer_revoke(connection, replace(asked, words=others))  # what is left where nothing is given
    roles = [GIVEN[word.lower()] for word in words if word.lower() in GIVEN]
    names = [word for word in words if word.lower() not in GIVEN]
    if len(roles) != 1 or len(names) != 1:
        said = "`grant` needs one person or user group, and the role operator or admin"
        return refused(said, mend=HOW, examples=EXAMPLES)
    role, said = roles[0], names[0]
    if not asked.confirmed:
        before = all_grants(connection)
        return Errand("roles", lambda office: _ask_to_give(office, said, role, before))
    holder, handle = _confirmed(said)
    give_role(connection, Grant(holder, handle.replace("\x00", ""), role.word, asked.user, asked.now))
    return told("answer_granted", holder=holder, handle=handle, role=role.word, means=MEANS[role])


def answer_revoke(connection: Connection, asked: Asked) -> Answer | Errand:
    """Ask whether to take a role back; once that is confirmed, take it."""
    words = [word for word in asked.words if word.lower() not in {"from", *GIVEN}]
    if len(words) != 1:
        return refused(
            "`revoke` needs one person or user group", mend=HOW, examples=("/charge revoke @name", EXAMPLES[2])
        )
    if not asked.confirmed:
        before = all_grants(connection)
        return Errand("roles", lambda office: _ask_to_take(office, words[0], before, asked.user))
    holder, handle = _confirmed(words[0])
    role = take_role(connection, holder, asked.user, asked.now)
    return told("answer_revoked", holder=holder, handle=handle, role=role)


async def _ask_to_give(office: Office, said: str, role: Role, before: Any) -> Answer:
    holder = await _holder(office, said)
    if isinstance(holder, Answer):
        return holder
    known = before.get(holder.id)
    theirs = await _standing_of(office, holder, before)
    problem = _why_not(holder, role, theirs, known)
    if problem:
        examples = [f"/charge roles {_named(holder)}", "/charge roles"]
        return refused(problem, mend="See what they may do, and who has which role:", examples=examples)
    words = f"grant {_written(holder)} {role.word}"
    return told(
        "answer_grant",
        alone=True,
        buttons=confirm_words("Give the role", words, style="danger" if role is Role.ADMIN else "primary"),
        holder=holder,
        role=role.word,
        means=MEANS[role],
        before=known.role if known is not None else None,
        lowers=known is not None and GIVEN.get(known.role, role) > role,
        theirs=theirs,
        why=came_by(theirs),
    )


def _why_not(holder: Holder, role: Role, theirs: Standing, known: Grant | None) -> str:
    """Why a role is not given: they may not have it, or have it or more already; nothing where it can be."""
    if holder.why_outside:
        return f"A role is for full members of this workspace, and for Slack this is somebody {holder.why_outside}"
    if theirs.role > role and (known is None or known.role != theirs.role.word):
        return f"They are {theirs.role.word} already, {came_by(theirs)}, which is more: there is nothing to give"
    if holder.set.role >= role:
        return f"They are {holder.set.role.word} already, {came_by(holder.set)}, so that there is nothing to give"
    if known is not None and known.role == role.word:
        return f"They have the role {role.word} already, given in Slack"
    return ""


async def _ask_to_take(office: Office, said: str, before: Any, user: str) -> Answer:
    try:
        holder = await find_holder(office, said)
    except WrongWords as wrong:
        gone = _gone(before, group_of(said) or said)
        if gone is None:
            return wrong.answer
        holder = gone
    except SLACK_FAULTS as error:
        return _not_asked(error)
    known = before.get(holder.id)
    if known is None:
        return _not_given(holder.set if holder.handle else await permissions_in(office).standing_of(holder.id))
    stays = await _without_their_own(office, holder, before)
    words = f"revoke {_written(holder)}"
    return told(
        "answer_revoke",
        alone=True,
        buttons=confirm_words("Take it back", words, style="danger"),
        holder=holder,
        grant=known,
        stays=came_by(stays) if stays.role > Role.VIEWER else "",
        stays_as=stays.role.word,
        means=MEANS[stays.role],
        own=holder.id == user,
    )


async def _without_their_own(office: Office, holder: Holder, before: Mapping[str, Grant]) -> Standing:
    """What a person or group has once what was given by name is taken back."""
    if holder.handle:
        return holder.set
    others = {name: grant for name, grant in before.items() if name != holder.id}
    return await replace(permissions_in(office), granted=lambda: others).standing_of(holder.id)


def _named(holder: Holder) -> str:
    """A person or group in an example, as it is typed."""
    return holder.handle or f"<@{holder.id}>"


def _not_given(standing: Standing) -> Answer:
    """They were given no role by their own name: which they have all the same, and who could take it."""
    if standing.role is Role.VIEWER:
        problem = "They were given no role in Slack and are viewer, as everybody is, who reads: nothing can be taken"
        return refused(problem, mend="See who has which role:", examples=["/charge roles"])
    theirs = f"They are {standing.role.word} {came_by(standing)}"
    if standing.source == GRANTED:
        group = f"/charge revoke @{standing.group.lstrip('@')}"
        return refused(f"{theirs}, and not by name", mend="For the whole group:", examples=[group, "/charge roles"])
    by_name = f"takes the name out of {standing.source}"
    changes = f"changes {standing.source}" if standing.source == "CHARGEHAND_WORKSPACE_ADMINS" else by_name
    return refused(
        f"{theirs}, which cannot be changed from Slack",
        mend=f"Whoever runs Chargehand {changes} and starts it again. See:",
        examples=["/charge roles"],
    )


def _gone(before: Any, said: str) -> Holder | None:
    """A user group that was given a role and that Slack does not know any more."""
    for grant in before.values():
        if said.lower() in {grant.holder.lower(), grant.handle.lower(), grant.handle.lstrip("@").lower()}:
            return Holder(grant.holder, Standing(Role.VIEWER), grant.handle)
    return None


def _written(holder: Holder) -> str:
    """A person or group as the button carries it: the id, and of a group its handle."""
    return f"{holder.id}={holder.handle}" if holder.handle else f"<@{holder.id}>"


def _confirmed(said: str) -> tuple[str, str]:
    """The id that a button carries, and of a group its handle."""
    holder, _, handle = said.partition("=")
    return person_of(holder) or holder, handle


def _not_asked(error: BaseException) -> Answer:
    return refused(
        "Slack could not be asked who that is",
        reasons=[str(error)[:200]],
        mend="Try again in a minute. See who has which role:",
        examples=["/charge roles"],
    )


WORDS = (
    Word(
        "roles",
        "roles [@PERSON|@GROUP]",
        "who may do what, and why",
        "roles",
        answer_roles,
        needs_data=False,
        acts=True,
    ),
    Word(
        "grant",
        "grant @PERSON|@GROUP operator|admin",
        "give a person or a user group a role, after a preview",
        "roles",
        answer_grant,
        needs=Role.ADMIN,
        mode=Mode.REHEARSES,
        needs_data=False,
    ),
    Word(
        "revoke",
        "revoke @PERSON|@GROUP",
        "take a role back that was given in Slack, after a preview",
        "roles",
        answer_revoke,
        needs=Role.ADMIN,
        mode=Mode.REHEARSES,
        needs_data=False,
    ),
)
