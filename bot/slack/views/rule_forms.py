"""The forms of rules and digests: built from fields, or written as text; each error at the field that it is about.

They say `/charge rules add`, `rules edit` and `digest new`, which show what would happen and ask; beside that the
backtest of what history there is runs before anything is saved.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.alerting.rules import TYPED, backtested, refusal
from bot.slack.charge.answer import Answer, Asked, refused
from bot.slack.charge.spoken import QUOTES
from bot.slack.permissions import Role
from bot.slack.views.form import Form, Said
from bot.slack.views.inputs import (
    LONGEST_INITIAL,
    Choice,
    FieldErrors,
    Typed,
    channel_field,
    grouped_field,
    select_field,
    text_field,
)
from notify.text.message import Block
from rules.documents.document import Rule, rule_from_document
from rules.documents.reader import DIGESTS
from rules.documents.typed_text import read_typed
from rules.documents.windows import WINDOWS
from rules.documents.yaml_text import to_yaml
from rules.language.errors import RuleErrors
from rules.language.fields import FIELDS, SUBJECTS, THINGS, Type, fields_for
from rules.language.function_words import FUNCTIONS
from rules.registry.authoring import RuleRefused, find_rule
from rules.rising import SEVERITIES

Json = dict[str, Any]

OPERATORS = ("==", "!=", ">", ">=", "<", "<=", "contains", "starts_with", "in", "not in")
FIELD_OF = {"name": "name", "for_each": "subject", "when": "value", "for": "lasting", "notify": "channel"}
FIELD_OF_DIGEST = {"name": "name", "schedule": "schedule", "digest": "kind", "window": "window"}
FIELD_OF_DIGEST |= {"each": "each", "notify": "channel"}
EACH = (Choice("together", "One for all locations"), Choice("location", "One a location"))
QUOTED = (Type.TEXT, Type.ENUM, Type.TEXTS)
BY_TEXT = (
    "Read where it stands, and then nothing else here counts. Events, sums and all the rest are said so: "
    "docs/rules-reference.md."
)
OF_NETWORK = {
    "count(network.chargers where not charger.online)": "How many chargers are offline.",
    "share(network.connectors where connector.status == 'Faulted')": "The share of all connectors.",
    "sum(network.sessions.energy, 24h)": "The energy of all sessions.",
}
"""What a rule about the network may look at: it has no field of its own."""

OF_POWER = {
    "avg(connector.power, 1h)": "The mean power over an hour.",
    "max(connector.power, 1h)": "The greatest power within an hour.",
    "avg(location.power, 15m)": "The mean power of all connectors there together.",
    "max(location.power, 15m)": "The greatest power of all connectors there together.",
}
OF_DRIVER = {
    "count(driver.sessions, 24h)": "How often whoever charges did within a day.",
    "sum(driver.sessions.energy, 24h)": "What that came to.",
}
WORKED_OUT = dict(FUNCTIONS.values()) | OF_POWER | OF_DRIVER | {"weekday": "The day at the location."}
"""What is worked out of other things or of history: an example of each function."""


def rule_opened(_connection: Connection, _asked: Asked, _given: Json) -> Sequence[Block]:
    """The fields of an alert rule, and one for all of it as text."""
    fields: dict[str, Sequence[Choice]] = {
        thing.capitalize(): [
            Choice(key, f"{key} ({spec.english})") for key, spec in FIELDS.items() if spec.thing == thing
        ]
        for thing in THINGS
    }
    made = {"Worked out": WORKED_OUT, "Network": OF_NETWORK}
    fields |= {group: [Choice(key, f"{key} ({of[key]})") for key in of] for group, of in made.items()}
    return [
        text_field("name", "Name", optional=True, placeholder="hot-connector", longest=80),
        select_field("subject", "For each", [Choice(one, one) for one in SUBJECTS], initial="connector"),
        grouped_field("field", "When its", fields, initial="connector.status"),
        select_field("operator", "Is", [Choice(one, one) for one in OPERATORS], initial="=="),
        text_field("value", "What", optional=True, placeholder="Faulted, 50 kW, 2h", longest=200),
        text_field("lasting", "For at least", optional=True, placeholder="10m", longest=20),
        select_field("severity", "Severity", [Choice(one, one) for one in SEVERITIES], initial="warning"),
        channel_field("channel", "Tell", optional=True, hint="Without one: where rules speak that name none."),
        text_field("text", "Or the rule as text", optional=True, multiline=True, longest=3_000, hint=BY_TEXT),
    ]


def rule_sent(_connection: Connection, asked: Asked, typed: Typed) -> Said:
    """The rule as text, checked as a file's rule is."""
    if typed.text("text"):
        rule = _read(partial(read_typed, _straight(typed.text("text")), TYPED), {})
        return _said("rules add", rule, asked)
    errors = {}
    subject, key = typed.text("subject"), typed.text("field")
    field = FIELDS.get(key)
    if not typed.text("name"):
        errors["name"] = "A rule is known by its name, such as hot-connector."
    if not typed.text("value"):
        errors["value"] = "What is it compared with? For example Faulted, 50 kW or 2h."
    if field is not None and key not in {spec.key for spec in fields_for(subject)}:
        errors["field"] = f"A rule for each {subject} cannot read {key}."
    if errors:
        raise FieldErrors(errors)
    is_text = field.type in QUOTED if field is not None else key == "weekday"
    operator, said = _compared(typed.text("operator"), _straight(typed.text("value")), is_text=is_text)
    document = {
        "name": typed.text("name"),
        "for_each": subject,
        "when": f"{key} {operator} {said}",
        "for": typed.text("lasting") or None,
        "severity": typed.text("severity"),
        "notify": [typed.text("channel")] if typed.text("channel") else None,
    }
    rule = _read(partial(_of_document, document), FIELD_OF)
    return _said("rules add", rule, asked)


