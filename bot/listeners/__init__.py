"""What Slack tells us, grouped by kind; `register` hangs every listener into a Bolt app.

What only reads acknowledges first. What acts writes one intent row and then acknowledges. Nothing here calls EOSVOLT.
"""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp, AsyncRespond

from bot.commands.answer import told
from bot.listeners import actions, commands, events, rules, snoozing
from bot.listeners.desk import Desk, whisper

log = structlog.get_logger()


def register(app: AsyncApp, desk: Desk) -> None:
    """Register every listener, and what is said where one breaks."""

    @app.error
    async def on_error(error: Exception, body: dict[str, Any], respond: AsyncRespond) -> None:
        log.error("a listener failed", exc_info=error)
        if body.get("response_url"):
            await whisper(respond, told("answer_broken"), replace_original=False)

    commands.register(app, desk)
    actions.register(app, desk)
    snoozing.register(app, desk)
    events.register(app, desk)
    rules.register(app, desk)
