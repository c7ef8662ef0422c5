"""The topics of help: every word of /charge stands in one of them. It decides nothing about rights."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its title, with its words in the order in which they are told."""

    title: str
    words: tuple[str, ...]


TOPICS: Mapping[str, Topic] = {
    "fleet": Topic(
        "Look at the fleet", ("status", "locations", "location", "chargers", "charger", "sessions", "session")
    ),
    "act": Topic("Act on chargers", ("start", "stop", "reset", "unlock", "enable", "disable", "do")),
    "money": Topic(
        "Prices, figures and files",
        (
            *("price", "report", "export", "export alerts", "export audit", "export uptime"),
            *("chart energy", "chart status", "chart uptime", "chart revenue", "chart alerts"),
        ),
    ),
    "alerts": Topic(
        "Live with alerts",
        ("alerts", "why", "ack", "unack", "assign", "note", "silence", "silences", "silence end"),
    ),
    "subscriptions": Topic("Hear of what you care about", ("subscribe", "subscriptions", "unsubscribe")),
    "rules": Topic(
        "Make and change rules",
        (
            *("rules", "rules show", "rules history", "rules backtest", "rules library"),
            *("rules add", "rules edit", "rules on", "rules off", "rules delete", "rules accept"),
        ),
    ),
    "automations": Topic("Rules that act", ("automations", "automations on", "automations dry-run", "automations off")),
    "digests": Topic(
        "Hear the day, the week, the month",
        ("digest", "digest list", "digest preview", "digest now", "digest new", "digest pause", "digest resume"),
    ),
    "people": Topic("People of the fleet", ("drivers", "teams", "keys")),
    "chargehand": Topic(
        "Chargehand itself",
        ("help", "health", "missing", "missing accept", "roles", "grant", "revoke", "audit"),
    ),
}
"""By the word that `help` takes."""


def topic_of(word: str) -> str | None:
    """The topic in which a word stands."""
    return next((name for name, topic in TOPICS.items() if word in topic.words), None)
