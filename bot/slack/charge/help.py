"""`/charge` and `/charge help [TOPIC]`: what this person may do, with examples that work when pasted. It only reads."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from string import Formatter
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Mode, Word, refused, told, words_button
from bot.slack.charge.topics import TOPICS
from bot.slack.permissions import MEANS, Role
from notify.subscriptions import lasting
from rules.alerts.silences import newest_silence
from rules.registry.listing import list_rules
from storage.queries.alerts import AlertFilter, list_alerts
from storage.queries.state import first_id, is_available, is_online, is_open, is_out_of_service

MOST_BUTTONS = 5


def answer_help(connection: Connection, asked: Asked, words: Sequence[Word]) -> Answer:
    """The topics with the words that this person may use; or one topic, or one word, with examples."""
    said = " ".join(asked.words).lower().removeprefix("/charge ").strip()
    by_name = {word.word: word for word in words}
    if not said:
        return _topics(connection, asked, by_name)
    if said in TOPICS:
        return _explained(connection, asked, TOPICS[said].title, [by_name[name] for name in TOPICS[said].words])
    alike = [word for word in words if word.word == said or word.word.startswith(f"{said} ")]
    if alike:
        return _explained(connection, asked, alike[0].word.capitalize(), alike)
    near = get_close_matches(said, [*TOPICS, *by_name], n=1, cutoff=0.5)
    examples = [f"/charge help {name}" for name in near] or ["/charge help"]
    return refused(
        "There is no help about", about=said[:60], mend="Did you mean this?" if near else "See:", examples=examples
    )


def _topics(connection: Connection, asked: Asked, by_name: Mapping[str, Word]) -> Answer:
    known = known_ids(connection)
    shown = []
    for name, topic in TOPICS.items():
        mine = [by_name[word] for word in topic.words if asked.role >= by_name[word].needs]
        examples = [example for word in mine if (example := example_of(word, known)) is not None]
        if mine:
            shown.append((name, topic.title, [word.word for word in mine], next(iter(examples), None)))
    buttons = [words_button(title, f"help {name}", n) for n, (name, title, _, _) in enumerate(shown, 1)]
    return told("answer_help", buttons=buttons, topics=shown, **_footer(asked))


def _explained(connection: Connection, asked: Asked, title: str, words: Sequence[Word]) -> Answer:
    known = known_ids(connection)
    mine = [(word, example_of(word, known)) for word in words if asked.role >= word.needs]
    withheld = [word for word in words if asked.role < word.needs]
    runs = [example for word, example in mine if example is not None and word.mode is Mode.READS and not word.acts]
    buttons = [
        words_button(example.removeprefix("/charge "), example.removeprefix("/charge "), n)
        for n, example in enumerate(dict.fromkeys(runs[:MOST_BUTTONS]), 1)
    ]
    return told("answer_help_topic", buttons=buttons, title=title, words=mine, withheld=withheld, **_footer(asked))


def _footer(asked: Asked) -> dict[str, Any]:
    above = [(role.word, MEANS[role]) for role in Role if role > asked.role]
    return {"role": asked.role.word, "means": MEANS[asked.role], "above": above}


def known_ids(connection: Connection) -> dict[str, str | None]:
    """Ids that are known now, by what examples call them."""
    rules = list_rules(connection)
    alert = next(iter(list_alerts(connection, AlertFilter(), 0, 1).rows), None)
    silence = newest_silence(connection)
    subscribed = lasting(connection)
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
        "subscription": str(subscribed[-1].id) if subscribed else None,
        "made_rule": next((line.name for line in rules if line.file is None), None),
    }


def example_of(word: Word, known: dict[str, str | None]) -> str | None:
    """The word's example with a real id in it; None where there is nothing to name as yet."""
    needed = [name for _, name, _, _ in Formatter().parse(word.example) if name]
    if any(known[name] is None for name in needed):
        return None
    return f"/charge {word.example.format(**known)}"
