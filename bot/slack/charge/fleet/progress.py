"""How far a long export has come: one message to whoever waits, edited a few times, and never the export's loss.

It begins only where there is more to come. What Slack does not take of it is logged and left out.
"""

import asyncio
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.web_client import SLACK_FAULTS
from notify.render import render_words
from notify.text.blocks import sections

log = structlog.get_logger()

MOST_EDITS = 4
"""How often the message is edited before its last word."""


class Progress:
    """One message about one work of so many `parts`."""

    def __init__(self, slack: AsyncWebClient, user: str, what: str) -> None:
        self.slack = slack
        self.user = user
        self.what = what
        self.place: tuple[str, str] | None = None
        self.turn = asyncio.Lock()
        self.told = 0.0

    async def reached(self, done: int, parts: int) -> None:
        """Say that so many parts are done; nothing where that is all of them, or little more than what was said."""
        share = done / parts
        if done >= parts or (self.told and share - self.told < 1 / (MOST_EDITS + 1)):
            return
        self.told = share
        async with self.turn:
            await self._say(done=done, parts=parts, over=None)

    async def over(self, *, made: bool) -> None:
        """Say how it ended, where anything was said of it."""
        async with self.turn:
            if self.place is not None:
                await self._say(done=0, parts=0, over=made)

    async def _say(self, **told: Any) -> None:
        words = render_words("export_progress.mrkdwn.j2", what=self.what, **told)["body"]
        try:
            if self.place is None:
                channel = (await self.slack.conversations_open(users=self.user))["channel"]["id"]
                answer = await self.slack.chat_postMessage(channel=channel, text=words, blocks=sections(words))
                self.place = str(answer["channel"]), str(answer["ts"])
            else:
                channel, ts = self.place
                await self.slack.chat_update(channel=channel, ts=ts, text=words, blocks=sections(words))
        except SLACK_FAULTS as lost:
            log.warning("how far an export has come could not be said", user=self.user, error=type(lost).__name__)
