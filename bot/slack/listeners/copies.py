"""A click in a message that is not where its row stands: it is an earlier copy of one sent twice, and is marked.

It holds up no click: what the click asks for is done by its own listener, beside it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from sqlalchemy.exc import SQLAlchemyError

from bot.slack.listeners.responder import Responder
from notify.copies import find_kept, mark_copy
from notify.text.message import EVENT_TYPE

log = structlog.get_logger()

Json = dict[str, Any]


def register(app: AsyncApp, responder: Responder) -> None:
    """Look at every click, before its listener."""

    @app.middleware
    async def note_copies(body: Json, next: Callable[[], Awaitable[Any]]) -> None:  # noqa: A002 - Bolt's own word
        if body.get("type") == "block_actions" and (body.get("message") or {}).get("ts"):
            looking = asyncio.create_task(_look(responder, body))
            responder.office.work.add(looking)
            looking.add_done_callback(responder.office.work.discard)
        await next()


async def _look(responder: Responder, body: Json) -> None:
    channel = str((body.get("channel") or {}).get("id") or "")
    try:
        if await asyncio.to_thread(_note, responder, channel, str(body["message"]["ts"]), _about(body)):
            log.warning("a message stands twice; the copy is marked", channel=channel)
            responder.wake_deliveries()
    except (SQLAlchemyError, ValueError) as error:
        log.warning("a copy of a message could not be noted", error=type(error).__name__)


def _note(responder: Responder, channel: str, ts: str, about: Json) -> bool:
    with responder.database.read() as connection:
        kept = find_kept(connection, channel, ts, about)
    if kept is None:
        return False
    with responder.database.write() as connection:
        return mark_copy(connection, kept, ts, responder.clock())


def _about(body: Json) -> Json:
    """What a message is about: by its metadata where Slack tells them, else by the value of what was pressed."""
    metadata = body["message"].get("metadata") or {}
    item = (metadata.get("event_payload") or {}).get("item")
    if metadata.get("event_type") == EVENT_TYPE and item:
        return {"item": item}
    action: Json = next(iter(body.get("actions") or ()), {})
    value = action.get("value") or (action.get("selected_option") or {}).get("value") or "{}"
    try:
        told = json.loads(value)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
