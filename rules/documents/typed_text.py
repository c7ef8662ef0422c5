"""A rule as somebody types or pastes it into a chat: YAML, or its keys on one line with semicolons between.

It gives a document to `documents.document`, which judges it; quotes that a phone made round are made straight first.
"""

from collections.abc import Mapping
from typing import Any

from rules.documents.document import Rule, rule_from_document
from rules.documents.yaml_text import read_items
from rules.language.errors import RuleError, RuleErrors

STRAIGHT = str.maketrans(
    {
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{NO-BREAK SPACE}": " ",
    }
)
LISTS = ("notify", "group_by", "inhibits")
LONGEST_TEXT = 10_000


def read_typed(text: str, source: str, before: Mapping[str, Any] | None = None) -> Rule:
    """The rule that a typed text says; RuleErrors with everything that is wrong.

    With `before`, a document, keys that the text leaves out stay as they were there, unless it names the rule: then it
    is the whole rule. A key with nothing after it is taken out.
    """
    document = read_document(text, source)
    if before is not None and "name" not in document:
        document = {**before, **document}
    return rule_from_document({key: value for key, value in document.items() if value is not None}, source)


def read_document(text: str, source: str) -> dict[str, Any]:
    """The mapping that a typed text says, as yet unchecked; RuleErrors where it is none."""
    clean = text.translate(STRAIGHT).strip()
    if clean.startswith("```"):
        clean = clean.strip("`").strip()
    if len(clean) > LONGEST_TEXT:
        raise RuleErrors([RuleError(source, None, f"the text has more than {LONGEST_TEXT:,} characters")])
    return _of_yaml(clean, source) if "\n" in clean or clean[:1] in {"-", "{", "["} else _of_line(clean, source)


def _of_yaml(text: str, source: str) -> dict[str, Any]:
    items, problems = read_items(text)
    errors = [RuleError(source, None, problem.message, problem.line, problem.column) for problem in problems]
    errors += [RuleError(source, None, problem.message, problem.line) for item in items for problem in item.problems]
    if not errors and (len(items) != 1 or not isinstance(items[0].value, dict)):
        errors = [RuleError(source, None, "this is not one rule: a rule is one mapping of keys, such as `name: hot`")]
    if errors:
        raise RuleErrors(errors)
    document: dict[str, Any] = items[0].value
    return document


def _of_line(text: str, source: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    errors: list[RuleError] = []
    for part in _parts(text):
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon or not key.replace("_", "").isalpha():
            errors.append(RuleError(source, None, f'"{part.strip()[:60]}" is no `key: value`; keys are parted by ";"'))
        elif key in document:
            errors.append(RuleError(source, None, f'the key "{key}" stands twice'))
        else:
            document[key] = _value(key, value, source, errors)
    if not document and not errors:
        errors.append(RuleError(source, None, "there is no rule in this text; it begins for example with `name: hot;`"))
    if errors:
        raise RuleErrors(errors)
    return document


def _value(key: str, value: str, source: str, errors: list[RuleError]) -> Any:
    """The value of a key on one line: a list or mapping in brackets is YAML, all else is text."""
    if value[:1] in {"[", "{"}:
        items, problems = read_items(f"v: {_quoted(value)}")
        errors += [RuleError(source, None, f'"{key}": {problem.message}') for problem in problems]
        return items[0].value.get("v") if items and isinstance(items[0].value, dict) else None
    if key in LISTS:
        return [word for word in value.replace(",", " ").split() if word]
    if key == "labels":
        pairs = (pair.partition("=") for pair in value.replace(",", " ").split())
        return {name: said for name, _, said in pairs}
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if key not in {"when", "while"} and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value or None


def _quoted(text: str) -> str:
    """Channels and mentions in a list in quotes, where somebody left them out: # would begin a comment."""
    words = text.replace("[", " [ ").replace("]", " ] ").replace(",", " , ").split(" ")
    return " ".join(f'"{word}"' if word[:1] in {"#", "@"} else word for word in words)


def _parts(text: str) -> list[str]:
    """The text between semicolons that stand outside of quotes."""
    parts, quote = [""], ""
    for character in text:
        if character == ";" and not quote:
            parts.append("")
            continue
        if character == '"':
            quote = "" if quote else character
        parts[-1] += character
    return [part for part in parts if part.strip()]
