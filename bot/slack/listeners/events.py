"""Mentions and messages to us: Bolt acknowledges events at once, then the words are answered where they stand.

A mention is answered in its thread; a preview, which one person confirms, is shown to that person alone.
"""

import re
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Mode
from bot.slack.charge.spoken import split
from bot.slack.doors.bolt_app import ONCE
from bot.slack.listeners.responder import Responder
from bot.slack.manifest import COMMAND

Json = dict[str, Any]

BETWEEN = " \t\r\n,:;-"
"""What stands between a mention and the words."""
MENTION = re.compile(r"<@[UW][A-Z0-9]+(\|[^>]*)?>")


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the events."""

    @app.event("app_mention")
    async def on_mention(event: Json, context: AsyncBoltContext) -> None:
        if event.get("bot_id") or not event.get("user"):
            return
        text = asked_of_us(str(event.get("text") or ""), context.bot_user_id or "")
        place: Json = {"channel": event["channel"], "thread_ts": event.get("thread_ts") or event["ts"]}
        await answer_event(responder, event["user"], text, place, context.get(ONCE, ""))

    @app.event("message")
    async def on_message(event: Json, context: AsyncBoltContext) -> None:
        if event.get("channel_type") != "im" or event.get("bot_id") or event.get("subtype") or not event.get("user"):
            return
        text = asked_of_us(str(event.get("text") or ""), context.bot_user_id or "")
        thread = {"thread_ts": event["thread_ts"]} if event.get("thread_ts") else {}
        await answer_event(
            responder, event["user"], text, {"channel": event["channel"], **thread}, context.get(ONCE, "")
        )


def asked_of_us(text: str, bot: str) -> str:
    """What a message asks of us: what follows our mention, else what stands before it, without the command's name."""
    before, mention, after = text, "", ""
    found = re.search(rf"<@{re.escape(bot)}(\|[^>]*)?>", text) if bot else None
    found = found or MENTION.search(text)
    if found is not None and (not bot or bot in found[0]):
        before, mention, after = text[: found.start()], found[0], text[found.end() :]
    said = after.strip(BETWEEN) or before.strip(BETWEEN) if mention else text.strip()
    return said[len(COMMAND) :].strip() if said.lower().startswith(COMMAND) else said


async def answer_event(responder: Responder, user: str, text: str, place: Json, once: str) -> None:
    """Answer words in a place: what is for one person alone is shown to them, all else is posted."""
    word = registry.find_word(split(text))
    if word is None or word.mode is Mode.READS:
        await responder.claim(once)
        once = ""
    said: Answer | None = await responder.answer(text, user=user, channel=place["channel"], once=once)
    while said is not None:
        content: Json = {"text": said.text, "blocks": said.blocks, **place}
        shared = not str(place["channel"]).startswith("D")
        if shared and (said.alone or (word is not None and (word.acts or word.mode is Mode.REHEARSES))):
            await responder.say(partial(responder.slack.chat_postEphemeral, user=user, **content))
        else:
            unfurls: Json = {"unfurl_links": False, "unfurl_media": False}
            await responder.say(partial(responder.slack.chat_postMessage, **content, **unfurls))
        said = await responder.finish(said)
