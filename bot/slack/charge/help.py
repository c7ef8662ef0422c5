"""`/charge` and `/charge help`: what this person may do, with examples that work when pasted. It only reads."""

from collections.abc import Sequence
from string import Formatter

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Word, told
from bot.slack.permissions import MEANS, Role
from rules.alerts.silences import newest_silence
from rules.registry.listing import list_rules
from storage.queries.alerts import AlertFilter, list_alerts
from storage.queries.state import first_id, is_available, is_online, is_open, is_out_of_service


def answer_help(connection: Connection, asked: Asked, words: Sequence[Word]) -> Answer:
    """The words that this person may use, and what those above them need."""
    known = known_ids(connection)
    mine = [word for word in words if asked.role >= word.needs]
    return told(
        "answer_help",
        role=asked.role.word,
        means=MEANS[asked.role],
        words=[(word, example_of(word, known)) for word in mine],
        withheld=[(word.usage, word.needs.word) for word in words if asked.role < word.needs],
        above=[(role.word, MEANS[role]) for role in Role if role > asked.role],
    )


def known_ids(connection: Connection) -> dict[str, str | None]:
    """Ids that are known now, by what examples call them."""
    rules = list_rules(connection)
    alert = next(iter(list_alerts(connection, AlertFilter(), 0, 1).rows), None)
    silence = newest_silence(connection)
    return {
        "location": first_id(connection, "location"),
        "charger": first_id(connection, "charger"),
        "session": first_id(connection, "session"),
        "available": first_id(connection, "connector", is_available()),
        "out_of_service": first_id(connection, "connector", is_out_of_service()),
        "online": first_id(connection, "charger", is_online()),
        "open": first_id(connection, "session", is_open()),
        "rule": next((line.name for line in rules), None),
        "alert_rule": next((line.name for line in rules if line.kind == "alert"), None),
        "digest": next((line.name for line in rules if line.kind == "digest" and line.enabled), None),
        "paused_digest": next((line.name for line in rules if line.kind == "digest" and not line.enabled), None),
        "open_alert": f"{alert.subject} {alert.rule_id}" if alert is not None else None,
        "firing_rule": next((line.name for line in rules if line.firing), None),
        "silence": str(silence) if silence is not None else None,
        "made_rule": next((line.name for line in rules if line.file is None), None),
    }


def example_of(word: Word, known: dict[str, str | None]) -> str | None:
    """The word's example with a real id in it; None where there is nothing to name as yet."""
    needed = [name for _, name, _, _ in Formatter().parse(word.example) if name]
    if any(known[name] is None for name in needed):
        return None
    return f"/charge {word.example.format(**known)}"