def _straight(text: str) -> str:
    """A text with the quotes that keyboards curl made straight, as in typed words."""
    return text.translate(QUOTES)


def _compared(operator: str, value: str, *, is_text: bool) -> tuple[str, str]:
    """The operator and what stands after it, as a condition says it: texts in quotes, several in a list."""
    if value == "unknown" and operator in {"==", "!="}:
        return ("is" if operator == "==" else "is not"), value
    if operator in {"in", "not in"}:
        several = [one.strip() for one in value.strip("[]").split(",")]
        return operator, f"[{', '.join(_literal(one, is_text=is_text) for one in several)}]"
    return operator, _literal(value, is_text=is_text)


def _literal(value: str, *, is_text: bool) -> str:
    already = len(value) > 1 and value[0] == value[-1] == '"'
    return json.dumps(value, ensure_ascii=False) if is_text and not already else value


def edit_opened(connection: Connection, _asked: Asked, given: Json) -> Sequence[Block] | Answer:
    """The rule as text, to be changed there."""
    name = str(given.get("rule", ""))
    try:
        text = to_yaml(find_rule(connection, name).document)
    except (RuleRefused, RuleErrors) as wrong:
        return refusal(wrong)
    if len(text) > LONGEST_INITIAL:
        examples = [f"/charge rules edit {name} severity: critical", f"/charge rules show {name}"]
        return refused("This rule is too long for a form", mend="Change a key of it in words:", examples=examples)
    return [
        text_field("text", "The rule", initial=text, multiline=True, longest=3_000, hint="Its name stays as it is.")
    ]


def edit_sent(connection: Connection, asked: Asked, typed: Typed) -> Said:
    """The changed rule, checked as a file's rule is."""
    name = str(typed.kept.get("rule", ""))
    rule = _read(partial(read_typed, _straight(typed.text("text")), TYPED), {})
    if rule.name != name:
        raise FieldErrors({"text": f'A rule is known by its name: "{name}" cannot become "{rule.name}".'})
    return _said(f"rules edit {name}", rule, asked)


def digest_opened(_connection: Connection, _asked: Asked, _given: Json) -> Sequence[Block]:
    """The fields of a digest."""
    return [
        text_field("name", "Name", placeholder="weekly-sessions", longest=80),
        select_field("kind", "About", [Choice(one, one) for one in DIGESTS], initial=DIGESTS[0]),
        text_field("schedule", "When", placeholder="every Monday at 8:00", longest=100, initial="every day at 8:00"),
        select_field("window", "Over", [Choice(one, one) for one in WINDOWS], initial=WINDOWS[0]),
        select_field("each", "Messages", EACH, initial=EACH[0].value, hint="Of a location: by its own clock."),
        channel_field("channel", "Tell", optional=True, hint="Without one: where rules speak that name none."),
    ]


def digest_sent(_connection: Connection, asked: Asked, typed: Typed) -> Said:
    """The digest as text, checked as a file's is."""
    document = {
        "name": typed.text("name"),
        "digest": typed.text("kind"),
        "schedule": typed.text("schedule"),
        "window": typed.text("window"),
        "each": "location" if typed.text("each") == EACH[1].value else None,
        "notify": [typed.text("channel")] if typed.text("channel") else None,
    }
    rule = _read(partial(_of_document, document), FIELD_OF_DIGEST)
    return _said("digest new", rule, asked)


def _of_document(document: Json) -> Rule:
    return rule_from_document({key: value for key, value in document.items() if value is not None}, TYPED)


def _read(read: Any, field_of: Mapping[str, str]) -> Rule:
    """The rule; FieldErrors with each error at the field of the key that it is about, else at the text or the name."""
    try:
        rule: Rule = read()
    except RuleErrors as wrong:
        errors: dict[str, list[str]] = {}
        for error in wrong.errors:
            names = (one for one in field_of if error.message.startswith((f'"{one}"', f"the {one} ")))
            key = error.key or next(names, "")
            at = field_of.get(key) or ("text" if not field_of else "name")
            errors.setdefault(at, []).append(error.message)
        raise FieldErrors({at: "; ".join(told) for at, told in errors.items()}) from None
    return rule


def _said(words: str, rule: Rule, asked: Asked) -> Said:
    later = None if rule.kind == "digest" else lambda database: backtested(database, asked, rule)
    return Said(f"{words}\n{to_yaml(rule.document)}", later)


RULE = Form("rule", "New rule", "Next", Role.ADMIN, rule_opened, rule_sent)
EDIT = Form("rule_edit", "Edit a rule", "Next", Role.ADMIN, edit_opened, edit_sent)
DIGEST = Form("digest", "New digest", "Next", Role.ADMIN, digest_opened, digest_sent)
