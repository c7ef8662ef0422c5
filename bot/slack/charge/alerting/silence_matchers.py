"""Which alerts a silence or subscription is about, read from words, and refused where no alert could ever agree.

A mistyped key or value would otherwise do nothing, and whoever wrote it would believe that it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.alerting.card_numbers import matched_by, read_card
from bot.slack.charge.answer import refused
from bot.slack.charge.things_by_id import Thing, WrongWords, need_thing, no_rule, whole_values
from rules.alerts.silences import PLACES
from rules.language.fields import nearest
from rules.registry.authoring import NoSuchRule, find_rule
from rules.rising import first_severity
from storage.schema import RULE

KEYS = ("rule", *(name.removesuffix("_id") for name in PLACES))
UNDER = {
    "location": ("location", "charger", "connector", "session"),
    "charger": ("charger", "connector", "session"),
    "connector": ("connector", "session"),
    "session": ("session",),
}
"""For each kind of thing: what the rules are about whose alerts a silence of it can match."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How a refusal speaks of what the words are for: a word of /charge, what it makes, and how its words end."""

    word: str
    noun: str
    end: str
    example: str
    no_alert: str  # why a rule without alerts cannot be meant
    instead: str  # what can be done with it
    instead_example: str
    more: tuple[str, ...] = ()  # what its words may name beside KEYS and labels

    def examples(self, *about: str) -> list[str]:
        """The commands about each of these."""
        return [f"/charge {self.word} {one}{self.end}" for one in about]


SILENCE = Speech(
    "silence",
    "A silence",
    " for 2h REASON",
    "/charge silence 242.2.1 for 2h Technician on site",
    "Only alerts can be silenced, and this rule makes none:",
    "It can be switched off:",
    "/charge rules off {}",
)


@dataclass(frozen=True, slots=True)
class Matchers:
    """What somebody wants quiet: a rule, one thing, labels of rules; at least one of them."""

    rule_id: str | None = None
    thing: Thing | None = None
    labels: tuple[tuple[str, str], ...] = ()


def read_matchers(
    connection: Connection, words: Sequence[str], after: Sequence[str] = (), speech: Speech = SILENCE
) -> Matchers:
    """What the words before a silence's end match; WrongWords, with the nearest right word, where nothing could.

    `after` are the words behind them, which a choice of things says again. Without words all is matched.
    """
    rules = _alert_rules(connection)
    rule_id: str | None = None
    things, labels, ids = [], [], []
    words = whole_values(connection, words)
    for word in words:
        key, sign, value = word.partition("=")
        if not sign and word[0] == "#" and (number := read_card(connection, word, speech.word, speech.end)) is not None:
            rule_id, thing = matched_by(connection, number, speech.word, speech.end)
            things.append(thing)
        elif not sign:
            ids.append(word)
        elif not (key and value):
            whole = f"{speech.noun} names what it matches as KEY=VALUE, and not"
            raise WrongWords(refused(whole, about=word[:60], mend="For example:", examples=[speech.example]))
        elif key.lower() == "rule":
            named, rule_id = rule_id, _rule(connection, value, rules, speech)
            if named not in {None, rule_id}:
                one_by_one = speech.examples(*(f"rule={name}" for name in (named, rule_id)))
                raise WrongWords(
                    refused(f"{speech.noun} names one rule at most", mend="Name them one by one:", examples=one_by_one)
                )
        elif key.lower() in KEYS:
            kind, others = key.lower(), [one for one in words if one is not word]
            again = (f"{speech.word} {kind}=", [kind], (*others, *after))
            things.append(need_thing(connection, value, *again))  # type: ignore[arg-type]  # one of KEYS
        else:
            labels.append(_label(key, value, rules, speech))
    if ids:
        others = [word for word in words if word not in ids]
        things.append(need_thing(connection, " ".join(ids), speech.word, after=(*others, *after)))
    if len(things) > 1:
        raise WrongWords(
            refused(f"{speech.noun} names one thing at most", mend="For example:", examples=[speech.example])
        )
    wanted = Matchers(rule_id, things[0] if things else None, tuple(labels))
    _check_together(wanted, rules, speech)
    return wanted


def _alert_rules(connection: Connection) -> dict[str, dict[str, Any]]:
    """The documents of the alert rules that are there, switched off ones too, by name."""
    there = sa.select(RULE.c.id, RULE.c.document).where(RULE.c.removed_at.is_(None)).order_by(RULE.c.id)
    documents = {row.id: row.document for row in connection.execute(there)}
    return {name: told for name, told in documents.items() if "for_each" in told and "on" not in told}


