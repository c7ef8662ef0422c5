"""The Confirm button below a preview of words: they are said once more, by whoever presses it, and act once.

The rights are asked again at the click. Nothing here knows what the words do.
"""

import json
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.slack.charge.answer import Answer, refused
from bot.slack.listeners.responder import HeardBeforeError, Responder, whisper
from bot.slack.views.showing import channel_of
from notify.text.action_ids import ActionId

Json = dict[str, Any]


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks that confirm words."""

    @app.action(ActionId.CONFIRM_WORDS.value)
    async def on_confirm_words(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        user = body["user"]["id"]
        answer = await confirm(responder, user, channel_of(body), json.loads(action["value"]))
        await ack()
        await whisper(respond, answer, replace_original=not answer.again)


async def confirm(responder: Responder, user: str, channel: str, value: Json) -> Answer:
    """Do what the words of a button say, once; what to tell the person."""
    words = str(value["words"])
    try:
        return await responder.answer(
            words, user=user, channel=channel, once=f"confirm:{value['nonce']}", confirmed=True
        )
    except HeardBeforeError:
        return refused(
            "This was confirmed before, and acts once",
            mend="See what stands now:",
            examples=["/charge audit", "/charge help"],
        )
