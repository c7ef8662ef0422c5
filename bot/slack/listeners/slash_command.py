"""The slash command: answered to the person alone. What reads acknowledges first; what acts is written down first.

Answers wait for their turn behind acknowledgements. Where too many wait, the acknowledgement itself says so.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, refused
from bot.slack.doors.bolt_app import ONCE
from bot.slack.listeners.responder import Responder, whisper
from bot.slack.manifest import COMMAND


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the slash command."""

    @app.command(COMMAND)
    async def on_charge(
        ack: AsyncAck, command: dict[str, Any], respond: AsyncRespond, context: AsyncBoltContext
    ) -> None:
        text = command.get("text") or ""
        acts = registry.writes(text)
        if responder.turns.full:
            busy = refused("Nothing was done: very many commands wait for their answer", mend="Try again in a minute.")
            await ack(text=busy.text, blocks=busy.blocks, response_type="ephemeral")
            return
        asking = partial(  # not begun before its turn, so that nothing is left begun where the service stops first
            responder.answer, text, user=command["user_id"], channel=command["channel_id"], once=context.get(ONCE, "")
        )
        if acts:
            answer = await asking()
            await ack()
            await responder.turns.take(_say(responder, respond, answer))
        else:
            await ack()
            await responder.turns.take(_ask_and_say(responder, respond, asking))


async def _ask_and_say(responder: Responder, respond: AsyncRespond, asking: Callable[[], Awaitable[Answer]]) -> None:
    await _say(responder, respond, await asking())


async def _say(responder: Responder, respond: AsyncRespond, answer: Answer) -> None:
    await whisper(respond, answer)
    later = await responder.finish(answer)
    if later is not None:
        await whisper(respond, later)
