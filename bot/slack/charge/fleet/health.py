"""`/charge health`: how well Chargehand itself works: polls, rows set aside, what waits to be said. It only reads."""

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, told
from notify.outbox import backlog
from notify.troubles import TroubleContext
from storage.health import poll_health

SHOWN_SET_ASIDE = 8


def answer_health(connection: Connection, asked: Asked) -> Answer | Errand:
    """How things stand, with what to do about what is not well."""
    health = poll_health(connection, asked.now)
    waiting = backlog(connection, asked.now)

    async def ask_slack(office: Office) -> Answer:
        wrong = await office.wrong() if office.wrong is not None else ()
        return told(
            "answer_health",
            troubles=[TroubleContext(one.what, one.about, asked.now, None, one.facts) for one in wrong],
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
