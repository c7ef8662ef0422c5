"""Who may do what: a role a person, from the settings, Slack's user groups, its admins and what admins gave in Slack.

Roles only grow: outsider, viewer, operator, admin. Whoever is not a full member of this workspace is an outsider,
however they are named, and acts on nothing. Slack is asked at most once a minute for each answer. Where Slack cannot be
asked, nobody gets more than the settings name outright, and the standing says so.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, TypeVar

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.crowd.together import Together
from bot.slack.doors.identity import Identity, Workspace
from bot.slack.web_client import SLACK_FAULTS, error_name
from rules.documents.schedules import usable_zone
from storage.grants import Grant

log = structlog.get_logger()

USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")
REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 5_000
LOOKUP_SECONDS = 5.0
CLICK_LOOKUP_SECONDS = 0.8
"""What acts is acknowledged after it was written down, within 3 s in all: Slack's answer may take this much of them."""
GRANTS_APART = 0.02
"""Seconds. Rights are read for each request after it came; those that come so close together share one reading."""
NOT_OURS = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
"""Slack's error names for a person whom this workspace does not know."""
NOT_KNOWN_YET = "the workspace is not known yet"
NO_GROUPS_TOLD = "Slack told no list of user groups"

T = TypeVar("T")


class Role(IntEnum):
    """What a person may do; a higher role may do all that a lower one may."""

    OUTSIDER = -1
    VIEWER = 0
    OPERATOR = 1
    ADMIN = 2

    @property
    def word(self) -> str:
        """As people read it: outsider, viewer, operator, admin."""
        return self.name.lower()


MEANS = {
    Role.OUTSIDER: "may neither look nor act",
    Role.VIEWER: "reads",
    Role.OPERATOR: "also acts: starts, stops, resets, takes out of service, acknowledges",
    Role.ADMIN: "also changes prices, rules and roles",
}

