"""Who may do what: a role a person, from the settings, Slack's user groups and the workspace's admins.

Roles only grow: viewer, operator, admin. Slack is asked at most once a minute for each answer. Where Slack cannot be
asked, nobody gets more than the settings name outright, and the standing says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.web_client import SLACK_FAULTS

log = structlog.get_logger()

REMEMBERED_SECONDS = 60.0
LOOKUP_SECONDS = 5.0
CLICK_LOOKUP_SECONDS = 0.8
"""What acts is acknowledged after it was written down, within 3 s in all: Slack's answer may take this much of them."""

T = TypeVar("T")


class Role(IntEnum):
    """What a person may do; a higher role may do all that a lower one may."""

    VIEWER = 0
    OPERATOR = 1
    ADMIN = 2

    @property
    def word(self) -> str:
        """As people read it: viewer, operator, admin."""
        return self.name.lower()


MEANS = {
    Role.VIEWER: "reads",
    Role.OPERATOR: "also acts: starts, stops, resets, takes out of service, acknowledges",
    Role.ADMIN: "also changes prices, rules and roles",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's role; `unsure` where Slack could not be asked, so that it may be higher."""

    role: Role
    unsure: bool = False

    def may(self, needed: Role) -> bool:
        """Whether this is enough."""
        return self.role >= needed


@dataclass(slots=True)
class Permissions:
    """The roles of a workspace. `admins` and `operators` hold user ids, user-group ids or user-group handles."""

    slack: AsyncWebClient
    admins: Sequence[str] = ()
    operators: Sequence[str] = ()
    _remembered: dict[str, tuple[float, Any]] = field(default_factory=dict)

    async def standing_of(self, user: str, seconds: float = LOOKUP_SECONDS) -> Standing:
        """The standing of a Slack user id; never raises for a fault of Slack, which has so many seconds to answer."""
        if user in self.admins:
            return Standing(Role.ADMIN)
        named = Role.OPERATOR if user in self.operators else Role.VIEWER
        try:
            async with asyncio.timeout(seconds):
                return Standing(max(named, await self._role_in_slack(user)))
        except SLACK_FAULTS as error:
            log.warning("Slack could not be asked for a person's role", user=user, error=type(error).__name__)
            return Standing(named, unsure=True)

    async def _role_in_slack(self, user: str) -> Role:
        if await self._remember(f"admin:{user}", lambda: self._is_workspace_admin(user)):
            return Role.ADMIN
        for role, names in ((Role.ADMIN, self.admins), (Role.OPERATOR, self.operators)):
            groups = {name.lstrip("@").lower() for name in names} - {user.lower()}
            if groups and user in await self._members_of(groups):
                return role
        return Role.VIEWER

    async def _is_workspace_admin(self, user: str) -> bool:
        answer = await self.slack.users_info(user=user)
        told = answer["user"]
        return bool(told.get("is_admin") or told.get("is_owner")) and not told.get("deleted")

    async def _members_of(self, groups: set[str]) -> set[str]:
        known = await self._remember("groups", self._fetch_groups)
        return {
            member
            for group in known
            if {str(group["id"]).lower(), str(group["handle"]).lower()} & groups
            for member in group.get("users", ())
        }

    async def _fetch_groups(self) -> list[dict[str, Any]]:
        answer = await self.slack.usergroups_list(include_users=True)
        groups: list[dict[str, Any]] = answer["usergroups"]
        return groups

    async def _remember(self, key: str, fetch: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time()
        until, value = self._remembered.get(key, (0.0, None))
        if now >= until:
            value = await fetch()
            self._remembered[key] = (now + REMEMBERED_SECONDS, value)
        known: T = value
        return known
