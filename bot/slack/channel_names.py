"""The ids of channels by the names that rules give them: names change, ids do not.

It reads what Slack lists and keeps it while the process lives; it makes no channel and joins none.
"""

import asyncio
import re
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import HistoryUnreadable, PlaceGone, fetch_page

CHANNEL_TYPES = ("public_channel", "private_channel")  # the scopes of the two are separate


@dataclass(slots=True)
class ChannelNames:
    """The ids of channels by their names, read from Slack as far as needed and kept: names change, ids do not.

    A large workspace has more pages than Slack lets an app read in a minute, so reading goes on where it stopped.
    """

    _ids: dict[str, str] = field(default_factory=dict)
    _unread: list[str] = field(default_factory=lambda: [*CHANNEL_TYPES])
    _cursor: str | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def known(self, channel: str) -> str:
        """What is known of a channel's id without asking: the channel itself where nothing is."""
        return self._ids.get(channel.removeprefix("#"), channel)

    def names_of(self, channel_id: str) -> list[str]:
        """The names by which a channel's id is known, as rules may write them."""
        names = [name for name, known in self._ids.items() if known == channel_id]
        return [spelling for name in names for spelling in (f"#{name}", name)]

    async def id_of(self, slack: AsyncWebClient, channel: str) -> str:
        """The id of `#name`; an id, and a name that Slack does not list, stay as they are. Raises NotNow."""
        if is_channel_id(channel) or channel.removeprefix("#") in self._ids:
            return self.known(channel)
        async with self._reading:
            return await self._read(slack, channel)

    async def _read(self, slack: AsyncWebClient, channel: str) -> str:
        name = channel.removeprefix("#")
        while name not in self._ids and self._unread:
            kind, unread = self._unread[0], self._unread
            words = {"types": kind, "exclude_archived": False, "limit": 999}
            try:
                answer, cursor = await fetch_page(slack.conversations_list, words, self._cursor)
            except (HistoryUnreadable, PlaceGone):  # where it may not read, names go to Slack as they are
                answer, cursor = {}, None
            self._ids |= {told["name"]: told["id"] for told in answer.get("channels", ()) if told.get("name")}
            if unread is not self._unread:  # all was forgotten meanwhile
                continue
            self._cursor = cursor
            if cursor is None:
                self._unread.remove(kind)
        return self._ids.get(name, channel)

    def forget(self) -> None:
        """Read everything again when next asked: a channel was renamed, made or taken away."""
        self._ids, self._unread, self._cursor = {}, [*CHANNEL_TYPES], None


def is_channel_id(channel: str) -> bool:
    """Whether a text has the form of an id that Slack posts to: a channel's, a conversation's or a user's."""
    return re.fullmatch(r"[CDGUW][A-Z0-9]{2,}", channel) is not None
