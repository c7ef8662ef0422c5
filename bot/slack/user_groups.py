"""The ids of user groups by their handles, as Slack tells them; a group that it does not tell has none.

It mentions nobody: the words of a message do.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.web_client import SLACK_FAULTS

LOOKUP_SECONDS = 10
"""How long a message may wait for the ids: far less than its lease."""

log = structlog.get_logger()


@dataclass(slots=True)
class GroupIds:
    """What was read of the workspace's user groups; read anew where a handle is unknown, for groups are made."""

    _ids: dict[str, str] = field(default_factory=dict)

    async def ids_of(self, slack: AsyncWebClient, handles: Iterable[str]) -> dict[str, str]:
        """Slack's ids of the groups `@handle` that it knows; a call that fails is logged and finds none more."""
        wanted = list(handles)
        if any(handle not in self._ids for handle in wanted):
            try:
                async with asyncio.timeout(LOOKUP_SECONDS):
                    answer = await slack.usergroups_list()
            except (*SLACK_FAULTS, TimeoutError) as error:
                log.warning("user groups cannot be read, mentions stay text", error=type(error).__name__)
            else:
                self._ids = {f"@{group['handle']}": group["id"] for group in answer["usergroups"]}
        return {handle: self._ids[handle] for handle in wanted if handle in self._ids}
