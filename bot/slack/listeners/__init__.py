"""What Slack tells us, grouped by kind; `register` hangs every listener into a Bolt app.

What only reads acknowledges first. What acts writes one intent row and then acknowledges. Nothing here calls EOSVOLT.
"""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp, AsyncRespond

from bot.slack.charge.answer import told
from bot.slack.listeners import block_actions, events, rule_buttons, slash_command, snooze_buttons
from bot.slack.listeners.desk import Desk, whisper

log = structlog.get_logger()


def register(app: AsyncApp, desk: Desk) -> None:
    """Register every listener, and what is said where one breaks."""

    @app.error
    async def on_error(error: Exception, body: dict[str, Any], respond: AsyncRespond) -> None:
        log.error("a listener failed", exc_info=error)
        if body.get("response_url"):
            await whisper(respond, told("answer_broken"), replace_original=False)

    slash_command.register(app, desk)
    block_actions.register(app, desk)
    snooze_buttons.register(app, desk)
    events.register(app, desk)
    rule_buttons.register(app, desk)
