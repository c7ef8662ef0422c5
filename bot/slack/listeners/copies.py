"""A click in a message that is not where its row stands: it is a copy of one sent twice, or the one that was lost.

It holds up no click: what the click asks for is done by its own listener, beside it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from sqlalchemy.exc import SQLAlchemyError

from bot.slack.listeners.responder import Responder
from notify.copies import is_known, note_seen
from notify.text.message import EVENT_TYPE

log = structlog.get_logger()

Json = dict[str, Any]
Next = Callable[[], Awaitable[BoltResponse]]


def register(app: AsyncApp, responder: Responder) -> None:
    """Look at every click, before its listener."""

    app.use(NoteCopies(responder))


class NoteCopies(AsyncMiddleware):
    """Looks at every click; a class, because Bolt gathers for a function whatever it might ask for."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    async def async_process(self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Next) -> None:  # noqa: A002 - Bolt's own word
        """Look, and let the click go on."""
        if req.body.get("type") == "block_actions" and _stands(req.body):
            looking = asyncio.create_task(_look(self._responder, req.body))
            self._responder.office.work.add(looking)
            looking.add_done_callback(self._responder.office.work.discard)
        await next()


async def _look(responder: Responder, body: Json) -> None:
    channel = str((body.get("channel") or {}).get("id") or "")
    try:
        if await asyncio.to_thread(_note, responder, channel, str(body["message"]["ts"]), _about(body)):
            log.warning("a message is seen where nobody knew of it", channel=channel)
            responder.wake_deliveries()
    except (SQLAlchemyError, ValueError) as error:
        log.warning("a copy of a message could not be noted", error=type(error).__name__)


def _note(responder: Responder, channel: str, ts: str, about: Json) -> bool:
    with responder.database.read() as connection:
        if is_known(connection, channel, ts):
            return False
    with responder.database.write() as connection:
        return note_seen(connection, channel, ts, about, responder.clock())


def _stands(body: Json) -> bool:
    """Whether a click was in a message of the channel, and not in one that only its reader sees."""
    return bool((body.get("message") or {}).get("ts")) and not (body.get("container") or {}).get("is_ephemeral")


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
