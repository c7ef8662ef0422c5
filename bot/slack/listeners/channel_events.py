"""The app was invited to a channel, or a channel came out of the archive: what waits for a channel is tried at once.

Nothing depends on these events: without them each channel that refuses messages is tried again within five minutes.
"""

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.slack.listeners.responder import Responder
from notify.channel_refusals import probe_soon

Json = dict[str, Any]


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the events about channels."""

    @app.event("member_joined_channel")
    async def on_joined(event: Json, context: AsyncBoltContext) -> None:
        if event.get("user") == context.bot_user_id:
            await _try_again(responder)

    @app.event("channel_unarchive")
    async def on_unarchived() -> None:
        await _try_again(responder)

    @app.event("group_unarchive")
    async def on_private_unarchived() -> None:
        await _try_again(responder)


async def _try_again(responder: Responder) -> None:
    if await asyncio.to_thread(_probe_soon, responder):
        responder.wake_deliveries()


def _probe_soon(responder: Responder) -> int:
    with responder.database.write() as connection:
        return probe_soon(connection, responder.clock())