GIVEN = {role.word: role for role in (Role.OPERATOR, Role.ADMIN)}
"""The roles that can be given, by their words."""
GRANTED = "/charge grant"
"""The source of a role that an admin gave in Slack."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's role; `unsure` where Slack could not be asked, so that it may be higher.

    `outside` says why somebody is no full member of this workspace; empty for one who is. `source` says where a role
    comes from: the name of a setting, or GRANTED; `group` is the user group that has it, `by` who gave it. `zone` is
    the time zone that the person set in Slack, empty where it is not known.
    """

    role: Role
    unsure: bool = False
    outside: str = ""
    source: str = field(default="", compare=False)
    group: str = field(default="", compare=False)
    by: str = field(default="", compare=False)
    zone: str = field(default="", compare=False)

    def may(self, needed: Role) -> bool:
        """Whether this is enough."""
        return self.role >= needed


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack tells of somebody: why they are an outsider (empty: they are none), and their time zone or nothing."""

    outside: str
    is_admin: bool = False
    zone: str = ""


@dataclass(slots=True)
class Permissions:
    """The roles of a workspace. `admins` and `operators` hold user ids, user-group ids or user-group handles.

    `workspace_admins`: the workspace's admins and owners are admins here too. `outsiders_look`: guests and people of
    other workspaces may read. `click_seconds`: how long Slack has to tell of a person whose click waits for its answer.
    `granted` reads what admins gave in Slack, by the ids of people and user groups.
    """

    slack: AsyncWebClient
    identity: Identity
    admins: Sequence[str] = ()
    operators: Sequence[str] = ()
    workspace_admins: bool = False
    outsiders_look: bool = False
    click_seconds: float = CLICK_LOOKUP_SECONDS
    granted: Callable[[], Mapping[str, Grant]] = dict
    _remembered: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _grants: Together[str, Mapping[str, Grant]] = field(init=False)

    def __post_init__(self) -> None:
        self._grants = Together(lambda people: [self.granted()] * len(people), apart=GRANTS_APART)

    async def standing_of(self, user: str, seconds: float = LOOKUP_SECONDS) -> Standing:
        """The standing of a Slack user id; never raises for a fault of Slack, which has so many seconds to answer.

        Raises what keeps the database from being read.
        """
        standing = await self._standing(user, seconds)
        known = self._remembered.get(f"user:{user}")
        return replace(standing, zone=known[1].zone) if known is not None else standing

    async def _standing(self, user: str, seconds: float) -> Standing:
        named = self.named_in_settings(user)
        try:
            async with asyncio.timeout(seconds):
                grants = await self._grants.ask(user)
                return await self._standing_in_slack(user, _higher(named, given_by(grants.get(user))), grants)
        except SLACK_FAULTS as error:
            log.warning("Slack could not be asked for a person's role", user=user, error=error_name(error))
            known = self._remembered.get(f"user:{user}")
            if known is not None and known[1].outside:
                return self._outside(known[1].outside)
            return replace(named, unsure=True)

    def named_in_settings(self, holder: str) -> Standing:
        """What the settings say of a person's id, outright."""
        for role, names in ((Role.ADMIN, self.admins), (Role.OPERATOR, self.operators)):
            if holder in names:
                return Standing(role, source=f"CHARGEHAND_{role.name}S")
        return Standing(Role.VIEWER)

    def group_in_settings(self, group: Mapping[str, Any]) -> Standing:
        """What the settings say of a user group, as Slack tells of it."""
        names = {str(group.get("id")).lower(), str(group.get("handle")).lower()}
        for role, named in ((Role.ADMIN, self.admins), (Role.OPERATOR, self.operators)):
            if names & {name.lstrip("@").lower() for name in named}:
                return Standing(role, source=f"CHARGEHAND_{role.name}S", group=str(group.get("handle")))
        return Standing(Role.VIEWER)

    async def groups(self) -> Sequence[Mapping[str, Any]]:
        """The workspace's user groups with their members, as Slack tells them; raises Slack's faults."""
        return await self._remember("groups", self._fetch_groups)

    async def why_outside(self, user: str) -> str:
        """Why a person is no full member here; empty for one who is. Raises Slack's faults."""
        return (await self._remember(f"user:{user}", lambda: self._fetch_user(user))).outside

    async def standing_at_click(self, user: str) -> Standing:
        """The standing of somebody whose click Slack gives three seconds to answer: asked within `click_seconds`."""
        return await self.standing_of(user, self.click_seconds)

    async def nobody_may_act(self) -> bool:
        """Whether nobody is named, by a person's id or a group with members, nor was given a role; in doubt somebody
        may.
        """
        names = [*self.admins, *self.operators, *await self._grants.ask("")]
        if self.workspace_admins or any(USER_ID.fullmatch(name) for name in names):
            return False
        if not names:
            return True
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return not await self._members_of({name.lstrip("@").lower() for name in names})
        except SLACK_FAULTS:
            return False

    async def _standing_in_slack(self, user: str, named: Standing, grants: Mapping[str, Grant]) -> Standing:
        person = await self._remember(f"user:{user}", lambda: self._fetch_user(user))
        if person.outside:
            return self._outside(person.outside)
        if self.workspace_admins and person.is_admin:
            named = _higher(named, Standing(Role.ADMIN, source="CHARGEHAND_WORKSPACE_ADMINS"))
        by_group = [grant for holder, grant in grants.items() if holder != user and given_by(grant).role > named.role]
        if not by_group and not self._names_others(user, named.role):
            return named
        for group in await self.groups():
            if user in _listed(group.get("users")):
                named = _higher(named, self.group_in_settings(group), given_by(grants.get(str(group.get("id")))))
        return named

    def _names_others(self, user: str, role: Role) -> bool:
        """Whether the settings give a higher role to any other name, which may be a group."""
        higher = [names for of, names in ((Role.ADMIN, self.admins), (Role.OPERATOR, self.operators)) if of > role]
        return any(name.lower() != user.lower() for names in higher for name in names)

    def _outside(self, why: str) -> Standing:
        return Standing(Role.VIEWER if self.outsiders_look else Role.OUTSIDER, outside=why)

    async def _fetch_user(self, user: str) -> Person:
        try:
            told = (await self.slack.users_info(user=user)).get("user")
        except SlackApiError as error:
            if error_name(error) in NOT_OURS:
                return Person("not known in this workspace")
            raise
        us = await self.identity.workspace()
        if us is None or not isinstance(told, Mapping):
            raise TimeoutError(NOT_KNOWN_YET)
        is_admin = bool(told.get("is_admin") or told.get("is_owner"))
        return Person(why_outside(told, us), is_admin, usable_zone(str(told.get("tz") or ""), ""))

    async def _members_of(self, groups: set[str]) -> set[str]:
        return {
            member
            for group in await self.groups()
            if {str(group.get("id")).lower(), str(group.get("handle")).lower()} & groups
            for member in _listed(group.get("users"))
        }

    async def _fetch_groups(self) -> list[Mapping[str, Any]]:
        groups = (await self.slack.usergroups_list(include_users=True)).get("usergroups")
        if not isinstance(groups, list):
            raise TimeoutError(NO_GROUPS_TOLD)
        return [group for group in groups if isinstance(group, Mapping)]

    async def _remember(self, key: str, fetch: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time()
        until, value = self._remembered.get(key, (0.0, None))
        if now >= until:
            value = await fetch()
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (now + REMEMBERED_SECONDS, value)
        known: T = value
        return known


def _higher(*standings: Standing) -> Standing:
    """The first of those with the highest role."""
    return max(standings, key=lambda standing: standing.role)


def given_by(grant: Grant | None) -> Standing:
    """What a grant gives; a word that is no role (any more) gives nothing."""
    role = GIVEN.get(grant.role) if grant is not None else None
    if grant is None or role is None:
        return Standing(Role.VIEWER)
    return Standing(role, source=GRANTED, group=grant.handle, by=grant.granted_by)


def why_outside(told: Mapping[str, Any], us: Workspace) -> str:
    """Why a person, as `users.info` tells of them, is no full member of our workspace; empty for one who is."""
    if told.get("deleted"):
        return "deactivated"
    if told.get("is_bot") or told.get("is_workflow_bot"):
        return "a bot"
    if told.get("is_restricted") or told.get("is_ultra_restricted"):
        return "a guest"
    if told.get("is_stranger"):
        return "of another workspace"
    return "" if _is_of(told, us) else "of another workspace"


def _is_of(told: Mapping[str, Any], us: Workspace) -> bool:
    """Whether somebody belongs to our workspace, or to our whole organisation where the app is installed in that."""
    enterprise = told.get("enterprise_user")
    enterprise = enterprise if isinstance(enterprise, Mapping) else {}
    if not us.team:
        return us.org is not None and enterprise.get("enterprise_id") == us.org
    return us.team == told.get("team_id") or us.team in _listed(enterprise.get("teams"))


def _listed(told: object) -> list[Any]:
    """A list that Slack gives; empty where it gives something else."""
    return told if isinstance(told, list) else []
