"""`/charge health`: how well Chargehand itself works: polls, rows set aside, what waits to be said. It only reads."""

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, told
from notify.outbox import backlog
from storage.health import poll_health

SHOWN_SET_ASIDE = 8


def answer_health(connection: Connection, asked: Asked) -> Answer | Errand:
    """How things stand, with what to do about what is not well."""
    health = poll_health(connection, asked.now)
    waiting = backlog(connection, asked.now)

    async def ask_slack(office: Office) -> Answer:
        return told(
            "answer_health",
            health=health,
            backlog=waiting,
            slack=await office.slack_link(),
            shown=SHOWN_SET_ASIDE,
            interval=asked.interval,
            now=asked.now,
        )

    return Errand("", ask_slack)


WORDS = (
    Word("health", "health", "how well polling, Slack and deliveries work", "health", answer_health, needs_data=False),
)
