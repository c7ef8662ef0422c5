"""What Slack tells us, grouped by kind; `register` hangs every listener into a Bolt app.

What only reads acknowledges first. What acts writes one intent row and then acknowledges. Nothing here calls EOSVOLT.
"""

from slack_bolt.async_app import AsyncApp

from bot.listeners import actions, commands, events
from bot.listeners.desk import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    """Register every listener."""
    commands.register(app, desk)
    actions.register(app, desk)
    events.register(app, desk)
