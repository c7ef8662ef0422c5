"""`/charge status`: the fleet in numbers, and what fires now. It only reads."""

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Word, age_of, told, words_button
from notify.alert_cards.parts import alert_titles
from storage.queries.state import fleet_counts, open_alerts

SHOWN_ALERTS = 5


def answer_status(connection: Connection, asked: Asked) -> Answer:
    """The fleet at a glance."""
    counts = fleet_counts(connection)
    offered = [
        ("Faulted", "chargers faulted", counts.statuses.get("Faulted", 0)),
        ("Offline", "chargers offline", counts.offline),
    ]
    buttons = [
        words_button(f"{label} ({number})", words, place)
        for place, (label, words, number) in enumerate(offered)
        if number
    ]
    alerts = open_alerts(connection, SHOWN_ALERTS)
    return told(
        "answer_status",
        buttons=buttons,
        counts=counts,
        alerts=alerts,
        titles=alert_titles(connection, [one.id for one in alerts], asked.now),
        age=age_of(connection, asked),
        now=asked.now,
    )


WORDS = (Word("status", "status", "the fleet in numbers, and what fires now", "status", answer_status),)
