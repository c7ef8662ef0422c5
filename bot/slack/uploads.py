"""Sends a file by Slack's two-step upload: ask for an address, send the bytes, say where to show it.

Nothing is tried twice: a second upload would be a second file. Slack: docs.slack.dev/messaging/working-with-files.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, BinaryIO

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.web_client import SLACK_FAULTS

log = structlog.get_logger()

UPLOAD_SECONDS = 300
PIECE_BYTES = 256 * 1024


class UploadRefused(Exception):  # noqa: N818 - read as a sentence
    """Slack did not take the bytes of a file; the text says what it answered."""


async def upload_to_person(
    slack: AsyncWebClient, user: str, file: BinaryIO, *, name: str, title: str, comment: str, alt: str | None = None
) -> None:
    """Show a file to a person, in their messages with the bot, with a comment (mrkdwn); `alt` says what it shows.

    `file` is at any place; all of it is sent. Raises UploadRefused, SlackClientError or aiohttp.ClientError.
    """
    channel = (await slack.conversations_open(users=user))["channel"]["id"]
    await upload_file(slack, file, name=name, title=title, alt=alt, channel_id=channel, initial_comment=comment)


async def upload_file(
    slack: AsyncWebClient, file: BinaryIO, *, name: str, title: str, alt: str | None = None, **shown: Any
) -> str:
    """Upload a file, and show it as `shown` says (Slack's own words), else nowhere yet: its id, for an image block.

    Raises UploadRefused, SlackClientError or aiohttp.ClientError.
    """
    length = file.seek(0, 2)
    file.seek(0)
    place = await slack.files_getUploadURLExternal(filename=name, length=length, alt_txt=alt)
    timeout, headers = aiohttp.ClientTimeout(total=UPLOAD_SECONDS), {"content-length": str(length)}
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(place["upload_url"], data=_pieces(file), headers=headers) as answer,
    ):
        if answer.status != 200:
            raise UploadRefused(f"Slack answered the upload with HTTP {answer.status}")
    files = [{"id": place["file_id"], "title": title}]
    await slack.files_completeUploadExternal(files=files, **shown)
    return str(place["file_id"])


async def tell_person(slack: AsyncWebClient, user: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
    """Tell a person in a direct message; where Slack does not take it, the log alone has it."""
    try:
        channel = (await slack.conversations_open(users=user))["channel"]["id"]
        await slack.chat_postMessage(channel=channel, text=text, blocks=blocks)
    except SLACK_FAULTS as lost:
        log.error("a person could not be told of an export", user=user, error=type(lost).__name__)  # noqa: TRY400


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
