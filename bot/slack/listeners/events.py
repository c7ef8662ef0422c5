"""Mentions: Bolt acknowledges events at once, then the words are answered in their thread.

What reads is answered where the question stands; a preview, which one person confirms, is shown to that person alone.
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

Json = dict[str, Any]

MENTION = re.compile(r"<@[UW][A-Z0-9]+(\|[^>]*)?>")


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the events."""

    @app.event("app_mention")
    async def on_mention(event: Json, context: AsyncBoltContext) -> None:
        if event.get("bot_id") or not event.get("user"):
            return
        text = MENTION.sub("", event["text"], count=1)
        word = registry.find_word(split(text))
        once = context.get(ONCE, "")
        if word is None or word.mode is Mode.READS:
            await responder.claim(once)
            once = ""
        answer = await responder.answer(text, user=event["user"], channel=event["channel"], once=once)
        place: Json = {"channel": event["channel"], "thread_ts": event.get("thread_ts") or event["ts"]}
        said: Answer | None = answer
        while said is not None:
            content: Json = {"text": said.text, "blocks": said.blocks, **place}
            if said.alone or (word is not None and (word.acts or word.mode is Mode.REHEARSES)):
                await responder.say(partial(responder.slack.chat_postEphemeral, user=event["user"], **content))
            else:
                unfurls: Json = {"unfurl_links": False, "unfurl_media": False}
                await responder.say(partial(responder.slack.chat_postMessage, **content, **unfurls))
            said = await responder.finish(said)
