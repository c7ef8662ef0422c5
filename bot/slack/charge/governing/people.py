"""Whom `/charge grant` and `revoke` are about: one person or one user group, as Slack knows them.

It asks Slack, so nothing here runs inside a transaction; it gives nobody anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from bot.slack.charge.answer import Answer, Office, refused
from bot.slack.charge.spoken import group_of, person_of
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import GRANTED, Permissions, Standing

HOW = "Name a person as @name or a user group as @group, chosen from Slack's list as you type. For example:"
EXAMPLES = ("/charge grant @name operator", "/charge grant @group operator", "/charge roles")


@dataclass(frozen=True, slots=True)
class Holder:
    """A person, or a user group by its handle and how many are in it; `set` is what the settings give them."""

    id: str
    set: Standing
    handle: str = ""
    members: int = 0
    why_outside: str = ""


async def find_holder(office: Office, said: str) -> Holder:
    """The person or group that a word names; WrongWords where there is none. Raises Slack's faults."""
    permissions = permissions_in(office)
    person = person_of(said)
    if person is not None:
        outside = await permissions.why_outside(person)
        return Holder(person, permissions.named_in_settings(person), why_outside=outside)
    groups = await permissions.groups()
    wanted = (group_of(said) or said.lstrip("@")).lower()
    for group in groups:
        if wanted in {str(group.get("id")).lower(), str(group.get("handle")).lower()}:
            return _holder(permissions, group)
    raise WrongWords(_nobody(said, groups))


def permissions_in(office: Office) -> Permissions:
    """Who knows roles; every office of the service has one."""
    assert office.permissions is not None  # noqa: S101 - made with it
    return office.permissions


def _holder(permissions: Permissions, group: Mapping[str, Any]) -> Holder:
    users = group.get("users")
    members = len(users) if isinstance(users, list) else 0
    return Holder(str(group["id"]), permissions.group_in_settings(group), f"@{group.get('handle')}", members)


def _nobody(said: str, groups: Any) -> Answer:
    handles = [f"@{group.get('handle')}" for group in groups if group.get("handle")]
    near = get_close_matches(f"@{said.lstrip('@')}".lower(), handles, n=1, cutoff=0.6)
    hint = [f"There is a user group {near[0]}"] if near else []
    return refused("Nobody here is called", about=said[:80], reasons=hint, mend=HOW, examples=EXAMPLES)


def came_by(standing: Standing) -> str:
    """Where a role comes from, in plain words."""
    through = f", through the group @{standing.group.lstrip('@')}" if standing.group else ""
    if standing.source == GRANTED:
        return f"given in Slack{through}"
    if standing.source == "CHARGEHAND_WORKSPACE_ADMINS":
        return "as an admin of the workspace (CHARGEHAND_WORKSPACE_ADMINS)"
    return f"by {standing.source}{through}" if standing.source else "as everybody in the workspace"