def _rule(connection: Connection, said: str, rules: dict[str, dict[str, Any]], speech: Speech) -> str:
    try:
        name: str = find_rule(connection, said).id
    except NoSuchRule as wrong:
        raise WrongWords(no_rule(wrong)) from None
    if name not in rules:
        raise WrongWords(
            refused(
                speech.no_alert,
                about=name,
                mend=speech.instead,
                examples=[speech.instead_example.format(name)],
            )
        )
    return name


def _label(key: str, value: str, rules: dict[str, dict[str, Any]], speech: Speech) -> tuple[str, str]:
    """A label as rules write it; WrongWords where no rule has such a label, or none with this value."""
    known: dict[str, dict[str, None]] = {}
    for document in rules.values():
        for name, told in (document.get("labels") or {}).items():
            known.setdefault(name, {})[str(told)] = None
    right = next((name for name in known if name.lower() == key.lower()), None)
    if right is None:
        raise WrongWords(_unknown_key(key, value, [*speech.more, *KEYS, *known], rules, speech))
    if value not in known[right]:
        near = nearest(value, known[right])
        shown = [near] if near is not None else list(known[right])[:3]
        raise WrongWords(
            refused(
                f"No alert rule has the label `{right}` with the value",
                about=value[:100],
                mend="Did you mean this?" if near else "Its values are, for example:",
                examples=speech.examples(*(f"{right}={one}" for one in shown)),
            )
        )
    return right, value


def _unknown_key(key: str, value: str, known: Sequence[str], rules: dict[str, dict[str, Any]], speech: Speech) -> Any:
    """The answer to a word that is neither a kind of thing nor a label."""
    reasons = [f"It matches {', '.join(known[:-1])} and {known[-1]}"]
    if key.lower() == "severity":
        alike = [name for name, document in rules.items() if first_severity(document) == value.lower()]
        examples = speech.examples(*(f"rule={name}" for name in alike[:3])) or ["/charge rules"]
        mend = "Name the rules one by one:" if alike else "See which rules there are:"
        return refused(f"{speech.noun} has no", about=key, reasons=reasons, mend=mend, examples=examples)
    near = nearest(key, known)
    examples = speech.examples(f"{near}={value}") if near is not None else [speech.example]
    mend = "Did you mean this?" if near is not None else "For example:"
    return refused(f"{speech.noun} has no", about=key[:60], reasons=reasons, mend=mend, examples=examples)


def _check_together(wanted: Matchers, rules: dict[str, dict[str, Any]], speech: Speech) -> None:
    """WrongWords where each matcher is right and no alert can agree with all of them."""
    if not rules:
        return  # a thing of a fleet that has no rule yet
    of_rule = {name: document for name, document in rules.items() if wanted.rule_id in {None, name}}
    labelled = {name: document for name, document in of_rule.items() if _has_labels(document, wanted.labels)}
    if not labelled:
        raise WrongWords(
            refused(
                "No alert rule has all of these labels" if wanted.rule_id is None else "This rule has no such label",
                about=", ".join(f"{name}={value}" for name, value in wanted.labels),
                mend="See the rules and their labels:",
                examples=[f"/charge rules show {name}" for name in list(of_rule)[:3]],
            )
        )
    if wanted.thing is None:
        return
    under = UNDER[wanted.thing.kind]
    if not any(document.get("for_each") in under for document in labelled.values()):
        told = ", ".join(sorted({str(document.get("for_each")) for document in labelled.values()}))
        raise WrongWords(
            refused(
                f"No alert of that kind is about a {wanted.thing.kind}: what you name speaks of each",
                about=told,
                mend="Leave the thing out, or name its location:",
                examples=_without_the_thing(wanted, speech),
            )
        )


def _has_labels(document: dict[str, Any], labels: Sequence[tuple[str, str]]) -> bool:
    own = document.get("labels") or {}
    return all(str(own.get(name)) == value for name, value in labels)


def _without_the_thing(wanted: Matchers, speech: Speech) -> list[str]:
    rest = " ".join(
        [*([f"rule={wanted.rule_id}"] if wanted.rule_id else []), *(f"{name}={value}" for name, value in wanted.labels)]
    )
    place = wanted.thing.location_id if wanted.thing is not None else None
    told = [f"{rest} location={place}"] if place is not None else []
    return speech.examples(*(words.strip() for words in [*told, *([rest] if rest else [])]))
