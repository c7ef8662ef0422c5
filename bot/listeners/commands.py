"""The slash command: acknowledged first, then answered to the person alone. Its words only read or preview."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.listeners.desk import Desk, whisper

COMMAND = "/charge"


def register(app: AsyncApp, desk: Desk) -> None:
    """Register the slash command."""

    @app.command(COMMAND)
    async def on_charge(ack: AsyncAck, command: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        answer = await desk.answer(command.get("text") or "", user=command["user_id"], channel=command["channel_id"])
        await whisper(respond, answer)
