"""Shortcuts in a message's menu: "Silence this" and "Why?", for cards and what is said in their threads.

What a message is about is looked up by where it stands; of one that is about no alert it is said what to do instead.
"""

import asyncio
from functools import partial
from typing import Any

import sqlalchemy as sa
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from sqlalchemy import Connection

from bot.slack.charge.answer import refused
from bot.slack.listeners.card_buttons import tell_why
from bot.slack.listeners.forms import open_form
from bot.slack.listeners.responder import Responder, whisper
from bot.slack.manifest import SILENCE_THIS, WHY_THIS
from bot.slack.views.named import Named
from notify.alert_cards.thread import firing_on
from notify.outbox import ALERT_CARD, ROLL_UP
from notify.text.message import EVENT_TYPE
from notify.text.ranges import as_ranges
from storage.schema import OUTBOX

Json = dict[str, Any]


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the shortcuts."""

    @app.message_shortcut(SILENCE_THIS)
    async def on_silence(ack: AsyncAck, body: Json) -> None:
        await ack()
        await open_form(responder, body, "silence", partial(_about, body))

    @app.message_shortcut(WHY_THIS)
    async def on_why(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        about = await asyncio.to_thread(_looked_up, responder, body)
        if about:
            await tell_why(responder, body, Named(about), respond)
            return
        answer = refused("This message is about no alert", mend="What fires now:", examples=["/charge alerts"])
        await whisper(respond, answer, replace_original=False)


def _payload(body: Json) -> Json:
    """What our own message says about itself; empty for one of somebody else."""
    metadata = (body.get("message") or {}).get("metadata") or {}
    ours = metadata.get("event_type") == EVENT_TYPE
    return (metadata.get("event_payload") or {}) if ours else {}


def _looked_up(responder: Responder, body: Json) -> Json:
    with responder.database.read() as connection:
        return _about(body, connection)


def _about(body: Json, connection: Connection) -> Json:
    """The alerts of a card or roll-up, or of the one in whose thread a message stands; empty where it is neither."""
    stands = sa.and_(OUTBOX.c.message_channel == body["channel"]["id"], OUTBOX.c.message_ts == body["message_ts"])
    # one that was posted a moment ago may not be noted as standing there yet
    says = OUTBOX.c.id == str(_payload(body).get("item"))
    item = connection.execute(sa.select(OUTBOX).where(sa.or_(stands, says))).first()
    thread = (body.get("message") or {}).get("thread_ts")
    if item is None and thread:  # what a person said there
        parent = (OUTBOX.c.message_channel == body["channel"]["id"], OUTBOX.c.message_ts == thread)
        item = connection.execute(sa.select(OUTBOX).where(*parent)).first()
    head = item.thread_of or (item.rolled_into if item.kind == ROLL_UP else None) if item is not None else None
    if head is not None:
        item = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == head)).first()
    if item is None or item.kind not in {ALERT_CARD, ROLL_UP}:
        return {}
    named = as_ranges(firing_on(connection, item.id))
    about: Json = {"roll_up": item.id} if item.kind == ROLL_UP else {"incident": item.incident_id}
    return {**about, "alerts": named} if named else about
