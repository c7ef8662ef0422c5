"""The slash command: answered to the person alone. What reads acknowledges first; what acts is written down first."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.slack.charge import registry
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
        if not acts:
            await ack()
        answer = await responder.answer(
            text, user=command["user_id"], channel=command["channel_id"], once=context.get(ONCE, "")
        )
        if acts:
            await ack()
        await whisper(respond, answer)
        later = await responder.finish(answer)
        if later is not None:
            await whisper(respond, later)
